"""Reading XML from anywhere: what is refused, and that it is refused quickly and in words."""

import pytest

from gateway.errors import UnreadableXml
from gateway.xml import MAX_ATTRIBUTES, MAX_XML_BYTES, parse

FLOOD = " ".join(f'a{n}="1"' for n in range(MAX_ATTRIBUTES + 1))
BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><x>&b;</x>'


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not well-formed"),
        (b"<a>", "not well-formed"),
        (b"\x00\x01", "not well-formed"),
        (b"<!DOCTYPE a><a/>", "DOCTYPE"),
        (BOMB.encode(), "DOCTYPE"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "DOCTYPE"),
        (f"<a {FLOOD}/>".encode(), "attributes"),
        (f"<r><b {FLOOD}/></r>".encode(), "attributes"),
        (b"<a>" + b" " * MAX_XML_BYTES + b"</a>", "at most"),
        (b"<a>" * 5000 + b"</a>" * 5000, "not well-formed"),
    ],
)
def test_what_must_not_be_read_is_refused_in_words(data, why):
    with pytest.raises(UnreadableXml, match=why) as refusal:
        parse(data)
    assert refusal.value.fix


def test_an_ordinary_document_is_read_whatever_its_encoding():
    assert parse("<a>قهوة</a>".encode()).text == "قهوة"
    assert parse('<?xml version="1.0" encoding="UTF-16"?><a>قهوة</a>'.encode("utf-16")).text == "قهوة"
