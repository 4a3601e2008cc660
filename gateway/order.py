"""What a shop or an ERP sold: the public input. Strict, every limit stated, unknown fields refused.

Money and quantities are decimal strings: a JSON number may have lost its exactness on the way. Nobody posts a
computed sum; what a shop declares is evidence to reconcile with.
"""

import hashlib
import json
import re
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from gateway.codes import BUYER_ID_SCHEMES, CURRENCIES, EXEMPTIONS
from gateway.errors import UnusableOrder
from gateway.invoice.facts import SAR, Category, Flag

MAX_LINES: Final = 2_000
MAX_AMOUNT: Final = Decimal(10) ** 13
MAX_DECIMALS: Final = 10
EARLIEST: Final = date(2000, 1, 1)  # BR-KSA-F-01 admits no earlier date on a document
LATEST: Final = date(2100, 1, 1)

# XML 1.0 cannot carry these, and no name or address needs them.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


def _decimal(value: object) -> Decimal:
    """A plain decimal string; exponents, NaN and JSON numbers are refused with the way to write it."""
    if isinstance(value, Decimal):
        number = value
    elif isinstance(value, str) and re.fullmatch(r"-?\d{1,20}(\.\d{1,20})?", value, re.ASCII):
        number = Decimal(value)
    else:
        raise ValueError('write it as a decimal string such as "57.50"')
    if not number.is_finite() or abs(number) > MAX_AMOUNT:
        raise ValueError(f"must not be larger than {MAX_AMOUNT:f}")
    exponent = number.normalize().as_tuple().exponent
    if isinstance(exponent, int) and -exponent > MAX_DECIMALS:
        raise ValueError(f"must not have more than {MAX_DECIMALS} decimals")
    return number


def _printable(value: object) -> object:
    if isinstance(value, str) and _UNPRINTABLE.search(value):
        raise ValueError("has control characters, which an invoice cannot carry")
    return value


Exact = Annotated[Decimal, BeforeValidator(_decimal)]
Amount = Annotated[Exact, Field(ge=0)]
Money = Annotated[Amount, Field(decimal_places=2)]
Quantity = Annotated[Exact, Field(gt=0)]


Short = Annotated[str, BeforeValidator(_printable), StringConstraints(strip_whitespace=True, max_length=127)]
Long = Annotated[str, BeforeValidator(_printable), StringConstraints(strip_whitespace=True, max_length=1000)]
Name = Annotated[Long, Field(min_length=1)]
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/#-]{0,99}$")]
Number = Annotated[
    str, BeforeValidator(_printable), StringConstraints(strip_whitespace=True, min_length=1, max_length=127)
]
Vat = Annotated[str, StringConstraints(pattern=r"^3[0-9]{13}3$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class OtherId(_Model):
    """BT-46 with its scheme, for buyers without a VAT number or with more to show."""

    scheme: str
    value: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,60}$")]

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.scheme not in BUYER_ID_SCHEMES:
            raise ValueError(f"scheme must be one of {', '.join(BUYER_ID_SCHEMES)}")
        return self


class OrderAddress(_Model):
    """A national address; within SA a tax invoice needs all of it."""

    street: Long = ""
    building: Short = ""
    district: Short = ""
    city: Short = ""
    postal_code: Short = ""
    country: Annotated[str, StringConstraints(pattern="^[A-Z]{2}$")] = "SA"


class Buyer(_Model):
    """`business` leads to a standard (cleared) document, `person` to a simplified (reported) one."""

    kind: Literal["person", "business"] = "person"
    name: Long = ""
    vat: Vat | None = None
    other_id: OtherId | None = None
    address: OrderAddress | None = None


class OrderTax(_Model):
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


class OrderReduction(_Model):
    """Money off a line or the order, with or without VAT as the prices are."""

    amount: Amount
    origin: Literal["item", "coupon", "order", "automatic", "loyalty"] = "item"
    code: Short = ""
    reason: Long = ""


class LineKind(StrEnum):
    """What a line sells."""

    PRODUCT = "product"
    SHIPPING = "shipping"
    COD_FEE = "cod_fee"
    FEE = "fee"
    GIFT_WRAP = "gift_wrap"
    TIP = "tip"


class OrderLine(_Model):
    """`unit_price` is for one, before reductions, with VAT if the order's prices include it."""

    id: Annotated[str, BeforeValidator(_printable), StringConstraints(min_length=1, max_length=100)]
    kind: LineKind = LineKind.PRODUCT
    name: Name
    sku: Short = ""
    quantity: Quantity
    unit_price: Amount
    unit: Annotated[str, StringConstraints(pattern="^[A-Z0-9]{1,3}$")] = "PCE"  # UN/ECE Recommendation 20
    reductions: Annotated[tuple[OrderReduction, ...], Field(max_length=50)] = ()
    tax: OrderTax

    @model_validator(mode="after")
    def _sane(self) -> Self:
        if self.quantity * self.unit_price > MAX_AMOUNT:
            raise ValueError(f"quantity times unit_price must not be larger than {MAX_AMOUNT:f}")
        if sum(reduction.amount for reduction in self.reductions) > self.quantity * self.unit_price + Decimal("0.01"):
            raise ValueError("the reductions are larger than the line")
        return self


class Payment(_Model):
    """How the buyer pays; the first one names the means on the document (BT-81)."""

    method: Literal["card", "cash", "bank", "cod", "wallet", "gift_card", "store_credit", "credit", "other"]
    amount: Money | None = None
    state: Literal["paid", "pending"] = "paid"


class Declared(_Model):
    """What the shop says the sums are, to compare with."""

    grand: Money | None = None
    tax: Money | None = None


class ForeignExchange(_Model):
    """`rate` is SAR for one unit of the order's currency."""

    rate: Annotated[Exact, Field(gt=0)]


class Order(_Model):
    """One sale. `id` never changes at its source, `number` is what people call it, `version` any mark of its state."""

    connection: Key
    id: Annotated[str, BeforeValidator(_printable), StringConstraints(min_length=1, max_length=100)]
    number: Short = ""
    version: Short = ""
    placed_at: AwareDatetime
    supply_date: date | None = None
    supply_end: date | None = None
    currency: str = SAR
    fx: ForeignExchange | None = None
    prices_include_tax: bool
    buyer: Buyer = Buyer()
    lines: Annotated[tuple[OrderLine, ...], Field(min_length=1, max_length=MAX_LINES)]
    reductions: Annotated[tuple[OrderReduction, ...], Field(max_length=50)] = ()
    payments: Annotated[tuple[Payment, ...], Field(max_length=50)] = ()
    declared: Declared = Declared()
    flags: frozenset[Flag] = frozenset()
    contract: Short = ""
    invoice_number: Number | None = None
    unit: Key | None = None
    note: Long = ""

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if self.currency not in CURRENCIES:
            raise ValueError(f"currency {self.currency!r} is not in ISO 4217")
        if (self.currency == SAR) != (self.fx is None):
            raise ValueError("give fx.rate (SAR for one unit) exactly when the currency is not SAR")
        if not EARLIEST <= self.placed_at.date() <= LATEST:
            raise ValueError(f"placed_at must lie between {EARLIEST} and {LATEST}")
        for name, day in (("supply_date", self.supply_date), ("supply_end", self.supply_end)):
            if day and not EARLIEST <= day <= LATEST:
                raise ValueError(f"{name} must lie between {EARLIEST} and {LATEST}")
        if sum(line.quantity * line.unit_price for line in self.lines) > MAX_AMOUNT:
            raise ValueError(f"the lines must not come to more than {MAX_AMOUNT:f}")
        ids = [line.id for line in self.lines]
        if len(ids) != len(set(ids)):
            raise ValueError("two lines have the same id")
        return self

    @property
    def canonical_json(self) -> str:
        """The order as it is kept: only what was given, keys in order, equal values spelled alike."""
        return _canonical_json(self.model_dump(exclude_defaults=True))

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of what was sold and to whom: equal for the same order however often it is sent.

        Left out is what shops change without changing the sale, the version mark and how payments stand; and what has
        its default, so that a field added later changes no digest of before.
        """
        content = self.model_dump(exclude={"version", "payments"}, exclude_defaults=True)
        return hashlib.sha256(_canonical_json(content).encode()).hexdigest()


def _canonical_json(content: dict[str, Any]) -> str:
    return json.dumps(content, default=_plain, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _plain(value: object) -> object:
    """A value that JSON has no form for, so that equal ones look alike: 5 and 5.00, one moment in two zones."""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    assert isinstance(value, frozenset), f"an order has no {type(value).__name__}"
    return sorted(value)


def read_order(data: bytes | str | dict[str, Any]) -> Order:
    """The order in `data`; UnusableOrder lists every problem with its place."""
    text = json.dumps(data, default=str) if isinstance(data, dict) else data
    _each_key_once(text)
    try:
        return Order.model_validate_json(text, strict=True)
    except ValidationError as error:
        problems = _problems(error)
    shown = "; ".join(f"{place}: {sentence}" for place, sentence in problems[:5])
    more = f" (and {len(problems) - 5} more)" if len(problems) > 5 else ""
    places = "، ".join(place for place, _ in problems[:5])
    raise UnusableOrder(
        f"The order cannot be used: {shown}{more}.",
        problems=problems,
        fix="Correct these fields and send it again; nothing was issued.",
        ar=f"لا يمكن استخدام الطلب. صحح الحقول التالية وأعد الإرسال: {places}.",
    )


def _each_key_once(text: bytes | str) -> None:
    """A key that stands twice has two meanings; parsers differ in which they take."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        if len(set(keys)) < len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise UnusableOrder(
                f"The order has the field {twice!r} twice.",
                problems=((twice, "stands twice in one object"),),
                fix="Send each field once.",
                ar="أحد الحقول مكرر في الطلب. أرسل كل حقل مرة واحدة.",
            )
        return dict(pairs)

    with suppress(ValueError, RecursionError):  # what is no JSON is told apart by the schema
        json.loads(text, object_pairs_hook=unique)


def _problems(error: ValidationError) -> tuple[tuple[str, str], ...]:
    """Every problem with its place. A list whose entries cannot be read is not also too short."""
    found = error.errors()
    inside = {each["loc"][: depth + 1] for each in found for depth in range(len(each["loc"]) - 1)}
    true = [each for each in found if each["type"] != "too_short" or each["loc"] not in inside]
    return tuple((_place(each["loc"]), _sentence(each)) for each in true)


def _place(location: tuple[int | str, ...]) -> str:
    """A pydantic location as people write it: lines[0].tax.rate."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.lstrip(".") or "the order"


# What pydantic finds, in words for who sent the order; {} are the facts it gives.
_SENTENCES: Final = {
    "extra_forbidden": "is not a field of the order",
    "missing": "is missing",
    "timezone_aware": "needs its zone, as in 2026-11-23T09:58:12+03:00",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must not be less than {ge}",
    "less_than_equal": "must not be greater than {le}",
    "decimal_max_places": "must not have more than {decimal_places} decimals",
    "string_too_long": "must not have more than {max_length} characters",
    "string_too_short": "must have at least {min_length} characters",
    "too_long": "must not have more than {max_length} entries",
    "too_short": "must have at least {min_length} entries",
    "json_invalid": "is not JSON: {error}",
}
_FORMS: Final = {
    r"^3[0-9]{13}3$": "must be 15 digits that begin and end with 3 (BR-KSA-44)",
    "^[A-Z]{2}$": "must be two capital letters (ISO 3166)",
    "^[A-Z0-9]{1,3}$": "must be a code of UN/ECE Recommendation 20, such as PCE",
    r"^[A-Za-z0-9]{1,60}$": "must be 1 to 60 letters and digits",
}


def _sentence(error: Any) -> str:
    facts = error.get("ctx", {})
    if error["type"] in _SENTENCES:
        return _SENTENCES[error["type"]].format(**facts)
    if error["type"] == "string_pattern_mismatch":
        return _FORMS.get(facts["pattern"], f"does not have the form {facts['pattern']}")
    message = str(error["msg"]).removeprefix("Value error, ")
    # Sentences go on after a colon; codes and names keep their capitals.
    return message[:1].lower() + message[1:] if message[1:2].islower() else message
