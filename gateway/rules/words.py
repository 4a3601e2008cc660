"""The words put to rules that do not hold: our own, in English and Arabic, kept as data beside this module.

One TOML file per rule set; a section per official id with what is wrong (`en`, `ar`) and what to do (`fix_en`,
`fix_ar`). `{value}` is what stands in the document, `{expected}` what should stand there.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

from gateway.finding import Text

MAX_QUOTED: Final = 80
"""How many characters of the document a sentence repeats."""


class Wording(NamedTuple):
    """What is wrong and what to do, with the term where the file gives it."""

    message: Text
    fix: Text
    term: str = ""

    def about(self, **facts: str | Text) -> tuple[Text, Text]:
        """The sentences about one place; a fact that is itself a Text follows the language."""
        english = {name: fact.en if isinstance(fact, Text) else _quoted(fact) for name, fact in facts.items()}
        arabic = {name: fact.ar if isinstance(fact, Text) else _quoted(fact) for name, fact in facts.items()}
        return (
            Text(self.message.en.format_map(english), self.message.ar.format_map(arabic)),
            Text(self.fix.en.format_map(english), self.fix.ar.format_map(arabic)),
        )


@cache
def read(name: str) -> Mapping[str, Any]:
    """A file of texts as it stands; empty if there is none of that name."""
    file = files("gateway.rules") / "texts" / f"{name}.toml"
    return tomllib.loads(file.read_text("utf-8")) if file.is_file() else {}


@cache
def wordings(name: str) -> Mapping[str, Wording]:
    """The wordings of a file by id."""
    return {
        key: Wording(Text(entry["en"], entry["ar"]), Text(entry["fix_en"], entry["fix_ar"]), entry.get("term", ""))
        for key, entry in read(name).items()
        if "en" in entry and "fix_en" in entry
    }


def _quoted(fact: str) -> str:
    return fact if len(fact) <= MAX_QUOTED else f"{fact[:MAX_QUOTED]}…"
