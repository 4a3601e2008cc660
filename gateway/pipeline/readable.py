"""The buyer's copy of a document as a PDF, in the looks of the unit that issued it."""

from typing import NamedTuple

from gateway import ubl
from gateway.file_name import file_name
from gateway.pdf import render
from gateway.pipeline.gateway import Gateway
from gateway.pipeline.share import buyers_copy


class Readable(NamedTuple):
    """A file for people or programs, its name as the authority wants it; `uncleared` as in share.Copy."""

    content: bytes
    name: str
    uncleared: bool


def readable(gateway: Gateway, taxpayer_id: str, uuid: str, *, actor: str) -> Readable:
    """The PDF to share, made of the final XML alone. NotCleared if a buyer may not have the document yet."""
    copy = buyers_copy(gateway, taxpayer_id, uuid, actor=actor)
    looks = gateway.ledger.looks(taxpayer_id, gateway.ledger.unit_of(taxpayer_id, uuid))
    return Readable(render(copy.xml, looks), file_name(ubl.read(copy.xml), "pdf"), copy.uncleared)


def as_xml(gateway: Gateway, taxpayer_id: str, uuid: str, *, actor: str) -> Readable:
    """The XML to share, with its name."""
    copy = buyers_copy(gateway, taxpayer_id, uuid, actor=actor)
    return Readable(copy.xml, file_name(ubl.read(copy.xml), "xml"), copy.uncleared)
