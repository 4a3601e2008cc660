"""The six calls of the authority's API as functions on the state: what is asked, what is answered.

They know JSON bodies and HTTP statuses, but no HTTP: api.py carries them.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

from gateway.errors import UnreadableXml
from gateway.simulator import judge
from gateway.simulator.ca import InvalidCsr, Request, read_request
from gateway.simulator.catalogue import (
    CHECK,
    CLEARANCE,
    CLEARANCE_OFF,
    COMPLIANCE,
    DUPLICATE,
    PRODUCTION,
    REPORTING,
    message,
    refused,
    unauthorised,
)
from gateway.simulator.clearing import clear
from gateway.simulator.document import Document, compliance_steps
from gateway.simulator.faults import Reply
from gateway.simulator.overnight import judged_anew
from gateway.simulator.remark import Remark, has_errors, schema_invalid, validation_results
from gateway.simulator.state import Accepted, Csid, OtpState, Seen, State, World

_X509V3: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3"


class Asked(NamedTuple):
    """One request: its JSON fields, and the headers that matter."""

    world: World
    fields: Mapping[str, Any]
    credentials: tuple[str, str] | None = None
    otp: str | None = None
    language: str = "en"
    clearance_status: str = ""


class Refused(Exception):
    """Ends a call early with its answer."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(status)
        self.reply = Reply(status, body)


def _refuse(code: str, message: str) -> Refused:
    return Refused(400, {"errors": [{"code": code, "message": message}]})


def compliance_csid(state: State, asked: Asked) -> Reply:
    """POST compliance."""
    request = _requested(state, asked)
    csid = state.enrol(asked.world, request, is_compliance=True)
    return Reply(200, _csid_body(csid, "ISSUED"))


def production_csid(state: State, asked: Asked) -> Reply:
    """POST production/csids. Asked again it grants the same CSID again: an answer that was lost can be had anew."""
    compliance = _authenticated(state, asked, is_compliance=True)
    if _text(asked.fields.get("compliance_request_id")) != str(compliance.request_id):
        raise _refuse("Invalid-ComplianceRequestId", "The compliance request id is not that of this CSID")
    steps = (
        [] if state.is_canned and asked.world is World.DEVELOPER else compliance_steps(compliance.request.invoice_types)
    )
    missing = [step for step in steps if step not in compliance.passed]
    if missing:
        text = f"Compliance steps for this CSID are not yet complete [{','.join(missing)}]"
        raise _refuse("Missing-ComplianceSteps", text)
    if compliance.production is None:
        compliance.production = state.enrol(asked.world, compliance.request, is_compliance=False)
    return _granted(compliance.production)


def renew(state: State, asked: Asked) -> Reply:
    """PATCH production/csids: the long way by a new compliance CSID (428), unless renewals were set to be direct."""
    current = _signed_in(state, asked)
    if current.is_compliance:
        raise _refuse("Invalid-currentCSID", "The provided currentCSID is invalid")
    request = _requested(state, asked, vat=current.request.vat)
    csid = state.enrol(asked.world, request, is_compliance=not state.renewal_is_direct)
    if state.renewal_is_direct:
        return _granted(csid)
    return Reply(428, {**_csid_body(csid, "NOT_COMPLIANT"), "tokenType": None, "errors": None})


def _granted(csid: Csid) -> Reply:
    return Reply(200, {**_csid_body(csid, "ISSUED"), "tokenType": _X509V3})


def _text(value: object) -> str:
    """A text or number of a body; empty if it is anything else."""
    return str(value) if isinstance(value, str | int) else ""


def _requested(state: State, asked: Asked, vat: str | None = None) -> Request:
    """The CSR, once it and the OTP hold; the OTP is spent whatever becomes of the CSR, and a CSR is good once."""
    if not asked.otp:
        raise _refuse("Missing-OTP", "OTP is required field")
    otp = state.use_otp(asked.world, asked.otp, for_renewal=vat is not None)
    if otp is not OtpState.GOOD:
        expired = otp is OtpState.EXPIRED
        raise _refuse("Invalid-OTP", f"The provided OTP is {'expired' if expired else 'invalid'}")
    encoded = asked.fields.get("csr")
    if not isinstance(encoded, str) or not encoded:
        raise _refuse("Missing-CSR", "CSR is required field")
    try:
        request = read_request(encoded, asked.world.templates)
        if vat is not None and request.vat != vat:
            raise InvalidCsr("The VAT number is not that of the current CSID")
        if request.fingerprint in state.used_requests:
            raise InvalidCsr("The provided CSR was used before")
    except InvalidCsr as error:
        raise _refuse("Invalid-CSR", str(error)) from None
    state.used_requests.add(request.fingerprint)
    return request


def _authenticated(state: State, asked: Asked, *, is_compliance: bool) -> Csid:
    csid = _signed_in(state, asked)
    if csid.is_compliance is not is_compliance:
        raise _unauthorised(state)
    return csid


def _signed_in(state: State, asked: Asked) -> Csid:
    """Whose credentials came with the request."""
    csid = state.authenticate(asked.world, *asked.credentials) if asked.credentials else None
    if csid is None:
        raise _unauthorised(state)
    return csid


def _unauthorised(state: State) -> Refused:
    return Refused(401, unauthorised(state.now()))


def _csid_body(csid: Csid, disposition: str) -> dict[str, Any]:
    return {
        "requestID": csid.request_id,
        "dispositionMessage": disposition,
        "binarySecurityToken": csid.token,
        "secret": csid.secret,
    }


def check_compliance(state: State, asked: Asked) -> Reply:
    """POST compliance/invoices: judged like the real thing, recorded only as a step that was passed."""
    csid = _authenticated(state, asked, is_compliance=True)
    document, remarks = _received(asked.fields)
    if document is not None and not remarks:
        remarks = judge.judge(document, csid.certificate, now=state.now(), language=asked.language)
        remarks = judged_anew(document, remarks, state.rules)
    passed = not has_errors(remarks)
    if document is not None and passed:
        csid.passed.add(document.compliance_step)
    is_simplified = document is not None and document.is_simplified
    return Reply(
        _status(remarks),
        {
            "validationResults": validation_results(remarks),
            "reportingStatus": ("REPORTED" if passed else "NOT_REPORTED") if is_simplified else None,
            "clearanceStatus": ("CLEARED" if passed else "NOT_CLEARED") if not is_simplified else None,
            "qrSellertStatus": None,
            "qrBuyertStatus": None,
        },
    )


def report(state: State, asked: Asked) -> Reply:
    """POST invoices/reporting/single."""
    csid = _authenticated(state, asked, is_compliance=False)
    document, remarks = _received(asked.fields)
    if document is None or remarks:
        return _reported(remarks)
    if state.duplicate(asked.world, document.hash_text):
        return _already_reported()
    remarks = _judged(state, asked, csid, document)
    if not (document.is_simplified or _is_sent_away(state, asked.world, document)):
        text = "XML submitted using reporting API is not a simplified document"
        remarks.append(Remark("XML-INVOICE-ERROR", "KSA", text))
    if not has_errors(remarks):
        state.accept(_accepted(state, csid, document, REPORTING, "REPORTED", None))
    return _reported(remarks)


def clear_document(state: State, asked: Asked) -> Reply:
    """POST invoices/clearance/single."""
    csid = _authenticated(state, asked, is_compliance=False)
    if not state.clearance_on or (asked.world is World.DEVELOPER and asked.clearance_status == "0"):
        return Reply(303, {"message": CLEARANCE_OFF})
    document, remarks = _received(asked.fields)
    if document is None or remarks:
        return _cleared(remarks, None)
    earlier = state.duplicate(asked.world, document.hash_text)
    if earlier:
        return _already_cleared(state, document, earlier)
    remarks = _judged(state, asked, csid, document)
    if document.is_simplified:
        text = "XML submitted using clearance API is not a standard document"
        remarks.append(Remark("XML-INVOICE-ERROR", "KSA", text))
    if has_errors(remarks):
        return _cleared(remarks, None)
    cleared = clear(document, state.ca, state.now())
    state.accept(_accepted(state, csid, document, CLEARANCE, "CLEARED", cleared))
    return _cleared(remarks, cleared)


def _is_sent_away(state: State, world: World, document: Document) -> bool:
    """Whether clearance sent this standard document to reporting, or would."""
    return not state.clearance_on or (world, document.hash_text) in state.sent_away


def _judged(state: State, asked: Asked, csid: Csid, document: Document) -> list[Remark]:
    """The document by itself and in its chain. Refused or not, a truly stamped document keeps its place there."""
    remarks = judge.judge(document, csid.certificate, now=state.now(), language=asked.language)
    if state.uuids.get((asked.world, document.uuid), document.hash_text) != document.hash_text:
        remarks.append(Remark("KSA-1", "KSA", "The UUID was already used by another document"))
    remarks += judge.chain_remarks(document, csid.chain)
    if document.icv is not None and not list(judge.seal_remarks(document, csid.certificate)):
        csid.chain.setdefault(document.icv, Seen(document.hash_text, document.pih))
    return judged_anew(document, remarks, state.rules)


def _received(fields: Mapping[str, Any]) -> tuple[Document | None, list[Remark]]:
    """The document in a body, and what is wrong with the body; None if there is none to read."""
    claimed, encoded = fields.get("invoiceHash"), fields.get("invoice")
    hash_fault = _hash_fault(claimed)
    if hash_fault:
        return None, [Remark("InvoiceHash-Errors", "Invalid-InvoiceHash", hash_fault)]
    try:
        document = Document.read(base64.b64decode(encoded if isinstance(encoded, str) else "", validate=True))
    except (ValueError, UnreadableXml) as error:
        return None, [schema_invalid(str(error))]
    remarks = []
    if claimed != document.hash_text:
        text = "The invoice hash API body does not match the (calculated) Hash of the XML"
        remarks.append(Remark("invalid-invoice-hash", "INVOICE_HASHING_ERRORS", text))
    if fields.get("uuid") != document.uuid:
        remarks.append(Remark("KSA-1", "KSA", "The uuid of the API body is not that of the XML"))
    return document, remarks


def _hash_fault(claimed: object) -> str:
    if not isinstance(claimed, str) or not claimed:
        return "Document hash is not present in the API body"
    try:
        is_hash = len(base64.b64decode(claimed, validate=True)) == 32
    except ValueError:
        is_hash = False
    return "" if is_hash else "Document hash format in the API body is not valid"


def _accepted(
    state: State, csid: Csid, document: Document, endpoint: str, status: str, cleared: bytes | None
) -> Accepted:
    return Accepted(
        world=csid.world,
        uuid=document.uuid,
        hash=document.hash_text,
        icv=document.icv,
        csid=csid.request_id,
        endpoint=endpoint,
        status=status,
        xml=document.source,
        cleared=cleared,
        at=state.now(),
    )


def _status(remarks: list[Remark]) -> int:
    return 400 if has_errors(remarks) else 202 if remarks else 200


def _reported(remarks: list[Remark]) -> Reply:
    word = "NOT_REPORTED" if has_errors(remarks) else "REPORTED"
    return Reply(_status(remarks), {"validationResults": validation_results(remarks), "reportingStatus": word})


def _already_reported() -> Reply:
    return Reply(409, refused(REPORTING, message(None, None, DUPLICATE)))


def _cleared(remarks: list[Remark], cleared: bytes | None) -> Reply:
    return Reply(
        _status(remarks),
        {
            "validationResults": validation_results(remarks),
            "clearanceStatus": "CLEARED" if cleared else "NOT_CLEARED",
            "clearedInvoice": base64.b64encode(cleared).decode("ascii") if cleared else None,
        },
    )


def _already_cleared(state: State, document: Document, earlier: Accepted) -> Reply:
    """208 with the cleared document; one that was reported while clearance was off is cleared now."""
    cleared = earlier.cleared or clear(document, state.ca, state.now())
    if earlier.cleared is None:
        state.accept(replace(earlier, cleared=cleared))
    remark = Remark("Invoice-Warning", "Duplicate-Invoice", "Invoice Hash Previously submitted.", is_error=False)
    return _cleared([remark], cleared)._replace(status=208)


Call = Callable[[State, Asked], Reply]

CALLS: Final[tuple[tuple[str, str, Call], ...]] = (
    ("POST", COMPLIANCE, compliance_csid),
    ("POST", CHECK, check_compliance),
    ("POST", PRODUCTION, production_csid),
    ("PATCH", PRODUCTION, renew),
    ("POST", REPORTING, report),
    ("POST", CLEARANCE, clear_document),
)
"""Method, path below the environment, and what is done."""

NOT_REPEATABLE: Final = (compliance_csid, renew)
"""Calls that spend an OTP and a CSR: if their answer is lost, a person takes a new OTP from the portal."""
