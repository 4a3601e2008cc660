"""A unit gets a certificate by steps: key and request, compliance certificate, compliance documents, production
certificate. Each step is on record before the next begins, so a run that broke off goes on where it stopped.

A certificate request is sent once: if it is refused or no answer comes, its key is destroyed, and the next run makes
another. Whatever the unit issues with goes on undisturbed until the new certificate takes its place.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Final

from gateway.authority import Credentials, Submission
from gateway.authority.onboarding import Refusal
from gateway.csid import Certificate, csr, fields_of, read_certificate
from gateway.errors import BadInput, Conflict, GatewayError, Unavailable, Unknown
from gateway.invoice.facts import Invoice
from gateway.ledger import CsidRecord, NewCsid, OnboardingRun, Purpose, Stage, Step
from gateway.pipeline.compliance import Desk, compliance_document, compliance_invoices, name_of
from gateway.pipeline.gateway import Gateway, Lines, same_world
from gateway.pipeline.submit import csid_secret
from gateway.unit import Unit
from gateway.verdict import Outcome, Verdict

Tell = Callable[[str], None]
"""Told each step in a few words, for a person who waits."""

Ask = Callable[[bytes, str], Awaitable[Credentials]]
"""Sends a certificate request (PEM) with an OTP: the first one of a unit, or the one that renews."""

_GOES_ON: Final = (Step.CHECKS, Step.PRODUCTION)


@dataclass(frozen=True)
class Errand:
    """Who wants which certificate. `continues` is whether it serves the chain of the one before; without `otp` only
    a run that has its compliance certificate can go on; `restart` discards such a run."""

    gateway: Gateway
    lines: Lines
    unit: Unit
    purpose: Purpose
    ask: Ask
    otp: str | None
    tell: Tell
    actor: str
    continues: bool = False
    restart: bool = False

    def key(self, run: OnboardingRun) -> str:
        return self.unit.key(run.id)

    def sign(self, run: OnboardingRun) -> Callable[[bytes], bytes]:
        return lambda message: self.gateway.stamper.sign(self.key(run), message)


async def certify(errand: Errand) -> Certificate:
    """Take the unit's open run to its end, or a new one; the certificate that is then in use.

    Refusal gives the authority's reason. Conflict: a run of the other purpose is open, or somebody else is at work on
    this one. Unavailable: no answer; repeating goes on from there.
    """
    same_world(errand.unit, errand.gateway.settings.environment)
    try:
        return await _certify(errand)
    except Conflict:
        raise
    except GatewayError as error:
        with suppress(GatewayError):
            await errand.gateway.offload(_remember, errand, str(error))
        raise


async def _certify(errand: Errand) -> Certificate:
    run = await errand.gateway.offload(_standing, errand)
    if run is None:
        granted = await _request(errand)
        if isinstance(granted, Certificate):
            return granted
        run = granted
    compliance = await errand.gateway.offload(_compliance, errand, run)
    if run.step is Step.CHECKS:
        run = await _checks(errand, run, compliance)
    return await _production(errand, run, compliance)


# -- the run that stands ----------------------------------------------------------------------------------------------


def _standing(errand: Errand) -> OnboardingRun | None:
    """The open run, if it can go on; one that cannot is closed, once there is an OTP to begin another with."""
    run = errand.gateway.ledger.open_onboarding(errand.unit.taxpayer_id, errand.unit.id)
    if run and run.purpose != errand.purpose and not errand.restart:
        raise _other_purpose(run)
    why = "it has no run to go on with" if run is None else _obstacle(errand, run)
    if not why:
        return run
    if errand.otp is None:
        raise _needs_otp(errand, why)
    if run:
        _end(errand, run, why)
    return None


def _obstacle(errand: Errand, run: OnboardingRun) -> str:
    """Why this run cannot go on; empty if it can."""
    if errand.restart:
        return "the run that was open is discarded"
    if run.step is Step.KEY:
        return "the last run stopped before its certificate request was sent"
    if run.step is Step.REQUEST:
        return "no answer to its last certificate request was kept, and a request is never sent twice"
    if run.request_digest != request_digest(errand.unit):
        return "what its certificate says has changed since the last run"
    try:
        errand.gateway.stamper.public_key(errand.key(run))
    except Unknown:
        return "the key of the last run is gone"
    return ""


def request_digest(unit: Unit) -> str:
    """Of all that a certificate request says of a unit but its key."""
    facts = json.dumps(asdict(fields_of(unit)), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(facts.encode()).hexdigest()


def _needs_otp(errand: Errand, why: str) -> BadInput:
    return BadInput(
        f"Unit {errand.unit.id} needs an OTP: {why}.",
        fix="Take one from the Fatoora portal and give it with --otp; it holds for one hour and for one use.",
        ar=f"تحتاج الوحدة {errand.unit.id} إلى رمز تحقق (OTP) من بوابة فاتورة؛ صلاحيته ساعة واحدة ولاستخدام واحد.",
    )


def _other_purpose(run: OnboardingRun) -> Conflict:
    words = {"onboard": "onboarding", "renew": "renewal"}
    return Conflict(
        f"Unit {run.unit_id} has a run of {words[run.purpose]} that is not finished.",
        fix=f"Finish it with `gateway {run.purpose}`, or discard it with --restart and a new OTP.",
        ar=f"للوحدة {run.unit_id} عملية سابقة لم تكتمل. أكملها أولاً أو ابدأ من جديد برمز تحقق جديد.",
    )


def _end(errand: Errand, run: OnboardingRun, why: str) -> None:
    """Close a run and destroy what it had; nothing was ever issued with it."""
    gateway = errand.gateway
    if gateway.ledger.end_onboarding(run, error=why, actor=errand.actor, now=gateway.now()):
        _sweep(errand, run)


def _sweep(errand: Errand, run: OnboardingRun) -> None:
    errand.gateway.stamper.destroy(errand.key(run))
    _forget_compliance(errand, run)


def _forget_compliance(errand: Errand, run: OnboardingRun) -> None:
    """The secret of a compliance certificate that is needed no more."""
    if run.compliance_csid_id:
        errand.gateway.safe.forget(csid_secret(run.taxpayer_id, run.unit_id, run.compliance_csid_id))


def _remember(errand: Errand, error: str) -> None:
    """Why the run stopped, for whoever looks at it later."""
    gateway = errand.gateway
    run = gateway.ledger.open_onboarding(errand.unit.taxpayer_id, errand.unit.id)
    if run and run.step in _GOES_ON:
        gateway.ledger.move_onboarding(run, replace(run, error=error), now=gateway.now())


# -- key, request, first certificate ----------------------------------------------------------------------------------


async def _request(errand: Errand) -> OnboardingRun | Certificate:
    """A new run up to its compliance certificate; a renewal may give the production certificate at once."""
    gateway = errand.gateway
    assert errand.otp is not None, "without an OTP no run begins"
    errand.tell("key and certificate request")
    run, request = await gateway.offload(_begin, errand)
    errand.tell("compliance certificate (CCSID)" if errand.purpose == "onboard" else "renewal")
    try:
        credentials = await errand.ask(request, errand.otp)
        if credentials.is_compliance:
            return await gateway.offload(_keep_compliance, errand, run, credentials)
        return await gateway.offload(_finish, errand, run, credentials)
    except GatewayError as error:
        # Refused, unanswered or for another key: the request is used up.
        await gateway.offload(_end, errand, run, str(error))
        raise


def _begin(errand: Errand) -> tuple[OnboardingRun, bytes]:
    gateway, unit = errand.gateway, errand.unit
    fields, digest = fields_of(unit), request_digest(unit)
    for ended in gateway.ledger.onboardings(unit.taxpayer_id, unit.id):
        if ended.step is Step.ENDED:  # a run that was killed while it was closed may have left its key
            _sweep(errand, ended)
    run = gateway.ledger.begin_onboarding(
        gateway.new_id(),
        taxpayer_id=unit.taxpayer_id,
        unit_id=unit.id,
        purpose=errand.purpose,
        request_digest=digest,
        now=gateway.now(),
        actor=errand.actor,
    )
    public_key = gateway.stamper.create(errand.key(run))
    request = csr(fields, public_key=public_key, sign=errand.sign(run))
    return _moved(errand, run, step=Step.REQUEST), request


def _moved(
    errand: Errand, run: OnboardingRun, *, step: Step, passed: tuple[dict[str, str], ...] | None = None
) -> OnboardingRun:
    changed = replace(run, step=step, passed=run.passed if passed is None else passed, error="")
    return errand.gateway.ledger.move_onboarding(run, changed, now=errand.gateway.now())


def _keep_compliance(errand: Errand, run: OnboardingRun, credentials: Credentials) -> OnboardingRun:
    csid = _sealed(errand, run, errand.gateway.new_id(), "compliance", credentials)
    changed = replace(run, step=Step.CHECKS, compliance_csid_id=csid.id)
    return errand.gateway.ledger.keep_compliance(run, changed, csid, now=errand.gateway.now(), actor=errand.actor)


def _sealed(errand: Errand, run: OnboardingRun, csid_id: str, stage: Stage, credentials: Credentials) -> NewCsid:
    """A CSID whose secret is sealed: one in the ledger without its secret could never be used."""
    gateway, unit = errand.gateway, errand.unit
    certificate = read_certificate(credentials.certificate)
    if certificate.public_key != gateway.stamper.public_key(errand.key(run)):
        # The developer portal answers with one canned certificate for everybody.
        raise BadInput(
            "The authority's certificate is not for this unit's key.",
            fix="Use the simulation environment, or `gateway simulate`; the sandbox answers with a canned certificate.",
            ar="الشهادة الواردة من الهيئة ليست لمفتاح هذه الوحدة.",
        )
    gateway.safe.seal(csid_secret(unit.taxpayer_id, unit.id, csid_id), credentials.secret)
    return NewCsid(
        id=csid_id,
        taxpayer_id=unit.taxpayer_id,
        unit_id=unit.id,
        stage=stage,
        request_id=credentials.request_id,
        token=credentials.token,
        certificate=certificate.text,
        not_before=certificate.not_before,
        not_after=certificate.not_after,
    )


# -- compliance documents ---------------------------------------------------------------------------------------------


def credentials_of_csid(gateway: Gateway, csid: CsidRecord) -> Credentials:
    """The API's name and password that a CSID on record stands for."""
    secret = gateway.safe.open(csid_secret(csid.taxpayer_id, csid.unit_id, csid.id))
    is_compliance = csid.stage == "compliance"
    return Credentials(csid.request_id, csid.token, secret, disposition="ISSUED", is_compliance=is_compliance)


def _compliance(errand: Errand, run: OnboardingRun) -> Credentials:
    assert run.compliance_csid_id, "a run that goes on has its compliance certificate"
    return credentials_of_csid(errand.gateway, errand.gateway.ledger.csid(run.compliance_csid_id))


async def _checks(errand: Errand, run: OnboardingRun, compliance: Credentials) -> OnboardingRun:
    """Have the documents checked that have not passed yet."""
    gateway = errand.gateway
    desk = Desk(gateway, errand.unit, read_certificate(compliance.certificate), errand.sign(run))
    done = {each["name"] for each in run.passed}
    for invoice in compliance_invoices(errand.unit, gateway.now()):
        if name_of(invoice) not in done:
            run = await _check(errand, run, desk, invoice, compliance)
    return await gateway.offload(_moved, errand, run, step=Step.PRODUCTION)


async def _check(
    errand: Errand, run: OnboardingRun, desk: Desk, invoice: Invoice, compliance: Credentials
) -> OnboardingRun:
    name, gateway = name_of(invoice), errand.gateway
    errand.tell(f"compliance check: {name}")
    hashes = [each["hash"] for each in run.passed]
    document = await gateway.offload(compliance_document, desk, invoice, hashes)
    verdict = await errand.lines.authority.check_compliance(
        compliance, Submission(document.uuid, document.hash, document.xml)
    )
    if not verdict.outcome.is_accepted:
        if verdict.outcome is Outcome.CREDENTIALS:
            await gateway.offload(_end, errand, run, "the authority does not accept the compliance certificate")
        raise _not_passed(name, verdict)
    passed = (*(dict(each) for each in run.passed), {"name": name, "hash": document.hash})
    return await gateway.offload(_moved, errand, run, step=Step.CHECKS, passed=passed)


def _not_passed(name: str, verdict: Verdict) -> GatewayError:
    if verdict.outcome is Outcome.CREDENTIALS:
        return BadInput(
            "The authority does not accept the compliance certificate any more (HTTP 401).",
            fix="Begin anew with a new OTP; nothing was issued.",
            ar="لم تعد الهيئة تقبل شهادة الامتثال. ابدأ من جديد برمز تحقق (OTP) جديد.",
        )
    if verdict.outcome in (Outcome.REJECTED, Outcome.TOO_LARGE):
        why = "; ".join(f"{each.rule}: {each.message.en}" for each in verdict.findings) or f"HTTP {verdict.status}"
        return BadInput(
            f"The authority did not accept the compliance check of a {name}: {why}.",
            fix="Correct the unit's data and repeat the command: it goes on from this document. A new OTP is needed"
            " only if what the certificate says changes. Nothing was issued.",
            ar="لم تقبل الهيئة مستند فحص الامتثال. صحّح بيانات الوحدة ثم أعد الأمر ليُستأنف من هذا المستند.",
        )
    return Unavailable(
        f"The authority gave no usable answer to the compliance check of a {name} (HTTP {verdict.status})."
        f" {verdict.detail}".strip(),
        retry_after=verdict.retry_after or 30.0,
        fix="Repeat the command: it goes on from this document, without a new OTP.",
        ar="لم تصل من الهيئة إجابة صالحة لفحص الامتثال. أعد الأمر ليُستأنف من هذا المستند دون رمز تحقق جديد.",
    )


# -- the certificate in use -------------------------------------------------------------------------------------------


async def _production(errand: Errand, run: OnboardingRun, compliance: Credentials) -> Certificate:
    """Ask for the production certificate. Whether an answer was lost cannot be told, so it is asked for again."""
    gateway = errand.gateway
    errand.tell("production certificate (PCSID)")
    try:
        credentials = await errand.lines.authority.production_csid(compliance)
        return await gateway.offload(_finish, errand, run, credentials)
    except Refusal as refusal:
        if refusal.reason == "steps":  # the authority has forgotten documents that passed
            await gateway.offload(_moved, errand, run, step=Step.CHECKS, passed=())
        else:
            await gateway.offload(_end, errand, run, str(refusal))
        raise
    except BadInput as error:
        await gateway.offload(_end, errand, run, str(error))
        raise


def _finish(errand: Errand, run: OnboardingRun, credentials: Credentials) -> Certificate:
    gateway = errand.gateway
    csid = _sealed(errand, run, run.id, "production", credentials)
    changed = replace(run, step=Step.DONE, error="")
    gateway.ledger.finish_onboarding(
        run, changed, csid, actor=errand.actor, continues=errand.continues, now=gateway.now()
    )
    _forget_compliance(errand, run)
    return read_certificate(credentials.certificate)
