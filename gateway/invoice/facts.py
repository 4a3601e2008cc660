"""The tax facts of one document with their EN 16931 (BT-, BG-) and KSA terms; every sum is computed from them.

`origin` is the place in the order that a part was made from, such as `lines[2]`, empty if from none. The document does
not say it, so parts that differ in nothing else are equal.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from functools import cached_property
from typing import Final

HALALA: Final = Decimal("0.01")
ZERO: Final = Decimal("0.00")
SAR: Final = "SAR"
RIYADH: Final = timezone(timedelta(hours=3), "Asia/Riyadh")
"""The zone of every date and time on a document; the Kingdom keeps no summer time."""


def round_half_up(amount: Decimal) -> Decimal:
    """To two decimals, half up, as BR-CO-17 and BR-KSA-50/51 compute."""
    return amount.quantize(HALALA, ROUND_HALF_UP)


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


@dataclass(frozen=True)
class Line:
    """BG-25. `price` is the net unit price (BT-146), `unit` a UN/ECE Rec 20 code (BT-130)."""

    id: str  # BT-126
    name: str  # BT-153
    quantity: Decimal  # BT-129
    price: Decimal
    tax: Tax  # BT-151, BT-152
    reductions: tuple[Reduction, ...] = ()
    unit: str = "PCE"
    sku: str = ""  # BT-155
    origin: str = field(default="", compare=False)

    @cached_property
    def net(self) -> Decimal:
        """BT-131: price times quantity, rounded, less the reductions (BR-KSA-EN16931-11)."""
        return round_half_up(self.price * self.quantity) - sum((r.amount for r in self.reductions), ZERO)

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

    `fx_rate` is SAR for one unit of the document currency and mandatory when that is not SAR. `references` are the
    numbers of the documents a note corrects (BT-25), `reason` why (KSA-10). `rounding` (BT-114) is the halala that a
    VAT-inclusive price cannot reach.
    """

    kind: Kind
    profile: Profile
    seller: Party
    lines: tuple[Line, ...]
    buyer: Party | None = None
    flags: frozenset[Flag] = frozenset()
    currency: str = SAR  # BT-5
    fx_rate: Decimal | None = None  # KSA-39
    allowances: tuple[Allowance, ...] = ()
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
        assert (self.currency == SAR) == (self.fx_rate is None), "a foreign currency needs its rate to SAR"
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
    def without_vat(self) -> Decimal:
        """BT-109."""
        return self.lines_total - self.allowances_total

    @cached_property
    def vat(self) -> Decimal:
        """BT-110."""
        return sum((group.vat for group in self.vat_groups), ZERO)

    @cached_property
    def vat_sar(self) -> Decimal:
        """BT-111, the VAT total in SAR."""
        return self.vat if self.fx_rate is None else round_half_up(self.vat * self.fx_rate)

    @cached_property
    def with_vat(self) -> Decimal:
        """BT-112."""
        return self.without_vat + self.vat

    @cached_property
    def payable(self) -> Decimal:
        """BT-115."""
        return self.with_vat + self.rounding


@dataclass(frozen=True, slots=True)
class Heading:
    """What is decided when a document is made: number BT-1, UUID KSA-1, moment of issue BT-2 and KSA-25 (aware)."""

    number: str
    uuid: str
    issued_at: datetime

    def __post_init__(self) -> None:
        assert self.issued_at.tzinfo is not None, "the moment of issue carries its zone"
