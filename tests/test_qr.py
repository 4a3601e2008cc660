"""The QR: TLV both ways, its limits, and the picture."""

import base64
import csv
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateway import qr, tlv
from gateway.errors import BadInput

tags = st.lists(st.builds(qr.Tag, st.integers(1, 9), st.binary(max_size=300)), min_size=1, max_size=2)


@given(tags)
def test_what_is_encoded_decodes_to_the_same_tags(made):
    assert qr.decode(qr.encode(made)) == tuple(made)


@pytest.mark.parametrize(
    ("size", "head"),
    [(0, "0100"), (127, "017f"), (128, "018180"), (255, "0181ff"), (256, "01820100"), (300, "0182012c")],
)
def test_lengths_above_127_take_the_long_form(size, head):
    assert tlv.write(1, b"x" * size).hex().startswith(head)
    assert list(tlv.read(tlv.write(1, b"x" * size))) == [(1, b"x" * size)]


@given(st.text() | st.binary(max_size=700).map(lambda data: base64.b64encode(data).decode()))
def test_any_text_decodes_or_is_refused_in_words(text):
    with suppress(BadInput):
        assert qr.encode(qr.decode(text))


@pytest.mark.parametrize(
    ("data", "why"),
    [(b"\x01\x05abc", "cut off"), (b"\x01", "cut off"), (b"\x01\x82\x01", "cut off"), (b"\x01\x80", "definite form")],
)
def test_a_cut_off_qr_says_so(data, why):
    with pytest.raises(BadInput, match=why):
        qr.decode(base64.b64encode(data).decode())


@pytest.mark.parametrize("text", ["", "%%%", "AQ", " AQFh", "AQFh\n", "قهوة"])
def test_what_is_no_qr_is_refused(text):
    with pytest.raises(BadInput):
        qr.decode(text)


def test_at_most_1000_characters():
    longest = [qr.Tag(1, b"x" * 746)]
    assert len(qr.encode(longest)) == 1000
    with pytest.raises(BadInput, match="BR-CL-KSA-14") as refused:
        qr.encode([qr.Tag(1, b"x" * 747)])
    assert refused.value.ar
    with pytest.raises(BadInput, match="BR-CL-KSA-14"):
        qr.decode("A" * 1004)


def test_tags_are_named_and_shown_as_text_or_as_base64():
    assert qr.Tag(1, "متجر".encode()).shown == "متجر"
    assert qr.Tag(1, b"\xff").shown == "/w=="
    assert qr.Tag(8, b"0V").shown == "MFY="
    assert qr.Tag(2, b"").meaning == "VAT registration number"
    assert qr.Tag(77, b"").meaning == ""


def test_the_official_samples_read_and_write_to_the_same_text(shared):
    with (shared / "vectors" / "vectors.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert len(rows) == 19
    for row in rows:
        found = qr.decode(row["qr_base64"])
        assert ",".join(str(tag.number) for tag in found) == row["qr_tags"]
        assert qr.encode(found) == row["qr_base64"]


def test_the_picture_has_every_dark_module_where_it_belongs():
    text = qr.encode([qr.Tag(1, b"seller"), qr.Tag(8, bytes(88))])
    root = etree.fromstring(qr.svg(text))
    dark = set()
    for run in root[-1].get("d").removeprefix("M").split("M"):
        (x, _, rest), length = run.partition(" "), run.split("h")[1].split("v")[0]
        dark |= {(int(x) + step, int(rest.split("h")[0])) for step in range(int(length))}
    matrix = qr._code(text).get_matrix()
    assert dark == {(x, y) for y, row in enumerate(matrix) for x, module in enumerate(row) if module}
    assert min(x for x, _ in dark) == 4  # the light border that scanners need


def test_the_picture_is_the_same_every_time():
    text = qr.encode([qr.Tag(1, b"seller")])
    assert qr.svg(text) == qr.svg(text)
    assert qr.png(text).startswith(b"\x89PNG")
    with pytest.raises(BadInput):
        qr.svg("not a QR")
