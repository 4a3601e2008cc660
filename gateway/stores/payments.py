"""How a buyer pays, from the names that gateways give themselves."""

import re
from typing import Final

_MEANS: Final = (
    ("gift_card", re.compile("gift.?card|giftcard|بطاقة هدايا")),
    ("store_credit", re.compile("store.?credit|customer.?balance")),
    ("cod", re.compile(r"(?<![a-z])cod(?![a-z])|cash.?on.?delivery|cashondelivery|عند الاستلام|عند التسليم")),
    ("bank", re.compile("bank|bacs|transfer|حوالة|تحويل")),
    ("wallet", re.compile(r"stc|paypal|(?<!apple )(?<!google )wallet")),
    (
        "card",
        re.compile(
            "card|stripe|moyasar|hyperpay|payfort|paytabs|myfatoorah|checkout_com|mada|visa|apple|google|amazon|^tap|urway"
            "|shopify_payments"
        ),
    ),
    ("cash", re.compile(r"^cash$|نقد")),
)
_COLLECTION: Final = re.compile(r"\bcod\b|cash on delivery|عند الاستلام|عند التسليم|تحصيل", re.IGNORECASE)


def means_of(name: str) -> str:
    """A gateway's own name as a payment method of the order; `other` where it says nothing known."""
    lower = name.lower()
    return next((means for means, words in _MEANS if words.search(lower)), "other")


def is_collection(name: str) -> bool:
    """Whether a fee's name says that it is for collecting the money on delivery."""
    return _COLLECTION.search(name) is not None
