"""Whether a document is the right one for an order, and exact to the halala: fractions and whole halalas only.

First the document for itself (R74 to R78), then against what the shop charged, then all that is no sum.
"""

from datetime import datetime
from fractions import Fraction
from math import ceil
from typing import Final

from tests.properties import law
from tests.properties.document import Adjustment, Document, Group, Line
from tests.properties.law import Json, Prior, Tax, half_up

Key = tuple[str, int]
"""Category and rate: what a line says of its tax."""


def key(tax: Tax | None) -> Key:
    assert tax is not None
    return tax.category, tax.rate


# -- the document for itself ------------------------------------------------------------------------------------


def judge_sums(document: Document) -> None:
    """Every sum follows from the lines as the law computes it."""
    for line in document.lines:
        _judge_line(line)
    for group in document.groups:
        assert group.taxable == _taxable(document, key(group.tax)), "BT-116"
        assert group.vat == half_up(Fraction(group.taxable * group.tax.rate, 100)), "BT-117"
        assert group.taxable >= 0
    assert len({key(group.tax) for group in document.groups}) == len(document.groups), "one group for a rate"
    assert document.lines_total == sum(line.net for line in document.lines), "BT-106"
    assert document.allowances == _sum(document.adjustments, is_charge=False), "BT-107"
    assert document.charges == _sum(document.adjustments, is_charge=True), "BT-108"
    assert document.without_vat == document.lines_total - document.allowances + document.charges, "BT-109"
    assert document.without_vat == sum(group.taxable for group in document.groups), "BT-109"
    assert document.vat == sum(group.vat for group in document.groups), "BT-110"
    assert document.with_vat == document.without_vat + document.vat, "BT-112"
    assert document.prepaid == sum(each.taxable + each.vat for each in document.deductions), "BT-113"
    assert document.payable == document.with_vat - document.prepaid + document.rounding, "BT-115"
    assert document.payable >= 0
    _judge_deductions(document)


def _judge_line(line: Line) -> None:
    before = half_up(Fraction(line.price) * 100 * Fraction(line.quantity) / Fraction(line.base_quantity))
    assert line.net == before + line.amount_of(charges=True) - line.amount_of(charges=False), f"BT-131 of {line.id}"
    assert line.vat == half_up(Fraction(line.net * line.tax.rate, 100)), f"KSA-11 of {line.id}"
    assert line.total == line.net + line.vat, f"KSA-12 of {line.id}"
    assert min(line.net, Fraction(line.price), *(each.amount for each in line.adjustments)) >= 0


def _taxable(document: Document, wanted: Key) -> int:
    lines = sum(line.net for line in document.lines if key(line.tax) == wanted)
    adjustments = [each for each in document.adjustments if key(each.tax) == wanted]
    return lines + _sum(adjustments, is_charge=True) - _sum(adjustments, is_charge=False)


def _sum(adjustments: tuple[Adjustment, ...] | list[Adjustment], *, is_charge: bool) -> int:
    return sum(each.amount for each in adjustments if each.is_charge == is_charge)


def _judge_deductions(document: Document) -> None:
    ids = [each.id for each in (*document.lines, *document.deductions)]
    assert len(set(ids)) == len(ids)
    assert all(1 <= len(each) <= 6 for each in ids), "BT-126"
    for each in document.deductions:
        assert (each.code, set(each.amounts)) == ("386", {0})
        assert abs(each.vat - half_up(Fraction(each.taxable * each.tax.rate, 100))) <= 1, "KSA-32"


# -- against what the shop charged ------------------------------------------------------------------------------


def judge_charged(document: Document, order: Json, policy: dict[str, str]) -> None:
    """The buyer pays what the shop charged, and the groups hold what was charged for them."""
    elsewhere, reductions = law.left_out(order, policy) * _kept(order), len(order.get("reductions", ()))
    paid, declared = document.with_vat + document.rounding, order.get("declared", {}).get("grand")
    if not elsewhere and (declared or order["prices_include_tax"]):
        assert paid == (law.whole(declared) if declared else law.charged(order)), "what the buyer pays"
    if not order["prices_include_tax"] and (elsewhere > reductions or not declared):
        assert document.rounding == 0, "prices without VAT leave nothing to round"
    if order["prices_include_tax"] and not declared:
        assert abs(document.rounding) <= len(document.groups), "a halala for each group"
    assert abs(document.rounding) <= most_rounding(order)
    judge_group = _judge_gross if order["prices_include_tax"] else _judge_net
    for group in document.groups:
        judge_group(document, group, order, policy)
    _judge_lines(document, order, policy)


def most_rounding(order: Json) -> int:
    """The limit as it is documented, in halalas: half of one with its VAT for each amount, and one for the sums."""
    parts = [part for line in order["lines"] for part in (line, *line.get("reductions", ()), *line.get("charges", ()))]
    amounts = len(parts) + len(order.get("reductions", ())) + len(order.get("charges", ()))
    return ceil(1 + amounts * Fraction(115, 200))


def _judge_gross(document: Document, group: Group, order: Json, policy: dict[str, str]) -> None:
    """The taxable amount is the nearest to what was charged with VAT; exactly so where no reduction was split."""
    charged = {key(tax): amount for tax, amount in law.charged_by_tax(order, policy).items()}[key(group.tax)]
    reductions = len(order.get("reductions", ()))
    alone = len(document.groups) == 1 and not law.left_out(order, policy)
    if not reductions or alone:
        left = charged - (law.reductions_of(order) if reductions else 0)
        _is_nearest(group.taxable, left, group.tax)
    else:
        assert abs(group.taxable + group.vat - charged * _kept(order)) <= 1 + 2 * reductions, "the share of a group"


def _is_nearest(taxable: int, gross: int, tax: Tax) -> None:
    gap = abs(taxable + tax.on(taxable) - gross)
    assert gap <= 1
    for other in (taxable - 1, taxable + 1):
        assert gap <= abs(other + tax.on(other) - gross), "another taxable amount is nearer"


def _kept(order: Json) -> Fraction:
    """What part of every group the reductions of the whole order leave."""
    before = law.before_reductions(order)
    return Fraction(before - law.reductions_of(order), before) if before else Fraction(1)


def _judge_net(document: Document, group: Group, order: Json, policy: dict[str, str]) -> None:
    """Prices without VAT reach the document as they are, less the share of each reduction."""
    charged = {key(tax): amount for tax, amount in law.charged_by_tax(order, policy).items()}[key(group.tax)]
    reductions = order.get("reductions", ())
    assert abs(group.taxable - charged * _kept(order)) <= 2 * len(reductions), "the share of a group"
    if not law.left_out(order, policy):
        for reduction in reductions:
            shares = [each.amount for each in document.adjustments if each.reason == reduction["reason"]]
            assert sum(shares) == law.rounded(reduction["amount"]), "a reduction split without loss"


# -- lines ------------------------------------------------------------------------------------------------------

_SERVICES: Final = "C62"


def _judge_lines(document: Document, order: Json, policy: dict[str, str]) -> None:
    treated = (law.treated(line, policy) for line in order["lines"])
    sold = [each for each in treated if not each.left_out and law.list_price(each.line) >= 0]
    assert len(sold) == len(document.lines)
    shares: dict[Key, list[tuple[int, int]]] = {}
    for wanted, line in zip(sold, document.lines, strict=True):
        said = wanted.line
        assert (line.name, line.sku, key(line.tax)) == (said["name"], said.get("sku", ""), key(wanted.tax))
        assert Fraction(line.quantity) == Fraction(said["quantity"])
        assert Fraction(line.base_quantity) == Fraction(said.get("base_quantity", "1"))
        assert line.unit == (said.get("unit", "PCE") if said.get("kind", "product") == "product" else _SERVICES)
        shares.setdefault(key(line.tax), []).append((wanted.charged, line.net))
        if not order["prices_include_tax"]:
            assert line.net == wanted.charged, "a net price is the shop's"
    if order["prices_include_tax"]:
        for (_, rate), pairs in shares.items():
            _judge_split(rate, pairs)


def _judge_split(rate: int, pairs: list[tuple[int, int]]) -> None:
    """The lines of a group hold what was charged for all of them, each its share to the halala."""
    charged, net = (sum(each) for each in zip(*pairs, strict=True))
    _is_nearest(net, charged, Tax("", rate, ""))
    for gross, share in pairs:
        assert abs(share - Fraction(gross * net, charged or 1)) < 1, "the share of a line"


# -- all that is no sum -----------------------------------------------------------------------------------------


def judge_words(document: Document, order: Json, policy: dict[str, str]) -> None:
    """Kind, profile, flags, currency, parties and references are those that the order asks for."""
    assert document.kind == ("386" if order.get("kind") == "prepayment" else "388")
    assert document.name == law.transaction_code(order, policy)
    buyer, method = order["buyer"], next((each["method"] for each in order["payments"]), "other")
    assert document.texts == {
        "note": order.get("note", ""),
        "order": order.get("number", order["id"]),
        "contract": order.get("contract", ""),
        "buyer": buyer.get("name", ""),
        "buyer_vat": buyer.get("vat", ""),
        "buyer_id": buyer.get("other_id", {}).get("value", ""),
        "buyer_city": buyer.get("address", {}).get("city", ""),
        "supplied": order.get("supply_date", "2026-11-23"),
        "supplied_until": order.get("supply_end", ""),
        "means": law.MEANS[method],
        "reason": "",
    }
    _judge_currency(document, order)


def _judge_currency(document: Document, order: Json) -> None:
    assert document.currency == order.get("currency", "SAR")
    fx = order.get("fx", {"rate": "1", "shown": False})
    assert document.vat_in_sar == half_up(document.vat * Fraction(fx["rate"])), "BT-111"
    assert document.fx_rate == (fx["rate"] if fx["shown"] and len(fx["rate"]) <= 14 else ""), "KSA-39"


def judge_prepaid(document: Document, order: Json, priors: tuple[Prior, ...]) -> None:
    """Each prepayment stands there as it was issued, and so much of it as the order uses."""
    own = {prior.number: prior for prior in priors}
    moment = law.ISSUED_AT.astimezone(datetime.fromisoformat("2026-01-01T00:00:00+03:00").tzinfo)
    deductions = list(document.deductions)
    assert {each.moment for each in deductions} <= {f"{moment:%Y-%m-%dT%H:%M:%S}"}
    for wanted in order.get("prepayments", ()):
        found = [each for each in deductions if each.number == wanted["number"]]
        deductions = [each for each in deductions if each not in found]
        said = [(key(each.tax), each.taxable, each.vat) for each in found]
        if "parts" in wanted:
            parts = [(law.tax_of(part["tax"]), law.whole(part["taxable"])) for part in wanted["parts"]]
            assert said == [(key(tax), taxable, tax.on(taxable)) for tax, taxable in parts if taxable]
        elif "amount" not in wanted:
            left = [part for part in own[wanted["number"]].parts if part.taxable]
            assert said == [(key(law.tax_of(part.tax)), part.taxable, part.vat) for part in left]
        else:
            assert sum(each.taxable + each.vat for each in found) == law.whole(wanted["amount"])
    assert not deductions


def may_warn(document: Document) -> set[str]:
    """BR-KSA-97: VAT in SAR that happens to be as much as in the document's currency."""
    same = document.currency != "SAR" and document.vat == document.vat_in_sar > 0
    return {"BR-KSA-97"} if same else set()
