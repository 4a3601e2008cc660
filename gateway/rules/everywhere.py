"""The whole document as `//` sees it: what stands anywhere in the tree, once for all rules that ask."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Final

from lxml import etree

from gateway.rules.parts import (
    Address,
    AllowanceCharge,
    BillingReference,
    Delivery,
    Invoice,
    LegalEntity,
    Line,
    Party,
    PartyRole,
    PaymentMeans,
    Signature,
    SignatureInformation,
    TaxCategory,
    TaxTotal,
    TypeCode,
)
from gateway.rules.view import Document, Lazy, Node, Number, Sole, add_up, single, tag_of
from gateway.rules.xpath import round_to_cents

_ABOVE_SIGNATURES: Final = (
    "sig:UBLDocumentSignatures",
    "ext:ExtensionContent",
    "ext:UBLExtension",
    "ext:UBLExtensions",
)
_DOCUMENT_CURRENCY: Final = tag_of("cbc:DocumentCurrencyCode")
_TAX_CURRENCY: Final = tag_of("cbc:TaxCurrencyCode")
_NAMES: Final = etree.XPath("//*/@name", smart_strings=False)
_HAS_TEXT: Final = etree.XPath("boolean(.//text())")
_STANDARD: Final = re.compile(r"01\d{5}")
_SIMPLIFIED: Final = re.compile(r"02\d{5}")
_SIMPLIFIED_SUMMARY: Final = re.compile(r"02\d{3}1\d")


class Everywhere(Document):
    """A document, with what stands anywhere in its tree (`//`), wherever the schema or an extension lets it stand."""

    @Lazy
    def transaction_codes(self) -> tuple[str, ...]:
        """`//@name`: the official conditions do not ask whose attribute it is."""
        return tuple(_NAMES(self.root)) if self.root is not None else ()

    @Lazy
    def is_standard(self) -> bool:
        return any(map(_STANDARD.search, self.transaction_codes))

    @Lazy
    def is_simplified(self) -> bool:
        return any(map(_SIMPLIFIED.search, self.transaction_codes))

    @Lazy
    def is_simplified_summary(self) -> bool:
        return any(map(_SIMPLIFIED_SUMMARY.search, self.transaction_codes))

    @Lazy
    def type_of_invoice(self) -> str:
        """Of the document itself."""
        (root,) = self.every(Invoice, "ubl:Invoice")[:1] or (Invoice.absent(),)
        return root.type_code.text

    @Lazy
    def type_codes(self) -> tuple[TypeCode, ...]:
        return self.every(TypeCode, "cbc:InvoiceTypeCode")

    @Lazy
    def first_coded(self) -> TypeCode:
        """The first type code of a standard or a simplified document."""
        return next((code for code in self.type_codes if code.name[:2] in ("01", "02")), TypeCode.absent())

    @Lazy
    def is_typed_simplified(self) -> bool:
        """A type code, not any element, carries the code of a simplified document."""
        return any(_SIMPLIFIED.search(code.name) for code in self.type_codes)

    @Lazy
    def lines(self) -> tuple[Line, ...]:
        return self.every(Line, "cac:InvoiceLine")

    @Lazy
    def line_without_vat(self) -> Node:
        """The first that does not state its VAT."""
        return _first_line(self.lines, lambda total: total.amount)

    @Lazy
    def line_without_gross(self) -> Node:
        """The first that does not state its amount with VAT."""
        return _first_line(self.lines, lambda total: total.rounding)

    @Lazy
    def net_of_lines(self) -> Decimal:
        return round_to_cents(add_up([line.net for line in self.lines]))

    @Lazy
    def allowances_charges(self) -> tuple[AllowanceCharge, ...]:
        return self.every(AllowanceCharge, "cac:AllowanceCharge")

    @Lazy
    def vat_codes_used(self) -> frozenset[str]:
        """The VAT categories of all items, allowances and charges."""
        of_items = self.every(TaxCategory, "cac:ClassifiedTaxCategory")
        of_allowances = [category for each in self.allowances_charges for category in each.categories]
        return frozenset([category.vat_code for category in (*of_items, *of_allowances)])

    @Lazy
    def has_standard_rate(self) -> bool:
        """Some item, allowance, charge or VAT subtotal is of category S."""
        categories = self.every(TaxCategory, "cac:TaxCategory")
        of_items = self.every(TaxCategory, "cac:ClassifiedTaxCategory")
        return any(each.vat_code == "S" and _is_of_line(each) for each in of_items) or any(
            each.vat_code == "S" and _is_of_amount(each) for each in categories
        )

    @Lazy
    def sellers(self) -> tuple[Party, ...]:
        return self._parties("cac:AccountingSupplierParty")

    @Lazy
    def buyers(self) -> tuple[Party, ...]:
        return self._parties("cac:AccountingCustomerParty")

    @Lazy
    def buyer_addresses(self) -> tuple[Address, ...]:
        return tuple([party.address for party in self.buyers if party.address])

    @Lazy
    def buyer_names(self) -> tuple[Node, ...]:
        return tuple([name for party in self.buyers for name in party.names])

    @Sole
    def buyer_name(self) -> Iterable[Node]:
        return self.buyer_names

    @Lazy
    def names_the_buyer(self) -> bool:
        return any(name.filled for name in self.buyer_names)

    @Lazy
    def buyer_schemes(self) -> frozenset[str]:
        """What identities of the buyer are of, as it stands."""
        return frozenset([each.attribute("schemeID") for party in self.buyers for each in party.ids])

    @Sole
    def buyer_street(self) -> Iterable[Node]:
        return (each.street for each in self.buyer_addresses if each.street)

    @Sole
    def buyer_city(self) -> Iterable[Node]:
        return (each.city for each in self.buyer_addresses if each.city)

    @Sole
    def buyer_district(self) -> Iterable[Node]:
        return (each.district for each in self.buyer_addresses if each.district)

    @Sole
    def buyer_building(self) -> Iterable[Node]:
        return (each.building for each in self.buyer_addresses if each.building)

    @Sole
    def buyer_postal_zone(self) -> Iterable[Node]:
        return (each.postal_zone for each in self.buyer_addresses if each.postal_zone)

    @Sole
    def buyer_country(self) -> Iterable[Node]:
        return (each.country.code for each in self.buyer_addresses if each.country.code)

    @Sole
    def buyer_vat_number(self) -> Iterable[Node]:
        return (number for party in self.buyers for number in party.vat_numbers)

    @Lazy
    def seller_vat_numbers(self) -> tuple[Node, ...]:
        return tuple([number for party in self.sellers for number in party.vat_numbers])

    @Sole
    def seller_vat_number(self) -> Iterable[Node]:
        return self.seller_vat_numbers

    @Sole
    def seller_district(self) -> Iterable[Node]:
        return (party.address.district for party in self.sellers if party.address.district)

    @Sole
    def buyer_additional_street(self) -> Iterable[Node]:
        return (each.additional_street for each in self.buyer_addresses if each.additional_street)

    @Sole
    def buyer_contact_name(self) -> Iterable[Node]:
        return (party.contact.name for party in self.buyers if party.contact.name)

    @Sole
    def buyer_contact_note(self) -> Iterable[Node]:
        return (note for party in self.buyers for note in party.contact.notes)

    @Sole
    def buyer_telephone(self) -> Iterable[Node]:
        return (party.contact.telephone for party in self.buyers if party.contact.telephone)

    @Lazy
    def payment_codes(self) -> tuple[Node, ...]:
        return tuple([each.code for each in self.payment_means if each.code])

    @Lazy
    def payment_means(self) -> tuple[PaymentMeans, ...]:
        return self.every(PaymentMeans, "cac:PaymentMeans")

    @Lazy
    def signatures(self) -> tuple[Signature, ...]:
        return self.every(Signature, "cac:Signature")

    @Lazy
    def document_currencies(self) -> frozenset[str]:
        return frozenset([each.text for each in self.every(Node, "cbc:DocumentCurrencyCode")])

    @Lazy
    def tax_currencies(self) -> frozenset[str]:
        return frozenset([each.text for each in self.every(Node, "cbc:TaxCurrencyCode")])

    @Lazy
    def document_currency(self) -> str:
        """`normalize-space(//cbc:DocumentCurrencyCode)`."""
        return single(Node, self._by_tag.get(_DOCUMENT_CURRENCY, ())).normal

    @Lazy
    def tax_currency(self) -> str:
        return single(Node, self._by_tag.get(_TAX_CURRENCY, ())).normal

    @Sole
    def buyer_name_at_any_depth(self) -> Iterable[Node]:
        """Also that of a party within the buyer's party."""
        entities = self.every(LegalEntity, "cac:PartyLegalEntity")
        return (each.name for each in entities if each.name and _is_of_buyer(each))

    @Lazy
    def exemption_codes(self) -> frozenset[str]:
        categories = self.every(TaxCategory, "cac:TaxCategory")
        return frozenset([each.reason_code.text for each in categories if each.reason_code and _is_of_vat(each)])

    @Lazy
    def billing_references(self) -> tuple[BillingReference, ...]:
        return self.every(BillingReference, "cac:BillingReference")

    @Sole
    def payment_note(self) -> Iterable[Node]:
        return (note for means in self.payment_means for note in means.account.notes)

    @Sole
    def account_id(self) -> Iterable[Node]:
        return (means.account.id for means in self.payment_means if means.account.id)

    @property
    def delivery_date(self) -> Node:
        deliveries = self.every(Delivery, "cac:Delivery")
        return single(Node, [each.actual_date for each in deliveries if each.actual_date])

    @Lazy
    def signature_ids(self) -> frozenset[str]:
        return frozenset([each.id.text for each in self.signatures])

    @Lazy
    def signature_methods(self) -> frozenset[str]:
        return frozenset([each.method.text for each in self.signatures])

    @Lazy
    def is_signed(self) -> bool:
        return any(_HAS_TEXT(signature.element) for signature in self.signatures)

    @Lazy
    def signature_information(self) -> tuple[SignatureInformation, ...]:
        """Below the extensions, in the official place."""
        found = self.every(SignatureInformation, "sac:SignatureInformation")
        return tuple([each for each in found if each.stands_in(*_ABOVE_SIGNATURES)])

    @Lazy
    def information_ids(self) -> frozenset[str]:
        return frozenset([each.id.text for each in self.signature_information])

    @Sole
    def referenced_signature(self) -> Iterable[Node]:
        return (each for found in self.signature_information for each in found.referenced_ids)

    @Lazy
    def has_period(self) -> bool:
        """A first and a last day of supply, wherever they stand."""
        return bool(self.every(Node, "cbc:ActualDeliveryDate") and self.every(Node, "cbc:LatestDeliveryDate"))

    def _parties(self, role: str) -> tuple[Party, ...]:
        return tuple([each.party for each in self.every(PartyRole, role) if each.party])


def _first_line(lines: Iterable[Line], amount: Callable[[TaxTotal], Number]) -> Node:
    return next((line for line in lines if not any(amount(each).filled for each in line.tax_totals)), Node.absent())


def _is_of_line(category: TaxCategory) -> bool:
    return category.stands_in("cac:Item", "cac:InvoiceLine")


def _is_of_vat(category: TaxCategory) -> bool:
    return category.stands_in("cac:TaxSubtotal", "cac:TaxTotal")


def _is_of_amount(category: TaxCategory) -> bool:
    return bool(category.up(AllowanceCharge).indicator) or _is_of_vat(category)


def _is_of_buyer(node: Node) -> bool:
    """Somewhere below `cac:AccountingCustomerParty/cac:Party`."""
    here = node.parent
    while here is not None:
        if isinstance(here, Party) and here.stands_in("cac:AccountingCustomerParty"):
            return True
        here = here.parent
    return False


def everywhere(node: Node) -> Everywhere:
    """The whole document that a node stands in."""
    return node.document  # type: ignore[return-value]  # a book reads nothing else
