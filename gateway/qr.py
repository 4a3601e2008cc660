"""The QR of a document (KSA-14): nine tags in TLV and base64, and the picture of it.

Pure but for the picture, whose library is loaded when one is drawn, for it is slow and never needed to issue.
Knows nothing of XML: what the tags must say is for gateway.stamp and gateway.rules.stamped.
"""

import base64
import binascii
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from gateway import tlv
from gateway.errors import BadInput

if TYPE_CHECKING:
    from qrcode import QRCode

MAX_CHARACTERS: Final = 1000
"""Longest base64 text (BR-CL-KSA-14)."""

MEANINGS: Final = {
    1: "Seller name",
    2: "VAT registration number",
    3: "Time stamp",
    4: "Invoice total with VAT",
    5: "VAT total",
    6: "Hash of XML invoice",
    7: "ECDSA signature",
    8: "ECDSA public key",
    9: "Stamp of the public key",
}
"""Names of the tags, after the Security Features Implementation Standards, section 4."""

_LAST_TEXT: Final = 7  # Tags 1 to 7 are text; 8 and 9 are DER.
_MASK: Final = 3  # Any of the eight masks is valid; looking for the prettiest takes four times as long.


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag: its number and its bytes."""

    number: int
    value: bytes

    @property
    def meaning(self) -> str:
        """The name of the tag; empty if it is none of the nine."""
        return MEANINGS.get(self.number, "")

    @property
    def shown(self) -> str:
        """The value for people: text where it is text, else base64."""
        if self.number <= _LAST_TEXT:
            try:
                return self.value.decode()
            except UnicodeDecodeError:
                pass
        return base64.b64encode(self.value).decode()


def encode(tags: Iterable[Tag]) -> str:
    """The base64 text of the tags in the order given; BadInput if it would be longer than a document may carry."""
    text = base64.b64encode(b"".join(tlv.write(tag.number, tag.value) for tag in tags)).decode()
    if len(text) > MAX_CHARACTERS:
        raise BadInput(
            f"The QR would have {len(text)} characters; at most {MAX_CHARACTERS} are allowed (BR-CL-KSA-14).",
            fix="Shorten the seller's name: it is the only part that can be this long.",
            ar=f"طول نص رمز الاستجابة السريعة {len(text)} حرفًا والحد الأقصى {MAX_CHARACTERS}. اختصر اسم البائع.",
        )
    return text


def decode(text: str) -> tuple[Tag, ...]:
    """The tags of a QR's text as they stand; BadInput if it is not TLV in base64 or is cut off."""
    if len(text) > MAX_CHARACTERS:
        raise BadInput(f"A QR has at most {MAX_CHARACTERS} characters (BR-CL-KSA-14); this has {len(text)}.")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadInput("The QR is not base64.", fix="Copy the whole text between the tags, and nothing else.") from None
    if not data:
        raise BadInput("The QR is empty.")
    return tuple(Tag(number, value) for number, value in tlv.read(data))


def svg(text: str) -> bytes:
    """The picture of a QR's text as SVG, one unit to a module, which prints sharp at any size."""
    rows = _code(text).get_matrix()
    path = "".join(
        f"M{start} {y}h{length}v1h-{length}z" for y, row in enumerate(rows) for start, length in _dark_runs(row)
    )
    size = len(rows)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" shape-rendering="crispEdges">'
        f'<path fill="#fff" d="M0 0h{size}v{size}H0z"/><path d="{path}"/></svg>'
    ).encode()


def png(text: str) -> bytes:
    """The picture of a QR's text as PNG, ten pixels to a module."""
    picture = BytesIO()
    _code(text).make_image().save(picture)
    return picture.getvalue()


def _code(text: str) -> "QRCode[Any]":
    """The modules of the picture, four light ones around it as scanners need."""
    from qrcode import ERROR_CORRECT_M, QRCode

    decode(text)
    code = QRCode[Any](error_correction=ERROR_CORRECT_M, border=4, mask_pattern=_MASK)
    code.add_data(text, optimize=0)
    code.make(fit=True)
    return code


def _dark_runs(row: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Where each run of dark modules begins, and how long it is."""
    at = 0
    for dark, run in groupby(row):
        length = len(list(run))
        if dark:
            yield at, length
        at += length
