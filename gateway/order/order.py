"""What a shop or an ERP sold: the public input. Nobody posts a computed sum; what a shop declares is evidence."""

import hashlib
import re
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from gateway.codes import BUYER_ID_FORMS, BUYER_ID_SCHEMES, CHARGE_REASONS, CURRENCIES, EXEMPTIONS
from gateway.invoice.facts import EARLIEST, HALALA, LATEST, SAR, Category, Flag, so_many
from gateway.order.refund import Reason, Refund
from gateway.order.values import (
    MAX_AMOUNT,
    Amount,
    Exact,
    Id,
    Key,
    Long,
    Money,
    Name,
    Number,
    Positive,
    Short,
    Strict,
    Vat,
    canonical_json,
    read_strictly,
)

MAX_LINES: Final = 2_000


class OtherId(Strict):
    """BT-46 with its scheme, for buyers without a VAT number or with more to show."""

    scheme: str
    value: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,60}$")]

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.scheme not in BUYER_ID_SCHEMES:
            raise ValueError(f"scheme must be one of {', '.join(BUYER_ID_SCHEMES)}")
        form = BUYER_ID_FORMS.get(self.scheme)
        if form and not re.fullmatch(form.pattern, self.value):
            raise ValueError(f"a value of scheme {self.scheme} has {form.words} ({form.rule})")
        return self


class OrderAddress(Strict):
    """A national address; within SA a tax invoice needs all of it."""

    street: Long = ""
    building: Short = ""
    district: Short = ""
    city: Short = ""
    postal_code: Short = ""
    country: Annotated[str, StringConstraints(pattern="^[A-Z]{2}$")] = "SA"


class Buyer(Strict):
    """Who buys. A `business` or a `government` gets a standard (cleared) document, a `person` a simplified (reported)
    one; where `kind` is left out the connection's policy decides by the VAT number or another identity."""

    kind: Literal["person", "business", "government"] | None = None
    name: Long = ""
    vat: Vat | None = None
    other_id: OtherId | None = None
    address: OrderAddress | None = None


class OrderTax(Strict):
    """VAT category and rate in percent; Z, E and O need the reason code of their exemption."""

    category: Category
    rate: Annotated[Amount, Field(le=100)]
    reason_code: str | None = None
    reason: Long = ""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.category is Category.STANDARD:
            if self.rate not in (5, 15):
                raise ValueError("the rate of category S is 15 or 5 (BR-KSA-84)")
            if self.reason_code or self.reason:
                raise ValueError("category S has no exemption reason")
            return self
        if self.rate != 0:
            raise ValueError(f"the rate of category {self.category} is 0")
        allowed = [code for code, exemption in EXEMPTIONS.items() if exemption.category == self.category]
        if self.reason_code not in allowed:
            raise ValueError(f"category {self.category} needs a reason_code, one of {', '.join(allowed)}")
        if not (self.reason or EXEMPTIONS[str(self.reason_code)].reason.en):
            raise ValueError(f"{self.reason_code} needs its reason in words: no official text is published for it")
        return self


class OrderReduction(Strict):
    """Money off a line or the order, with or without VAT as the prices are."""

    amount: Amount
    origin: Literal["item", "coupon", "order", "automatic", "loyalty", "gift_card"] = "item"
    code: Short = ""
    reason: Long = ""


class OrderCharge(Strict):
    """Money on top of a line, with or without VAT as the prices are; `code` is of UNTDID 7161."""

    amount: Amount
    code: str
    reason: Name

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.code not in CHARGE_REASONS:
            raise ValueError(f"code {self.code!r} is not in UNTDID 7161 (BR-KSA-CL-06), such as FC for freight")
        return self


class WholeCharge(OrderCharge):
    """Money on top of the whole order. Shipping and fees are better sent as lines: these a refund can name."""

    tax: OrderTax


class LineKind(StrEnum):
    """What a line sells."""

    PRODUCT = "product"
    SHIPPING = "shipping"
    COD_FEE = "cod_fee"
    FEE = "fee"
    GIFT_WRAP = "gift_wrap"
    TIP = "tip"
    GIFT_CARD_SALE = "gift_card_sale"


class SoldBy(StrEnum):
    """Whose sale a line is on a marketplace: its own, or that of a vendor registered for VAT or not."""

    SHOP = "shop"
    REGISTERED_VENDOR = "registered_vendor"
    UNREGISTERED_VENDOR = "unregistered_vendor"


class OrderLine(Strict):
    """`unit_price` is for `base_quantity`, before reductions, with VAT if the order's prices include it. A price below
    zero takes off what it says, within the line's VAT category."""

    id: Id
    kind: LineKind = LineKind.PRODUCT
    name: Name
    sku: Short = ""
    quantity: Positive
    unit_price: Exact
    base_quantity: Positive = Decimal(1)
    unit: Annotated[str, StringConstraints(pattern="^[A-Z0-9]{1,3}$")] = "PCE"  # UN/ECE Recommendation 20
    reductions: Annotated[tuple[OrderReduction, ...], Field(max_length=50)] = ()
    charges: Annotated[tuple[OrderCharge, ...], Field(max_length=50)] = ()
    tax: OrderTax
    sold_by: SoldBy = SoldBy.SHOP

    @model_validator(mode="after")
    def _sane(self) -> Self:
        price = self.list_price
        if abs(price) > MAX_AMOUNT:
            raise ValueError(f"quantity times unit_price must not be larger than {MAX_AMOUNT:f}")
        if price < 0 and (self.reductions or self.charges):
            raise ValueError("a line below zero has no reductions or charges of its own")
        on_top = sum((charge.amount + HALALA for charge in self.charges), HALALA)  # each may be rounded
        if sum(each.amount for each in self.reductions) > max(price, Decimal(0)) + on_top:
            raise ValueError("the reductions are larger than the line")
        return self

    @property
    def list_price(self) -> Decimal:
        """Quantity times price, not rounded."""
        return so_many(self.quantity, self.unit_price, self.base_quantity)


class Payment(Strict):
    """How the buyer pays; the first one names the means on the document (BT-81)."""

    method: Literal["card", "cash", "bank", "cod", "wallet", "gift_card", "store_credit", "credit", "other"]
    amount: Money | None = None
    state: Literal["paid", "pending"] = "paid"


class PrepaidPart(Strict):
    """One VAT category of a prepayment invoice, as that states it (KSA-31 to KSA-34); `vat` follows from the rate."""

    taxable: Money
    tax: OrderTax


class Prepayment(Strict):
    """A prepayment invoice (386) to take off what is due.

    Of one that the gateway issued the number is enough; `amount`, with VAT, if not all that is left of it is taken off.
    Of any other, say when it was issued and what it taxed.
    """

    number: Number
    amount: Annotated[Money, Field(gt=0)] | None = None
    uuid: Short = ""
    issued_at: AwareDatetime | None = None
    parts: Annotated[tuple[PrepaidPart, ...], Field(max_length=10)] = ()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.parts) != (self.issued_at is not None):
            raise ValueError("give issued_at and parts of a prepayment invoice from elsewhere, and neither of your own")
        if self.parts and self.amount is not None:
            raise ValueError("parts say what is taken off; leave amount out")
        return self


class External(Strict):
    """An invoice from before this gateway, which a note corrects: its number, its day, and with VAT what of it was not
    given back before. What is said first of an invoice counts."""

    number: Number
    issued_on: date
    left: Money


class Declared(Strict):
    """What the shop says the sums are, to compare with. `grand` is with VAT, before prepayments are taken off."""

    grand: Money | None = None
    tax: Money | None = None


class ForeignExchange(Strict):
    """`rate` is SAR for one unit of the order's currency; not `shown`, the document states only the VAT in SAR."""

    rate: Annotated[Exact, Field(gt=0)]
    shown: bool = True


class Order(Strict):
    """One sale. `id` never changes at its source, `number` is what people call it, `version` any mark of its state."""

    connection: Key
    id: Id
    kind: Literal["sale", "prepayment", "credit_note", "debit_note"] = "sale"
    corrects: External | None = None
    reason: Reason | None = None
    number: Short = ""
    version: Short = ""
    placed_at: AwareDatetime
    supply_date: date | None = None
    supply_end: date | None = None
    currency: str = SAR
    fx: ForeignExchange | None = None
    prices_include_tax: bool
    buyer: Buyer = Buyer()
    ship_to: OrderAddress | None = None
    lines: Annotated[tuple[OrderLine, ...], Field(min_length=1, max_length=MAX_LINES)]
    reductions: Annotated[tuple[OrderReduction, ...], Field(max_length=50)] = ()
    charges: Annotated[tuple[WholeCharge, ...], Field(max_length=50)] = ()
    prepayments: Annotated[tuple[Prepayment, ...], Field(max_length=50)] = ()
    payments: Annotated[tuple[Payment, ...], Field(max_length=50)] = ()
    refunds: Annotated[tuple[Refund, ...], Field(max_length=200)] = ()
    declared: Declared = Declared()
    flags: frozenset[Flag] = frozenset()
    contract: Short = ""
    invoice_number: Number | None = None
    unit: Key | None = None
    branch: Short = ""
    note: Long = ""

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if self.currency not in CURRENCIES:
            raise ValueError(f"currency {self.currency!r} is not in ISO 4217")
        if (self.currency == SAR) != (self.fx is None):
            raise ValueError("give fx.rate (SAR for one unit) exactly when the currency is not SAR")
        for name, day in (
            ("placed_at", self.placed_at.date()), ("supply_date", self.supply_date), ("supply_end", self.supply_end),
        ):  # fmt: skip
            if day and not EARLIEST <= day <= LATEST:
                raise ValueError(f"{name} must lie between {EARLIEST} and {LATEST}")
        if self.unit and self.branch:
            raise ValueError("name the unit or the branch, not both")
        if self.kind != "sale" and (self.prepayments or self.refunds):
            raise ValueError(f"a {self.kind.replace('_', ' ')} has neither prepayments nor refunds of its own")
        is_note = self.kind.endswith("note")
        if is_note != (self.corrects is not None) or is_note != (self.reason is not None):
            raise ValueError("give corrects and reason exactly with the kinds credit_note and debit_note")
        return self

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if sum(abs(line.list_price) for line in self.lines) > MAX_AMOUNT:
            raise ValueError(f"the lines must not come to more than {MAX_AMOUNT:f}")
        for what, ids in (
            ("lines have the same id", [line.id for line in self.lines]),
            ("refunds have the same id", [refund.id for refund in self.refunds]),
            ("prepayments have the same number", [each.number for each in self.prepayments]),
        ):
            if len(ids) != len(set(ids)):
                raise ValueError(f"two {what}")
        return self

    @property
    def canonical_json(self) -> str:
        """The order as it is kept: only what was given, keys in order, equal values spelled alike."""
        return canonical_json(self.model_dump(exclude_defaults=True))

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of what was sold and to whom: equal for the same order however often it is sent.

        Left out is what shops change without changing the sale, the version mark, how payments stand and what was
        given back; and what has its default, so that a field added later changes no digest of before.
        """
        content = self.model_dump(exclude={"version", "payments", "refunds"}, exclude_defaults=True)
        return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def read_order(data: bytes | str | dict[str, Any]) -> Order:
    """The order in `data`; UnusableOrder lists every problem with its place."""
    return read_strictly(Order, data)
