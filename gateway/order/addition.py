"""What was added to a sale after its invoice: the public input for debit notes."""

from typing import Annotated, Any

from pydantic import Field

from gateway.order.order import MAX_LINES, Declared, OrderLine
from gateway.order.refund import Reason
from gateway.order.values import Id, Long, Strict, canonical_json, read_strictly


class Addition(Strict):
    """Lines that the buyer owes beyond the invoice, priced as its order is unless it says otherwise.

    `id` never changes at its source.
    """

    id: Id
    reason: Reason = Reason(code="change_of_supply")
    prices_include_tax: bool | None = None
    lines: Annotated[tuple[OrderLine, ...], Field(min_length=1, max_length=MAX_LINES)]
    declared: Declared = Declared()
    note: Long = ""

    @property
    def canonical_json(self) -> str:
        """The addition as it is kept."""
        return canonical_json(self.model_dump(exclude_defaults=True))


def read_addition(data: bytes | str | dict[str, Any]) -> Addition:
    """The addition in `data`; UnusableOrder lists every problem with its place."""
    return read_strictly(Addition, data, called="addition")
