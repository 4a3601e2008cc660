"""Whole carts over every dimension of the order, as shops send them: JSON, with sums as a shop adds them up.

Everything here is plain text and whole halalas. What a cart comes to is computed by `tests.properties.law`, which
shares no code with the gateway.
"""

import json
from fractions import Fraction
from math import ceil
from typing import Any, NamedTuple

from hypothesis import strategies as st

from tests.properties import law
from tests.properties.law import Json, Prior


class Cart(NamedTuple):
    """An order as it is sent, the settings of its connection, and the prepayment invoices that exist."""

    order: Json
    policy: dict[str, str]
    priors: tuple[Prior, ...]

    def __repr__(self) -> str:
        return f"{json.dumps(self.order, ensure_ascii=False)[:10_000]} {self.policy} {self.priors}"


def plain(number: int, places: int) -> str:
    """An integer with its point put in."""
    digits = f"{abs(number):0{places + 1}d}"
    whole, decimals = (digits[:-places], digits[-places:]) if places else (digits, "")
    return ("-" if number < 0 else "") + whole + (f".{decimals}" if decimals else "")


def money(halalas: int) -> str:
    """Halalas as an order writes them."""
    return plain(halalas, 2)


def _numbers(low: int, high: int, places: int) -> st.SearchStrategy[str]:
    return st.integers(low, high).map(lambda number: plain(number, places))


prices = st.one_of(
    _numbers(0, 100_000, 2),
    _numbers(0, 100_000, 2),
    st.sampled_from(["0.00", "0.01", "0.005", "1.10", "9.99", "33.33", "99.99", "100.00", "86.956522", "1000000.00"]),
    _numbers(1, 10_000_000, 4),
    _numbers(1, 10**12, 10),
    _numbers(10**14, 10**15, 10),
)
quantities = st.one_of(
    st.integers(1, 9).map(str),
    st.integers(1, 9).map(str),
    _numbers(1, 5_000, 3),
    _numbers(1, 10**11, 10),
    st.integers(10, 5_000).map(str),
)
base_quantities = st.one_of(*[st.just("1")] * 5, st.sampled_from(["10", "100", "0.5", "3", "7", "0.0625", "1000"]))
percents = st.one_of(st.integers(0, 100), st.sampled_from([0, 5, 10, 15, 50, 100]))

# -- VAT ------------------------------------------------------------------------------------------------------

S15: Json = {"category": "S", "rate": "15"}
S5: Json = {"category": "S", "rate": "5"}
_ZERO_CODES = (
    "32", "33", "34-1", "34-2", "34-3", "34-4", "34-5", "35", "36", "EDU", "HEA", "MLTRY", "DIPLOMAT", "DUTYFREE",
)  # fmt: skip


def untaxed(category: str, code: str, reason: str = "") -> Json:
    """A tax without VAT, for that reason."""
    tax = {"category": category, "rate": "0", "reason_code": f"VATEX-SA-{code}"}
    return tax | {"reason": reason} if reason else tax


zero_rated = st.one_of(
    st.sampled_from(_ZERO_CODES).map(lambda code: untaxed("Z", code)),
    st.sampled_from(["32(bis)", "35", "36", "ROYALDECREE"]).map(
        lambda code: untaxed("Z", code, "By decree | بموجب أمر")
    ),
)
exempt = st.sampled_from(["29", "29-7", "30"]).map(lambda code: untaxed("E", code))
out_of_scope = st.sampled_from(["", "Deposit for bottles | تأمين الزجاجات"]).map(lambda why: untaxed("O", "OOS", why))


@st.composite
def _taxes(draw: st.DrawFn) -> list[Json]:
    """The taxes of a cart, one reason a category."""
    shape = draw(st.sampled_from(["S", "S", "S", "SS", "SZ", "SE", "SO", "Z", "E", "SSZEO", "SSZ", "5", "ZO"]))
    of_letter = {"Z": zero_rated, "E": exempt, "O": out_of_scope}
    taxes = [S15, S5][: shape.count("S")] if "5" not in shape else [S5]
    return taxes + [draw(of_letter[letter]) for letter in shape if letter in of_letter]


# -- lines ----------------------------------------------------------------------------------------------------

names = st.sampled_from(["Coffee 250 g", "قهوة مختصة", "Tea <green> & 'mint'", "Gift box № 7", "تمر سكري | Dates"])
_charge_codes = st.sampled_from([("FC", "Freight"), ("PC", "Packing"), ("ABK", "Handling"), ("ZZZ", "Other fee")])


@st.composite
def _lines(draw: st.DrawFn, taxes: list[Json]) -> Json:
    line: Json = {
        "name": draw(names),
        "quantity": draw(quantities),
        "unit_price": draw(prices),
        "tax": draw(st.sampled_from(taxes)),
    }
    sort = draw(st.integers(0, 19))
    if sort < 3:
        line["base_quantity"] = draw(base_quantities)
    if sort % 5 == 1:
        line |= {"sku": f"SKU-{sort}", "unit": draw(st.sampled_from(["KGM", "LTR", "C62", "PCE"]))}
    if sort in (4, 9, 17):
        line["charges"] = draw(st.lists(_charges(4_000), min_size=1, max_size=2))
    if sort in (5, 6, 9, 10, 11, 17):
        line["reductions"] = draw(_line_reductions(law.list_price(line), law.charges_of(line)))
    if sort in (12, 13):
        line["kind"] = draw(st.sampled_from(["shipping", "cod_fee", "fee", "gift_wrap"]))
    return line


@st.composite
def _charges(draw: st.DrawFn, most: int) -> Json:
    code, reason = draw(_charge_codes)
    amount = draw(st.one_of(_numbers(0, most, 2), _numbers(0, most * 100, 4)))
    return {"amount": amount, "code": code, "reason": reason}


@st.composite
def _line_reductions(draw: st.DrawFn, price: Fraction, on_top: int) -> list[Json]:
    """Together no more than the line; in halalas, or as exact as a percentage is."""
    left = law.half_up(price) + on_top
    found = []
    for percent in draw(st.lists(percents, min_size=1, max_size=3)):
        exact = min(Fraction(left * percent, 100), Fraction(left))
        amount = draw(st.sampled_from([money(int(exact)), plain(int(exact * 10_000), 6)]))
        left -= law.half_up(Fraction(amount) * 100)
        found.append({"amount": amount, "origin": draw(st.sampled_from(["item", "coupon", "loyalty", "automatic"]))})
        if left <= 0:
            break
    return found


@st.composite
def _special_lines(draw: st.DrawFn, *, inclusive: bool, policy: dict[str, str]) -> Json:
    """Vouchers, tips, and what vendors sell. Where prices are without VAT, a shop that takes none on such a line says
    so; where they are with VAT, its total does not tell."""
    line: Json = {"name": draw(names), "quantity": "1", "unit_price": draw(_numbers(1, 50_000, 2)), "tax": S15}
    kind = draw(st.sampled_from(["gift_card_sale", "tip", "registered_vendor", "unregistered_vendor"]))
    if kind.endswith("vendor"):
        return line | {"sold_by": kind}
    treatment = policy.get(law.SETTINGS[kind], law.DEFAULTS[law.SETTINGS[kind]])
    if treatment == "out_of_scope" and not inclusive:
        line["tax"] = untaxed("O", "OOS")
    return line | {"kind": kind}


def _line_ids(draw: st.DrawFn, number: int) -> list[str]:
    """As shops number them: from one, by a counter of all lines ever sold, or by a mark of their own."""
    first, mark = draw(st.sampled_from([(1, ""), (1, ""), (71_000_001, ""), (999_999 - number + 1, ""), (1, "L")]))
    return [f"{mark}{first + position}" for position in range(number)]


# -- the whole ------------------------------------------------------------------------------------------------

_SA = {"street": "شارع العليا", "building": "7687", "district": "العليا", "city": "الرياض", "postal_code": "12214"}
_AT = {"street": "Rue 1", "city": "Wien", "country": "AT"}
_VAT = "310122393500003"
_CRN = {"scheme": "CRN", "value": "4030123456"}

persons = st.sampled_from([
    {},
    {"kind": "person"},
    {"kind": "person", "name": "نورة العتيبي"},
    {"name": "Sara", "address": {"city": "Jeddah"}},
    {"kind": "person", "name": "Ali", "address": _SA, "other_id": {"scheme": "IQA", "value": "2345612390"}},
    {"kind": "person", "name": "Omar", "vat": _VAT},
])  # fmt: skip
pupils = st.just(
    {"kind": "person", "name": "Huda", "other_id": {"scheme": "NAT", "value": "1023456780"}, "address": _SA}
)
businesses = st.sampled_from([
    {"kind": "business", "name": "شركة المثال", "vat": _VAT, "address": _SA},
    {"name": "شركة المثال", "vat": _VAT, "address": _SA},
    {"kind": "business", "name": "Example Co", "vat": _VAT, "address": _SA, "other_id": _CRN},
    {"kind": "business", "name": "Müller GmbH", "other_id": {"scheme": "OTH", "value": "DE811"}, "address": _AT},
    {"kind": "government", "name": "أمانة", "other_id": {"scheme": "700", "value": "7001234569"}, "address": _SA},
])  # fmt: skip
_MANY = 500
_FLAGS = [("third_party",), ("nominal",), ("continuous",), ("summary",), ("export",), ("nominal", "third_party")]
_COUNTRIES = ["AE", "KW", "DE"]
_CURRENCIES = [("USD", "3.75"), ("EUR", "4.0725"), ("JPY", "0.0251"), ("KWD", "12.2"), ("AED", "1.0211")]
policies = st.one_of(
    st.just({}),
    st.just({}),
    st.fixed_dictionaries({}, optional={
        "business_when": st.sampled_from(["vat_number", "identity", "as_sent"]),
        "export_when": st.sampled_from(["ship_to", "as_sent"]),
        "gift_cards": st.sampled_from(["taxed", "out_of_scope", "left_out"]),
        "tips": st.sampled_from(["taxed", "out_of_scope", "left_out"]),
    }),
)  # fmt: skip


@st.composite
def carts(draw: st.DrawFn) -> Cart:
    """Any cart that a shop can sell."""
    inclusive, policy, taxes = draw(st.booleans()), draw(policies), draw(_taxes())
    order: Json = {
        "connection": "shop",
        "id": "SO-1",
        "placed_at": "2026-11-23T09:58:12+03:00",
        "prices_include_tax": inclusive,
        "buyer": draw(_buyers(taxes)),
        "lines": draw(_all_lines(taxes, inclusive=inclusive, policy=policy)),
    }
    _dress(draw, order, policy)
    if draw(st.integers(0, 4)) == 0:
        charges = draw(st.lists(_charges(4_000), min_size=1, max_size=draw(st.sampled_from([1, 3, 8]))))
        order["charges"] = [charge | {"tax": draw(st.sampled_from(taxes))} for charge in charges]
    _take_off(draw, order, policy)
    sum_up = draw(st.sampled_from([None, None, *law.HABITS]))
    if sum_up:
        order["declared"] = draw(_declared(law.shop_sums(order, policy, sum_up)))
    priors = _prepay(draw, order, policy) if order.get("kind") != "prepayment" else ()
    return Cart(order, policy, priors)


def _buyers(taxes: list[Json]) -> st.SearchStrategy[Json]:
    if any(tax.get("reason_code") in ("VATEX-SA-EDU", "VATEX-SA-HEA") for tax in taxes):
        return pupils
    return st.one_of(persons, businesses)


@st.composite
def _all_lines(draw: st.DrawFn, taxes: list[Json], *, inclusive: bool, policy: dict[str, str]) -> list[Json]:
    """Mostly a few, sometimes a wholesaler's list of the same again and again."""
    drawn = draw(st.lists(_lines(taxes), min_size=1, max_size=draw(st.sampled_from([1, 2, 3, 3, 6, 12]))))
    at_least = draw(st.sampled_from([1] * 280 + [20] * 18 + [100, _MANY]))
    lines = [dict(line) for _ in range(ceil(at_least / len(drawn))) for line in drawn]
    if draw(st.integers(0, 5)) == 0:
        special = _special_lines(inclusive=inclusive, policy=policy)
        lines += draw(st.lists(special, min_size=1, max_size=3))
    for line, line_id in zip(lines, _line_ids(draw, len(lines)), strict=True):
        line["id"] = line_id
    return lines


def _dress(draw: st.DrawFn, order: Json, policy: dict[str, str]) -> None:
    """All that is no sum: kind, flags, currency, dates, destination."""
    standard = law.profile(order, policy) == "01"
    flags = set(draw(st.sampled_from([(), (), (), *_FLAGS])))
    if draw(st.integers(0, 9)) == 0:
        order["ship_to"] = {"street": "Main", "city": "X", "country": draw(st.sampled_from(_COUNTRIES))}
    if draw(st.integers(0, 9)) == 0 and "export" not in flags and not law.goes_abroad(order, policy):
        flags.add("self_billed" if standard else "third_party")
    if draw(st.integers(0, 9)) == 0:
        order["kind"] = "prepayment"
    if "summary" in flags or draw(st.integers(0, 9)) == 0:
        order |= {"supply_date": "2026-11-01", "supply_end": "2026-11-23"}
    if "summary" in flags and not order["buyer"].get("name"):
        order["buyer"] = order["buyer"] | {"name": "Noura"}
    if draw(st.integers(0, 9)) == 0:
        order |= {"number": "10045", "note": "Ring twice\nThank you"}
    if flags:
        order["flags"] = sorted(flags)
    if order["buyer"].get("kind") == "government" or draw(st.integers(0, 9)) == 0:
        order["contract"] = "C-2026-17"
    if draw(st.integers(0, 4)) == 0:
        currency, rate = draw(st.sampled_from(_CURRENCIES))
        rate = draw(st.sampled_from([rate, rate, "3.7512345678", "12345.1234567891"]))
        order |= {"currency": currency, "fx": {"rate": rate, "shown": draw(st.booleans())}}
    order["payments"] = [{"method": draw(st.sampled_from(sorted(law.MEANS)))}] * draw(st.integers(0, 1))


def _take_off(draw: st.DrawFn, order: Json, policy: dict[str, str]) -> None:
    """Lines below zero, each within its VAT group, and reductions of the whole order."""
    if draw(st.integers(0, 6)) == 0:
        sold = draw(st.sampled_from([line for line in order["lines"] if law.is_taxed(line)]))
        most = law.charged_by_tax(order, policy)[law.tax_of(sold["tax"])]
        off = most * draw(percents) // 100
        if off:
            line = {"name": "Voucher 2026", "quantity": "1", "unit_price": money(-off), "tax": sold["tax"]}
            order["lines"] = [*order["lines"], line | {"id": "0"}]
    if draw(st.integers(0, 3)) == 0:
        found: list[Json] = []
        for percent in draw(st.lists(percents, min_size=1, max_size=3)):
            off = law.charged(order | {"reductions": found}) * percent // 100
            origin = draw(st.sampled_from(["coupon", "order", "loyalty", "gift_card"]))
            found.append({"amount": money(off), "origin": origin, "reason": f"Reduction no. {len(found)}"})
        order["reductions"] = found


@st.composite
def _declared(draw: st.DrawFn, sums: law.Sums) -> Json:
    """What the shop adds up, or part of it."""
    declared = {"grand": money(sums.grand), "tax": money(sums.vat)}
    return {name: declared[name] for name in draw(st.sampled_from([("grand",), ("tax",), ("grand", "tax")]))}


# -- prepayments ----------------------------------------------------------------------------------------------


def _prepay(draw: st.DrawFn, order: Json, policy: dict[str, str]) -> tuple[Prior, ...]:
    """Prepayments that the order uses up to what is due, in its currency, at the rates of then."""
    if draw(st.integers(0, 4)):
        return ()
    left, found, priors = law.surely_due(order, policy), [], []
    categories = {tax.category for tax in law.charged_by_tax(order, policy)}
    for number in range(draw(st.integers(1, 3))):
        use = left * draw(percents) // 100
        if use < 2:
            continue
        if draw(st.booleans()):
            parts = draw(_parts(use, categories, deducted=_from_elsewhere))
            found.append({"number": f"ADV-{number}", "issued_at": law.ISSUED_AT.isoformat(), "parts": parts})
            left -= sum(law.with_vat(law.whole(part["taxable"]), part["tax"]) for part in parts)
        else:
            prior, amount = draw(_own(f"RUH1-{number}", use, categories, order.get("currency", "SAR")))
            if not prior.left:
                continue
            priors.append(prior)
            found.append({"number": prior.number} | ({"amount": money(amount)} if amount is not None else {}))
            left -= prior.left if amount is None else amount
    if found:
        order["prepayments"] = found
    return tuple(priors)


def _from_elsewhere(taxable: int, tax: Json) -> Any:
    return {"taxable": money(taxable), "tax": tax}


def _here(taxable: int, tax: Json) -> Any:
    return law.PriorPart(tax, taxable, law.with_vat(taxable, tax) - taxable)


_OF_THEN = [S15, S5, untaxed("Z", "35"), untaxed("E", "30"), untaxed("O", "OOS")]


@st.composite
def _parts(draw: st.DrawFn, use: int, categories: set[str], *, deducted: Any) -> list[Any]:
    """VAT groups of the invoice's categories that come to no more than `use` with their VAT."""
    known = [tax for tax in _OF_THEN if tax["category"] in categories]
    taxes = draw(st.lists(st.sampled_from(known), min_size=1, max_size=3, unique_by=str))
    share = use // len(taxes)
    parts = []
    for tax in taxes:
        taxable = share * 100 // (100 + int(tax["rate"]))
        while law.with_vat(taxable, tax) > share:
            taxable -= 1
        parts.append(deducted(taxable, tax))
    return parts


@st.composite
def _own(draw: st.DrawFn, number: str, use: int, categories: set[str], currency: str) -> tuple[Prior, int | None]:
    """A prepayment invoice of one's own, used whole or in part."""
    whole = draw(st.booleans())
    has = use if whole else use * draw(st.sampled_from([1, 2, 3, 10]))
    parts = tuple(draw(_parts(has, categories, deducted=_here)))
    prior = Prior(number, "6f4d20e0-6bfe-4a80-9389-7dabe6620f12", currency, parts)
    return prior, None if whole else min(use, prior.left)
