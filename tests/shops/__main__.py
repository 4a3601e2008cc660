"""One of the shops as a process of its own: python -m tests.shops zid

It prints its address, its secrets and its settings, then does what it is told, a line each, and prints what came of it:
sell ORDER, give_back ORDER, written ORDER.
"""

import json
import sys
from datetime import UTC, datetime
from typing import Any

from tests.shops.magento import magento_shop
from tests.shops.samples import salla_shop, woocommerce_shop
from tests.shops.shopify import shopify_shop
from tests.shops.zid import zid_shop

SHOPS: dict[str, Any] = {
    "magento": magento_shop,
    "salla": salla_shop,
    "shopify": shopify_shop,
    "woocommerce": woocommerce_shop,
    "zid": zid_shop,
}


def main(name: str) -> None:
    with SHOPS[name]() as shop:
        known = shop.connection("shop", taxpayer_id="t", unit_id="u")
        facts = {"url": known.base_url, "secrets": dict(known.secrets), "settings": dict(known.settings)}
        print(json.dumps(facts), flush=True)
        for line in sys.stdin:
            verb, order = line.split()
            at = datetime.now(UTC)
            if verb == "sell":
                said: object = shop.sell(int(order), at)
            elif verb == "give_back":
                said = shop.give_back(order, at)
            else:
                said = shop.written(order)
            print(json.dumps(said, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
