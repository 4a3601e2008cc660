"""Who sells and who buys: names, addresses, VAT numbers and other identities."""

import re
from collections.abc import Iterable
from typing import Final

from gateway.rules.book import WARNING, rule
from gateway.rules.everywhere import everywhere
from gateway.rules.ksa.contexts import (
    BUYER,
    BUYER_CONTACT,
    BUYER_ID,
    BUYER_VAT_NUMBER,
    CITIZENS_CATEGORY,
    CODED,
    INVOICE,
    PARTY_ROLE,
    SAUDI_BUYER,
    SELLER,
    SELLER_ADDRESS,
    SELLER_VAT_SCHEME,
    SIMPLIFIED,
    WHOLE,
)
from gateway.rules.parts import (
    Address,
    Contact,
    Country,
    Identifier,
    Invoice,
    Party,
    PartyRole,
    TaxCategory,
    TaxScheme,
    TypeCode,
)
from gateway.rules.view import Node, single, tag_of
from gateway.rules.xpath import normalize_space

# Searched in as they stand, so that any part of them longer than two characters passes.
SELLER_SCHEMES: Final = "CRN MOM MLS SAG OTH 700"
BUYER_SCHEMES: Final = "TIN NAT IQA PAS CRN MOM MLS 700 SAG GCC OTH"

_SELLER_SCHEMES: Final = frozenset(SELLER_SCHEMES.split())
_BUYER_SCHEMES: Final = frozenset(BUYER_SCHEMES.split())

_VAT_NUMBER: Final = re.compile("3[0-9]{13}3")
_SELLER_ROLE: Final = tag_of("cac:AccountingSupplierParty")
_REPEATED_DIGITS: Final = re.compile(r"0{8}|1{8}|2{8}|3{8}|4{8}|5{8}|6{8}|7{8}|8{8}|9{8}")
_RUN_OF_DIGITS: Final = re.compile("01234567|12345678|23456789|76543210|87654321|98765432")


def _is_listed(scheme: str, schemes: str) -> bool:
    return len(scheme) > 2 and scheme in schemes


def _is_ten_digits(value: Node, first: str = "") -> bool:
    """Ten digits once blanks are normalised; but blanks round them are no digits."""
    text = value.normal
    return len(text) == 10 and text.startswith(first) and not value.text.strip("0123456789")


def _only_id(role: PartyRole) -> Identifier:
    return single(Identifier, role.party.ids)


def _only_scheme(role: PartyRole) -> str:
    """Identities without a scheme do not count."""
    return single(Identifier, role.party.ids_of_schemes).attribute("schemeID")


def _first(nodes: Iterable[Node]) -> Node:
    return next(iter(nodes), Node.absent())


# -- seller ---------------------------------------------------------------------------------------------------


@rule(
    "BR-KSA-08", INVOICE, term="BT-29", place=lambda invoice: _first(invoice.seller.party.ids) or invoice.seller.party,
    value=lambda invoice: single(Identifier, invoice.seller.party.ids).scheme, severity=WARNING,
)  # fmt: skip
def seller_id_is_of_a_listed_scheme(invoice: Invoice) -> bool:
    return _is_listed(single(Identifier, invoice.seller.party.ids).scheme, SELLER_SCHEMES)


@rule("BR-KSA-09", SELLER_ADDRESS, term="BG-5", severity=WARNING)
def seller_address_is_complete(address: Address) -> bool:
    parts = (address.street, address.building, address.city, address.postal_zone, address.district)
    return all(parts) and bool(address.country.code)


@rule("BR-KSA-37", SELLER, term="KSA-17", place=lambda party: party.address.building or party.address, severity=WARNING)
def seller_building_number_has_4_digits(party: Party) -> bool:
    return re.fullmatch("[0-9]{4}", party.address.building.text) is not None


@rule("BR-KSA-66", SELLER_ADDRESS, term="BT-38", place=lambda address: address.postal_zone, severity=WARNING)
def seller_postal_code_has_5_digits(address: Address) -> bool:
    return re.fullmatch("[0-9]{5}", address.postal_zone.text) is not None


@rule("BR-KSA-39", INVOICE, term="BT-31", place=lambda invoice: invoice.seller.party, value=lambda _: "")
def seller_vat_number_is_given(invoice: Invoice) -> bool:
    party = invoice.seller.party
    return any(number.filled for number in party.vat_numbers) and any(
        each.scheme.id.normal == "VAT" for each in party.tax_schemes
    )


@rule("BR-KSA-40", SELLER_VAT_SCHEME, term="BT-31", place=lambda scheme: everywhere(scheme).seller_vat_number)
def seller_vat_number_is_well_formed(scheme: TaxScheme) -> bool:
    return _VAT_NUMBER.fullmatch(everywhere(scheme).seller_vat_number.text) is not None


# -- buyer ----------------------------------------------------------------------------------------------------


@rule("BR-KSA-10", CODED, term="BG-8", value=lambda _: "", severity=WARNING)
def standard_document_has_the_buyers_address(code: TypeCode) -> bool:
    whole = everywhere(code)
    return not whole.is_standard or (
        whole.buyer_country.filled and whole.buyer_street.filled and whole.buyer_city.filled
    )


@rule("BR-KSA-14", BUYER_ID, term="BT-46", value=lambda each: each.scheme)
def buyer_id_is_of_a_listed_scheme(identifier: Identifier) -> bool:
    return _is_listed(identifier.scheme, BUYER_SCHEMES)


@rule("BR-KSA-25", SIMPLIFIED, term="BT-44", value=lambda _: "", severity=WARNING)
def simplified_document_to_a_citizen_names_the_buyer(code: TypeCode) -> bool:
    # Searched for in a list: empty text and parts of the codes are found in it too.
    codes = everywhere(code).exemption_codes
    are_for_citizens = all(each in " VATEX-SA-HEA VATEX-SA-EDU " for each in codes)
    return not codes or not are_for_citizens or everywhere(code).names_the_buyer


@rule("BR-KSA-42", BUYER, term="BT-44", value=lambda _: "", severity=WARNING)
def standard_document_names_the_buyer(party: Party) -> bool:
    return not everywhere(party).is_standard or any(name.filled for name in party.names)


@rule("BR-KSA-44", BUYER_VAT_NUMBER, term="BT-48", place=lambda number: everywhere(number).buyer_vat_number)
def buyer_vat_number_is_well_formed(number: Node) -> bool:
    text = everywhere(number).buyer_vat_number.text
    return not text or _VAT_NUMBER.fullmatch(text) is not None


@rule("BR-KSA-99", BUYER_VAT_NUMBER, term="BT-48", since="R3.4.2", severity=WARNING)
def buyer_vat_number_is_not_empty(number: Node) -> bool:
    return not everywhere(number).is_standard or bool(everywhere(number).buyer_vat_number.normal)


@rule("BR-KSA-49", CITIZENS_CATEGORY, term="BT-46", value=lambda _: "")
def supply_to_a_citizen_states_the_national_id(category: TaxCategory) -> bool:
    return "NAT" in everywhere(category).buyer_schemes


@rule("BR-KSA-63", SAUDI_BUYER, term="BG-8", place=lambda country: country.up(Address), severity=WARNING)
def saudi_buyer_has_a_national_address(country: Country) -> bool:
    whole = everywhere(country)
    if not whole.is_standard:
        return True
    return all(
        part.normal
        for part in (
            whole.buyer_street,
            whole.buyer_building,
            whole.buyer_postal_zone,
            whole.buyer_city,
            whole.buyer_district,
            whole.buyer_country,
        )
    )


@rule(
    "BR-KSA-67", SAUDI_BUYER, term="BT-53",
    place=lambda country: everywhere(country).buyer_postal_zone or country.up(Address), severity=WARNING,
)  # fmt: skip
def saudi_buyer_has_a_postal_code_of_5_digits(country: Country) -> bool:
    whole = everywhere(country)
    return not whole.is_standard or re.fullmatch("[0-9]{5}", whole.buyer_postal_zone.text) is not None


@rule("BR-KSA-71", SIMPLIFIED, term="BT-44", value=lambda _: "", severity=WARNING)
def simplified_summary_names_the_buyer(code: TypeCode) -> bool:
    whole = everywhere(code)
    return not whole.is_simplified_summary or bool(whole.buyer_name_at_any_depth.normal)


@rule("BR-KSA-72", SAUDI_BUYER, term="KSA-24", value=lambda _: "")
def simplified_summary_states_its_period(country: Country) -> bool:
    whole = everywhere(country)
    return not whole.is_simplified_summary or whole.has_period


@rule("BR-KSA-81", WHOLE, term="BT-46", place=lambda invoice: invoice.buyer.party, value=lambda _: "", severity=WARNING)
def buyer_without_vat_number_has_another_id(invoice: Invoice) -> bool:
    party = invoice.buyer.party
    if not everywhere(invoice).is_standard or party.vat_numbers:
        return True
    return bool(single(Identifier, party.ids).normal)


@rule(
    "BR-KSA-85", BUYER_CONTACT, term="KSA-35", place=lambda contact: contact.telephone, since="R3.3.1", severity=WARNING
)
def buyer_telephone_is_well_formed(contact: Contact) -> bool:
    text = everywhere(contact).buyer_telephone.text
    return not text or re.fullmatch(r"[0+][0-9]{4,15}", text) is not None


@rule("BR-CUSTOM-VALIDATION-01", INVOICE, term="BT-48", place=lambda invoice: _first(invoice.buyer.party.vat_numbers))
def buyer_is_not_the_seller(invoice: Invoice) -> bool:
    sellers = {number.text for number in invoice.seller.party.vat_numbers}
    buyers = {number.text for number in invoice.buyer.party.vat_numbers}
    both_are_given = any(sellers) and any(buyers)
    return not both_are_given or not sellers & buyers


# -- what an identity looks like ------------------------------------------------------------------------------


@rule("BR-KSA-F-07", BUYER_ID, term="BT-46", since="R3.4.4", severity=WARNING)
def tin_has_10_digits_from_3(identifier: Identifier) -> bool:
    return identifier.scheme != "TIN" or _is_ten_digits(identifier, "3")


@rule("BR-KSA-F-08", PARTY_ROLE, term="BT-29", place=_only_id, since="R3.4.4", severity=WARNING)
def commercial_registration_has_10_digits(role: PartyRole) -> bool:
    return normalize_space(_only_scheme(role)) != "CRN" or _is_ten_digits(_only_id(role))


@rule("BR-KSA-F-09", PARTY_ROLE, term="BT-29", place=_only_id, since="R3.4.4", severity=WARNING)
def number_700_has_10_digits_from_7(role: PartyRole) -> bool:
    return normalize_space(_only_scheme(role)) != "700" or _is_ten_digits(_only_id(role), "7")


@rule("BR-KSA-F-10", BUYER_ID, term="BT-46", since="R3.4.4", severity=WARNING)
def national_id_has_10_digits_from_1(identifier: Identifier) -> bool:
    return identifier.scheme != "NAT" or _is_ten_digits(identifier, "1")


@rule("BR-KSA-F-11", BUYER_ID, term="BT-46", since="R3.4.4", severity=WARNING)
def iqama_has_10_digits_from_2(identifier: Identifier) -> bool:
    return identifier.scheme != "IQA" or _is_ten_digits(identifier, "2")


def _schemes_of(role: PartyRole) -> frozenset[str]:
    is_seller = role.element is not None and role.element.tag == _SELLER_ROLE
    return _SELLER_SCHEMES if is_seller else _BUYER_SCHEMES


@rule(
    "BR-KSA-F-12", PARTY_ROLE, term="BT-29", place=lambda role: _first(role.party.ids), value=_only_scheme,
    since="R3.4.5", severity=WARNING,
)  # fmt: skip
def scheme_has_no_blanks_round_it(role: PartyRole) -> bool:
    scheme = _only_scheme(role)
    bare = normalize_space(scheme)
    return scheme == bare or bare.upper() not in _schemes_of(role)


def _made_up(role: PartyRole) -> Node:
    """The first identity that is a mere run or repetition of digits."""
    schemes = _schemes_of(role)
    found = (each for each in role.party.ids if each.scheme.upper() in schemes and _is_made_up(each.normal))
    return next(found, Node.absent())


def _is_made_up(text: str) -> bool:
    return text.isdecimal() and bool(_RUN_OF_DIGITS.search(text) or _REPEATED_DIGITS.search(text))


@rule("BR-KSA-F-13", PARTY_ROLE, term="BT-29", place=_made_up, since="R3.4.5", severity=WARNING)
def identity_is_not_made_up(role: PartyRole) -> bool:
    return not _made_up(role)
