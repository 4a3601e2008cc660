"""Shops to try the gateway with: real HTTP servers that answer as the real platforms do, and orders for them.

They know nothing of the gateway's stores, so that both cannot be wrong together.
"""

import json
from importlib.resources import files
from typing import Any


def orders(platform: str) -> dict[str, dict[str, Any]]:
    """The platform's sample orders by name, as its API gives them; `does_not_close` is wrong on purpose."""
    folder = files("gateway.demo") / "orders" / platform
    found = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".json")), key=lambda entry: entry.name)
    return {entry.name.removesuffix(".json"): json.loads(entry.read_text(encoding="utf-8")) for entry in found}
