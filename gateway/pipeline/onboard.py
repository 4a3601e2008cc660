"""A unit gets its certificate: key and CSR, compliance CSID, the compliance documents, production CSID, its chain.

The compliance documents are tests of the authority's, one of each kind the unit may issue. They are not sales: they
carry the compliance certificate, run on a chain of their own in memory, and are not kept.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Final

from gateway import stamp, ubl
from gateway.authority import Credentials, Submission
from gateway.chain import first_link
from gateway.csid import Certificate, csr, fields_of, read_certificate
from gateway.errors import BadInput
from gateway.invoice.facts import (
    Address,
    Category,
    Heading,
    Identifier,
    Invoice,
    Kind,
    Line,
    Party,
    Profile,
    Tax,
)
from gateway.ledger import NewCsid, Stage
from gateway.pipeline.gateway import Gateway, Lines
from gateway.pipeline.issue import allowed_rules, moment_of_issue, prove
from gateway.pipeline.submit import csid_secret
from gateway.unit import Unit

Tell = Callable[[str], None]
"""Told each step in a few words, for a person who waits."""

_BUYER: Final = Party(
    "شركة نموذجية للفحص | Compliance Sample Co",
    vat="300000000000003",
    id=Identifier("CRN", "1010203040"),
    address=Address("King Fahd Road", "7687", "Al Olaya", "Riyadh", "12262", "SA"),
)
_PROFILES: Final = {
    "1000": (Profile.STANDARD,),
    "0100": (Profile.SIMPLIFIED,),
    "1100": (Profile.STANDARD, Profile.SIMPLIFIED),
}


@dataclass(frozen=True, slots=True)
class _Run:
    """One attempt to onboard a unit. It has a key of its own: the authority takes no request twice, and whatever the
    unit has issued with before goes on undisturbed until the new certificate takes its place."""

    gateway: Gateway
    unit: Unit
    csid_id: str  # of the production CSID to come

    @property
    def key(self) -> str:
        return self.unit.key(self.csid_id)

    def sign(self, message: bytes) -> bytes:
        return self.gateway.stamper.sign(self.key, message)


async def onboard(gateway: Gateway, lines: Lines, unit: Unit, otp: str, tell: Tell) -> Certificate:
    """Take a unit into operation; its certificate. BadInput gives the authority's reason for a refusal.

    A failed run leaves nothing behind and can be repeated with a new OTP. A unit in operation is given a new
    certificate, and with it a new chain.
    """
    run = _Run(gateway, unit, gateway.new_id())
    try:
        return await _onboard(run, lines, otp, tell)
    finally:
        await gateway.offload(_clean_up, run)


async def _onboard(run: _Run, lines: Lines, otp: str, tell: Tell) -> Certificate:
    gateway = run.gateway
    tell("key and certificate request")
    request = await gateway.offload(_request, run)
    tell("compliance certificate (CCSID)")
    compliance = await lines.authority.compliance_csid(request, otp)
    certificate = await gateway.offload(_keep, run, gateway.new_id(), "compliance", compliance)
    for document, name in _compliance_documents(run, certificate, gateway.now()):
        tell(f"compliance check: {name}")
        verdict = await lines.authority.check_compliance(
            compliance, Submission(document.uuid, document.hash, document.xml)
        )
        if not verdict.outcome.is_accepted:
            raise _refused(name, verdict.status, [f"{each.rule}: {each.message.en}" for each in verdict.findings])
    tell("production certificate (PCSID)")
    production = await lines.authority.production_csid(compliance)
    return await gateway.offload(_keep, run, run.csid_id, "production", production)


def _request(run: _Run) -> bytes:
    public_key = run.gateway.stamper.create(run.key)
    return csr(fields_of(run.unit), public_key=public_key, sign=run.sign)


def _clean_up(run: _Run) -> None:
    """The key of a run that came to nothing: nothing was ever issued with it."""
    current = run.gateway.ledger.current_csid(run.unit.taxpayer_id, run.unit.id)
    if current is None or current.id != run.csid_id:
        run.gateway.stamper.destroy(run.key)


def _keep(run: _Run, csid_id: str, stage: Stage, credentials: Credentials) -> Certificate:
    """The CSID and its sealed secret; a production CSID opens its chain."""
    gateway, unit = run.gateway, run.unit
    certificate = read_certificate(credentials.certificate)
    if certificate.public_key != gateway.stamper.public_key(run.key):
        # The developer portal answers with one canned certificate for everybody.
        raise BadInput(
            "The authority's certificate is not for this unit's key.",
            fix="Use the simulation environment, or `gateway simulate`; the sandbox answers with a canned certificate.",
        )
    # The secret first: a CSID in the ledger without its secret could never be used.
    gateway.safe.seal(csid_secret(unit.taxpayer_id, unit.id, csid_id), credentials.secret)
    csid = NewCsid(
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
    gateway.ledger.add_csid(csid, now=gateway.now())
    return certificate


def _compliance_documents(run: _Run, certificate: Certificate, now: datetime) -> Iterator[tuple[stamp.Document, str]]:
    link = first_link()
    for number, invoice in enumerate(compliance_invoices(run.unit, now), start=1):
        heading = Heading(f"COMPLIANCE-{number}", run.gateway.new_id(), moment_of_issue(now))
        document = stamp.stamp(
            ubl.render(invoice, heading, link), sign=run.sign, certificate=certificate, signing_time=heading.issued_at
        )
        allowed = partial(allowed_rules, run.gateway, run.unit.taxpayer_id)
        prove(document, invoice, heading, link, certificate=certificate, now=now, allowed=allowed)
        yield document, f"{invoice.profile.word} {invoice.kind.word.replace('_', ' ')}"
        link = link.next(document.hash)


def compliance_invoices(unit: Unit, now: datetime) -> Iterator[Invoice]:
    """Invoice, credit note and debit note of each profile the unit may issue (three or six documents)."""
    today = moment_of_issue(now).date()
    line = Line("1", "Compliance check", Decimal(1), Decimal("100.00"), Tax(Category.STANDARD, Decimal(15)))
    for profile in _PROFILES[unit.invoice_types]:
        invoice = Invoice(
            kind=Kind.INVOICE,
            profile=profile,
            seller=unit.seller,
            buyer=_BUYER if profile is Profile.STANDARD else None,
            lines=(line,),
            supply_date=today,
            payment_means="10",
        )
        yield invoice
        for kind in (Kind.CREDIT_NOTE, Kind.DEBIT_NOTE):
            yield replace(invoice, kind=kind, references=("COMPLIANCE-1",), reason="Compliance check")


def _refused(name: str, status: int, reasons: list[str]) -> BadInput:
    why = "; ".join(reasons) or f"HTTP {status}"
    return BadInput(
        f"The authority did not accept the compliance check of a {name}: {why}.",
        fix="Correct the unit's data and onboard again with a new OTP; nothing was issued.",
    )
