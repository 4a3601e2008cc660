"""How a taxpayer's printed documents look: logo, colours, a text at the foot of each page.

What comes in from outside is proved harmless here, before it is kept: a picture has a size that can be drawn, and a
drawing refers to nothing outside itself.
"""

import base64
import io
import re
import warnings
from dataclasses import dataclass
from typing import Final

from lxml import etree

from gateway.errors import BadInput, UnreadableXml
from gateway.xml import parse

MAX_LOGO: Final = 256 * 1024
"""Largest logo, in bytes."""
MAX_PIXELS: Final = 2000
"""Longest side of a logo that is a picture."""
_PRINTED_PIXELS: Final = 1200
"""Longest side of what is kept of it: 500 to the inch on the page."""
MAX_FOOTER: Final = 300
"""Longest text at the foot, in characters."""
COLOUR: Final = "#12486b"
ACCENT: Final = "#419197"

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_SVG: Final = "{http://www.w3.org/2000/svg}"
_SHAPES: Final = frozenset(
    """svg g defs path rect circle ellipse line polyline polygon linearGradient radialGradient stop clipPath title desc
    metadata style""".split()
)
"""What a logo is drawn with. Text is not among it: it would need its font. Nor is what draws another part once more:
a few of those within each other are drawn thousands of times."""
_MAX_ELEMENTS: Final = 5000
_ELSEWHERE: Final = re.compile(r"url\((?!\s*['\"]?#)|@import|javascript:", re.IGNORECASE)
_FILE_HELP: Final = "Save the logo as PNG, or as SVG with its texts turned into paths."


@dataclass(frozen=True, slots=True)
class Looks:
    """Colours are #rrggbb: `colour` of titles and the heads of tables, `accent` of what is set off more quietly. `logo`
    is an SVG that `logo_of` made, empty if there is none."""

    colour: str = COLOUR
    accent: str = ACCENT
    logo: str = ""
    footer: str = ""

    def __post_init__(self) -> None:
        for colour in (self.colour, self.accent):
            if not re.fullmatch("#[0-9a-f]{6}", colour):
                raise BadInput(f"{colour[:20]!r} is no colour.", fix="Write it as #rrggbb in small letters: #12486b.")
        if len(self.footer) > MAX_FOOTER or len(self.footer.splitlines()) > 3:
            raise BadInput(f"The footer has at most {MAX_FOOTER} characters in three lines.", fix="Shorten it.")

    @property
    def is_dark(self) -> bool:
        """Whether `colour` can be read on white, and white on it; else black is written on it, and in its place. It is
        where the contrast of white is that of black, which is 4.58 then (WCAG 2.2, 1.4.3 wants 4.5)."""
        red, green, blue = (_linear(int(self.colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
        luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
        return (luminance + 0.05) ** 2 < 1.05 * 0.05


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)


def logo_of(data: bytes) -> str:
    """The logo of a PNG or an SVG file as one SVG that stands for itself; BadInput if it must not be drawn."""
    if len(data) > MAX_LOGO:
        raise BadInput(f"The logo has {len(data)} bytes; at most {MAX_LOGO} are taken.", fix="Save it smaller.")
    return _framed(data) if data.startswith(_PNG) else _drawing(data)


def _framed(png: bytes) -> str:
    """A picture, read and written anew without what else the file had (profiles, texts), within an SVG."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(png), formats=("PNG",)) as picture:
                width, height = picture.size
                if max(width, height) > MAX_PIXELS:
                    raise BadInput(
                        f"The logo has {width} x {height} pixels; at most {MAX_PIXELS} either way.",
                        fix="Save it smaller.",
                    )
                clean = io.BytesIO()
                shown = picture.convert("RGBA")
                shown.thumbnail((_PRINTED_PIXELS, _PRINTED_PIXELS))
                shown.save(clean, "PNG", optimize=True)
    except (OSError, ValueError, SyntaxError, Warning, Image.DecompressionBombError):
        raise BadInput("The logo is a PNG that cannot be read.", fix=_FILE_HELP) from None
    if len(clean.getvalue()) > 2 * MAX_LOGO:
        raise BadInput("The logo is too rich in detail to be drawn on every PDF.", fix="Save it smaller, or as SVG.")
    width, height = shown.size
    inside = base64.b64encode(clean.getvalue()).decode()
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f'<image width="{width}" height="{height}" href="data:image/png;base64,{inside}"/></svg>'
    )


def _drawing(data: bytes) -> str:
    try:
        root = parse(data, limit=MAX_LOGO)
    except UnreadableXml as error:
        raise BadInput(f"The logo is neither a PNG nor a readable SVG: {error.what}", fix=_FILE_HELP) from None
    etree.strip_tags(root, etree.Comment, etree.PI)
    if root.tag != f"{_SVG}svg":
        raise BadInput("The logo is XML, but no SVG.", fix=_FILE_HELP)
    elements = list(root.iter())
    if len(elements) > _MAX_ELEMENTS or _clips_within_clips(root):
        raise BadInput("The logo is too intricate to be drawn on every page.", fix="Save it simpler, or as PNG.")
    for element in elements:
        _must_be_harmless(element)
    return str(etree.tostring(root, encoding="unicode"))


def _clips_within_clips(root: etree._Element) -> bool:
    """Whether clipping depends on other clipping, or on a style sheet, where that cannot be told."""
    clips = (each for path in root.iter(f"{_SVG}clipPath") for each in path.iter())
    sheets = (each.text or "" for each in root.iter(f"{_SVG}style"))
    return any("clip-path" in f"{dict(each.attrib)}" for each in clips) or any("clip-path" in text for text in sheets)


def _must_be_harmless(element: etree._Element) -> None:
    name = etree.QName(element)
    if name.namespace == _SVG[1:-1] and name.localname not in _SHAPES:
        raise BadInput(f"The logo has <{name.localname}>, which is not drawn here.", fix=_FILE_HELP)
    values = {etree.QName(key).localname: str(value) for key, value in element.attrib.items()}
    refers = values.get("href", "#")
    if not refers.startswith("#") or any(map(_ELSEWHERE.search, (*values.values(), element.text or ""))):
        raise BadInput("The logo refers to something outside itself.", fix="Save it as a plain SVG, all in one file.")
