"""What documents take of others, added up: never more off of a prepayment than it is, never more back than was due."""

import json
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal, InvalidOperation
from itertools import groupby
from typing import Final

from gateway.errors import BadInput
from gateway.ledger import Claim, Ledger
from gateway.pipeline.doctor.symptoms import Symptom, symptom
from gateway.xml import NAMESPACES, parse

_HALALA: Final = Decimal("0.01")
_GROSS: Final = f"{{{NAMESPACES['cac']}}}LegalMonetaryTotal/{{{NAMESPACES['cbc']}}}TaxInclusiveAmount"


def beyond_sums(ledger: Ledger) -> Iterator[Symptom]:
    """Prepayments and documents of which more was taken than there is."""
    for other, claims, taken in _added(ledger.deducted(), _taxable):
        worth = ledger.worth(other)
        net = worth[0] - worth[1] if worth else None
        yield from _beyond("deduction.beyond", other, claims, taken, net)
    for other, claims, taken in _added(ledger.credited(), Decimal):
        yield from _beyond("note.beyond", other, claims, taken, _gross(ledger, other, taken))
    for other, claims, taken in _added(ledger.credited_elsewhere(), _given_back):
        lefts = [_left(each.value) for each in claims]
        yield from _beyond(
            "note.beyond", other, claims, taken, max((left for left in lefts if left is not None), default=None)
        )


def _added(
    claims: Iterable[Claim], value: Callable[[str], Decimal]
) -> Iterator[tuple[str, list[Claim], Decimal | None]]:
    """What is taken of each; None if a value is no number any more."""
    for other, group in groupby(claims, lambda each: each.other):
        some = list(group)
        try:
            taken = sum((value(each.value) for each in some), Decimal(0))
        except (ValueError, TypeError, KeyError, InvalidOperation):
            taken = None
        yield other, some, taken


def _beyond(
    code: str, other: str, claims: list[Claim], taken: Decimal | None, worth: Decimal | None
) -> Iterator[Symptom]:
    if taken is None or worth is None or taken > worth + _HALALA * (len(claims) - 1):
        place: dict[str, str | int] = {"taxpayer": claims[0].taxpayer_id, "row": other}
        yield symptom(code, place, taken="?" if taken is None else taken, worth="?" if worth is None else worth)


def _taxable(parts: str) -> Decimal:
    return sum((Decimal(part["taxable"]) for part in json.loads(parts)), Decimal(0))


def _given_back(value: str) -> Decimal:
    return Decimal(value.split(" ", maxsplit=1)[0])


def _left(value: str) -> Decimal | None:
    try:
        return Decimal(value.split(" ")[1])
    except (InvalidOperation, IndexError):
        return None


def _gross(ledger: Ledger, uuid: str, taken: Decimal | None) -> Decimal | None:
    """What a document comes to with VAT, prepayments not taken off; its bytes say so where its row has too little."""
    worth = ledger.worth(uuid)
    if worth is None or taken is None or taken <= worth[0]:
        return worth[0] if worth else None
    try:
        return Decimal(parse(worth[2]).findtext(_GROSS, ""))
    except (BadInput, InvalidOperation):
        return None
