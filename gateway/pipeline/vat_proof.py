"""Whether a VAT report says what its documents say: their amounts, read from the bytes by a way of its own.

It shares nothing with the report but the documents: no field, no kept figure, no arithmetic but addition.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Final, NamedTuple

from lxml import etree

from gateway.errors import BadInput
from gateway.invoice.facts import SAR
from gateway.invoice.taxed import Portion, Taxed
from gateway.invoice.vat_return import Entry, Figure, Part, Tally
from gateway.xml import CAC, CBC, parse

_C, _B = f"{{{CAC}}}", f"{{{CBC}}}"
_GROUP: Final = f"{_C}TaxSubtotal"
_SCHEME: Final = f"{_C}TaxCategory"

Amounts = dict[tuple[str, Decimal], tuple[Decimal, Decimal]]
"""Taxable amount and VAT by category and rate, in the document's currency."""


class Stated(NamedTuple):
    """What the bytes of a document say: identity, VAT in SAR (BT-111), its breakdown, and prepayments taken off."""

    uuid: str
    kind: str
    currency: str
    vat_sar: Decimal
    groups: Amounts
    deducted: Amounts


def stated(xml: bytes) -> Stated:
    """The amounts in a document's bytes; BadInput if they cannot be read."""
    return stated_in(parse(xml))


def stated_in(root: etree._Element) -> Stated:
    """The same of a document that was read."""
    try:
        return _stated(root)
    except (InvalidOperation, ValueError, TypeError):
        raise BadInput("It has an amount that is no number.") from None


def _stated(root: etree._Element) -> Stated:
    totals = root.findall(f"{_C}TaxTotal")
    bare = [each for each in totals if each.find(_GROUP) is None]
    lines = root.iterfind(f"{_C}InvoiceLine")
    advances = [line for line in lines if line.find(f"{_C}DocumentReference") is not None]
    return Stated(
        uuid=root.findtext(f"{_B}UUID", ""),
        kind=root.findtext(f"{_B}InvoiceTypeCode", ""),
        currency=root.findtext(f"{_B}DocumentCurrencyCode", ""),
        vat_sar=Decimal(bare[0].findtext(f"{_B}TaxAmount", "")) if bare else Decimal("NaN"),
        groups=_amounts(group for total in totals for group in total.iterfind(_GROUP)),
        deducted=_amounts(group for line in advances for group in line.iterfind(f"{_C}TaxTotal/{_GROUP}")),
    )


def _amounts(groups: Iterable[etree._Element]) -> Amounts:
    found: Amounts = {}
    for group in groups:
        category = group.find(_SCHEME)
        if category is None:
            raise BadInput("A group of its breakdown has no category.")
        key = category.findtext(f"{_B}ID", ""), Decimal(category.findtext(f"{_B}Percent") or 0)
        taxable, vat = found.get(key, (Decimal(0), Decimal(0)))
        found[key] = (
            taxable + Decimal(group.findtext(f"{_B}TaxableAmount", "")),
            vat + Decimal(group.findtext(f"{_B}TaxAmount", "")),
        )
    return found


@dataclass
class Proof:
    """Documents compared one by one, and sums over all of them. `differing` are those that do not say what is kept."""

    documents: int = 0
    differing: int = 0
    vat_sar: Decimal = Decimal(0)
    _stated: dict[tuple[str, str, Decimal], list[Decimal]] = field(default_factory=lambda: defaultdict(_zeros))
    sums_agree: bool = True

    @property
    def agrees(self) -> bool:
        """Whether every document and every sum is the same."""
        return self.sums_agree and not self.differing

    def add(self, entry: Entry, figures: tuple[Figure, ...], xml: bytes) -> str:
        """One document more; what differs in it, in official terms, empty if nothing does."""
        self.documents += 1
        try:
            said = stated(xml)
        except BadInput as error:
            self.differing += 1
            return error.what
        wrong = ", ".join(_differences(entry, figures, said))
        self.differing += bool(wrong)
        if figures:
            self._count(said)
        return wrong

    def _count(self, said: Stated) -> None:
        sign = -1 if said.kind == "381" else 1
        self.vat_sar += sign * said.vat_sar
        for direction, amounts in ((sign, said.groups), (-sign, said.deducted)):
            for (category, rate), (taxable, vat) in amounts.items():
                sums = self._stated[said.currency, category, rate]
                sums[0] += direction * taxable
                sums[1] += direction * vat

    def conclude(self, tally: Tally) -> None:
        """Compare the sums over the bytes with those of the report: by currency, category and rate, BT-111, and what
        stands in the fields of the return."""
        told: dict[tuple[str, str, Decimal], list[Decimal]] = defaultdict(_zeros)
        vat_sar = taxable = vat = Decimal(0)
        for group, sums in tally.groups.items():
            key, is_foreign = told[group.currency, group.category.value, group.rate], group.currency != SAR
            key[0] += sums.foreign_taxable if is_foreign else sums.taxable
            key[1] += sums.foreign_vat if is_foreign else sums.vat
            vat_sar += sums.vat if group.part is Part.SUPPLY else 0
            taxable, vat = taxable + sums.taxable, vat + sums.vat
        in_fields = [(each.amount + each.adjustment, each.vat) for each in tally.boxes.values()]
        same = (sum(each[0] for each in in_fields), sum(each[1] for each in in_fields)) == (taxable, vat)
        self.sums_agree = same and told == self._stated and vat_sar == self.vat_sar


def _zeros() -> list[Decimal]:
    return [Decimal(0), Decimal(0)]


def _differences(entry: Entry, figures: tuple[Figure, ...], said: Stated) -> Iterator[str]:
    """The terms in which the report and the bytes do not say the same."""
    if (said.uuid, said.kind) != (entry.uuid, entry.kind.value):
        yield "KSA-1, BT-3"
    yield from vat_differences(entry.taxed, said)
    supplied = sum((figure.vat for figure in figures if figure.part is Part.SUPPLY), Decimal(0))
    if figures and abs(supplied) != said.vat_sar:
        yield "BT-111 in the fields"


def vat_differences(kept: Taxed, said: Stated) -> Iterator[str]:
    """The terms in which what is kept of a document's VAT and its bytes do not say the same."""
    if said.currency != kept.currency:
        yield "BT-5"
    if said.vat_sar != kept.vat_sar:
        yield "BT-111"
    if said.groups != _kept(kept.portions):
        yield "BG-23"
    if said.deducted != _kept(kept.deducted):
        yield "KSA-31, KSA-32"


def _kept(portions: tuple[Portion, ...]) -> Amounts:
    found: Amounts = {}
    for each in portions:
        key = each.tax.category.value, each.tax.rate
        taxable, vat = found.get(key, (Decimal(0), Decimal(0)))
        found[key] = (taxable + each.taxable, vat + each.vat)
    return found
