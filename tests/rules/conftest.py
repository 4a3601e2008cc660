"""The small valid invoice that the rule tests break, and how they break it."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from gateway.xml import CAC, CBC, NAMESPACES, parse

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
BASE = (Path(__file__).parent / "base.xml").read_bytes()

Edit = tuple[str, ...]


def _apply(root: Any, edit: Edit) -> None:
    """("drop", path), ("text", path, text), ("set", path, name, value), ("repeat", path), ("after", path, xml)."""
    verb, path, *rest = edit
    found = root.xpath(path, namespaces=NAMESPACES)
    assert found, f"{path} leads nowhere"
    for element in found:
        match verb:
            case "drop":
                element.getparent().remove(element)
            case "text":
                element.text = rest[0]
            case "set":
                element.set(rest[0], rest[1])
            case "unset":
                del element.attrib[rest[0]]
            case "repeat":
                element.addnext(etree.fromstring(etree.tostring(element, with_tail=False)))
            case "after":
                wrapped = f'<x xmlns:cac="{CAC}" xmlns:cbc="{CBC}">{rest[0]}</x>'
                element.addnext(etree.fromstring(wrapped)[0])
            case _:
                raise AssertionError(verb)


@pytest.fixture(scope="session")
def edited() -> Callable[..., bytes]:
    """The base document with some edits."""

    def edited(*edits: Edit) -> bytes:
        root = parse(BASE)
        for edit in edits:
            _apply(root, edit)
        return bytes(etree.tostring(root, encoding="UTF-8", xml_declaration=True))

    return edited


@pytest.fixture(scope="session")
def now() -> datetime:
    return NOW
