"""The demo's shops, told to sell and to give back like the others here."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from gateway.connection import Connection
from gateway.demo.salla import SallaShop
from gateway.demo.salla import salla_shop as salla
from gateway.demo.woocommerce import WooCommerceShop
from gateway.demo.woocommerce import woocommerce_shop as woocommerce


class _Selling:
    """A shop whose every order is as the sample of this id."""

    def __init__(self, shop: Any, sample: str, *lists: dict[str, list[Any]]) -> None:
        self.shop = shop
        self._lists = lists  # what it keeps beside an order
        self._sample = copy.deepcopy(shop.orders[sample])
        shop.orders.clear()

    @property
    def url(self) -> str:
        return str(self.shop.url)

    def connection(self, name: str, *, taxpayer_id: str, unit_id: str) -> Connection:
        made: Connection = self.shop.connection(name, taxpayer_id=taxpayer_id, unit_id=unit_id)
        return made

    def sell(self, number: int, at: datetime) -> str:
        order = str(number)
        self.shop.orders[order] = {**copy.deepcopy(self._sample), "id": number}
        for each in self._lists:
            each[order] = []
        self.shop.touch(order, at)
        return order


class _Salla(_Selling):
    shop: SallaShop

    def give_back(self, order: str, at: datetime) -> str:
        """Ten riyals; it tells no lines."""
        self.shop.orders[order]["payment_actions"] = {"refund_action": {"refund_amount": {"amount": "10.00"}}}
        self.shop.touch(order, at)
        return "10.00"

    def written(self, order: str) -> list[Any]:
        """What is to be read on the order, and its invoices."""
        return [*self.shop.histories[order], *self.shop.invoices]


class _WooCommerce(_Selling):
    shop: WooCommerceShop

    def give_back(self, order: str, at: datetime) -> str:
        """One piece of the first line; its price."""
        self.shop.give_back(order, self.shop.orders[order]["line_items"][0], 1)
        return "100.00"

    def written(self, order: str) -> list[Any]:
        """What is to be read on the order: facts and notes."""
        return [*self.shop.orders[order]["meta_data"], *self.shop.notes[order]]


@contextmanager
def salla_shop() -> Iterator[_Salla]:
    """A Salla shop."""
    with salla() as shop:
        yield _Salla(shop, "710000001", shop.histories)


@contextmanager
def woocommerce_shop() -> Iterator[_WooCommerce]:
    """A WooCommerce shop."""
    with woocommerce() as shop:
        yield _WooCommerce(shop, "46", shop.notes, shop.refunds)
