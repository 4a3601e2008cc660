"""A PDF as a machine reads it: text in the order of the content, by each font's own map to characters."""

import re
from collections.abc import Iterator
from io import BytesIO

import pikepdf
import pypdfium2
from PIL import Image

_HEX = re.compile(r"<([0-9a-fA-F]+)>")


def opened(pdf: bytes) -> pikepdf.Pdf:
    return pikepdf.open(BytesIO(pdf))


def picture(pdf: bytes, page: int = 0, *, dpi: int = 200) -> Image.Image:
    """The page as it is seen, in shades of grey."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        return document[page].render(scale=dpi / 72, grayscale=True).to_pil().convert("L")
    finally:
        document.close()


def texts(document: pikepdf.Pdf, page: int = 0) -> list[str]:
    """Each run of glyphs as characters. Within a run glyphs stand as they are drawn, from left to right, so a run of
    Arabic is turned round."""
    fonts = {name: _characters(font) for name, font in document.pages[page].Resources.Font.items()}
    found, font = [], {}
    for operands, operator in pikepdf.parse_content_stream(document.pages[page]):
        if str(operator) == "Tf":
            font = fonts[str(operands[0])]
        elif str(operator) in ("Tj", "TJ"):
            strings = operands[0] if str(operator) == "TJ" else operands
            codes = b"".join(bytes(each) for each in strings if isinstance(each, pikepdf.String))
            run = [font[code] for code in _pairs(codes)]
            found.append("".join(reversed(run) if any("\u0600" <= each[:1] <= "\u06ff" for each in run) else run))
    return found


def fonts(document: pikepdf.Pdf) -> dict[str, pikepdf.Dictionary]:
    """Every font of every page, by its name."""
    return {str(font.BaseFont): font for page in document.pages for font in page.Resources.Font.values()}


def _pairs(codes: bytes) -> Iterator[int]:
    return (int.from_bytes(codes[at : at + 2]) for at in range(0, len(codes), 2))


def _characters(font: pikepdf.Dictionary) -> dict[int, str]:
    """ToUnicode: what each glyph stands for."""
    found: dict[int, str] = {}
    for block in re.findall(r"beginbfchar(.*?)endbfchar", font.ToUnicode.read_bytes().decode("latin-1"), re.DOTALL):
        codes = _HEX.findall(block)
        found |= {
            int(glyph, 16): bytes.fromhex(text).decode("utf-16-be")
            for glyph, text in zip(codes[::2], codes[1::2], strict=True)
        }
    for block in re.findall(r"beginbfrange(.*?)endbfrange", font.ToUnicode.read_bytes().decode("latin-1"), re.DOTALL):
        raise AssertionError(f"ranges are not read here: {block}")
    return found
