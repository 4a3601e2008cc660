"""The VAT report for programs, and the documents behind a field of it, some at a time."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

from gateway.invoice.facts import RIYADH, ZERO
from gateway.invoice.vat_return import BOXES, Box, BoxKey, BoxSums, Entry, Figure, Group, Standing, Sums, Tally
from gateway.ledger import Ledger, Place, cursor_of, read_cursor
from gateway.pipeline.vat_report import LAW, UNKNOWN, Question, VatReport, entries

_BASIC: Final = Decimal(15)
_ALWAYS: Final = (
    (Box.STANDARD, _BASIC),
    *((box, Decimal(0)) for box in (Box.CITIZENS, Box.ZERO_DOMESTIC, Box.EXPORTS, Box.EXEMPT)),
)
"""Fields that are shown even if nothing stands in them."""


def report_json(report: VatReport) -> dict[str, Any]:
    """The whole report but for its documents; amounts are SAR with two decimals, signed."""
    question, tally, proof = report.question, report.tally, report.proof
    return {
        "taxpayer": question.taxpayer_id,
        "unit": question.unit or None,
        "from": question.period.first.isoformat(),
        "to": question.period.last.isoformat(),
        "by": question.by.value,
        "law": LAW[question.by]._asdict(),
        "made_at": report.made_at.astimezone(RIYADH).isoformat(timespec="seconds"),
        "documents": {
            **{standing.value: count for standing, count in tally.standings.items()},
            "issued_after_the_period": report.shifted,
            "without_exchange_rate": tally.unexchanged,
            "unreadable": report.unreadable,
        },
        "boxes": [_box(key, sums) for key, sums in boxes(tally, Standing.COUNTED)],
        "total": total(tally, Standing.COUNTED),
        "open": [_box(key, sums) for key, sums in boxes(tally, Standing.OPEN) if sums.documents],
        "groups": [_group(group, sums) for group, sums in groups(tally)],
        "look_at": [each._asdict() for each in report.looked_at],
        "agrees": report.agrees,
        "proof": {"documents": proof.documents, "differing": proof.differing} if proof else None,
        "not_in_here": UNKNOWN._asdict(),
    }


def boxes(tally: Tally, standing: Standing) -> list[tuple[BoxKey, BoxSums]]:
    """The fields in the order of the form; those of sales are there even if empty."""
    found = {BoxKey(standing, box, rate): BoxSums() for box, rate in _ALWAYS}
    found |= {key: sums for key, sums in tally.boxes.items() if key.standing is standing}
    order = list(Box)
    return sorted(found.items(), key=lambda item: (order.index(item[0].box), -item[0].rate))


def total(tally: Tally, standing: Standing) -> dict[str, str]:
    """All fields of the return together."""
    stand = [sums for key, sums in boxes(tally, standing) if key.box is not Box.OUTSIDE]
    return {name: money(sum((getattr(each, name) for each in stand), ZERO)) for name in ("amount", "adjustment", "vat")}


def groups(tally: Tally) -> list[tuple[Group, Sums]]:
    """The figures by everything that tells them apart, in a fixed order."""
    return sorted(tally.groups.items(), key=lambda item: tuple(map(str, item[0])))


def money(amount: Decimal) -> str:
    """Two decimals."""
    return f"{amount:.2f}"


def _box(key: BoxKey, sums: BoxSums) -> dict[str, Any]:
    return {
        "box": key.box.value,
        "rate": f"{key.rate.normalize():f}",
        "name": BOXES[key.box]._asdict(),
        "amount": money(sums.amount),
        "adjustment": money(sums.adjustment),
        "vat": money(sums.vat),
        "documents": sums.documents,
    }


def _group(group: Group, sums: Sums) -> dict[str, Any]:
    return {
        "standing": group.standing.value,
        "box": group.box.value,
        "part": group.part.value,
        "kind": group.kind.word,
        "profile": group.profile.word,
        "category": group.category.value,
        "rate": f"{group.rate.normalize():f}",
        "reason_code": group.reason_code or None,
        "currency": group.currency,
        "adjusts_earlier_period": group.adjusts,
        "export": group.exported,
        "documents": sums.documents,
        "taxable": money(sums.taxable),
        "vat": money(sums.vat),
        "taxable_in_currency": money(sums.foreign_taxable),
        "vat_in_currency": money(sums.foreign_vat),
    }


# -- the documents behind a field -----------------------------------------------------------------------------


class Behind(NamedTuple):
    """Some of the figures behind a field; `next` is the cursor of what follows, None at the end."""

    items: tuple[dict[str, Any], ...]
    next: str | None


def documents_behind(
    ledger: Ledger, question: Question, box: Box | None, standing: Standing, *, cursor: str = "", limit: int = 100
) -> Behind:
    """Figures of `limit` documents in a field, or in any, in the order they were made."""
    found: list[dict[str, Any]] = []
    seen, last = 0, None
    after = Place(*read_cursor(cursor)) if cursor else None
    for _, entry in entries(ledger, question, after=after):
        wanted = list(_in_box(entry, box, standing)) if entry else []
        if entry is None or not wanted:
            continue
        if seen == limit:
            return Behind(tuple(found), last)
        found += wanted
        seen, last = seen + 1, cursor_of(entry.made_at, entry.uuid)
    return Behind(tuple(found), None)


def _in_box(entry: Entry, box: Box | None, standing: Standing) -> Iterator[dict[str, Any]]:
    if entry.standing is standing:
        yield from figures_json(entry, [each for each in entry.figures() or () if box in (None, each.box)])


def figures_json(entry: Entry, figures: Sequence[Figure]) -> Iterator[dict[str, Any]]:
    """A document's figures, each with the document."""
    for figure in figures:
        yield {
            "uuid": entry.uuid,
            "number": entry.number,
            "kind": entry.kind.word,
            "profile": entry.profile.word,
            "unit": entry.unit_id,
            "issued_at": entry.issued_at.astimezone(RIYADH).isoformat(),
            "day": entry.day.isoformat(),
            "standing": entry.standing.value,
            "buyer": entry.buyer_name,
            "buyer_vat": entry.buyer_vat,
            "box": figure.box.value,
            "column": "adjustment" if entry.adjusts else "amount",
            "part": figure.part.value,
            "category": figure.tax.category.value,
            "rate": f"{figure.tax.rate.normalize():f}",
            "reason_code": figure.tax.reason_code or None,
            "currency": entry.taxed.currency,
            "taxable": money(figure.taxable),
            "vat": money(figure.vat),
            "taxable_in_currency": money(figure.foreign[0]),
            "vat_in_currency": money(figure.foreign[1]),
        }
