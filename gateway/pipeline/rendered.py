"""From what a document is to say to its stamped bytes. That they do say it, and hold, is for proof."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from gateway import stamp, ubl
from gateway.csid import Certificate
from gateway.errors import UnusableOrder
from gateway.invoice.facts import RIYADH
from gateway.qr_facts import QrFacts
from gateway.template import as_amount
from gateway.xml import MAX_XML_BYTES

STAMP_BYTES: Final = 20_000
"""Room for signature and QR; together they have about 9 kB."""


def moment_of_issue(now: datetime) -> datetime:
    """BT-2 and KSA-25: Riyadh time, whole seconds."""
    return now.astimezone(RIYADH).replace(microsecond=0)


def stamped(
    content: ubl.Content, certificate: Certificate, sign: Callable[[bytes], bytes], at: datetime
) -> stamp.Document:
    """The document that says this, stamped; that it does and holds is for `prove` to say."""
    invoice, heading = content.invoice, content.heading
    said = QrFacts(
        seller_name=invoice.seller.name,
        seller_vat=invoice.seller.vat,
        time_stamp=heading.issued_at.astimezone(RIYADH).replace(tzinfo=None).isoformat(timespec="seconds"),
        total=as_amount(invoice.payable),
        vat_total=as_amount(invoice.vat),
    )
    return stamp.stamp_rendered(
        rendered(content),
        said,
        uuid=heading.uuid,
        code=invoice.transaction_code,
        sign=sign,
        certificate=certificate,
        signing_time=moment_of_issue(at),
    )


def stamped_foreign(
    body: bytes, certificate: Certificate, sign: Callable[[bytes], bytes], at: datetime
) -> stamp.Document:
    """The same of a document that another system wrote, whose bytes are kept as they are."""
    return stamp.stamp(body, sign=sign, certificate=certificate, signing_time=moment_of_issue(at))


def rendered(content: ubl.Content) -> bytes:
    """The unsigned document; UnusableOrder if it is larger than can be handled."""
    body = ubl.render(*content)
    must_fit(body)
    return body


def must_fit(body: bytes) -> None:
    """UnusableOrder if there is no room for a stamp."""
    if len(body) + STAMP_BYTES > MAX_XML_BYTES:
        raise UnusableOrder(
            f"The document would have {len(body)} bytes; at most {MAX_XML_BYTES - STAMP_BYTES} can be handled.",
            fix="Split the order in two.",
            ar="الطلب كبير جداً لمستند واحد. قسّمه إلى طلبين.",
        )
