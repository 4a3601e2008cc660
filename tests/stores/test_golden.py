"""The demo's orders, field by field: what a shop's order becomes may change on purpose only.

After such a change write the files anew from what the failing test shows, and read the difference.
"""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from gateway import demo
from gateway.connection import Connection
from gateway.stores import STORES

GOLDEN = Path(__file__).parent / "golden"
NAMES = [
    (platform, name)
    for platform in ("salla", "woocommerce")
    for name in demo.orders(platform)
    if name != "does_not_close"
]


@pytest.mark.parametrize(("platform", "name"), NAMES)
def test_the_order_and_its_state(connect: Callable[..., Connection], platform: str, name: str) -> None:
    raw = json.loads(json.dumps(demo.orders(platform)[name]), parse_float=Decimal)
    order, state = STORES[platform].map(connect(platform), raw)
    found = {"state": state, **order.model_dump(mode="json", exclude_defaults=True)}
    expected = json.loads((GOLDEN / f"{platform}.{name}.json").read_text(encoding="utf-8"))
    assert found == expected


def test_no_golden_file_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == {f"{platform}.{name}" for platform, name in NAMES}
