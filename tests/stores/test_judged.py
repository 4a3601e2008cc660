"""Every order that is mapped is judged by the whole rule book: no finding, or a reason that a person understands."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from gateway import demo
from gateway.connection import Connection
from gateway.errors import BadInput
from gateway.pipeline.intake import reason_of
from gateway.pipeline.preview import preview
from gateway.pipeline.proof import not_compliant
from gateway.stores import STORES
from gateway.unit import Environment
from gateway.unit_file import read_unit

ROOT = Path(__file__).parents[2]
UNIT = read_unit((files("gateway.demo") / "unit.json").read_bytes(), Environment.SANDBOX)
NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)
OURS = [
    *(("salla", name, order) for name, order in demo.orders("salla").items()),
    *(("woocommerce", name, order) for name, order in demo.orders("woocommerce").items()),
    *((path.stem, path.stem, json.loads(path.read_bytes())) for path in (ROOT / "docs/examples/shops").glob("*.json")),
]


def judged(platform: str, raw: Any) -> str:
    """The kind of document, or why it would wait for a person."""
    exact = json.loads(json.dumps(raw), parse_float=Decimal)
    known = Connection("c", "t", "u", platform, settings={"untaxed_reason_code": "VATEX-SA-35"})
    try:
        order = STORES[platform].map(known, exact).order
        shown = preview(order, UNIT.seller, prefix=UNIT.number_prefix, now=NOW)
    except BadInput as error:
        return _reason(error)
    if not shown.is_clean:
        return _reason(not_compliant(shown.report.findings))
    return shown.invoice.kind.word


def _reason(error: BadInput) -> str:
    said = reason_of(error)
    assert len(said.en) > 20
    assert any("\u0600" <= letter <= "\u06ff" for letter in said.ar), said
    return f"waits: {said.en}"


@pytest.mark.parametrize(("platform", "name", "raw"), OURS, ids=lambda value: value if isinstance(value, str) else "")
def test_our_own_orders(platform: str, name: str, raw: Any) -> None:
    found = judged(platform, raw)
    assert found.startswith("waits") if name == "does_not_close" else found == "invoice"


def recorded(shared: Path) -> Iterator[tuple[str, str, Any]]:
    for platform in STORES:
        for path in sorted((shared / "payloads" / platform).glob("*.json")):
            content = json.loads(path.read_text(encoding="utf-8"))
            for entry in _orders(content):
                yield platform, path.name, entry


def _orders(content: Any) -> Iterator[Any]:
    """What a recording holds: one body, or a list of orders."""
    listed = content.get("orders") if isinstance(content, dict) else content
    yield from listed if isinstance(listed, list) and listed else [content]


def test_every_recorded_body_is_an_invoice_or_has_its_reason(shared: Path) -> None:
    verdicts = {(platform, name): judged(platform, raw) for platform, name, raw in recorded(shared)}
    invoices = {platform for (platform, _), verdict in verdicts.items() if verdict == "invoice"}
    # What was recorded of Shopify and Magento was sold in other currencies.
    assert invoices == {"salla", "woocommerce", "zid"}
    assert sum(verdict == "invoice" for verdict in verdicts.values()) >= 20
    assert all("currency" in verdicts[each] for each in verdicts if "real" in each[1] and each[0] == "magento")
