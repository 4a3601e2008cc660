"""Why a body is no order that can be issued, told in both languages and all at once."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from gateway.errors import UnusableOrder
from gateway.finding import Text
from gateway.invoice.facts import SAR
from gateway.stores.raw import text, unusable

_SHOWN: Final = 5


class Problems:
    """Reasons why one order cannot be used, collected so that a person mends them in one go."""

    def __init__(self) -> None:
        self._found: list[UnusableOrder] = []

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Keep what is refused within the block and go on after it."""
        try:
            yield
        except UnusableOrder as error:
            self._found.append(error)

    def refuse(self) -> None:
        """Raise what was found as one UnusableOrder; nothing if nothing was."""
        if len(self._found) == 1:
            raise self._found[0]
        if self._found:
            raise self._as_one()

    def _as_one(self) -> UnusableOrder:
        problems = tuple(problem for error in self._found for problem in error.problems)
        shown = "; ".join(f"{place}: {sentence}" for place, sentence in problems[:_SHOWN])
        more = f" (and {len(problems) - _SHOWN} more)" if len(problems) > _SHOWN else ""
        return UnusableOrder(
            f"The order cannot be used: {shown}{more}.",
            problems=problems,
            fix=_joined(error.fix for error in self._found),
            ar=_joined(error.ar for error in self._found),
        )


def _joined(sentences: Iterator[str]) -> str:
    return " ".join(list(dict.fromkeys(each for each in sentences if each))[:_SHOWN])


class Shape(NamedTuple):
    """A body that is no order: the keys that give it away, and what it is."""

    keys: frozenset[str]
    en: str
    ar: str


_ANY_SHOP: Final = (
    Shape(frozenset({"code", "message", "data"}), "an error answer of the shop", "رسالة خطأ من المتجر"),
    Shape(frozenset({"path", "headers"}), "the headers of a delivery", "ترويسات إشعار"),
    Shape(frozenset({"errors"}), "an error answer of the shop", "رسالة خطأ من المتجر"),
    Shape(frozenset({"error"}), "an error answer of the shop", "رسالة خطأ من المتجر"),
)


def not_an_order(raw: object, shapes: Sequence[Shape] = ()) -> UnusableOrder:
    """The refusal of a body without an order and its items, saying what it is instead."""
    is_it = _what_is(raw, (*shapes, *_ANY_SHOP))
    return unusable(
        "body",
        f"this is not an order with its items but {is_it.en}",
        fix="Give one whole order, as the shop answers for its id.",
        ar=f"المحتوى ليس طلبا مع بنوده بل {is_it.ar}. أرسل طلبا واحدا كاملا كما يرد من المتجر.",
    )


def _what_is(raw: object, shapes: Sequence[Shape]) -> Text:
    if isinstance(raw, list):
        return _list(raw, shapes)
    content = raw if isinstance(raw, Mapping) else {}
    if isinstance(content.get("orders"), list):
        return _orders(len(content["orders"]))
    found = next((shape for shape in shapes if shape.keys <= content.keys()), None)
    if found:
        return Text(found.en, found.ar)
    listed = next((content[key] for key in ("items", "data") if isinstance(content.get(key), list)), None)
    return _SOMETHING if listed is None else _list(listed, shapes)


_SOMETHING: Final = Text("something else", "محتوى آخر")


def _list(entries: list[Any], shapes: Sequence[Shape]) -> Text:
    """A list is of orders unless its entries give themselves away."""
    first = entries[0] if entries and isinstance(entries[0], Mapping) else {}
    inside = next((shape for shape in shapes if shape.keys <= first.keys()), None)
    if inside is None:
        return _orders(len(entries))
    return Text(f"a list of {len(entries)}, each {inside.en}", f"قائمة من {len(entries)}، كل منها {inside.ar}")


def _orders(count: int) -> Text:
    return Text(f"a list of {count} order{'' if count == 1 else 's'}", f"قائمة طلبات ({count})")


def foreign(currency: str, why: Text) -> UnusableOrder:
    """The refusal of an order whose amounts in SAR nobody states."""
    return unusable(
        "currency",
        f"the order is in {currency or 'no currency'} and {why.en}",
        fix=f"Send such orders through the API with fx.rate, or sell in {SAR}.",
        ar=f"الطلب بعملة {currency or 'غير مذكورة'} و{why.ar}؛ أرسله عبر الواجهة البرمجية مع سعر الصرف.",
    )


NO_RATE: Final = Text("the shop does not say its rate to SAR", "لا يذكر المتجر سعر الصرف إلى الريال")


def a_test(place: str) -> UnusableOrder:
    """The refusal of an order that was only tried out."""
    return unusable(
        place,
        "it is a test order; nobody bought anything",
        fix="Nothing is to be issued for it.",
        ar="الطلب تجريبي ولا تصدر له فاتورة.",
    )


def cut(value: object, length: int = 127) -> str:
    """A text of the shop's that must not fail an order by its length alone."""
    return text(value)[:length].strip()
