"""What the tests of the stamp share: a small invoice by hand, and the throw-away certificate of certs/test."""

from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.chain import FIRST_PIH
from gateway.csid import read_certificate
from gateway.invoice.facts import RIYADH
from gateway.stamp import Document, stamp

CERTS = Path(__file__).parents[1] / "certs" / "test"
CERTIFICATE = read_certificate((CERTS / "unit.pem").read_bytes())
OTHER_CERTIFICATE = read_certificate((CERTS / "ca.pem").read_bytes())
SIGNING_TIME = datetime(2026, 11, 23, 10, 0, 3, tzinfo=RIYADH)

_UBL = "urn:oasis:names:specification:ubl:schema:xsd"
_ROOT = (
    f'<Invoice xmlns="{_UBL}:Invoice-2" xmlns:cac="{_UBL}:CommonAggregateComponents-2" '
    f'xmlns:cbc="{_UBL}:CommonBasicComponents-2" xmlns:ext="{_UBL}:CommonExtensionComponents-2">'
)
SIMPLIFIED = f"""{_ROOT}
    <cbc:ProfileID>reporting:1.0</cbc:ProfileID>
    <cbc:ID>RUH1-000001</cbc:ID>
    <cbc:UUID>8e6000cf-1a98-4174-b3e7-b5d5954bc10d</cbc:UUID>
    <cbc:IssueDate>2026-11-23</cbc:IssueDate>
    <cbc:IssueTime>10:00:03</cbc:IssueTime>
    <cbc:InvoiceTypeCode name="0200000">388</cbc:InvoiceTypeCode>
    <cbc:Note>قهوة &amp; شاي &lt;2&gt;</cbc:Note>
    <cbc:DocumentCurrencyCode>SAR</cbc:DocumentCurrencyCode>
    <cac:AdditionalDocumentReference>
        <cbc:ID>PIH</cbc:ID>
        <cac:Attachment>
            <cbc:EmbeddedDocumentBinaryObject mimeCode="text/plain">{FIRST_PIH}</cbc:EmbeddedDocumentBinaryObject>
        </cac:Attachment>
    </cac:AdditionalDocumentReference>
    <cac:AccountingSupplierParty>
        <cac:Party>
            <cac:PartyTaxScheme>
                <cbc:CompanyID>399999999900003</cbc:CompanyID>
            </cac:PartyTaxScheme>
            <cac:PartyLegalEntity>
                <cbc:RegistrationName>متجر القهوة | Coffee &amp; Co</cbc:RegistrationName>
            </cac:PartyLegalEntity>
        </cac:Party>
    </cac:AccountingSupplierParty>
    <cac:TaxTotal>
        <cbc:TaxAmount currencyID="SAR">15.00</cbc:TaxAmount>
    </cac:TaxTotal>
    <cac:LegalMonetaryTotal>
        <cbc:TaxInclusiveAmount currencyID="SAR">115.00</cbc:TaxInclusiveAmount>
        <cbc:PayableAmount currencyID="SAR">114.99</cbc:PayableAmount>
    </cac:LegalMonetaryTotal>
</Invoice>""".encode()
"""Canonical bytes of a simplified invoice, as far as a stamp looks at it."""
STANDARD = SIMPLIFIED.replace(b'name="02', b'name="01')

_key = load_pem_private_key((CERTS / "unit.key").read_bytes(), None)
assert isinstance(_key, ec.EllipticCurvePrivateKey)
KEY: ec.EllipticCurvePrivateKey = _key


def sign(message: bytes) -> bytes:
    return KEY.sign(message, ec.ECDSA(SHA256(), deterministic_signing=True))


def stamped(body: bytes = SIMPLIFIED) -> Document:
    return stamp(body, sign=sign, certificate=CERTIFICATE, signing_time=SIGNING_TIME)
