"""What a parsed invoice says of itself where its QR repeats it: facts and KSA-2, and the QR that it carries.

Everything exactly as in its XML, empty where it says nothing. Judges nothing.
"""

from datetime import datetime
from typing import Final, NamedTuple

from lxml import etree

from gateway.invoice.facts import RIYADH
from gateway.xml import NAMESPACES


def _text_at(path: str) -> etree.XPath:
    return etree.XPath(f"string({path})", namespaces=NAMESPACES)


_ISSUE_DATE: Final = _text_at("cbc:IssueDate")
_ISSUE_TIME: Final = _text_at("cbc:IssueTime")
_SELLER_NAME: Final = _text_at("cac:AccountingSupplierParty/cac:Party/cac:PartyLegalEntity/cbc:RegistrationName")
_SELLER_VAT: Final = _text_at("cac:AccountingSupplierParty/cac:Party/cac:PartyTaxScheme/cbc:CompanyID")
_PAYABLE: Final = _text_at("cac:LegalMonetaryTotal/cbc:PayableAmount")
_VAT_TOTAL: Final = _text_at("cac:TaxTotal/cbc:TaxAmount")
_TRANSACTION_CODE: Final = _text_at("cbc:InvoiceTypeCode/@name")
_QR: Final = _text_at(
    "cac:AdditionalDocumentReference[normalize-space(cbc:ID)='QR']/cac:Attachment/cbc:EmbeddedDocumentBinaryObject"
)


class QrFacts(NamedTuple):
    """What an invoice says of itself in the tags 1 to 5, exactly as in its XML; empty where it says nothing."""

    seller_name: str  # BT-27
    seller_vat: str  # BT-31
    time_stamp: str  # BT-2 and KSA-25
    total: str  # BT-115, what is paid: in the files of the official SDK it stands for the total
    vat_total: str  # BT-110


def qr_facts(root: etree._Element) -> QrFacts:
    """The facts of a parsed invoice that its QR repeats."""
    return QrFacts(
        _text(root, _SELLER_NAME),
        _text(root, _SELLER_VAT),
        _time_stamp(_text(root, _ISSUE_DATE), _text(root, _ISSUE_TIME)),
        _text(root, _PAYABLE),
        _text(root, _VAT_TOTAL),
    )


def transaction_code(root: etree._Element) -> str:
    """KSA-2, as it stands in the document."""
    return _text(root, _TRANSACTION_CODE)


def is_simplified(root: etree._Element) -> bool:
    """Whether the issuer's own stamp is the one that counts; standard documents are stamped by the authority."""
    return is_simplified_code(transaction_code(root))


def is_simplified_code(code: str) -> bool:
    """The same of KSA-2."""
    return code.startswith("02")


def qr_of(root: etree._Element) -> str:
    """The QR that a parsed invoice carries, in base64; empty if it has none."""
    return _text(root, _QR)


def _time_stamp(date: str, time: str) -> str:
    """Riyadh time without a zone; a time in UTC (Z) is moved there."""
    if not (date and time):
        return ""
    if not time.endswith("Z"):
        return f"{date}T{time}"
    try:
        moment = datetime.fromisoformat(f"{date}T{time}").astimezone(RIYADH)
    except (ValueError, OverflowError):
        return f"{date}T{time}"
    return moment.replace(tzinfo=None).isoformat(timespec="seconds")


def _text(root: etree._Element, xpath: etree.XPath) -> str:
    return str(xpath(root))
