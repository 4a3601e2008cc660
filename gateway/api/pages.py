"""The form of every list that comes in pages."""

from collections.abc import Iterable
from typing import Any


def page(items: Iterable[Any], following: str | int | None) -> dict[str, Any]:
    """Some items; `next` is the cursor of the following page, absent on the last."""
    return {"items": list(items)} | ({} if following is None else {"next": following})
