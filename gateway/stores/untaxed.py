"""The VAT category of what a shop sold. A rate above zero says it; of a rate of zero only the taxpayer can say why.

Settings of every shop's connection, all optional:
    tax.sku.<SKU>                    what a product is: S15, S5, Z:VATEX-SA-35, E:VATEX-SA-30, O:VATEX-SA-OOS, with the
                                     reason in words after one more colon where no official text exists
    tax.class.<class>                the same for a tax class of the shop; what has none of its own is in the class of
                                     its kind: product, shipping, cod_fee, fee, tip, gift_card_sale
    untaxed_reason_code.<tax class>  VATEX-SA code of what was sold without VAT in one class, else
    untaxed_reason_code              in all of them
    untaxed_reason                   its reason in words, for the two codes that have no official text

The SKU wins over the class. A map never overrules the rate that the shop charged.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from gateway.codes import EXEMPTIONS
from gateway.errors import Misconfigured
from gateway.stores.raw import unusable

RATES: Final = (Decimal(15), Decimal(5))
"""The rates above zero that Saudi VAT has or had (BR-KSA-84)."""

_OUT_OF_SCOPE: Final = {"category": "O", "rate": "0", "reason_code": "VATEX-SA-OOS"}
_MAPPED = re.compile(r"S(?P<rate>15|5)|(?P<category>[ZEO]):(?P<code>[^:]+)(?::(?P<reason>.+))?")


class Supply(NamedTuple):
    """What was sold, as far as its VAT goes: where it stands in the shop's order, and what a map may know it by."""

    place: str
    name: str
    sku: str = ""
    tax_class: str = ""
    kind: str = "product"


def class_of(taxable: object) -> str:
    """The tax class of shops that only know whether a product is taxed."""
    return {True: "taxable", False: "not_taxable"}[taxable] if isinstance(taxable, bool) else ""


def tax_of(settings: Mapping[str, str], supply: Supply, rate: Decimal | None) -> dict[str, Any]:
    """The order's tax for what was charged at `rate` percent; None where nothing was charged that could have a rate."""
    key, mapped = _mapped(settings, supply)
    if mapped is not None:
        if rate is not None and Decimal(mapped["rate"]) != rate:
            raise _contradicts(supply, key, Decimal(mapped["rate"]), rate)
        return mapped
    if rate:
        return taxed(rate, supply.place, supply.name)
    if _is_no_supply(settings, supply.kind):
        return dict(_OUT_OF_SCOPE)
    return untaxed(settings, supply.place, supply.name, supply.tax_class)


def _mapped(settings: Mapping[str, str], supply: Supply) -> tuple[str, dict[str, Any] | None]:
    """The first map that names the supply, and what it says."""
    keys = ((f"tax.sku.{supply.sku}", supply.sku), (f"tax.class.{supply.tax_class or supply.kind}", True))
    for key, given in keys:
        if given and key in settings:
            return key, _meaning(settings, key)
    return "", None


def _meaning(settings: Mapping[str, str], key: str) -> dict[str, Any]:
    found = _MAPPED.fullmatch(settings[key].strip())
    if found and found["rate"]:
        return {"category": "S", "rate": found["rate"]}
    code = found["code"] if found else ""
    if not found or code not in EXEMPTIONS or EXEMPTIONS[code].category.value != found["category"]:
        raise Misconfigured(
            f"The connection's {key} cannot be {settings[key]!r}.",
            fix="Write S15 or S5, or category and code such as Z:VATEX-SA-35, E:VATEX-SA-30, O:VATEX-SA-OOS.",
            ar=f"قيمة الإعداد {key} غير صحيحة. اكتب S15 أو S5 أو الفئة مع رمز السبب مثل Z:VATEX-SA-35.",
        )
    reason = found["reason"] or settings.get("untaxed_reason", "")
    tax = {"category": found["category"], "rate": "0", "reason_code": code}
    return tax | ({"reason": reason} if reason else {})


def _contradicts(supply: Supply, key: str, mapped: Decimal, rate: Decimal) -> Exception:
    return unusable(
        supply.place,
        f"the shop charged {rate.normalize():f} % VAT on {supply.name!r}, but {key} says {mapped:f} %",
        fix="Correct the tax rate of the product in the shop, or the map in the connection's settings.",
        ar=f"احتسب المتجر ضريبة {rate.normalize():f}% على البند «{supply.name}» بينما يحدد الإعداد {key} نسبة"
        f" {mapped:f}%. صحح نسبة المنتج في المتجر أو الإعداد في الربط.",
    )


def _is_no_supply(settings: Mapping[str, str], kind: str) -> bool:
    """A gift card that was sold without VAT is money for later; a tip is no supply only if the taxpayer says so."""
    return kind == "gift_card_sale" or (kind == "tip" and settings.get("tips") in ("out_of_scope", "left_out"))


def untaxed(settings: Mapping[str, str], place: str, name: str, tax_class: str = "") -> dict[str, Any]:
    """The tax of a line without VAT, from `untaxed_reason_code.<tax class>` or else `untaxed_reason_code`."""
    key = f"untaxed_reason_code.{tax_class}"
    code = settings.get(key) or settings.get("untaxed_reason_code", "")
    if not code:
        raise unusable(
            place,
            f"{name!r} was sold without VAT and nothing says why",
            fix="If VAT is missing by mistake, switch it on in the shop. Otherwise set untaxed_reason_code"
            f"{f' or {key}' if tax_class else ''} of the connection to the VATEX-SA code that applies, or map the"
            " product with tax.sku or its class with tax.class.",
            ar=f"البند «{name}» بيع بلا ضريبة ولا يوجد سبب. فعّل الضريبة في المتجر، أو حدد رمز سبب الإعفاء"
            " في إعدادات الربط (untaxed_reason_code أو tax.sku أو tax.class).",
        )
    if code not in EXEMPTIONS:
        raise Misconfigured(
            f"The connection's {key if key in settings else 'untaxed_reason_code'} {code!r} is not a VATEX-SA code.",
            fix=f"Use one of {', '.join(EXEMPTIONS)}.",
        )
    tax = {"category": EXEMPTIONS[code].category.value, "rate": "0", "reason_code": code}
    reason = settings.get("untaxed_reason", "")
    return tax | ({"reason": reason} if reason else {})


def taxed(rate: Decimal, place: str, name: str) -> dict[str, Any]:
    """The tax of a line at a rate above zero, which must be one that Saudi VAT has."""
    if rate not in RATES:
        raise unusable(
            place,
            f"{rate.normalize():f} % VAT was charged on {name!r}; the Saudi rate is 15 or 5 (BR-KSA-84)",
            fix="Correct the tax rate in the shop. Foreign VAT belongs on no Saudi invoice.",
            ar=f"احتسبت ضريبة بنسبة {rate.normalize():f}% على البند «{name}»، والنسبة في المملكة 15% أو 5%."
            " صحح نسبة الضريبة في المتجر.",
        )
    return {"category": "S", "rate": rate}
