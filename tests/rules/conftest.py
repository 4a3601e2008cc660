"""The small valid invoice that the rule tests break, and how they break it."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree

from gateway.xml import parse
from tests.rules.broken import Edit, apply

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
BASE = (Path(__file__).parent / "base.xml").read_bytes()


@pytest.fixture(scope="session")
def edited() -> Callable[..., bytes]:
    """The base document with some edits."""

    def edited(*edits: Edit) -> bytes:
        root = parse(BASE)
        for edit in edits:
            apply(root, edit)
        return bytes(etree.tostring(root, encoding="UTF-8", xml_declaration=True))

    return edited


@pytest.fixture(scope="session")
def now() -> datetime:
    return NOW
