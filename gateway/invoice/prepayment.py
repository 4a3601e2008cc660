"""Prepayments (386) taken off the document of what they were paid for."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from gateway.errors import UnusableOrder
from gateway.invoice.arithmetic import allocate, taxable_within
from gateway.invoice.facts import ZERO, Deduction, Tax, VatGroup
from gateway.invoice.policy import tax_of
from gateway.order import Prepayment


class Part(NamedTuple):
    """What one VAT group of a prepayment had taxed, or what is left of it."""

    tax: Tax
    taxable: Decimal
    vat: Decimal

    @property
    def total(self) -> Decimal:
        return self.taxable + self.vat


class Prior(NamedTuple):
    """A prepayment invoice of one's own, with what is left of it to take off."""

    number: str
    uuid: str
    issued_at: datetime
    currency: str
    left: tuple[Part, ...]


def deductions_of(
    prepayments: Iterable[Prepayment], priors: Mapping[str, Prior], *, currency: str, ids: Iterator[str]
) -> tuple[Deduction, ...]:
    """A deduction for each VAT group of each prepayment, in a line of its own under the next of `ids`."""
    found = [(prior, part) for each in prepayments for prior, part in _parts(each, priors.get(each.number), currency)]
    return tuple(
        Deduction(
            id=next(ids),
            name=f"Prepayment {prior.number} | دفعة مقدمة {prior.number}",
            number=prior.number,
            uuid=prior.uuid,
            issued_at=prior.issued_at,
            tax=part.tax,
            taxable=part.taxable,
            vat=part.vat,
            origin="prepayments",
        )
        for prior, part in found
    )


def _parts(wanted: Prepayment, own: Prior | None, currency: str) -> Iterable[tuple[Prior, Part]]:
    prior = _from_elsewhere(wanted, currency) or own
    if prior is None:
        raise _unusable(wanted.number, "is not a prepayment invoice that was issued here", "Say issued_at and parts.")
    if prior.currency != currency:
        raise _unusable(wanted.number, f"is in {prior.currency}, the order in {currency}", "Use one currency for both.")
    for part in _share(prior, wanted.amount):
        if part.total:
            yield prior, part


def _from_elsewhere(wanted: Prepayment, currency: str) -> Prior | None:
    if wanted.issued_at is None:
        return None
    groups = [VatGroup(tax_of(part.tax), part.taxable) for part in wanted.parts]
    parts = tuple(Part(group.tax, group.taxable, group.vat) for group in groups)
    return Prior(wanted.number, wanted.uuid, wanted.issued_at.replace(microsecond=0), currency, parts)


def _share(prior: Prior, amount: Decimal | None) -> Iterable[Part]:
    """So much of what is left, over its VAT groups in proportion; all of it if no amount is named."""
    left = sum((part.total for part in prior.left), ZERO)
    if amount is None or amount == left:
        return prior.left
    if amount > left:
        raise _unusable(prior.number, f"has {left} left to take off, not {amount}", "Take off less.")
    shares = allocate(amount, [part.total for part in prior.left])
    return [_within(part, share) for part, share in zip(prior.left, shares, strict=True)]


def _within(part: Part, gross: Decimal) -> Part:
    """Taxable amount and VAT that come to exactly `gross`: KSA-32 may differ from the rate by a halala (BR-KSA-79)."""
    taxable = taxable_within(gross, part.tax)
    return Part(part.tax, taxable, gross - taxable)


def _unusable(number: str, what: str, fix: str) -> UnusableOrder:
    return UnusableOrder(
        f"Prepayment {number} {what}.",
        problems=(("prepayments", f"{number} {what}"),),
        fix=fix,
        ar=f"تعذر خصم الدفعة المقدمة {number} من الطلب. راجع رقمها وعملتها والمبلغ المتبقي منها.",
    )
