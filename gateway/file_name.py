"""How the authority names the file of a document (XML Implementation Standard, section 14)."""

import re

from gateway.invoice.facts import RIYADH
from gateway.ubl import Content

_LONGEST_NUMBER = 127


def file_name(content: Content, extension: str) -> str:
    """VAT number, date and time of issue, and number, in which all but Latin letters and digits become dashes:
    `399999999900003_20261123T095812_RUH1-000123.xml`. Safe in a header and on every disk."""
    invoice, heading, _ = content
    moment = heading.issued_at.astimezone(RIYADH)
    seller, number = (re.sub("[^A-Za-z0-9]", "-", text) for text in (invoice.seller.vat, heading.number))
    return f"{seller[:20]}_{moment:%Y%m%dT%H%M%S}_{number[:_LONGEST_NUMBER]}.{extension}"
