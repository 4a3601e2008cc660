"""The values an order is made of, and the reading of any JSON that others send: strict, every limit stated.

Money and quantities are decimal strings: a JSON number may have lost its exactness on the way.
"""

import json
import re
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from gateway.errors import UnusableOrder

MAX_AMOUNT: Final = Decimal(10) ** 13
MAX_DECIMALS: Final = 10

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


def printable(value: object) -> object:
    """Text without what XML cannot carry."""
    if isinstance(value, str) and _UNPRINTABLE.search(value):
        raise ValueError("has control characters, which an invoice cannot carry")
    return value


Exact = Annotated[Decimal, BeforeValidator(_decimal)]
Amount = Annotated[Exact, Field(ge=0)]
Money = Annotated[Amount, Field(decimal_places=2)]
Positive = Annotated[Exact, Field(gt=0)]


Short = Annotated[str, BeforeValidator(printable), StringConstraints(strip_whitespace=True, max_length=127)]
Long = Annotated[str, BeforeValidator(printable), StringConstraints(strip_whitespace=True, max_length=1000)]
Name = Annotated[Long, Field(min_length=1)]
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/#-]{0,99}$")]
Number = Annotated[
    str, BeforeValidator(printable), StringConstraints(strip_whitespace=True, min_length=1, max_length=127)
]
Id = Annotated[str, BeforeValidator(printable), StringConstraints(min_length=1, max_length=100)]
Vat = Annotated[str, StringConstraints(pattern=r"^3[0-9]{13}3$")]


class Strict(BaseModel):
    """Frozen, and without fields that nobody knows."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


M = TypeVar("M", bound=Strict)


def canonical_json(content: dict[str, Any]) -> str:
    """JSON with its keys in order and equal values spelled alike."""
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


def read_strictly(model: type[M], data: bytes | str | dict[str, Any], called: str = "order") -> M:
    """What `data` (JSON, or its parsed form) says; UnusableOrder lists every problem with its place."""
    text = json.dumps(data, default=str) if isinstance(data, dict) else data
    _each_key_once(text)
    try:
        return model.model_validate_json(text, strict=True)
    except ValidationError as error:
        problems = _problems(error, called)
    shown = "; ".join(f"{place}: {sentence}" for place, sentence in problems[:5])
    more = f" (and {len(problems) - 5} more)" if len(problems) > 5 else ""
    places = "، ".join(place for place, _ in problems[:5])
    raise UnusableOrder(
        f"The {called} cannot be used: {shown}{more}.",
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


def _problems(error: ValidationError, called: str) -> tuple[tuple[str, str], ...]:
    """Every problem with its place. A list whose entries cannot be read is not also too short."""
    found = error.errors()
    inside = {each["loc"][: depth + 1] for each in found for depth in range(len(each["loc"]) - 1)}
    true = [each for each in found if each["type"] != "too_short" or each["loc"] not in inside]
    return tuple((_place(each["loc"]) or f"the {called}", _sentence(each)) for each in true)


def _place(location: tuple[int | str, ...]) -> str:
    """A pydantic location as people write it: lines[0].tax.rate."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.lstrip(".")


# What pydantic finds, in words for who sent the order; {} are the facts it gives.
_SENTENCES: Final = {
    "extra_forbidden": "is not a known field",
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
