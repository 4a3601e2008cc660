"""In every situation that the authority publishes an example of, the simulator answers as the example does.

Over real HTTP: the same status, kind of content, fields and codes, and nothing that the published schema forbids.
"""

import base64
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import fatoora
import httpx2
import pytest

from gateway.authority import Credentials, Submission
from gateway.simulator import Running
from gateway.simulator.catalogue import named
from gateway.simulator.faults import Fault
from gateway.unit import Environment
from tests import published
from tests.published import Published
from tests.simulator import tampering

PATHS = {
    "clearance": "invoices/clearance/single",
    "reporting": "invoices/reporting/single",
    "renewal": "production/csids",
}
PROFILES = {"clearance": "01", "reporting": "02"}

Answer = httpx2.Response


class Caller:
    """A till that talks to one of the published endpoints."""

    def __init__(self, simulator: Running, till: Any, credentials: Credentials, example: Published, api: str) -> None:
        self.simulator, self.till, self.credentials = simulator, till, credentials
        self.example, self.api = example, api

    def call(self, body: object, *, signed_in: bool = True, **headers: str) -> Answer:
        """Headers are those of the definition, their names with underscores."""
        auth = (self.credentials.token, self.credentials.secret) if signed_in else None
        url = f"{self.simulator.url(Environment.SANDBOX)}/{PATHS[self.api]}"
        sent = {"Accept-Version": "V2"} | {name.replace("_", "-"): value for name, value in headers.items()}
        with httpx2.Client(trust_env=False, auth=auth, timeout=30) as client:
            return client.request("PATCH" if self.api == "renewal" else "POST", url, json=body, headers=sent)

    def document(self, **how: Any) -> Submission:
        return self.till.document(PROFILES[self.api], **how)

    def send(self, document: Submission, **changed: object) -> Answer:
        """Send a document; `changed` fields of the body, or None to leave one out."""
        body = {
            "invoiceHash": document.hash,
            "uuid": document.uuid,
            "invoice": base64.b64encode(document.xml).decode(),
        } | changed
        return self.call({name: value for name, value in body.items() if value is not None})

    def send_edited(self, edit: Callable[[str], str]) -> Answer:
        """A document that is wrong before it is stamped."""
        return self.send(self.document(edit=edit))

    def send_tampered(self, edit: Callable[[str], str]) -> Answer:
        """A document that is changed after it was stamped."""
        document = self.document()
        xml = edit(document.xml.decode())
        return self.send(document._replace(xml=xml.encode(), hash=fatoora.invoice_hash_base64_from_xml_str(xml)))

    def renew(self, otp: str = "123456", **changed: object) -> Answer:
        body = {"csr": base64.b64encode(type(self.till)().csr()).decode()} | changed
        return self.call({name: value for name, value in body.items() if value is not None}, OTP=otp)


Situation = Callable[[Caller], Answer]
"""What a till does, and what it is answered."""


def _after(prepare: Callable[[Caller], object], situation: Situation) -> Situation:
    def both(caller: Caller) -> Answer:
        prepare(caller)
        return situation(caller)

    return both


def _twice(caller: Caller) -> Answer:
    document = caller.document()
    caller.send(document)
    return caller.send(document)


def _with_other_hash(caller: Caller) -> Answer:
    """As the published one does: the hash of another document in the body, and in the QR where that is the till's."""
    document, other = caller.document(), caller.document()
    in_qr = tampering.qr_tags(lambda tags: [(tag, other.hash.encode() if tag == 6 else value) for tag, value in tags])
    xml = in_qr(document.xml.decode()).encode() if caller.api == "reporting" else document.xml
    return caller.send(document._replace(xml=xml), invoiceHash=other.hash)


def _on_demand(caller: Caller) -> Answer:
    """What is known from the example alone; the simulator gives it when it is told to."""
    caller.simulator.faults.add(Fault(status=caller.example.status, body=caller.example.body.decode()))
    return caller.call({})


def _switch_clearance_off(caller: Caller) -> None:
    caller.simulator.state.clearance_on = False


def _make_renewal_direct(caller: Caller) -> None:
    caller.simulator.state.renewal_is_direct = True


def _break_down(caller: Caller) -> None:
    caller.simulator.faults.add(named("internal-error"))


def _with_compliance_csid(caller: Caller) -> Answer:
    """The CSID of a step before, presented for renewal."""
    compliance = next(csid for csid in caller.simulator.state.csids.values() if csid.is_compliance)
    earlier = Credentials("", compliance.token, compliance.secret, "", is_compliance=True)
    caller.credentials = earlier
    return caller.renew()


def _with_wrong_buyer_id(xml: str) -> str:
    seller, buyer = 'schemeID="CRN"', 'schemeID="XXX"'
    return buyer.join(xml.rsplit(seller, 1))


def _with_wrong_signature(xml: str) -> str:
    """That of another document, in the QR too, so that nothing else is wrong."""
    changed = tampering.text("ds:SignatureValue", tampering.other_letter)(xml)
    signature = tampering.text_of("ds:SignatureValue", changed).encode()
    return tampering.qr_tags(lambda tags: [(tag, signature if tag == 7 else value) for tag, value in tags])(changed)


def _late_and_ill_reckoned(caller: Caller) -> Answer:
    return caller.send(caller.document(age=timedelta(hours=30), edit=_ROUNDED))


_ROUNDED = tampering.text("cbc:RoundingAmount", lambda _: "114.00")
_LONG_LINE_ID = tampering.part("cac:InvoiceLine", tampering.text("cbc:ID", lambda _: "1234567"))
_PRICELESS = tampering.part("cac:Price", lambda _: "")
_PRICE_WITHOUT_AMOUNT = tampering.part("cbc:PriceAmount", lambda _: "")
_OTHER_CODE = tampering.replaced('name="0200000"', 'name="02000000000"')

SITUATIONS: dict[str, Situation] = {
    "clearance 200 cleared": lambda caller: caller.send(caller.document()),
    "clearance 202 cleared": lambda caller: caller.send_edited(_ROUNDED),
    "clearance 208 cleared": _twice,
    "clearance 303": _after(_switch_clearance_off, lambda caller: caller.send(caller.document())),
    "clearance 400 InvalidInvoiceHash": _with_other_hash,
    "clearance 400 InvalidInvoiceHashInvalidBase64": lambda caller: caller.send(caller.document(), invoiceHash="?"),
    "clearance 400 Missing Invoice Hash": lambda caller: caller.send(caller.document(), invoiceHash=None),
    "clearance 400 Missing Invoice": lambda caller: caller.send(caller.document(), invoice=None),
    "clearance 400 XML Schema Error": lambda caller: caller.send_edited(_PRICE_WITHOUT_AMOUNT),
    "clearance 400 EN Rules Violation": lambda caller: caller.send_edited(_LONG_LINE_ID),
    "clearance 400 KSA Rules Violation": lambda caller: caller.send_edited(_with_wrong_buyer_id),
    "clearance 401 Unuthorized": lambda caller: caller.call({}, signed_in=False),
    "clearance 500 InternalServerError": _after(_break_down, lambda caller: caller.send(caller.document())),
    "reporting 200 reported": lambda caller: caller.send(caller.document()),
    "reporting 202 reported": _late_and_ill_reckoned,
    "reporting 400 InvalidInvoiceHash": _with_other_hash,
    "reporting 400 Missing Invoice Hash": lambda caller: caller.send(caller.document(), invoiceHash=None),
    "reporting 400 Missing Invoice": lambda caller: caller.send(caller.document(), invoice=None),
    "reporting 400 XML Schema Error": lambda caller: caller.send_edited(_PRICE_WITHOUT_AMOUNT),
    "reporting 400 EN Rules Violation": lambda caller: caller.send_edited(_PRICELESS),
    "reporting 400 KSA Rules Violation": lambda caller: caller.send_tampered(_OTHER_CODE),
    "reporting 400 Invalid QR Code": lambda caller: caller.send_tampered(tampering.QR_CODE["QR cut off"].edit),
    "reporting 400 Missing QR Code": lambda caller: caller.send_tampered(tampering.QR_CODE["QR removed"].edit),
    "reporting 400 Invalid Signature": lambda caller: caller.send_tampered(_with_wrong_signature),
    "reporting 401 Unuthorized": lambda caller: caller.call({}, signed_in=False),
    "reporting 406 Not Acceptable": lambda caller: caller.call({}, Accept_Version="V1"),
    "reporting 409 conflict": _twice,
    "reporting 500 InternalServerError": _after(_break_down, lambda caller: caller.send(caller.document())),
    "renewal 200": _after(_make_renewal_direct, Caller.renew),
    "renewal 400 Missing OTP": lambda caller: caller.renew(otp=""),
    "renewal 400 Invalid OTP": lambda caller: caller.renew(otp="111111"),
    "renewal 400 Missing CSR": lambda caller: caller.renew(csr=None),
    "renewal 400 Invalid CSR": lambda caller: caller.renew(csr="AAAA"),
    "renewal 400 Missing currentCSID": _on_demand,
    "renewal 400 Invalid currentCSID": _with_compliance_csid,
    "renewal 401 Unuthorized": lambda caller: caller.call({}, signed_in=False),
    "renewal 406 Not Acceptable": lambda caller: caller.call({}, Accept_Version="V1"),
    "renewal 428": Caller.renew,
    "renewal 500 InternalServerError": _after(_break_down, Caller.renew),
}


OTHER_CODES: Mapping[str, tuple[set[str], set[str]]] = {
    "clearance 208 cleared": ({"Invoice-Warning"}, set()),
    "reporting 202 reported": ({"BR-KSA-51"}, {"BR-CO-17"}),
    "reporting 400 InvalidInvoiceHash": (set(), {"invoiceHash_QRCODE_INVALID"}),
    "reporting 400 EN Rules Violation": ({"BR-KSA-EN16931-11"}, set()),
    "reporting 400 KSA Rules Violation": (
        {"BR-KSA-F-06-C40", "invoiceHash_QRCODE_INVALID", "invalid-digital-signature"},
        set(),
    ),
    "reporting 400 Missing QR Code": ({"BR-KSA-27"}, set()),
}
"""Codes the simulator says beyond the example, and codes of the example that it does not say: duplicates are warned of
as live ones are, a rule more or another speaks of our document, and a wrong hash ends the judging."""


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_simulator_answers_as_published(shared: Path, simulator: Running, enrolled: Any, name: str) -> None:
    example = published.example(shared, name)
    answer = SITUATIONS[name](Caller(simulator, *enrolled, example, name.partition(" ")[0]))
    assert (answer.status_code, answer.headers["content-type"]) == (example.status, example.media_type)
    if isinstance(example.answer, str):
        assert answer.text == example.answer
        return
    body = answer.json()
    assert example.breaches(body) == []
    assert _differences(body, example.answer, "answer") == []
    extra, fewer = OTHER_CODES.get(name, (set(), set()))
    assert _codes(body) == _codes(example.answer) - fewer | extra


def test_no_published_example_is_without_its_situation(shared: Path) -> None:
    assert sorted(SITUATIONS) == sorted(name for api in PATHS for name, _ in published.examples(shared, api))


def _differences(ours: Any, theirs: Any, where: str) -> list[str]:
    """Where names and kinds of values differ; of lists the first messages are compared, for their number is free."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        odd = [f"{where}.{name} is on one side only" for name in sorted(ours.keys() ^ theirs.keys())]
        common = sorted(ours.keys() & theirs.keys())
        return odd + [each for name in common for each in _differences(ours[name], theirs[name], f"{where}.{name}")]
    if isinstance(ours, list) and isinstance(theirs, list):
        return _differences(ours[0], theirs[0], f"{where}[0]") if ours and theirs else []
    return [] if type(ours) is type(theirs) else [f"{where} is {ours!r}, published as {theirs!r}"]


def _codes(answer: Any) -> set[Any]:
    """Of all messages but the one that the schema is kept."""
    results = answer.get("validationResults", {})
    messages = [*results.get("errorMessages", ()), *results.get("warningMessages", ()), *(answer.get("errors") or ())]
    return {each["code"] for each in messages}
