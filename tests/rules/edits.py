"""Edits of the golden documents, as many as one likes, aimed at what rules look at; the same for the same seed."""

import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from lxml import etree

from gateway.rules.view import path_of
from gateway.xml import DS, XADES, parse
from tests.rules.broken import NAMESPACES, Edit, apply, good, in_full, violations

GOLDEN = Path(__file__).parents[1] / "golden"

# Numbers, codes, dates, identities and blanks as people and programs write them.
TEXTS = (
    "", " ", "0", "0.00", "-0", "-0.00", "1", "+1", ".5", "5.", "-1", "15", "15.5", " 15.00 ", "5", "100.01", "1.005",
    "0.001", "-0.001", "1e3", "99999999999999999999.99", "S", "Z", "E", "O", "AE", "SAR", "USD", "SA", "sar", "S.R",
    "XXX", "388", "381", "383", "386", "380", "2026-11-23", "2026-11-24", "2026-11-23Z", "2026-11-24+03:00",
    "1999-12-31", "2024-02-29", "2023-02-29", "2100-02-29", " 2024-01-01", "09:58:12", "09:58:12Z", "24:00:00",
    "09:58:12.5", "09:58:12+03:00", "09:58", "ab", "abc", "123", "12345", "1234567", "{127}", "{128}", "{1000}",
    "{1001}", "\u00a0", "a\u00a0b", "VATEX-SA-HEA", "VATEX-SA-EDU", "VATEX-SA-32", "VATEX-SA-OOS", "VATEX-SA-29",
    "VATEX", "399999999900003", "310122393500002", "12345678", "1234567890", "3123456789", "7001234567", "true",
    "false", "_a", "+x", "-", "é", "٣", "ICV", "PIH", "QR", " QR ", "reporting:1.0", "KSA", "1A", "10", "69", "ZZZ",
    "1 2", "AA", "CAP", "VAT", " vat ", "GST", "P\n1",
)  # fmt: skip
ATTRIBUTES = {
    "name": ("0100000", "0200000", "0211010", "0100100", "0100101", "01000001", "020000001", "0300000", "01", "0200010",
             "0200001", "x0100000y", ""),
    "currencyID": ("SAR", "USD", "", "SA", "S.R", "(", "sar"),
    "schemeID": ("CRN", "NAT", "TIN", "IQA", "PAS", "700", "OTH", " CRN", "crn", "XX", "", "N MOM", "RN"),
    "mimeCode": ("text/plain", "application/pdf", "x", " text/plain ", ""),
    "unitCode": ("PCE", "{128}", ""),
}  # fmt: skip


class Case(NamedTuple):
    """A golden document and what was done to it."""

    base: str
    edits: tuple[Edit, ...]
    xml: bytes


def cases(number: int, seed: int = 1) -> Iterator[Case]:
    """So many edited documents; by one, two or three steps."""
    chance = random.Random(seed)
    bases = sorted(file.stem for file in GOLDEN.glob("*.xml"))
    known = [edit for violation in violations().values() for edit in violation.edits]
    while number:
        base = chance.choice(bases)
        root = parse(good(base))
        edits = []
        for _ in range(chance.choice((1, 1, 2, 2, 3))):
            edit = edit_of(root, chance, known)
            if edit:
                apply(root, edit)
                edits.append(edit)
        if edits:
            number -= 1
            yield _case(base, edits, root)


def edited(base: str, *edits: Edit) -> Case:
    """A golden document after these edits."""
    root = parse(good(base))
    for edit in edits:
        apply(root, edit)
    return _case(base, edits, root)


def _case(base: str, edits: Iterable[Edit], root: Any) -> Case:
    return Case(base, tuple(edits), bytes(etree.tostring(root, encoding="UTF-8", xml_declaration=True)))


def edit_of(root: Any, chance: random.Random, known: list[Edit]) -> Edit | None:
    """One that leads somewhere; None if this throw of the dice gives none."""
    if chance.random() < 0.25:
        edit = chance.choice(known)
        return edit if root.xpath(edit[1], namespaces=NAMESPACES) else None
    elements = [each for each in root.iter(etree.Element) if not each.tag.startswith((f"{{{DS}}}", f"{{{XADES}}}"))][1:]
    element = chance.choice(elements)
    verb = chance.choice(("text", "text", "text", "set", "drop", "drop", "repeat", "unset"))
    match verb:
        case "text":
            leaf = chance.choice([each for each in elements if not len(each)])
            return "text", path_of(leaf), in_full(chance.choice(TEXTS))
        case "set" | "unset":
            bearer = chance.choice([each for each in elements if set(each.attrib) & ATTRIBUTES.keys()])
            name = chance.choice(sorted(set(bearer.attrib) & ATTRIBUTES.keys()))
            value = (in_full(chance.choice(ATTRIBUTES[name])),) if verb == "set" else ()
            return verb, path_of(bearer), name, *value
    return verb, path_of(element)
