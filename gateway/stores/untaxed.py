"""Lines a shop sold without VAT: only the taxpayer can say why, and says it in the connection's settings."""

from collections.abc import Mapping
from typing import Any

from gateway.codes import EXEMPTIONS
from gateway.errors import Misconfigured
from gateway.stores.raw import unusable


def untaxed(settings: Mapping[str, str], place: str, name: str, tax_class: str = "") -> dict[str, Any]:
    """The tax of a line without VAT, from `untaxed_reason_code.<tax class>` or else `untaxed_reason_code`."""
    key = f"untaxed_reason_code.{tax_class}"
    code = settings.get(key) or settings.get("untaxed_reason_code", "")
    if not code:
        raise unusable(
            place,
            f"{name!r} was sold without VAT and nothing says why",
            fix="If VAT is missing by mistake, switch it on in the shop. Otherwise set untaxed_reason_code"
            f"{f' or {key}' if tax_class else ''} of the connection to the VATEX-SA code that applies.",
            ar=f"البند «{name}» بيع بلا ضريبة ولا يوجد سبب. فعّل الضريبة في المتجر، أو حدد رمز سبب الإعفاء"
            " في إعدادات الربط (untaxed_reason_code).",
        )
    if code not in EXEMPTIONS:
        raise Misconfigured(
            f"The connection's {key if key in settings else 'untaxed_reason_code'} {code!r} is not a VATEX-SA code.",
            fix=f"Use one of {', '.join(EXEMPTIONS)}.",
        )
    tax = {"category": EXEMPTIONS[code].category.value, "rate": "0", "reason_code": code}
    reason = settings.get("untaxed_reason", "")
    return tax | ({"reason": reason} if reason else {})


def taxed(rate: object) -> dict[str, Any]:
    """The tax of a line at a rate above zero."""
    return {"category": "S", "rate": rate}
