"""Counter (ICV) and previous hash (PIH): the links that put documents in the order they were made."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

FIRST_PIH: Final = "NWZlY2ViNjZmZmM4NmYzOGQ5NTI3ODZjNmQ2OTZjNzljMmRiYzIzOWRkNGU5MWI0NjcyOWQ3M2EyN2ZiNTdlOQ=="
"""What the first document of a chain carries: base64 of the hex text of SHA-256("0") (BR-KSA-26)."""


@dataclass(frozen=True, slots=True)
class Link:
    """A document's place in its chain: KSA-16 (counter, from 1) and KSA-13 (hash of the document before)."""

    icv: int
    pih: str

    def next(self, document_hash: str) -> "Link":
        """The place after this one, once the document here is known to hash to `document_hash` (base64)."""
        return Link(self.icv + 1, document_hash)


def first_link() -> Link:
    """Where every chain begins."""
    return Link(1, FIRST_PIH)


class Linked(NamedTuple):
    """What the walk needs to know of one document."""

    link: Link
    hash: str


class Break(NamedTuple):
    """Where a chain does not hold: the counter that was due, what stands there, and why it is wrong."""

    icv: int
    found: Linked
    why: str


def walk(documents: Iterable[Linked], due: Link | None = None) -> Iterator[Break]:
    """Every place where documents, in counter order, do not follow from one another; nothing if the chain holds.

    `due` is the place of the first of them, where it is not the chain's first.
    """
    due = due or first_link()
    for found in documents:
        if found.link.icv != due.icv:
            yield Break(due.icv, found, f"counter {due.icv} was due, {found.link.icv} stands there")
        elif found.link.pih != due.pih:
            yield Break(due.icv, found, f"document {found.link.icv} does not carry the hash of the one before")
        due = found.link.next(found.hash)
