"""What stands anywhere in the tree, in whatever place the schema or an extension lets it stand."""

import pytest
from lxml import etree

from gateway.rules.everywhere import Everywhere
from gateway.rules.xpath import Abandoned
from gateway.xml import CAC, CBC, EXT, INVOICE


def whole(inner: str) -> Everywhere:
    namespaces = f'xmlns="{INVOICE}" xmlns:cac="{CAC}" xmlns:cbc="{CBC}" xmlns:ext="{EXT}"'
    return Everywhere(etree.fromstring(f"<Invoice {namespaces}>{inner}</Invoice>"))


@pytest.mark.parametrize(
    ("code", "standard", "simplified", "summary"),
    [
        ("0100000", True, False, False),
        ("0200010", False, True, True),
        ("0201010000", True, True, True),
        ("01", 0, 0, 0),
    ],
)
def test_the_transaction_code_is_searched_for_in_any_attribute_called_name(
    code: str, standard: bool, simplified: bool, summary: bool
) -> None:
    read = whole(f"<cbc:Note name='{code}'/>")
    assert (read.is_standard, read.is_simplified, read.is_simplified_summary) == (standard, simplified, summary)


def test_an_attribute_of_another_namespace_does_not_count() -> None:
    assert not whole("<cbc:Note xmlns:x='urn:x' x:name='0100000'/>").transaction_codes


def test_a_second_buyer_anywhere_ends_what_wants_one() -> None:
    buyer = (
        "<cac:AccountingCustomerParty><cac:Party><cac:PostalAddress><cbc:CityName>{}</cbc:CityName>"
        "</cac:PostalAddress></cac:Party></cac:AccountingCustomerParty>"
    )
    assert whole(buyer.format("A")).buyer_city.text == "A"
    extension = f"<ext:UBLExtensions>{buyer.format('B')}</ext:UBLExtensions>"
    with pytest.raises(Abandoned):
        _ = whole(extension + buyer.format("A")).buyer_city


def test_a_buyers_name_counts_at_any_depth_below_the_party() -> None:
    name = "<cac:PartyLegalEntity><cbc:RegistrationName>{}</cbc:RegistrationName></cac:PartyLegalEntity>"
    agent = f"<cac:AgentParty>{name.format('B')}</cac:AgentParty>"
    buyer = "<cac:AccountingCustomerParty><cac:Party>{}</cac:Party></cac:AccountingCustomerParty>"
    payee = f"<cac:PayeeParty>{name.format('C')}</cac:PayeeParty>"
    assert whole(buyer.format(agent) + payee).buyer_name_at_any_depth.text == "B"
    assert whole(buyer.format(agent) + payee).buyer_names == ()
    with pytest.raises(Abandoned):
        _ = whole(buyer.format(name.format("A") + agent) + payee).buyer_name_at_any_depth
