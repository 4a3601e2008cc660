"""Shops by platform. Each module proves a notice, fetches an order, maps it and reports back; it knows no ledger.

`STORES[platform]` is the module; its docstring lists the settings and secrets a connection of that platform takes.
"""

from typing import Final

from gateway.errors import Misconfigured
from gateway.stores import salla, woocommerce
from gateway.stores.store import Mapped, Notice, State, Store

STORES: Final[dict[str, Store]] = {"woocommerce": woocommerce, "salla": salla}


def store_of(platform: str) -> Store:
    """The store of a connection's platform; Misconfigured if there is none."""
    try:
        return STORES[platform]
    except KeyError:
        raise Misconfigured(
            f"There is no shop platform {platform!r}.", fix=f"Use one of {', '.join(sorted(STORES))}."
        ) from None


__all__ = ["STORES", "Mapped", "Notice", "State", "Store", "salla", "store_of", "woocommerce"]
