"""Which document a sale becomes: what a connection decides once for all its orders, applied to one of them.

Nothing here is computed; every decision carries its reason, for the preview.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, NamedTuple

from gateway.codes import EXEMPTIONS
from gateway.errors import BadInput
from gateway.finding import Text
from gateway.invoice.facts import Category, Flag, Kind, Profile, Tax
from gateway.order import LineKind, Order, OrderLine, OrderTax, SoldBy


class BusinessWhen(StrEnum):
    """Where the order does not say who buys, what makes the buyer a business."""

    VAT_NUMBER = "vat_number"
    IDENTITY = "identity"  # or another identity that only a business has
    AS_SENT = "as_sent"


class ExportWhen(StrEnum):
    """When a sale is marked as an export."""

    SHIP_TO = "ship_to"  # it goes abroad and is zero-rated for that
    AS_SENT = "as_sent"


class Treatment(StrEnum):
    """What becomes of a line that may be no taxable supply."""

    TAXED = "taxed"
    OUT_OF_SCOPE = "out_of_scope"
    LEFT_OUT = "left_out"


class AmountRefunds(StrEnum):
    """What becomes of money given back without a word on which lines."""

    SPREAD = "spread"
    PERSON = "person"


class Edits(StrEnum):
    """What becomes of a shop's order that is edited after its invoice."""

    NOTES = "notes"
    PERSON = "person"


class AuthorityDown(StrEnum):
    """What a buyer gets of a standard document that was sent and never answered (zatca-api 4.3, R15)."""

    WAIT = "wait"  # nothing before it is cleared
    SHARE = "share"  # the uncleared document, and the cleared one later


@dataclass(frozen=True, slots=True)
class Policy:
    """A connection's decisions; the fields are the names of its settings."""

    business_when: BusinessWhen = BusinessWhen.VAT_NUMBER
    export_when: ExportWhen = ExportWhen.SHIP_TO
    gift_cards: Treatment = Treatment.OUT_OF_SCOPE
    tips: Treatment = Treatment.TAXED
    amount_refunds: AmountRefunds = AmountRefunds.SPREAD
    edits: Edits = Edits.NOTES
    authority_down: AuthorityDown = AuthorityDown.WAIT


def read_policy(settings: Mapping[str, str]) -> Policy:
    """What a connection's settings decide; BadInput names a value that is none."""
    return Policy(**{each.name: _choice(each.name, each.default, settings) for each in fields(Policy)})


def _choice(name: str, default: Any, settings: Mapping[str, str]) -> Any:
    choices: type[StrEnum] = type(default)
    try:
        return choices(settings.get(name, default))
    except ValueError:
        raise BadInput(
            f"The setting {name} cannot be {settings[name]!r}.", fix=f"Use one of {', '.join(choices)}."
        ) from None


class Decision(NamedTuple):
    """What was decided, how, and why."""

    what: str
    value: str
    why: Text


@dataclass(frozen=True, slots=True)
class Item:
    """A line of the order (at `index`) with the tax it is issued with; `left_out`, it is no supply of the seller's."""

    index: int
    line: OrderLine
    tax: Tax
    left_out: bool = False

    @property
    def takes_off(self) -> bool:
        """A shop's line below zero: an allowance within its VAT group."""
        return self.line.unit_price < 0


class Decided(NamedTuple):
    """The document that an order becomes, before any sum."""

    kind: Kind
    profile: Profile
    flags: frozenset[Flag]
    items: tuple[Item, ...]
    decisions: tuple[Decision, ...]


KINDS: Final = {
    "sale": Kind.INVOICE,
    "prepayment": Kind.PREPAYMENT,
    "credit_note": Kind.CREDIT_NOTE,
    "debit_note": Kind.DEBIT_NOTE,
}
"""BT-3 by what the order says it is."""


def decide(order: Order, policy: Policy) -> Decided:
    """Kind, profile, flags and the treatment of each line."""
    profile, flags = _profile(order, policy), _flags(order, policy)
    lines = [_item(index, line, policy) for index, line in enumerate(order.lines)]
    kind = KINDS[order.kind]
    decisions = [
        Decision("kind", kind, _OF_KINDS[kind]),
        profile,
        *flags.values(),
        *(reason for _, reason in lines if reason),
    ]
    return Decided(
        kind,
        Profile(profile.value),
        order.flags | flags.keys(),
        tuple(item for item, _ in lines),
        tuple(dict.fromkeys(decisions)),
    )


def lines_by_id(order: Order, policy: Policy, made: Sequence[str]) -> dict[str, str]:
    """What the order calls the lines that a document of it has under other ids; they are in the same order."""
    items = decide(order, policy).items
    sold = [item.line.id for item in items if not (item.left_out or item.takes_off)]
    return dict(zip(sold, made, strict=True)) if len(sold) == len(made) else {}


_OF_KINDS: Final = {
    Kind.INVOICE: Text("It is a sale.", "الطلب عملية بيع."),
    Kind.PREPAYMENT: Text("The order says that it is a prepayment.", "الطلب دفعة مقدمة."),
    Kind.CREDIT_NOTE: Text("It gives back of an invoice from elsewhere.", "إشعار دائن على فاتورة سابقة."),
    Kind.DEBIT_NOTE: Text("It adds to an invoice from elsewhere.", "إشعار مدين على فاتورة سابقة."),
}
_OF_BUSINESSES: Final = frozenset({"TIN", "CRN", "MOM", "MLS", "700", "SAG"})


def _profile(order: Order, policy: Policy) -> Decision:
    buyer = order.buyer
    standard = Decision("profile", Profile.STANDARD, Text("", ""))
    simplified = Decision("profile", Profile.SIMPLIFIED, Text("", ""))
    if buyer.kind:
        found = simplified if buyer.kind == "person" else standard
        words = {"person": "فرد", "business": "منشأة", "government": "جهة حكومية"}[buyer.kind]
        return found._replace(why=Text(f"The order says that the buyer is a {buyer.kind}.", f"المشتري {words}."))
    if policy.business_when is not BusinessWhen.AS_SENT and buyer.vat:
        return standard._replace(why=Text("The buyer has a VAT number.", "للمشتري رقم تسجيل ضريبي."))
    if policy.business_when is BusinessWhen.IDENTITY and buyer.other_id and buyer.other_id.scheme in _OF_BUSINESSES:
        scheme = buyer.other_id.scheme
        return standard._replace(
            why=Text(
                f"The buyer has an identity that only a business has ({scheme}).", f"للمشتري معرف منشأة ({scheme})."
            )
        )
    return simplified._replace(
        why=Text("Nothing says that the buyer is a business.", "لا يوجد ما يدل على أن المشتري منشأة.")
    )


_OF_EXPORTS: Final = frozenset({"VATEX-SA-32", "VATEX-SA-33"})


def _flags(order: Order, policy: Policy) -> dict[Flag, Decision]:
    """The flags that follow from who buys and where it goes."""
    found: dict[Flag, Decision] = {}
    if order.buyer.kind == "government":
        why = Text("The buyer is a government body.", "المشتري جهة حكومية.")
        found[Flag.B2G] = Decision("flag", Flag.B2G, why)
    abroad = order.ship_to is not None and order.ship_to.country != "SA"
    zero_rated = any(line.tax.reason_code in _OF_EXPORTS for line in order.lines)
    if policy.export_when is ExportWhen.SHIP_TO and abroad and zero_rated:
        assert order.ship_to is not None
        country = order.ship_to.country
        why = Text(f"It is shipped to {country} and zero-rated for that.", f"يشحن إلى {country} بنسبة صفرية.")
        found[Flag.EXPORT] = Decision("flag", Flag.EXPORT, why)
    return found


_OUT_OF_SCOPE: Final = Tax(
    Category.OUT_OF_SCOPE, Decimal(0), "VATEX-SA-OOS", " | ".join(EXEMPTIONS["VATEX-SA-OOS"].reason)
)
_VOUCHER: Final = Text(
    "A gift card that may be spent on anything is no supply when it is sold.",
    "بيع بطاقة الهدايا متعددة الأغراض لا يعد توريداً عند بيعها.",
)
_TIP: Final = Text("A tip that nobody has to give is no supply.", "الإكرامية الاختيارية لا تعد توريداً.")
_VENDOR: Final = Text(
    "A vendor registered for VAT sold it and invoices it.", "البائع مسجل في ضريبة القيمة المضافة ويصدر فاتورته بنفسه."
)
_DEEMED: Final = Text(
    "For a vendor who is not registered the marketplace counts as the supplier.",
    "تعد المنصة هي المورد عندما يكون البائع غير مسجل في الضريبة.",
)


def _item(index: int, line: OrderLine, policy: Policy) -> tuple[Item, Decision | None]:
    item = Item(index, line, tax_of(line.tax))
    if line.sold_by is SoldBy.REGISTERED_VENDOR:
        return replace(item, left_out=True), Decision("marketplace", Treatment.LEFT_OUT, _VENDOR)
    treatments = {LineKind.GIFT_CARD_SALE: (policy.gift_cards, _VOUCHER), LineKind.TIP: (policy.tips, _TIP)}
    treatment, why = treatments.get(line.kind, (Treatment.TAXED, _TIP))
    if treatment is not Treatment.TAXED:
        left_out = treatment is Treatment.LEFT_OUT
        return replace(item, tax=_OUT_OF_SCOPE, left_out=left_out), Decision(line.kind.value, treatment.value, why)
    if line.sold_by is SoldBy.UNREGISTERED_VENDOR:
        return item, Decision("marketplace", Treatment.TAXED, _DEEMED)
    return item, None


def tax_of(tax: OrderTax) -> Tax:
    """Category and rate with the reason as it is printed, the official one unless the order gives its own."""
    if tax.category is Category.STANDARD:
        return Tax(tax.category, tax.rate.normalize() + 0)
    code = str(tax.reason_code)
    return Tax(tax.category, Decimal(0), code, tax.reason or " | ".join(EXEMPTIONS[code].reason))
