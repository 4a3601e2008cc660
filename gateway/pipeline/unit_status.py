"""How a unit stands: its certificate, its chain, what holds it back, and a run that is not finished."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.errors import BadInput
from gateway.finding import Text
from gateway.ledger import CsidRecord, OnboardingRun
from gateway.pipeline.gateway import Gateway
from gateway.pipeline.validity import certificate_warnings, days_left
from gateway.unit import Unit


@dataclass(frozen=True, slots=True)
class UnitStatus:
    """`not_after` and `days_left` are of the certificate in use, None without one; `documents` of the open chain."""

    unit: Unit
    not_after: datetime | None
    days_left: int | None
    revoked_at: datetime | None
    documents: int
    held: str
    run: OnboardingRun | None
    warning: Text | None

    def as_json(self) -> dict[str, Any]:
        """For programs; moments in ISO 8601."""
        run = self.run
        return {
            "taxpayer": self.unit.taxpayer_id,
            "unit": self.unit.id,
            "environment": self.unit.environment.value,
            "invoice_types": self.unit.invoice_types,
            "certificate_until": f"{self.not_after:%Y-%m-%d}" if self.not_after else "not onboarded",
            "not_after": self.not_after.isoformat() if self.not_after else None,
            "days_left": self.days_left,
            "revoked": self.revoked_at.isoformat() if self.revoked_at else None,
            "documents": self.documents,
            "held": self.held,
            "warning": self.warning._asdict() if self.warning else None,
            "run": {"purpose": run.purpose, "step": run.step.value, "error": run.error} if run else None,
        }


def certificate_json(csid: CsidRecord) -> dict[str, Any]:
    """A certificate for programs, without what opens the authority's door."""
    ends = {"retired_at": csid.retired_at, "revoked_at": csid.revoked_at}
    return {
        "id": csid.id,
        "stage": csid.stage,
        "chain": csid.chain_id,
        "certificate": csid.certificate,
        "not_before": csid.not_before.isoformat(),
        "not_after": csid.not_after.isoformat(),
        **{name: moment.isoformat() if moment else None for name, moment in ends.items()},
    }


def unit_status(gateway: Gateway, unit: Unit) -> UnitStatus:
    """The unit as it stands now."""
    ledger, now = gateway.ledger, gateway.now()
    csid = ledger.current_csid(unit.taxpayer_id, unit.id)
    chains = ledger.chains(unit.taxpayer_id, unit.id)
    warnings = certificate_warnings([csid], now) if csid else ()
    return UnitStatus(
        unit=unit,
        not_after=csid.not_after if csid else None,
        days_left=days_left(csid, now) if csid else None,
        revoked_at=csid.revoked_at if csid else None,
        documents=sum(chain.head.icv - 1 for chain in chains if chain.sealed_at is None),
        held=ledger.held(unit.taxpayer_id, unit.id) or "",
        run=ledger.open_onboarding(unit.taxpayer_id, unit.id),
        warning=warnings[0].message if warnings else None,
    )


def release(gateway: Gateway, unit: Unit, *, actor: str) -> None:
    """Let a unit send again what the authority's 401 held back, all or what an older certificate stamped; BadInput if
    it holds nothing back."""
    if not gateway.ledger.holds_back(unit.taxpayer_id, unit.id):
        raise BadInput(f"Unit {unit.id} holds nothing back.", ar=f"الوحدة {unit.id} لا تحتجز أي مستند.")
    gateway.ledger.release_unit(unit.taxpayer_id, unit.id, actor=actor, now=gateway.now())
