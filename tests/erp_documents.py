"""Documents as an ERP would write them: prefixes and indents of its own, elements that ours never have."""

from datetime import timedelta

from gateway.invoice.facts import RIYADH
from tests.installation import BUSINESS, UNIT

_SELLER = UNIT.seller
_ADDRESS = """<c:PostalAddress>
        <b:StreetName>{street}</b:StreetName>
        <b:BuildingNumber>{building}</b:BuildingNumber>
        <b:CitySubdivisionName>{district}</b:CitySubdivisionName>
        <b:CityName>{city}</b:CityName>
        <b:PostalZone>{postal_code}</b:PostalZone>
        <c:Country><b:IdentificationCode>SA</b:IdentificationCode></c:Country>
      </c:PostalAddress>"""
_SHOP = _SELLER.address
_TEXT = """<?xml version="1.0" encoding="UTF-8"?>
<!-- written by Books 7 -->
<u:Invoice xmlns:u="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"
    xmlns:c="urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
    xmlns:b="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2">
  <b:ProfileID>reporting:1.0</b:ProfileID>
  <b:ID>{number}</b:ID>{uuid}
  <b:IssueDate>{day}</b:IssueDate>
  <b:IssueTime>{clock}</b:IssueTime>
  <b:InvoiceTypeCode name="{code}">{kind}</b:InvoiceTypeCode>
  <b:DocumentCurrencyCode>SAR</b:DocumentCurrencyCode>
  <b:TaxCurrencyCode>SAR</b:TaxCurrencyCode>{references}
  <c:AccountingSupplierParty>
    <c:Party>
      <c:PartyIdentification><b:ID schemeID="{scheme}">{id}</b:ID></c:PartyIdentification>
      {address}
      <c:PartyTaxScheme>
        <b:CompanyID>{vat}</b:CompanyID><c:TaxScheme><b:ID>VAT</b:ID></c:TaxScheme>
      </c:PartyTaxScheme>
      <c:PartyLegalEntity><b:RegistrationName>{seller}</b:RegistrationName></c:PartyLegalEntity>
    </c:Party>
  </c:AccountingSupplierParty>
  <c:AccountingCustomerParty>{buyer}</c:AccountingCustomerParty>
  <c:Delivery><b:ActualDeliveryDate>{day}</b:ActualDeliveryDate></c:Delivery>
  <c:PaymentMeans><b:PaymentMeansCode>30</b:PaymentMeansCode>{reason}</c:PaymentMeans>
  <c:PaymentTerms><b:Note>30 days net</b:Note></c:PaymentTerms>
  <c:TaxTotal><b:TaxAmount currencyID="SAR">{tax}</b:TaxAmount></c:TaxTotal>
  <c:TaxTotal>
    <b:TaxAmount currencyID="SAR">{tax}</b:TaxAmount>
    <c:TaxSubtotal>
      <b:TaxableAmount currencyID="SAR">{net}</b:TaxableAmount>
      <b:TaxAmount currencyID="SAR">{tax}</b:TaxAmount>
      <c:TaxCategory><b:ID>S</b:ID><b:Percent>15.00</b:Percent>
        <c:TaxScheme><b:ID>VAT</b:ID></c:TaxScheme></c:TaxCategory>
    </c:TaxSubtotal>
  </c:TaxTotal>
  <c:LegalMonetaryTotal>
    <b:LineExtensionAmount currencyID="SAR">{net}</b:LineExtensionAmount>
    <b:TaxExclusiveAmount currencyID="SAR">{net}</b:TaxExclusiveAmount>
    <b:TaxInclusiveAmount currencyID="SAR">{gross}</b:TaxInclusiveAmount>
    <b:PayableAmount currencyID="SAR">{gross}</b:PayableAmount>
  </c:LegalMonetaryTotal>
  <c:InvoiceLine>
    <b:ID>10</b:ID>
    <b:InvoicedQuantity unitCode="PCE">2</b:InvoicedQuantity>
    <b:LineExtensionAmount currencyID="SAR">{net}</b:LineExtensionAmount>
    <c:TaxTotal>
      <b:TaxAmount currencyID="SAR">{tax}</b:TaxAmount>
      <b:RoundingAmount currencyID="SAR">{gross}</b:RoundingAmount>
    </c:TaxTotal>
    <c:Item>
      <b:Name>قهوة عربية</b:Name>
      <c:ClassifiedTaxCategory><b:ID>S</b:ID><b:Percent>15.00</b:Percent>
        <c:TaxScheme><b:ID>VAT</b:ID></c:TaxScheme></c:ClassifiedTaxCategory>
    </c:Item>
    <c:Price><b:PriceAmount currencyID="SAR">{price}</b:PriceAmount></c:Price>
  </c:InvoiceLine>
</u:Invoice>
"""
_BUYER = """
    <c:Party>
      {address}
      <c:PartyTaxScheme>
        <b:CompanyID>310122393500003</b:CompanyID><c:TaxScheme><b:ID>VAT</b:ID></c:TaxScheme>
      </c:PartyTaxScheme>
      <c:PartyLegalEntity><b:RegistrationName>شركة المثال</b:RegistrationName></c:PartyLegalEntity>
    </c:Party>
  """


def erp_document(number, now, *, business=False, ago=timedelta(), **said) -> bytes:
    """An invoice of 115.00 SAR with VAT, issued `ago`; `said` replaces what it says. With `corrects` it is a credit
    note on the invoice of that number."""
    moment = (now - ago).astimezone(RIYADH)
    home = BUSINESS["address"]
    corrects = said.pop("corrects", "")
    note = {
        "kind": "381",
        "references": f"""
  <c:BillingReference><c:InvoiceDocumentReference><b:ID>{corrects}</b:ID></c:InvoiceDocumentReference>
  </c:BillingReference>""",
        "reason": "<b:InstructionNote>Returned</b:InstructionNote>",
    }
    values = {
        "number": number,
        "uuid": "",
        "day": moment.date().isoformat(),
        "clock": f"{moment:%H:%M:%S}",
        "code": "0100000" if business else "0200000",
        "kind": "388",
        "references": "",
        "reason": "",
        "scheme": _SELLER.id.scheme,
        "id": _SELLER.id.value,
        "address": _ADDRESS.format(
            street=_SHOP.street, building=_SHOP.building, district=_SHOP.district, city=_SHOP.city,
            postal_code=_SHOP.postal_code,
        ),
        "vat": _SELLER.vat,
        "seller": _SELLER.name.replace("&", "&amp;"),
        "buyer": _BUYER.format(address=_ADDRESS.format(**home)) if business else "",
        "net": "100.00",
        "tax": "15.00",
        "gross": "115.00",
        "price": "50.00",
    }  # fmt: skip
    return _TEXT.format(**(values | (note if corrects else {}) | said)).encode()
