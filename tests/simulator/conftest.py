"""A till that is not ours: keys, requests, documents and signatures made by another implementation (fatoority).

So nothing that stamps documents in this project is needed to feed the simulator, and the two cannot be wrong together.
"""

import asyncio
import uuid as uuids
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import fatoora
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.authority import Authority, Credentials, Submission
from gateway.simulator import Running
from gateway.unit import Environment

VAT = "399999999900003"
FIRST_PIH = "NWZlY2ViNjZmZmM4NmYzOGQ5NTI3ODZjNmQ2OTZjNzljMmRiYzIzOWRkNGU5MWI0NjcyOWQ3M2EyN2ZiNTdlOQ=="
KINDS = ("388", "381", "383")

T = TypeVar("T")

_ENVIRONMENTS = {
    Environment.SANDBOX: fatoora.Environment.NON_PRODUCTION,
    Environment.SIMULATION: fatoora.Environment.SIMULATION,
    Environment.PRODUCTION: fatoora.Environment.PRODUCTION,
}

_PARTY = """\
<cac:{role}><cac:Party>\
<cac:PartyIdentification><cbc:ID schemeID="CRN">1010010000</cbc:ID></cac:PartyIdentification>\
<cac:PostalAddress><cbc:StreetName>طريق الملك</cbc:StreetName><cbc:BuildingNumber>1234</cbc:BuildingNumber>\
<cbc:CitySubdivisionName>حي</cbc:CitySubdivisionName><cbc:CityName>الرياض</cbc:CityName>\
<cbc:PostalZone>12345</cbc:PostalZone>\
<cac:Country><cbc:IdentificationCode>SA</cbc:IdentificationCode></cac:Country></cac:PostalAddress>\
<cac:PartyTaxScheme><cbc:CompanyID>{vat}</cbc:CompanyID>\
<cac:TaxScheme><cbc:ID>VAT</cbc:ID></cac:TaxScheme></cac:PartyTaxScheme>\
<cac:PartyLegalEntity><cbc:RegistrationName>{name}</cbc:RegistrationName></cac:PartyLegalEntity>\
</cac:Party></cac:{role}>"""

_INVOICE = """\
<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2" \
xmlns:cac="urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2" \
xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2" \
xmlns:ext="urn:oasis:names:specification:ubl:schema:xsd:CommonExtensionComponents-2">
<cbc:ProfileID>reporting:1.0</cbc:ProfileID>
<cbc:ID>T-{icv}</cbc:ID>
<cbc:UUID>{uuid}</cbc:UUID>
<cbc:IssueDate>{date}</cbc:IssueDate>
<cbc:IssueTime>{time}</cbc:IssueTime>
<cbc:InvoiceTypeCode name="{profile}00000">{kind}</cbc:InvoiceTypeCode>
<cbc:DocumentCurrencyCode>SAR</cbc:DocumentCurrencyCode>
<cbc:TaxCurrencyCode>SAR</cbc:TaxCurrencyCode>
{billing}<cac:AdditionalDocumentReference><cbc:ID>ICV</cbc:ID><cbc:UUID>{icv}</cbc:UUID>\
</cac:AdditionalDocumentReference>
<cac:AdditionalDocumentReference><cbc:ID>PIH</cbc:ID><cac:Attachment>\
<cbc:EmbeddedDocumentBinaryObject mimeCode="text/plain">{pih}</cbc:EmbeddedDocumentBinaryObject></cac:Attachment>\
</cac:AdditionalDocumentReference>
{seller}
{buyer}
<cac:Delivery><cbc:ActualDeliveryDate>{date}</cbc:ActualDeliveryDate></cac:Delivery>
<cac:PaymentMeans><cbc:PaymentMeansCode>10</cbc:PaymentMeansCode>{reason}</cac:PaymentMeans>
<cac:TaxTotal><cbc:TaxAmount currencyID="SAR">15.00</cbc:TaxAmount></cac:TaxTotal>
<cac:TaxTotal><cbc:TaxAmount currencyID="SAR">15.00</cbc:TaxAmount><cac:TaxSubtotal>\
<cbc:TaxableAmount currencyID="SAR">100.00</cbc:TaxableAmount><cbc:TaxAmount currencyID="SAR">15.00</cbc:TaxAmount>\
<cac:TaxCategory><cbc:ID>S</cbc:ID><cbc:Percent>15.00</cbc:Percent>\
<cac:TaxScheme><cbc:ID>VAT</cbc:ID></cac:TaxScheme></cac:TaxCategory></cac:TaxSubtotal></cac:TaxTotal>
<cac:LegalMonetaryTotal><cbc:LineExtensionAmount currencyID="SAR">100.00</cbc:LineExtensionAmount>\
<cbc:TaxExclusiveAmount currencyID="SAR">100.00</cbc:TaxExclusiveAmount>\
<cbc:TaxInclusiveAmount currencyID="SAR">115.00</cbc:TaxInclusiveAmount>\
<cbc:PayableAmount currencyID="SAR">115.00</cbc:PayableAmount></cac:LegalMonetaryTotal>
<cac:InvoiceLine><cbc:ID>1</cbc:ID><cbc:InvoicedQuantity unitCode="PCE">2</cbc:InvoicedQuantity>\
<cbc:LineExtensionAmount currencyID="SAR">100.00</cbc:LineExtensionAmount>\
<cac:TaxTotal><cbc:TaxAmount currencyID="SAR">15.00</cbc:TaxAmount>\
<cbc:RoundingAmount currencyID="SAR">115.00</cbc:RoundingAmount></cac:TaxTotal>\
<cac:Item><cbc:Name>قهوة</cbc:Name><cac:ClassifiedTaxCategory><cbc:ID>S</cbc:ID><cbc:Percent>15.00</cbc:Percent>\
<cac:TaxScheme><cbc:ID>VAT</cbc:ID></cac:TaxScheme></cac:ClassifiedTaxCategory></cac:Item>\
<cac:Price><cbc:PriceAmount currencyID="SAR">50.00</cbc:PriceAmount></cac:Price></cac:InvoiceLine>
</Invoice>"""


@dataclass
class Till:
    """One foreign device: its key and, once it has one, its certificate; `last` is the hash its chain ended with."""

    environment: Environment = Environment.SANDBOX
    types: str = "1100"
    vat: str = VAT
    key: Any = field(default_factory=fatoora.SigningKey.generate)
    signer: Any = None
    icv: int = 0
    last: str = FIRST_PIH

    def csr(self, **changed: str) -> bytes:
        """A certificate request, as PEM."""
        asked = {
            "common_name": f"TST-886431145-{self.vat}",
            "serial_number": "1-TST|2-TST|3-ed22f1d8-e6a2-1118-9b58-d9a8f11e445f",
            "organization_identifier": self.vat,
            "organization_unit_name": "Riyadh Branch",
            "organization_name": "Maximum Speed Tech Supply LTD",
            "country_name": "SA",
            "invoice_type": self.types,
            "location_address": "RRRD2929",
            "industry_business_category": "Supply activities",
        } | changed
        request = fatoora.CsrProperties.new(**asked).build(self.key, _ENVIRONMENTS[self.environment])
        return str(request.to_pem()).encode()

    def take(self, credentials: Credentials) -> None:
        """Stamp with this certificate from now on, in a new chain."""
        certificate = x509.load_der_x509_certificate(credentials.certificate_der)
        self.signer = fatoora.Signer.from_pem(certificate.public_bytes(Encoding.PEM).decode(), self.key.to_pem())
        self.icv, self.last = 0, FIRST_PIH

    def document(
        self,
        profile: str = "02",
        kind: str = "388",
        *,
        icv: int | None = None,
        pih: str | None = None,
        uuid: str = "",
        age: timedelta = timedelta(0),
        edit: Callable[[str], str] = lambda xml: xml,
    ) -> Submission:
        """The next document of the chain; `edit` changes the XML before it is stamped."""
        self.icv += 1
        unsigned = _unsigned(
            profile, kind, icv or self.icv, self.last if pih is None else pih, uuid or str(uuids.uuid4()), age, self.vat
        )
        xml = self.signer.sign_xml(edit(unsigned))
        submission = submission_of(xml.encode())
        self.last = submission.hash
        return submission


def _unsigned(profile: str, kind: str, icv: int, pih: str, uuid: str, age: timedelta, vat: str) -> str:
    issued = datetime.now(ZoneInfo("Asia/Riyadh")) - age
    is_note = kind != "388"
    reference = "<cac:InvoiceDocumentReference><cbc:ID>T-0</cbc:ID></cac:InvoiceDocumentReference>"
    return _INVOICE.format(
        icv=icv,
        pih=pih,
        uuid=uuid,
        kind=kind,
        profile=profile,
        date=issued.strftime("%Y-%m-%d"),
        time=issued.strftime("%H:%M:%S"),
        seller=_PARTY.format(role="AccountingSupplierParty", vat=vat, name="شركة التوريد"),
        buyer=_PARTY.format(role="AccountingCustomerParty", vat="311111111100003", name="شركة المشتري"),
        billing=f"<cac:BillingReference>{reference}</cac:BillingReference>\n" if is_note else "",
        reason="<cbc:InstructionNote>إرجاع</cbc:InstructionNote>" if is_note else "",
    )


def submission_of(xml: bytes) -> Submission:
    """What is sent of a document, with the hash as the other implementation computes it."""
    text = xml.decode()
    uuid = text.partition("<cbc:UUID>")[2].partition("</cbc:UUID>")[0]
    return Submission(uuid, fatoora.invoice_hash_base64_from_xml_str(text), xml)


@pytest.fixture(scope="session")
def _simulator() -> Iterator[Running]:
    with Running() as running:
        yield running


@pytest.fixture
def simulator(_simulator: Running) -> Iterator[Running]:
    """A simulator over real HTTP that remembers nothing of the test before."""
    _simulator.state.reset()
    _simulator.faults.latency = 0.0
    yield _simulator
    _simulator.faults.queue.clear()


@pytest.fixture
def talk(simulator: Running) -> Callable[..., Any]:
    """Runs `conversation(authority)` against the simulator and returns its result."""

    def run(
        conversation: Callable[[Authority], Coroutine[Any, Any, T]],
        *,
        environment: Environment = Environment.SANDBOX,
        timeout: float = 10.0,
    ) -> T:
        async def main() -> T:
            async with Authority(simulator.url(environment), timeout=timeout) as authority:
                return await conversation(authority)

        return asyncio.run(main())

    return run


async def enrol(authority: Authority, till: Till, otp: str = "123456") -> Credentials:
    """All of onboarding: request, compliance documents, production certificate."""
    compliance = await authority.compliance_csid(till.csr(), otp)
    await comply(authority, till, compliance)
    production = await authority.production_csid(compliance)
    till.take(production)
    return production


async def comply(authority: Authority, till: Till, compliance: Credentials) -> None:
    """Have every kind of document checked that the till's request names."""
    till.take(compliance)
    for profile, covered in zip(("01", "02"), till.types, strict=False):
        for kind in KINDS if covered == "1" else ():
            verdict = await authority.check_compliance(compliance, till.document(profile, kind))
            assert verdict.outcome.is_accepted, verdict


@pytest.fixture
def till() -> Till:
    return Till()


@pytest.fixture
def enrolled(talk: Callable[..., Any], till: Till) -> tuple[Till, Credentials]:
    """A till with a production certificate, at the beginning of its chain."""
    return till, talk(lambda authority: enrol(authority, till))


@pytest.fixture
def tool() -> SimpleNamespace:
    """What is above, for tests: a conftest is not imported by name."""
    return SimpleNamespace(Till=Till, enrol=enrol, comply=comply)
