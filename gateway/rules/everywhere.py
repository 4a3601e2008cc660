"""The whole document as `//` sees it: what stands anywhere in the tree, once for all rules that ask."""

from __future__ import annotations

import re
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
    TypeCode,
)
from gateway.rules.view import Document, Lazy, Node, add_up, single
from gateway.rules.xpath import round_to_cents

_ABOVE_SIGNATURES: Final = (
    "sig:UBLDocumentSignatures",
    "ext:ExtensionContent",
    "ext:UBLExtension",
    "ext:UBLExtensions",
)
_NAMES: Final = etree.XPath("//*/@name", smart_strings=False)
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
    def is_typed_simplified(self) -> bool:
        """A type code, not any element, carries the code of a simplified document."""
        return any(_SIMPLIFIED.search(code.name) for code in self.type_codes)

    @Lazy
    def lines(self) -> tuple[Line, ...]:
        return self.every(Line, "cac:InvoiceLine")

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

    @property
    def buyer_name(self) -> Node:
        return single(Node, self.buyer_names)

    @Lazy
    def buyer_street(self) -> Node:
        return single(Node, [each.street for each in self.buyer_addresses if each.street])

    @Lazy
    def buyer_city(self) -> Node:
        return single(Node, [each.city for each in self.buyer_addresses if each.city])

    @Lazy
    def buyer_district(self) -> Node:
        return single(Node, [each.district for each in self.buyer_addresses if each.district])

    @Lazy
    def buyer_building(self) -> Node:
        return single(Node, [each.building for each in self.buyer_addresses if each.building])

    @Lazy
    def buyer_postal_zone(self) -> Node:
        return single(Node, [each.postal_zone for each in self.buyer_addresses if each.postal_zone])

    @Lazy
    def buyer_country(self) -> Node:
        return single(Node, [each.country.code for each in self.buyer_addresses if each.country.code])

    @Lazy
    def buyer_vat_number(self) -> Node:
        return single(Node, [number for party in self.buyers for number in party.vat_numbers])

    @Lazy
    def seller_vat_numbers(self) -> tuple[Node, ...]:
        return tuple([number for party in self.sellers for number in party.vat_numbers])

    @property
    def seller_vat_number(self) -> Node:
        return single(Node, self.seller_vat_numbers)

    @property
    def seller_district(self) -> Node:
        return single(Node, [party.address.district for party in self.sellers if party.address.district])

    @property
    def buyer_additional_street(self) -> Node:
        return single(Node, [each.additional_street for each in self.buyer_addresses if each.additional_street])

    @property
    def buyer_contact_name(self) -> Node:
        return single(Node, [party.contact.name for party in self.buyers if party.contact.name])

    @property
    def buyer_contact_note(self) -> Node:
        return single(Node, [note for party in self.buyers for note in party.contact.notes])

    @property
    def buyer_telephone(self) -> Node:
        return single(Node, [party.contact.telephone for party in self.buyers if party.contact.telephone])

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
        return single(Node, self.every(Node, "cbc:DocumentCurrencyCode")).normal

    @Lazy
    def tax_currency(self) -> str:
        return single(Node, self.every(Node, "cbc:TaxCurrencyCode")).normal

    @property
    def buyer_names_at_any_depth(self) -> list[Node]:
        """Also those of parties within the buyer's party."""
        entities = self.every(LegalEntity, "cac:PartyLegalEntity")
        return [each.name for each in entities if each.name and _is_of_buyer(each)]

    @Lazy
    def exemption_codes(self) -> tuple[Node, ...]:
        categories = self.every(TaxCategory, "cac:TaxCategory")
        return tuple([each.reason_code for each in categories if each.reason_code and _is_of_vat(each)])

    @Lazy
    def billing_references(self) -> tuple[BillingReference, ...]:
        return self.every(BillingReference, "cac:BillingReference")

    @property
    def payment_note(self) -> Node:
        return single(Node, [note for means in self.payment_means for note in means.account.notes])

    @property
    def account_id(self) -> Node:
        return single(Node, [means.account.id for means in self.payment_means if means.account.id])

    @property
    def delivery_date(self) -> Node:
        deliveries = self.every(Delivery, "cac:Delivery")
        return single(Node, [each.actual_date for each in deliveries if each.actual_date])

    @Lazy
    def signature_information(self) -> tuple[SignatureInformation, ...]:
        """Below the extensions, in the official place."""
        found = self.every(SignatureInformation, "sac:SignatureInformation")
        return tuple([each for each in found if each.stands_in(*_ABOVE_SIGNATURES)])

    def _parties(self, role: str) -> tuple[Party, ...]:
        return tuple([each.party for each in self.every(PartyRole, role) if each.party])


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
