"""The readable document: PDF/A-3 in Arabic and English with its XML inside, made from that XML alone.

Bytes in, bytes out: the same XML, looks and moment give the same PDF. Fonts come from installed packages, nothing is
fetched, and the texts of a document are data to the typesetter, never mark-up.
"""

from datetime import datetime

from gateway import ubl
from gateway.errors import BadInput
from gateway.file_name import file_name
from gateway.looks import Looks
from gateway.pdf.page import page_of
from gateway.qr_facts import qr_of
from gateway.xml import parse


def render(xml: bytes, looks: Looks | None = None, *, timestamp: datetime | None = None) -> bytes:
    """The PDF of a document's final XML. `timestamp`, aware, is when it was made; the moment of issue if left out.

    BadInput if the document cannot be read; see gateway.ubl.read.
    """
    from gateway.pdf.typeset import Attached, typeset

    content = ubl.read(xml)
    try:
        text = xml.decode()
    except UnicodeDecodeError:
        raise BadInput("The document is not in UTF-8.", fix="Save it in UTF-8.") from None
    attached = Attached(file_name(content, "xml"), text)
    code = qr_of(parse(xml))
    return typeset(page_of(content), code, attached, looks or Looks(), timestamp=timestamp or content.heading.issued_at)


def must_be_drawable(logo: str) -> None:
    """BadInput if a logo (see gateway.looks.logo_of) cannot be set: known when it is given, not on a buyer's PDF."""
    from gateway.pdf.typeset import draw

    draw(logo)
