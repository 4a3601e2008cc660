"""Shopify's two spellings made one: a GraphQL answer is read as the webhook's (REST) body would say it.

Connections become lists, gid://shopify/Order/1 becomes 1, and names become those that webhooks use. A webhook's body
passes through unchanged.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from gateway.stores.raw import mapping, objects, text

_CAPITAL: Final = re.compile("(?<=[a-z0-9])([A-Z])")
_GID: Final = re.compile(r"gid://shopify/\w+/(\d{1,20})")
_RENAMED: Final = {
    "allocated_amount_set": "amount_set",
    "country_code_v2": "country_code",
    "custom_attributes": "note_attributes",
    "display_financial_status": "financial_status",
    "display_fulfillment_status": "fulfillment_status",
    "is_gift_card": "gift_card",
    "original_price_set": "price_set",
    "original_unit_price_set": "price_set",
}


def order_in(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """The order in whichever shape it came: a webhook's body, or the answer of REST or GraphQL around it."""
    found = mapping(raw)
    for key in ("data", "order", "node"):
        found = mapping(found.get(key)) or found
    order = _plain(found)
    if not isinstance(order, dict):
        return {}
    for name, code in (("currency", "currency_code"), ("presentment_currency", "presentment_currency_code")):
        if not text(order.get(name)) and code in order:
            order[name] = order[code]
    return order


def id_of(value: object) -> str:
    """The digits of an id, from a number, a gid, or an object that has one."""
    found = text(mapping(value).get("id")) if isinstance(value, Mapping) else text(value)
    gid = _GID.match(found)
    return gid[1] if gid else found


def word(value: object) -> str:
    """A status or kind in lower case, as webhooks write it."""
    return text(value).lower()


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if not isinstance(value, Mapping):
        return value
    if isinstance(value.get("nodes"), list):
        return _plain(value["nodes"])
    if isinstance(value.get("edges"), list):
        return [_plain(mapping(edge.get("node"))) for edge in objects(value["edges"])]
    return {_name(key): _plain(each) for key, each in value.items()}


def _name(key: str) -> str:
    name = _CAPITAL.sub(r"_\1", key).lower()
    return _RENAMED.get(name, name)
