"""What an order comes to, by the law and by the habits of shops: plain fractions and whole halalas.

Written from R70 to R78 of the regulation's digest, on the JSON of an order. Shares no code with the gateway.
"""

from collections.abc import Iterable
from datetime import datetime
from fractions import Fraction
from functools import lru_cache
from math import floor
from typing import Any, Final, NamedTuple

Json = dict[str, Any]
HABITS: Final = ("line", "total", "exact")
"""How shops round: the VAT of each line, that of each rate, or nothing before the grand total."""
SETTINGS: Final = {"gift_card_sale": "gift_cards", "tip": "tips"}
DEFAULTS: Final = {"gift_cards": "out_of_scope", "tips": "taxed"}
MEANS: Final = {
    "card": "48", "cash": "10", "cod": "10", "bank": "42", "credit": "30", "wallet": "68", "gift_card": "1",
    "store_credit": "1", "other": "1",
}  # fmt: skip
_OF_BUSINESSES: Final = ("TIN", "CRN", "MOM", "MLS", "700", "SAG")


def half_up(halalas: Fraction) -> int:
    """To a whole halala; a half goes away from zero."""
    return floor(halalas + Fraction(1, 2)) if halalas >= 0 else -floor(-halalas + Fraction(1, 2))


def whole(text: str) -> int:
    """The halalas of an amount of two decimals."""
    halalas = Fraction(text) * 100
    assert halalas.denominator == 1, f"{text} is no amount of two decimals"
    return int(halalas)


@lru_cache(maxsize=50_000)
def rounded(text: str) -> int:
    """An amount of any decimals in halalas."""
    return half_up(Fraction(text) * 100)


# -- VAT ------------------------------------------------------------------------------------------------------


class Tax(NamedTuple):
    """Category, rate in percent, and the code of the exemption."""

    category: str
    rate: int
    code: str

    def on(self, net: int | Fraction) -> int:
        """VAT on top of a net amount."""
        return half_up(Fraction(net) * self.rate / 100)


def tax_of(tax: Json) -> Tax:
    """The tax that an order names."""
    return Tax(tax["category"], int(Fraction(tax["rate"])), tax.get("reason_code", ""))


OUT_OF_SCOPE: Final = Tax("O", 0, "VATEX-SA-OOS")


def with_vat(taxable: int, tax: Json) -> int:
    """A taxable amount with its VAT."""
    return taxable + tax_of(tax).on(taxable)


class Treated(NamedTuple):
    """A line as it is taxed; `left_out`, somebody else supplies it, or nobody."""

    line: Json
    tax: Tax
    left_out: bool

    @property
    def charged(self) -> int:
        return charged_for(self.line)


def treated(line: Json, policy: dict[str, str]) -> Treated:
    """What the connection's policy makes of a line."""
    tax = tax_of(line["tax"])
    if line.get("sold_by") == "registered_vendor":
        return Treated(line, tax, True)
    setting = SETTINGS.get(line.get("kind", "product"))
    treatment = policy.get(setting, DEFAULTS[setting]) if setting else "taxed"
    return Treated(line, tax if treatment == "taxed" else OUT_OF_SCOPE, treatment == "left_out")


def is_taxed(line: Json) -> bool:
    """Whether it is an everyday line that no policy looks at."""
    return "sold_by" not in line and line.get("kind") not in SETTINGS


# -- what the shop charges --------------------------------------------------------------------------------------


def list_price(line: Json) -> Fraction:
    """Quantity times price, in halalas, not rounded."""
    return _price(line["quantity"], line["unit_price"], line.get("base_quantity", "1"))


@lru_cache(maxsize=50_000)
def _price(quantity: str, unit_price: str, base_quantity: str) -> Fraction:
    return Fraction(quantity) * Fraction(unit_price) * 100 / Fraction(base_quantity)


def charges_of(line: Json) -> int:
    """What is charged on top of a line."""
    return sum(rounded(each["amount"]) for each in line.get("charges", ()))


def charged_for(line: Json) -> int:
    """Price times quantity, and what is put on and taken off, each rounded for itself (R74)."""
    off = sum(rounded(each["amount"]) for each in line.get("reductions", ()))
    amount = half_up(list_price(line)) + charges_of(line) - off
    return amount if list_price(line) < 0 else max(amount, 0)


def reductions_of(order: Json) -> int:
    """What is taken off the whole order."""
    return sum(rounded(each["amount"]) for each in order.get("reductions", ()))


def charged(order: Json) -> int:
    """What the shop asks for, with VAT only if its prices are."""
    return before_reductions(order) - reductions_of(order)


def before_reductions(order: Json) -> int:
    """Lines and charges of the whole order."""
    return sum(charged_for(line) for line in order["lines"]) + sum(rounded(each["amount"]) for each in _charges(order))


def charged_by_tax(order: Json, policy: dict[str, str]) -> dict[Tax, int]:
    """Of what this seller supplies, before reductions of the whole order."""
    found: dict[Tax, int] = {}
    for tax, amount in _parts(order, policy):
        found[tax] = found.get(tax, 0) + amount
    return found


def left_out(order: Json, policy: dict[str, str]) -> int:
    """What was charged for what others supply."""
    lines = (treated(line, policy) for line in order["lines"])
    return sum(each.charged for each in lines if each.left_out)


def _parts(order: Json, policy: dict[str, str]) -> Iterable[tuple[Tax, int]]:
    for each in (treated(line, policy) for line in order["lines"]):
        if not each.left_out:
            yield each.tax, each.charged
    for each in _charges(order):
        if amount := rounded(each["amount"]):
            yield tax_of(each["tax"]), amount


def _charges(order: Json) -> list[Json]:
    found: list[Json] = order.get("charges", [])
    return found


# -- what the shop says its sums are ----------------------------------------------------------------------------


class Sums(NamedTuple):
    """What the buyer pays, and the VAT in it."""

    grand: int
    vat: int


def shop_sums(order: Json, policy: dict[str, str], habit: str) -> Sums:
    """The sums as a shop with that habit of rounding adds them up, what others supply included."""
    exactly = habit == "exact"
    amounts = [(each.tax, _exact(each.line) if exactly else Fraction(each.charged)) for each in _all(order, policy)]
    amounts += [
        (tax_of(each["tax"]), Fraction(each["amount"]) * 100 if exactly else Fraction(rounded(each["amount"])))
        for each in _charges(order)
    ]
    before = sum(amount for _, amount in amounts)
    off = sum(Fraction(each["amount"]) * 100 for each in order.get("reductions", ()))
    left = (before - off) / before if before else Fraction(1)
    inclusive = order["prices_include_tax"]
    vats = [(tax, amount * left * tax.rate / (100 + tax.rate if inclusive else 100)) for tax, amount in amounts]
    vat = max(_added(vats, habit), Fraction(0))
    grand = before - off if inclusive else before - off + vat
    return Sums(max(half_up(grand), 0), half_up(vat))


def _all(order: Json, policy: dict[str, str]) -> Iterable[Treated]:
    return (treated(line, policy) for line in order["lines"])


def _exact(line: Json) -> Fraction:
    on_top = sum(Fraction(each["amount"]) * 100 for each in line.get("charges", ()))
    off = sum(Fraction(each["amount"]) * 100 for each in line.get("reductions", ()))
    amount = list_price(line) + on_top - off
    return amount if list_price(line) < 0 else max(amount, Fraction(0))


def _added(vats: list[tuple[Tax, Fraction]], habit: str) -> Fraction:
    if habit == "line":
        return Fraction(sum(half_up(vat) for _, vat in vats))
    if habit == "exact":
        return sum((vat for _, vat in vats), Fraction(0))
    by_tax: dict[Tax, Fraction] = {}
    for tax, vat in vats:
        by_tax[tax] = by_tax.get(tax, Fraction(0)) + vat
    return Fraction(sum(half_up(vat) for vat in by_tax.values()))


def surely_due(order: Json, policy: dict[str, str]) -> int:
    """What the document of an order comes to at least, to the halala where nothing has to be split."""
    elsewhere, declared = left_out(order, policy), order.get("declared", {}).get("grand")
    if order["prices_include_tax"] or (declared and not elsewhere):
        grand = whole(declared) if declared else charged(order)
        return max(grand - elsewhere, 0)
    groups = charged_by_tax(order, policy)
    before = sum(groups.values()) + elsewhere
    left = Fraction(before - reductions_of(order), before) if before else Fraction(0)
    exact = sum(amount * left * (100 + tax.rate) / 100 for tax, amount in groups.items())
    return max(floor(exact) - 2 * len(groups) * (1 + len(order.get("reductions", ()))), 0)


# -- which document it is ---------------------------------------------------------------------------------------


def profile(order: Json, policy: dict[str, str]) -> str:
    """01 or 02."""
    buyer, rule = order["buyer"], policy.get("business_when", "vat_number")
    if "kind" in buyer:
        return "02" if buyer["kind"] == "person" else "01"
    by_identity = rule == "identity" and buyer.get("other_id", {}).get("scheme") in _OF_BUSINESSES
    return "01" if by_identity or (rule != "as_sent" and "vat" in buyer) else "02"


def goes_abroad(order: Json, policy: dict[str, str]) -> bool:
    """Shipped abroad and zero-rated for that."""
    abroad = order.get("ship_to", {}).get("country", "SA") != "SA"
    codes = {line["tax"].get("reason_code") for line in order["lines"]}
    return policy.get("export_when") != "as_sent" and abroad and bool(codes & {"VATEX-SA-32", "VATEX-SA-33"})


def transaction_code(order: Json, policy: dict[str, str]) -> str:
    """KSA-2 (R63): seven digits, nine where one of the last two is set."""
    flags = set(order.get("flags", ()))
    flags |= {"export"} if goes_abroad(order, policy) else set()
    flags |= {"b2g"} if order["buyer"].get("kind") == "government" else set()
    order_of_digits = ("third_party", "nominal", "export", "summary", "self_billed", "continuous", "b2g")
    code = profile(order, policy) + "".join("1" if each in flags else "0" for each in order_of_digits)
    return code if flags & {"continuous", "b2g"} else code[:7]


# -- prepayment invoices of one's own ---------------------------------------------------------------------------


class PriorPart(NamedTuple):
    """What is left of one VAT group of a prepayment invoice."""

    tax: Json
    taxable: int
    vat: int


class Prior(NamedTuple):
    """A prepayment invoice that was issued here."""

    number: str
    uuid: str
    currency: str
    parts: tuple[PriorPart, ...]

    @property
    def left(self) -> int:
        return sum(part.taxable + part.vat for part in self.parts)


ISSUED_AT: Final = datetime.fromisoformat("2025-12-31T23:30:00+00:00")
"""When every prepayment invoice was issued: in Riyadh it was already the next year."""
