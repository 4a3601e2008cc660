"""Certificates like the real ones: their extensions, the revocation list, renewals, retries, and the canned one."""

import base64
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from gateway.errors import BadInput, Unavailable
from gateway.simulator import named
from gateway.simulator.ca import CRL_LIFE
from gateway.simulator.calls import CALLS, Asked, Refused
from gateway.simulator.state import World
from gateway.unit import Environment
from gateway.verdict import Outcome


def _certificate(credentials: Any) -> x509.Certificate:
    return x509.load_der_x509_certificate(credentials.certificate_der)


def _fetch(url: str) -> httpx2.Response:
    return httpx2.get(url, trust_env=False)


def _post(simulator: Any, path: str, body: Any) -> httpx2.Response:
    return httpx2.post(f"{simulator.management_url}{path}", json=body, trust_env=False)


def test_a_production_certificate_has_the_extensions_of_a_real_one(enrolled: Any, simulator: Any) -> None:
    extensions = _certificate(enrolled[1]).extensions
    base = simulator.url(Environment.SANDBOX).partition("/e-invoicing")[0]
    usage = extensions.get_extension_for_class(x509.KeyUsage)
    assert (usage.critical, usage.value.digital_signature, usage.value.key_cert_sign) == (True, True, False)
    extended = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(extended) == [ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.CLIENT_AUTH]
    (access,) = extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    assert access.access_method == AuthorityInformationAccessOID.CA_ISSUERS
    assert access.access_location.value == f"{base}/ca.crt"
    (point,) = extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert [name.value for name in point.full_name or ()] == [f"{base}/crl"]
    ca = simulator.state.ca.certificate.extensions
    key = extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    assert key == ca.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert ca.get_extension_for_class(x509.BasicConstraints).value.ca


def test_a_compliance_certificate_is_no_authority(talk: Any, till: Any) -> None:
    credentials = talk(lambda authority: authority.compliance_csid(till.csr(), "123456"))
    constraints = _certificate(credentials).extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca) == (True, False)


def test_the_addresses_in_a_certificate_lead_somewhere(enrolled: Any, simulator: Any) -> None:
    extensions = _certificate(enrolled[1]).extensions
    (access,) = extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    answer = _fetch(access.access_location.value)
    assert answer.headers["content-type"] == "application/pkix-cert"
    assert x509.load_der_x509_certificate(answer.content) == simulator.state.ca.certificate
    (point,) = extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert point.full_name
    answer = _fetch(point.full_name[0].value)
    assert answer.headers["content-type"] == "application/pkix-crl"
    assert len(x509.load_der_x509_crl(answer.content)) == 0


def test_a_revoked_certificate_opens_nothing_and_is_on_the_list(talk: Any, enrolled: Any, simulator: Any) -> None:
    till, credentials = enrolled
    document = till.document("02")
    assert _post(simulator, "/revoke", {"csid": "7"}).status_code == 404
    assert _post(simulator, "/revoke", {"csid": credentials.request_id}).status_code == 204
    assert talk(lambda authority: authority.report(credentials, document)).outcome is Outcome.CREDENTIALS
    base = simulator.url(Environment.SANDBOX).partition("/e-invoicing")[0]
    revoked = x509.load_der_x509_crl(_fetch(f"{base}/crl").content)
    ca = simulator.state.ca.certificate
    assert revoked.is_signature_valid(ca.public_key())
    assert revoked.issuer == ca.subject
    assert [each.serial_number for each in revoked] == [_certificate(credentials).serial_number]
    assert revoked.next_update_utc
    assert revoked.next_update_utc - revoked.last_update_utc == CRL_LIFE <= timedelta(days=7)


def test_certificates_are_listed_without_what_opens_anything(enrolled: Any, simulator: Any) -> None:
    _, credentials = enrolled
    answer = _fetch(f"{simulator.management_url}/csids")
    compliance, production = answer.json()
    assert (compliance["kind"], production["kind"]) == ("compliance", "production")
    assert len(compliance["steps"]) == 6
    assert production["csid"] == credentials.request_id
    assert production["serial"] == str(_certificate(credentials).serial_number)
    assert production["revoked_at"] is None
    assert credentials.secret not in answer.text
    assert credentials.token not in answer.text


def test_a_lost_production_certificate_is_had_again(talk: Any, tool: Any, simulator: Any) -> None:
    till = tool.Till(types="0100")

    async def ask(authority: Any) -> Any:
        compliance = await authority.compliance_csid(till.csr(), "123456")
        await tool.comply(authority, till, compliance)
        simulator.faults.add(named("reset-after"))
        with pytest.raises(Unavailable):
            await authority.production_csid(compliance)
        return [await authority.production_csid(compliance) for _ in range(2)]

    first, second = talk(ask)
    assert (first.token, first.secret, first.request_id) == (second.token, second.secret, second.request_id)
    assert len(simulator.state.csids) == 2


def test_a_renewal_can_be_set_to_be_granted_at_once(talk: Any, tool: Any, enrolled: Any, simulator: Any) -> None:
    till, old = enrolled
    renewed = tool.Till()
    assert _post(simulator, "/renewal", {"direct": True}).status_code == 204

    async def renew(authority: Any) -> Any:
        new = await authority.renew(old, renewed.csr(), "123456")
        renewed.take(new)
        return (
            new,
            await authority.report(new, renewed.document("02")),
            await authority.report(old, till.document("02")),
        )

    new, first_of_new, still_old = talk(renew)
    assert (new.is_compliance, new.disposition) == (False, "ISSUED")
    assert (first_of_new.status, still_old.status) == (200, 200)


@pytest.mark.parametrize(
    ("otp", "words"), [("111111", "invalid"), ("222222", "expired"), ("654321", "invalid"), ("123456", "")]
)
def test_the_developer_portals_otps_of_a_renewal(talk: Any, tool: Any, enrolled: Any, otp: str, words: str) -> None:
    _, credentials = enrolled
    if not words:
        assert talk(lambda authority: authority.renew(credentials, tool.Till().csr(), otp)).is_compliance
        return
    with pytest.raises(BadInput, match=words):
        talk(lambda authority: authority.renew(credentials, tool.Till().csr(), otp))


def test_an_otp_of_the_portal_is_good_for_a_renewal_too(talk: Any, tool: Any, enrolled: Any, simulator: Any) -> None:
    _, credentials = enrolled
    simulator.state.add_otp(World.DEVELOPER, "424242")
    assert talk(lambda authority: authority.renew(credentials, tool.Till().csr(), "424242")).token


def test_an_otp_holds_for_an_hour(talk: Any, tool: Any, simulator: Any) -> None:
    environment = Environment.SIMULATION
    simulator.state.add_otp(World.SIMULATION, "424242")
    simulator.state.set_clock(None, timedelta(minutes=61))
    csr = tool.Till(environment=environment).csr()
    with pytest.raises(BadInput, match="expired"):
        talk(lambda authority: authority.compliance_csid(csr, "424242"), environment=environment)


def test_only_a_production_certificate_is_renewed(talk: Any, tool: Any, till: Any) -> None:
    async def renew(authority: Any) -> None:
        compliance = await authority.compliance_csid(till.csr(), "123456")
        await authority.renew(compliance, tool.Till().csr(), "123456")

    with pytest.raises(BadInput, match="currentCSID"):
        talk(renew)


def test_the_canned_certificate_is_everybodys_and_fits_nobodys_key(talk: Any, tool: Any, simulator: Any) -> None:
    assert _post(simulator, "/canned", {"on": True}).status_code == 204

    async def ask(authority: Any) -> Any:
        first = await authority.compliance_csid(tool.Till().csr(), "123456")
        second = await authority.compliance_csid(tool.Till(vat="310122393500003").csr(), "123456")
        return first, second, await authority.production_csid(first)

    first, second, production = talk(ask)
    assert first.token == second.token
    till = tool.Till()
    csr = x509.load_pem_x509_csr(till.csr())
    assert _certificate(first).public_key() != csr.public_key()
    assert _certificate(production).subject == _certificate(first).subject
    simulator.state.add_otp(World.SIMULATION, "424242")
    other = tool.Till(environment=Environment.SIMULATION)
    own = talk(lambda a: a.compliance_csid(other.csr(), "424242"), environment=Environment.SIMULATION)
    assert _certificate(own).public_key() == x509.load_pem_x509_csr(other.csr()).public_key()


def test_a_damaged_request_for_a_certificate_is_refused(till: Any, simulator: Any) -> None:
    """A CSR with one byte changed, all along it: refused or, where nothing hangs on it, granted; never a fault."""
    der = base64.b64decode(b"".join(till.csr().splitlines()[1:-1]))
    state = simulator.state
    call = next(call for method, path, call in CALLS if path == "compliance")
    for place in range(0, len(der), 3):
        changed = bytearray(der)
        changed[place] ^= 0x41
        pem = b"-----BEGIN CERTIFICATE REQUEST-----\n%s-----END CERTIFICATE REQUEST-----\n"
        encoded = base64.b64encode(pem % base64.encodebytes(bytes(changed))).decode()
        with pytest.raises(Refused) as refused:
            call(state, Asked(World.DEVELOPER, {"csr": encoded}, otp="123456"))
        assert refused.value.reply.body["errors"][0]["code"] == "Invalid-CSR"
