"""One of the shops as a process of its own: python -m tests.shops zid

It prints its address and its secrets, then does what it is told, a line each, and prints what came of it:
sell ORDER, give_back ORDER, written ORDER.
"""

import json
import sys
from datetime import UTC, datetime

from tests.shops.magento import magento_shop
from tests.shops.shopify import shopify_shop
from tests.shops.zid import zid_shop

SHOPS = {"magento": magento_shop, "shopify": shopify_shop, "zid": zid_shop}


def main(name: str) -> None:
    with SHOPS[name]() as shop:
        known = shop.connection("shop", taxpayer_id="t", unit_id="u")
        print(json.dumps({"url": shop.url, "secrets": dict(known.secrets)}), flush=True)
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
