"""A page becomes a PDF/A-3: set by typst, in fonts that draw every character of it."""

import json
import re
import threading
import unicodedata
from datetime import datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final, NamedTuple

import fontpkg_ibm_plex_sans_arabic
import fontpkg_noto_sans
import typst
from fontTools.ttLib import TTFont

from gateway import qr
from gateway.errors import BadInput
from gateway.looks import Looks

STANDARD: Final = "a-3a"
"""PDF/A-3 of the level that also keeps the structure and the characters of what is read (ISO 19005-3, 5)."""

_FONTS: Final = {
    "IBM Plex Sans Arabic": Path(fontpkg_ibm_plex_sans_arabic.ROOT, "files", "IBMPlexSansArabic-Regular.ttf"),
    "Noto Sans": Path(fontpkg_noto_sans.ROOT, "files", "NotoSans[wdth,wght].ttf"),
}
"""Arabic and Latin of one hand, then one that draws Greek, Cyrillic and Devanagari too. Their families are named in
invoice.typ."""

_LONG: Final = 100
"""Lines from which a document is long."""
_KEPT_FOR: Final = 10

_MOST_LETTERS: Final = 4000
"""Of one text: the authority's own limit for the longest ones, names and notes, is 1000. The time that a text takes
grows faster than its length."""
_LETTERS_IN_ALL: Final = 400_000
"""Of long texts; a thousand lines as shops write them have 200,000."""
_FEW_LETTERS: Final = 200
"""Of one text, once there were so many."""
_MOST_MARKS: Final = 8
"""Combining marks on one letter: vowelled Arabic has up to three, Hebrew with accents five. What sets the text takes
the square of their number."""
_CUT: Final = "…"

_MISSING: Final = "\N{REPLACEMENT CHARACTER}"
_JOINERS: Final = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
_ARABIC: Final = re.compile(r"[\u0590-\u08ff]")
_FIGURES: Final = re.compile(r"(?<![\w.,:/+−-])[+−-]?\d+(?:[.,:/-]\d+| \d{2,})*%?(?![.,:/−-]?\w)")
"""A date, a telephone number, an amount, and no part of a word: after Arabic letters the order of its parts would turn
round (UAX 9, W2)."""
_ISOLATED: Final = "\N{LEFT-TO-RIGHT ISOLATE}\\g<0>\N{POP DIRECTIONAL ISOLATE}"
_LONG_WORD: Final = re.compile(r"\S{41,}|[^\s-]{25,}")
"""What would run out of its column: typst breaks lines at blanks and, mostly, after hyphens. UUIDs and usual numbers
are not among it, so they are copied from the page as they are."""
_PIECE: Final = 20
_BREAK: Final = "\N{ZERO WIDTH SPACE}"


class Attached(NamedTuple):
    """The XML inside the PDF, and its file name."""

    name: str
    xml: str


def typeset(page: dict[str, Any], code: str, attached: Attached, looks: Looks, *, timestamp: datetime) -> bytes:
    """The PDF of a page (gateway.pdf.page); `code` is the text of its QR, empty if it has none."""
    footer = looks.footer.splitlines()
    shown = _Drawable()
    said = {"page": shown.all(page), "looks": shown.all(_looks(looks, footer))}
    inputs = {name: json.dumps(value, ensure_ascii=False) for name, value in said.items()} | {
        "title": shown.text(f"{' / '.join(page['title'])} {page['number']}"),
        "author": shown.text(" ".join(page["parties"][0]["name"])),
        "qr": qr.svg(code).decode() if code else "",
        "qr_alt": "QR",
        "logo": looks.logo,
        "replaced": "yes" if shown.replaced else "",
        "file_name": attached.name,
        "xml": attached.xml,
    }
    return _compiler().compile(inputs, timestamp, is_long=len(page["lines"]["rows"]) > _LONG)


def draw(logo: str) -> None:
    """Set a logo alone; BadInput if it cannot be, though it is harmless."""
    try:
        _compiler().draw(logo)
    except typst.TypstError as error:
        raise BadInput(
            f"The logo cannot be drawn: {error.message}.",
            fix="Save it as PNG, or as a plainer SVG with a width and a height.",
            ar="لا يمكن رسم الشعار. احفظه بصيغة PNG أو بصيغة SVG أبسط.",
        ) from None


def _looks(looks: Looks, footer: list[str]) -> dict[str, Any]:
    return {"colour": looks.colour, "accent": looks.accent, "is_dark": looks.is_dark, "footer": footer}


class _Compiler:
    """One compiler for the process; it works for one thread at a time."""

    def __init__(self) -> None:
        self._template = resources.files("gateway.pdf").joinpath("invoice.typ").read_bytes()
        folders = [str(file.parent) for file in _FONTS.values()]
        fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=folders)
        assert set(_FONTS) <= set(fonts.families()), "without its fonts a page would be empty"
        self._compiler = typst.Compiler(self._template, font_paths=fonts, ignore_system_fonts=True)
        self._turn = threading.Lock()

    def compile(self, inputs: dict[str, str], timestamp: datetime, *, is_long: bool) -> bytes:
        with self._turn:
            try:
                made = self._compiler.compile(
                    self._template, format="pdf", sys_inputs=inputs, pdf_standards=STANDARD, timestamp=timestamp
                )
            except typst.TypstError as error:
                raise _cannot_be_set(error.message) from None
            finally:
                if is_long:
                    self._forget()
        assert isinstance(made, bytes), "a PDF is one file"
        return made

    def draw(self, logo: str) -> None:
        """Set a picture alone, as the head of a page does. TypstError if that cannot be done."""
        source = (
            b'#image(bytes(sys.inputs.logo), format: "svg", alt: "Logo", height: 17mm, width: 60mm, fit: "contain")'
        )
        with self._turn:
            self._compiler.compile(source, format="pdf", sys_inputs={"logo": logo}, pdf_standards=STANDARD)

    def _forget(self) -> None:
        """Have typst let go of what it laid out, which it keeps for its next ten compilations: of a thousand lines
        that is 200 MB each."""
        for _ in range(_KEPT_FOR + 1):
            self._compiler.compile(b"", format="pdf")


def _cannot_be_set(why: str) -> BadInput:
    return BadInput(
        f"The document cannot be set as a PDF/A-3: {why}.",
        fix="Its XML is not touched by this, and can be shared as it is.",
        ar="تعذّر إعداد المستند بصيغة PDF/A-3. ملف XML سليم ويمكن مشاركته كما هو.",
    )


@cache
def _compiler() -> _Compiler:
    return _Compiler()


# -- characters --------------------------------------------------------------------------------------------------------


@cache
def _covered() -> frozenset[int]:
    """The characters that the fonts draw."""
    return frozenset(code for font in _FONTS.values() for code in TTFont(font, lazy=True).getBestCmap())


class _Drawable:
    """Makes texts such that the fonts can draw them, in the time there is for it, and remembers whether something had
    to be `replaced` or left out."""

    def __init__(self) -> None:
        self.replaced = False
        self._letters = 0

    def all(self, value: Any) -> Any:
        """The same data with every text in it drawable, figures among Arabic in their order, long words breakable."""
        if isinstance(value, str):
            drawn = self.text(value)
            return _LONG_WORD.sub(_in_pieces, _FIGURES.sub(_ISOLATED, drawn) if _ARABIC.search(drawn) else drawn)
        if isinstance(value, dict):
            return {name: self.all(each) for name, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.all(each) for each in value]
        return value

    @staticmethod
    def _composed(text: str) -> str:
        """With letters in the place of the shapes (FB50-FDFF, FE70-FEFF) that some old systems write Arabic in."""
        text = "".join(unicodedata.normalize("NFKC", each) if "\ufb50" <= each <= "\ufefc" else each for each in text)
        return unicodedata.normalize("NFC", text)

    def text(self, text: str) -> str:
        """Without controls, which could turn the order of what is read, and with a sign for what no font draws."""
        text = self._shortened(text)
        if text.isascii() and text.isprintable():
            return text
        # A letter may be written as eighteen.
        return self._shortened("".join(map(self._character, self._composed(self._lightened(text)))))

    def _shortened(self, text: str) -> str:
        most = _MOST_LETTERS if self._letters < _LETTERS_IN_ALL else _FEW_LETTERS
        if len(text) > most:
            self.replaced = True
            text = text[: most - 1] + _CUT
        self._letters += len(text)
        return text

    def _lightened(self, text: str) -> str:
        """Without the marks that are too many on their letter. What is not seen between them does not end the run."""
        kept, marks = [], 0
        for character in text:
            category = unicodedata.category(character)
            if category.startswith("M"):
                marks += 1
                if marks > _MOST_MARKS:
                    self.replaced = True
                    continue
            elif category != "Cf":
                marks = 0
            kept.append(character)
        return "".join(kept)

    def _character(self, character: str) -> str:
        category = unicodedata.category(character)
        if category in ("Cc", "Zl", "Zp"):
            return " "
        if category == "Cf":
            return character if character in _JOINERS else ""
        if ord(character) in _covered():
            return character
        if category == "Zs":
            return " "
        self.replaced = True
        return _MISSING


def _in_pieces(word: re.Match[str]) -> str:
    return _BREAK.join(word[0][at : at + _PIECE] for at in range(0, len(word[0]), _PIECE))
