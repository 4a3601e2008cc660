"""What one document says of VAT, as the books keep it beside the document, and what that is in SAR.

The figures are those of the document: nothing is computed anew but what it does not say, taxable amounts in SAR where
its currency is another, at its own exchange.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from gateway.invoice.arithmetic import allocate
from gateway.invoice.facts import SAR, ZERO, Category, Flag, Invoice, Tax, round_half_up


class Portion(NamedTuple):
    """Taxable amount and VAT of one category and rate: BT-116 and BT-117, or KSA-31 and KSA-32 of a prepayment."""

    tax: Tax
    taxable: Decimal
    vat: Decimal


@dataclass(frozen=True, slots=True)
class Taxed:
    """A document's VAT: `code` is KSA-2, `portions` BG-23, `deducted` the prepayments it takes off, `vat_sar` BT-111,
    `rate` KSA-39 where it shows one, `supplied_on` KSA-5. Reasons are known by their code alone."""

    code: str
    currency: str
    portions: tuple[Portion, ...]
    deducted: tuple[Portion, ...]
    vat_sar: Decimal
    rate: Decimal | None
    supplied_on: date | None

    def has(self, flag: Flag) -> bool:
        """Whether KSA-2 raises a flag; a code of seven digits leaves the last two down."""
        place = 2 + list(Flag).index(flag)
        return self.code[place : place + 1] == "1"

    @property
    def implied_rate(self) -> Decimal | None:
        """SAR for one unit of its currency: as it says, or as BT-111 and BT-110 say; None if neither does."""
        if self.currency == SAR:
            return Decimal(1)
        vat = sum((each.vat for each in self.portions), ZERO)
        return self.rate or (self.vat_sar / vat if vat else None)


def taxed_of(invoice: Invoice) -> Taxed:
    """What an invoice says of VAT."""
    return Taxed(
        code=invoice.transaction_code,
        currency=invoice.currency,
        portions=tuple(Portion(_bare(each.tax), each.taxable, each.vat) for each in invoice.vat_groups),
        deducted=tuple(Portion(_bare(each.tax), each.taxable, each.vat) for each in invoice.deductions),
        vat_sar=invoice.vat_sar,
        rate=invoice.fx_rate,
        supplied_on=invoice.supply_date,
    )


def _bare(tax: Tax) -> Tax:
    return Tax(tax.category, tax.rate, tax.reason_code)


def in_sar(taxed: Taxed, rate: Decimal | None) -> tuple[tuple[Portion, ...], tuple[Portion, ...]] | None:
    """Portions and deductions in SAR, at `rate` where the document says none; None if nobody knows it.

    The VAT of the portions adds up to BT-111, shared out by largest remainder where they are several.
    """
    if taxed.currency == SAR:
        return taxed.portions, taxed.deducted
    known = taxed.implied_rate or rate
    if known is None:
        return None
    stated = [each.vat for each in taxed.portions]
    vats = allocate(taxed.vat_sar, stated) if any(stated) else ()
    exchanged = [_exchanged(each, known) for each in taxed.portions]
    shared = [each._replace(vat=vat) for each, vat in zip(exchanged, vats, strict=True)] if vats else exchanged
    return tuple(shared), tuple(_exchanged(each, known) for each in taxed.deducted)


def _exchanged(portion: Portion, rate: Decimal) -> Portion:
    return Portion(portion.tax, round_half_up(portion.taxable * rate), round_half_up(portion.vat * rate))


def taxed_json(taxed: Taxed) -> dict[str, Any]:
    """As the ledger keeps it."""
    return {
        "code": taxed.code,
        "currency": taxed.currency,
        "groups": [_written(each) for each in taxed.portions],
        "deducted": [_written(each) for each in taxed.deducted],
        "vat_sar": str(taxed.vat_sar),
        "rate": None if taxed.rate is None else f"{taxed.rate:f}",
        "supplied_on": taxed.supplied_on.isoformat() if taxed.supplied_on else None,
    }


def _written(portion: Portion) -> list[str]:
    tax = portion.tax
    return [tax.category.value, f"{tax.rate:f}", tax.reason_code, str(portion.taxable), str(portion.vat)]


def taxed_from(kept: Mapping[str, Any]) -> Taxed:
    """The way back from `taxed_json`."""
    return Taxed(
        code=kept["code"],
        currency=kept["currency"],
        portions=_read(kept["groups"]),
        deducted=_read(kept["deducted"]),
        vat_sar=Decimal(kept["vat_sar"]),
        rate=None if kept["rate"] is None else Decimal(kept["rate"]),
        supplied_on=date.fromisoformat(kept["supplied_on"]) if kept["supplied_on"] else None,
    )


def _read(written: Iterable[list[str]]) -> tuple[Portion, ...]:
    return tuple(
        Portion(Tax(Category(category), Decimal(rate), code), Decimal(taxable), Decimal(vat))
        for category, rate, code, taxable, vat in written
    )
