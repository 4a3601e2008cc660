"""The order that the figures are about: five lines to a person, with VAT in the prices."""

from typing import Any

from tests.installation import CONNECTION

LINES = 5


def order_of(number: int, *, unit: str | None = None, lines: int = LINES) -> dict[str, Any]:
    """An order of so many lines; its prices differ from line to line."""
    sold = [
        {
            "id": str(line),
            "name": f"قهوة عربية {line}",
            "sku": f"SKU-{line}",
            "quantity": str(line),
            "unit_price": f"{10 + line}.50",
            "tax": {"category": "S", "rate": "15"},
        }
        for line in range(1, lines + 1)
    ]
    total = sum(line * (1050 + 100 * line) for line in range(1, lines + 1))
    return {
        "connection": CONNECTION,
        "id": f"SO-{number}",
        "number": str(number),
        "placed_at": "2026-11-23T09:58:12+03:00",
        "prices_include_tax": True,
        "lines": sold,
        "payments": [{"method": "card"}],
        "declared": {"grand": f"{total / 100:.2f}"},
        **({"unit": unit} if unit else {}),
    }
