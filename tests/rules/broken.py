"""Every rule broken in the smallest way: edits of good documents, kept as data in tests/rules/violations."""

import copy
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from lxml import etree

from gateway.rules.view import PREFIXES
from gateway.xml import CAC, CBC, parse

HERE = Path(__file__).parent
NAMESPACES = {prefix: uri for uri, prefix in PREFIXES.items()}

Edit = tuple[str, ...]


class Violation(NamedTuple):
    """`unreachable` says why no document that keeps the schema can break the rule, `never` why none can at all."""

    rule: str
    base: str = ""
    edits: tuple[Edit, ...] = ()
    place: str = ""
    along: frozenset[str] = frozenset()
    unreachable: str = ""
    never: str = ""

    @property
    def document(self) -> bytes:
        """The broken document."""
        root = parse(good(self.base))
        for edit in self.edits:
            apply(root, edit)
        return bytes(etree.tostring(root, encoding="UTF-8", xml_declaration=True))


@cache
def violations() -> dict[str, Violation]:
    """By rule id."""
    files = sorted((HERE / "violations").glob("*.toml"))
    return {rule: _violation(rule, entry) for file in files for rule, entry in tomllib.loads(file.read_text()).items()}


def _violation(rule: str, entry: dict[str, Any]) -> Violation:
    edits = tuple(tuple(map(in_full, edit)) for edit in entry.pop("edits", ()))
    return Violation(rule, edits=edits, along=frozenset(entry.pop("along", ())), **entry)


@cache
def good(base: str) -> bytes:
    """A document that breaks no rule: a golden one, or one kept here."""
    golden = HERE.parent / "golden" / f"{base}.xml"
    return (golden if golden.exists() else HERE / f"{base}.xml").read_bytes()


def in_full(text: str) -> str:
    """`{1001}` stands for so many characters."""
    return re.sub(r"\{(\d+)\}", lambda found: "A" * int(found[1]), text)


def apply(root: Any, edit: Edit) -> None:
    """("drop", path), ("text", path, text), ("set", path, name, value), ("unset", path, name), ("repeat", path);
    ("before" or "after", path, xml) beside an element, ("first" or "last", path, xml) in it."""
    verb, path, *rest = edit
    found = root.xpath(path, namespaces=NAMESPACES)
    assert found, f"{path} leads nowhere"
    for element in found:
        match verb:
            case "drop":
                element.getparent().remove(element)
            case "text":
                del element[:]
                element.text = rest[0]
            case "set":
                element.set(rest[0], rest[1])
            case "unset":
                del element.attrib[rest[0]]
            case "repeat":
                element.addnext(copy.deepcopy(element))
            case _:
                _insert(verb, element, rest[0])


def _insert(verb: str, element: Any, xml: str) -> None:
    new = list(etree.fromstring(f'<x xmlns:cac="{CAC}" xmlns:cbc="{CBC}">{xml}</x>'))
    put = {"before": element.addprevious, "last": element.append}.get(verb)
    if put:
        for each in new:
            put(each)
        return
    for each in reversed(new):
        if verb == "after":
            element.addnext(each)
        else:
            element.insert(0, each)
