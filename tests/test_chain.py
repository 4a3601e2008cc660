"""Counter and previous hash: the walk finds every place where a chain does not hold, and nothing else."""

import base64
import hashlib

from hypothesis import given
from hypothesis import strategies as st

from gateway.chain import FIRST_PIH, Link, Linked, first_link, walk


def chain_of(hashes: list[str]) -> list[Linked]:
    documents, link = [], first_link()
    for each in hashes:
        documents.append(Linked(link, each))
        link = link.next(each)
    return documents


hashes = st.lists(st.binary(min_size=32, max_size=32).map(lambda raw: base64.b64encode(raw).decode()), unique=True)


def test_the_first_previous_hash_is_that_of_a_zero_as_hex_text():
    assert base64.b64decode(FIRST_PIH).decode() == hashlib.sha256(b"0").hexdigest()
    assert first_link() == Link(1, FIRST_PIH)


def test_a_document_follows_from_the_hash_of_the_one_before():
    assert Link(7, "before").next("this") == Link(8, "this")


@given(hashes)
def test_a_chain_as_it_was_made_holds(made):
    assert list(walk(chain_of(made))) == []


@given(hashes.filter(lambda made: len(made) > 1), st.data())
def test_a_document_taken_out_is_missed(made, data):
    documents = chain_of(made)
    gone = data.draw(st.integers(0, len(documents) - 2))
    (found,) = walk(documents[:gone] + documents[gone + 1 :])
    assert (found.icv, found.found) == (gone + 1, documents[gone + 1])
    assert "counter" in found.why


@given(hashes.filter(lambda made: len(made) > 1), st.data())
def test_a_document_that_was_changed_no_longer_fits_the_next(made, data):
    documents = chain_of(made)
    changed = data.draw(st.integers(0, len(documents) - 2))
    documents[changed] = Linked(documents[changed].link, "another hash")
    (found,) = walk(documents)
    assert found.found == documents[changed + 1]
    assert "hash of the one before" in found.why


@given(hashes.filter(lambda made: len(made) > 2), st.data())
def test_two_documents_with_one_counter_are_seen(made, data):
    documents = chain_of(made)
    twice = data.draw(st.integers(0, len(documents) - 1))
    (found,) = walk([*documents[: twice + 1], *documents[twice:]])
    assert (found.icv, found.found) == (twice + 2, documents[twice])


def test_the_first_document_carries_the_fixed_value():
    (found,) = walk([Linked(Link(1, "something else"), "hash")])
    assert found.icv == 1
