"""Shops by platform. A mapper says what an order of its platform means; a whole store also proves a notice, fetches an
order and reports back. None knows a ledger.

`MAPPERS[platform]` and `STORES[platform]` are the modules; a module's docstring lists the settings and secrets that a
connection of that platform takes, and gateway/stores/untaxed.py those of all of them.
"""

from typing import Final

from gateway.errors import Misconfigured
from gateway.stores import magento, salla, shopify, woocommerce, zid
from gateway.stores.refusals import not_an_order
from gateway.stores.store import Mapped, Mapper, Notice, State, Store

STORES: Final[dict[str, Store]] = {
    "magento": magento,
    "salla": salla,
    "shopify": shopify,
    "woocommerce": woocommerce,
    "zid": zid,
}
"""Every platform by its name."""


def store_of(platform: str) -> Store:
    """The store of a connection's platform; Misconfigured if there is none."""
    try:
        return STORES[platform]
    except KeyError:
        raise Misconfigured(
            f"There is no shop platform {platform!r}.", fix=f"Use one of {', '.join(sorted(STORES))}."
        ) from None


__all__ = [
    "STORES",
    "Mapped",
    "Mapper",
    "Notice",
    "State",
    "Store",
    "magento",
    "not_an_order",
    "salla",
    "shopify",
    "store_of",
    "woocommerce",
    "zid",
]
