"""What was undone of a sale, or added to it after its invoice: the public input for credit and debit notes."""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from gateway.finding import Text
from gateway.order.values import Id, Long, Money, Positive, Strict, canonical_json, read_strictly

MAX_LINES: Final = 2_000

REASONS: Final[dict[str, Text]] = {
    "cancellation": Text("Cancellation of the supply", "إلغاء التوريد"),
    "return": Text("Return of goods or services", "إرجاع السلع أو الخدمات"),
    "change_of_supply": Text("Material change of the supply", "تعديل جوهري في التوريد"),
    "change_of_price": Text("Change of the agreed price", "تعديل قيمة التوريد المتفق عليها"),
    "correction": Text("Correction of the invoice's data", "تصحيح بيانات الفاتورة"),
}
"""Why a note may be issued (Implementing Regulations, articles 40(1) and 54(3)), as it is printed (KSA-10)."""


class Reason(Strict):
    """One of the legal reasons, or words of one's own in both languages."""

    code: Literal["cancellation", "return", "change_of_supply", "change_of_price", "correction"] = "return"
    en: Long = ""
    ar: Long = ""

    @model_validator(mode="after")
    def _in_both(self) -> Self:
        if bool(self.en) != bool(self.ar):
            raise ValueError("give the reason in both languages, en and ar, or in neither")
        if len(self.printed) > 1000:  # BR-KSA-F-06-C22
            raise ValueError("both languages together must not have more than 1000 characters")
        return self

    @property
    def printed(self) -> str:
        """KSA-10, in English and Arabic."""
        text = Text(self.en, self.ar) if self.en else REASONS[self.code]
        return f"{text.en} | {text.ar}"


class RefundLine(Strict):
    """So many of a line, or so much money of it (with VAT)."""

    line: Id
    quantity: Positive | None = None
    amount: Annotated[Money, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.quantity is None) == (self.amount is None):
            raise ValueError("give either the quantity or the amount with VAT")
        return self


class Refund(Strict):
    """What was given back. With `lines`, these; with `everything`, all that is left; with neither, `money` alone.

    `id` never changes at its source. `money`, with VAT, is what the buyer gets back; beside lines it is evidence that
    rounding may differ from by a halala or two.
    """

    id: Id
    at: AwareDatetime | None = None
    reason: Reason = Reason()
    lines: Annotated[tuple[RefundLine, ...], Field(max_length=MAX_LINES)] = ()
    everything: bool = False
    money: Annotated[Money, Field(gt=0)] | None = None
    note: Long = ""

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if self.everything and self.lines:
            raise ValueError("give either the lines or everything")
        if not (self.everything or self.lines or self.money):
            raise ValueError("say what is given back: lines, everything, or money")
        named = [each.line for each in self.lines]
        if len(named) != len(set(named)):
            raise ValueError("two lines name the same line of the order")
        return self

    @property
    def canonical_json(self) -> str:
        """The refund as it is kept."""
        return canonical_json(self.model_dump(exclude_defaults=True))


def read_refund(data: bytes | str | dict[str, Any]) -> Refund:
    """The refund in `data`; UnusableOrder lists every problem with its place."""
    return read_strictly(Refund, data, called="refund")
