"""The buyer's copy of a document as a PDF, in the looks of the unit that issued it."""

from typing import NamedTuple

import structlog

from gateway import ubl
from gateway.errors import GatewayError
from gateway.file_name import file_name
from gateway.pdf import render
from gateway.pipeline.archive import archive_pdf, archived_pdf
from gateway.pipeline.gateway import Gateway
from gateway.pipeline.share import buyers_copy

log = structlog.get_logger()


class Readable(NamedTuple):
    """A file for people or programs, its name as the authority wants it; `uncleared` as in share.Copy."""

    content: bytes
    name: str
    uncleared: bool


def readable(gateway: Gateway, taxpayer_id: str, uuid: str, *, actor: str, only_looks: bool = False) -> Readable:
    """The PDF to share, made of the final XML alone. NotCleared if a buyer may not have the document yet.

    Of a document that was accepted it is made and archived once: whoever asks later gets what the first one got.
    Whoever `only_looks` (an auditor) changes nothing by it.
    """
    copy = buyers_copy(gateway, taxpayer_id, uuid, actor=actor, only_looks=only_looks)
    name = file_name(ubl.read(copy.xml), "pdf")
    kept = archived_pdf(gateway, taxpayer_id, uuid)
    if kept is not None:
        return Readable(kept, name, copy.uncleared)
    looks = gateway.ledger.looks(taxpayer_id, gateway.ledger.unit_of(taxpayer_id, uuid))
    made = render(copy.xml, looks)
    if gateway.ledger.invoice(taxpayer_id, uuid).status.is_accepted and not only_looks:
        _keep(gateway, taxpayer_id, uuid, made)
    return Readable(made, name, copy.uncleared)


def _keep(gateway: Gateway, taxpayer_id: str, uuid: str, pdf: bytes) -> None:
    """Archive it if that can be done now; if not, whoever asks next does it."""
    try:
        archive_pdf(gateway, taxpayer_id, uuid, pdf)
    except GatewayError as error:
        log.warning("pdf_not_archived", uuid=uuid, error=str(error))


def as_xml(gateway: Gateway, taxpayer_id: str, uuid: str, *, actor: str) -> Readable:
    """The XML to share, with its name."""
    copy = buyers_copy(gateway, taxpayer_id, uuid, actor=actor)
    return Readable(copy.xml, file_name(ubl.read(copy.xml), "xml"), copy.uncleared)
