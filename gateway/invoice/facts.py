"""The tax facts of one document with their EN 16931 (BT-, BG-) and KSA terms; every sum is computed from them.

`origin` is the place in the order that a part was made from, such as `lines[2]`, empty if from none. The document does
not say it, so parts that differ in nothing else are equal.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Context, Decimal
from enum import StrEnum
from functools import cached_property
from typing import Final

HALALA: Final = Decimal("0.01")
ZERO: Final = Decimal("0.00")
ONE: Final = Decimal(1)
SAR: Final = "SAR"
RIYADH: Final = timezone(timedelta(hours=3), "Asia/Riyadh")
"""The zone of every date and time on a document; the Kingdom keeps no summer time."""

# Quantities and prices have up to 23 digits each, and their quotient must not be taken for a half that it only nears.
_EXACT: Final = Context(prec=80)

EARLIEST: Final = date(2000, 1, 1)
"""The first day that a document may name (BR-KSA-F-01)."""
LATEST: Final = date(2100, 1, 1)


def round_half_up(amount: Decimal) -> Decimal:
    """To two decimals, half up, as BR-CO-17 and BR-KSA-50/51 compute."""
    return amount.quantize(HALALA, ROUND_HALF_UP)


def so_many(quantity: Decimal, price: Decimal, base_quantity: Decimal) -> Decimal:
    """What so many come to at the price of `base_quantity`, so exactly that it is rounded as the law computes it."""
    return _EXACT.divide(_EXACT.multiply(quantity, price), base_quantity)


class Kind(StrEnum):
    """BT-3, the codes of UNTDID 1001 that BR-KSA-05 admits."""

    INVOICE = "388"
    CREDIT_NOTE = "381"
    DEBIT_NOTE = "383"
    PREPAYMENT = "386"

    @property
    def word(self) -> str:
        """The name people and programs use: invoice, credit_note, debit_note, prepayment."""
        return self.name.lower()

    @property
    def is_note(self) -> bool:
        """Whether it corrects an earlier document (BG-3 and KSA-10 are then mandatory)."""
        return self in (Kind.CREDIT_NOTE, Kind.DEBIT_NOTE)


class Profile(StrEnum):
    """The first two digits of KSA-2: standard documents are cleared, simplified ones reported."""

    STANDARD = "01"
    SIMPLIFIED = "02"

    @property
    def word(self) -> str:
        """The name people and programs use: standard, simplified."""
        return self.name.lower()


class Flag(StrEnum):
    """The other digits of KSA-2 in their order (NNPNESBCG)."""

    THIRD_PARTY = "third_party"
    NOMINAL = "nominal"
    EXPORT = "export"
    SUMMARY = "summary"
    SELF_BILLED = "self_billed"
    CONTINUOUS = "continuous"
    B2G = "b2g"


def transaction_code(profile: Profile, flags: Iterable[Flag]) -> str:
    """KSA-2. Seven digits, nine only where one of the two newest flags is set: both lengths hold (BR-KSA-06)."""
    raised = frozenset(flags)
    digits = profile.value + "".join("1" if flag in raised else "0" for flag in Flag)
    return digits if raised & {Flag.CONTINUOUS, Flag.B2G} else digits[:7]


class Category(StrEnum):
    """VAT category, BT-151 and BT-118 (BR-KSA-18)."""

    STANDARD = "S"
    ZERO = "Z"
    EXEMPT = "E"
    OUT_OF_SCOPE = "O"


@dataclass(frozen=True, slots=True)
class Tax:
    """Category and rate in percent; Z, E and O have a reason (BT-121 code, BT-120 text)."""

    category: Category
    rate: Decimal
    reason_code: str = ""
    reason: str = ""

    def of(self, net: Decimal) -> Decimal:
        """VAT on a net amount, rounded to the halala."""
        return round_half_up(net * self.rate / 100)


@dataclass(frozen=True, slots=True)
class Identifier:
    """BT-29 or BT-46 with its scheme (CRN, MOM, 700, NAT, ...)."""

    scheme: str
    value: str


@dataclass(frozen=True, slots=True)
class Address:
    """BG-5, BG-8: street BT-35, building KSA-17, district KSA-3, city BT-37, postal code BT-38, country BT-40."""

    street: str = ""
    building: str = ""
    district: str = ""
    city: str = ""
    postal_code: str = ""
    country: str = "SA"


@dataclass(frozen=True, slots=True)
class Party:
    """Seller (BG-4) or buyer (BG-7): name BT-27/BT-44, VAT number BT-31/BT-48, other id BT-29/BT-46."""

    name: str
    vat: str = ""
    id: Identifier | None = None
    address: Address | None = None


@dataclass(frozen=True, slots=True)
class Reduction:
    """BG-27, an allowance on one line: amount BT-136, reason BT-139, reason code BT-140 (UNTDID 5189)."""

    amount: Decimal
    reason: str
    code: str = ""
    origin: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Charge:
    """BG-28, a charge on one line: amount BT-141, reason BT-144, reason code BT-145 (UNTDID 7161)."""

    amount: Decimal
    reason: str
    code: str
    origin: str = field(default="", compare=False)


@dataclass(frozen=True)
class Line:
    """BG-25. `price` is the net price (BT-146) of `base_quantity` (BT-149), `unit` a UN/ECE Rec 20 code (BT-130)."""

    id: str  # BT-126
    name: str  # BT-153
    quantity: Decimal  # BT-129
    price: Decimal
    tax: Tax  # BT-151, BT-152
    reductions: tuple[Reduction, ...] = ()
    unit: str = "PCE"
    sku: str = ""  # BT-155
    charges: tuple[Charge, ...] = ()
    base_quantity: Decimal = ONE
    origin: str = field(default="", compare=False)

    @cached_property
    def net(self) -> Decimal:
        """BT-131: price times quantity, rounded, less the reductions, with the charges (BR-KSA-EN16931-11)."""
        off = sum((each.amount for each in self.reductions), ZERO)
        return self.before_reductions - off + sum((each.amount for each in self.charges), ZERO)

    @cached_property
    def before_reductions(self) -> Decimal:
        """Price times quantity, rounded to the halala before anything is added or taken off."""
        return round_half_up(so_many(self.quantity, self.price, self.base_quantity))

    @property
    def has_base_quantity(self) -> bool:
        """Whether the price is for another quantity than one."""
        return self.base_quantity != 1

    @cached_property
    def vat(self) -> Decimal:
        """KSA-11."""
        return self.tax.of(self.net)

    @cached_property
    def total(self) -> Decimal:
        """KSA-12."""
        return self.net + self.vat


@dataclass(frozen=True, slots=True)
class Allowance:
    """BG-20, a reduction of the whole document within one VAT category: amount BT-92, reason BT-97, code BT-98."""

    amount: Decimal
    reason: str
    tax: Tax
    code: str = ""
    origin: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class DocumentCharge:
    """BG-21, a charge on the whole document within one VAT category: amount BT-99, reason BT-104, code BT-105."""

    amount: Decimal
    reason: str
    tax: Tax
    code: str
    origin: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Deduction:
    """What a prepayment invoice (KSA-26, KSA-27) of some moment (KSA-28, KSA-29) had taxed, taken off the amount due.

    It stands in a line of its own without any amount: taxable KSA-31, VAT KSA-32, category and rate as they were then.
    """

    id: str  # BT-126
    name: str  # BT-153
    number: str
    issued_at: datetime
    tax: Tax
    taxable: Decimal
    vat: Decimal
    uuid: str = ""
    origin: str = field(default="", compare=False)

    @property
    def total(self) -> Decimal:
        """What it takes off the amount due."""
        return self.taxable + self.vat


@dataclass(frozen=True, slots=True)
class VatGroup:
    """BG-23: taxable amount BT-116 and VAT BT-117 of one category and rate."""

    tax: Tax
    taxable: Decimal

    @property
    def vat(self) -> Decimal:
        """BT-117: the rate on the group's sum, not the sum of the lines' VAT (BR-CO-17)."""
        return self.tax.of(self.taxable)


@dataclass(frozen=True)
class Invoice:
    """One document's facts. Texts that are absent are empty; amounts are in `currency` but for `vat_sar`.

    When the currency is not SAR, either `fx_rate` says how many SAR one unit is and the VAT in SAR follows from it, or
    the document states `vat_in_sar` without the rate. `references` are the numbers of the documents a note corrects
    (BT-25), `reason` why (KSA-10). `rounding` (BT-114) is the halala that a VAT-inclusive price cannot reach.
    """

    kind: Kind
    profile: Profile
    seller: Party
    lines: tuple[Line, ...]
    buyer: Party | None = None
    flags: frozenset[Flag] = frozenset()
    currency: str = SAR  # BT-5
    fx_rate: Decimal | None = None  # KSA-39
    vat_in_sar: Decimal | None = None  # BT-111
    allowances: tuple[Allowance, ...] = ()
    charges: tuple[DocumentCharge, ...] = ()
    deductions: tuple[Deduction, ...] = ()
    rounding: Decimal = ZERO
    supply_date: date | None = None  # KSA-5
    supply_end: date | None = None  # KSA-24
    payment_means: str = "1"  # BT-81, UNTDID 4461
    references: tuple[str, ...] = ()
    reason: str = ""
    note: str = ""  # BT-22
    order_reference: str = ""  # BT-13
    contract: str = ""  # BT-12

    def __post_init__(self) -> None:
        assert self.lines, "an invoice has lines (BR-16)"
        in_sar = [each for each in (self.fx_rate, self.vat_in_sar) if each is not None]
        assert len(in_sar) == (self.currency != SAR), "a foreign currency needs its rate to SAR, or the VAT in SAR"
        assert not self.kind.is_note or (self.references and self.reason), "a note names what it corrects, and why"

    @property
    def transaction_code(self) -> str:
        """KSA-2."""
        return transaction_code(self.profile, self.flags)

    @cached_property
    def vat_groups(self) -> tuple[VatGroup, ...]:
        """BG-23, in the order in which the lines first name them."""
        taxable: dict[Tax, Decimal] = {}
        for line in self.lines:
            taxable[line.tax] = taxable.get(line.tax, ZERO) + line.net
        for allowance in self.allowances:
            taxable[allowance.tax] = taxable.get(allowance.tax, ZERO) - allowance.amount
        for charge in self.charges:
            taxable[charge.tax] = taxable.get(charge.tax, ZERO) + charge.amount
        return tuple(VatGroup(tax, amount) for tax, amount in taxable.items())

    @cached_property
    def lines_total(self) -> Decimal:
        """BT-106."""
        return sum((line.net for line in self.lines), ZERO)

    @cached_property
    def allowances_total(self) -> Decimal:
        """BT-107."""
        return sum((allowance.amount for allowance in self.allowances), ZERO)

    @cached_property
    def charges_total(self) -> Decimal:
        """BT-108."""
        return sum((charge.amount for charge in self.charges), ZERO)

    @cached_property
    def prepaid(self) -> Decimal:
        """BT-113."""
        return sum((deduction.total for deduction in self.deductions), ZERO)

    @cached_property
    def without_vat(self) -> Decimal:
        """BT-109."""
        return self.lines_total - self.allowances_total + self.charges_total

    @cached_property
    def vat(self) -> Decimal:
        """BT-110."""
        return sum((group.vat for group in self.vat_groups), ZERO)

    @cached_property
    def vat_sar(self) -> Decimal:
        """BT-111, the VAT total in SAR."""
        if self.vat_in_sar is not None:
            return self.vat_in_sar
        return self.vat if self.fx_rate is None else round_half_up(self.vat * self.fx_rate)

    @cached_property
    def with_vat(self) -> Decimal:
        """BT-112."""
        return self.without_vat + self.vat

    @property
    def value(self) -> Decimal:
        """What the buyer pays for all of it, before or after: BT-112 with the rounding."""
        return self.with_vat + self.rounding

    @cached_property
    def payable(self) -> Decimal:
        """BT-115."""
        return self.with_vat - self.prepaid + self.rounding


@dataclass(frozen=True, slots=True)
class Heading:
    """What is decided when a document is made: number BT-1, UUID KSA-1, moment of issue BT-2 and KSA-25 (aware)."""

    number: str
    uuid: str
    issued_at: datetime

    def __post_init__(self) -> None:
        assert self.issued_at.tzinfo is not None, "the moment of issue carries its zone"
