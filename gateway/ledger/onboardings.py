"""Runs to get a unit its certificate: each step is on record before the next begins, so a run goes on where it stopped.

A step is taken only from the step before: of two that work on one run at once, the second is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal

from sqlalchemy import Connection, Row, insert, select, update

from gateway.errors import Conflict
from gateway.ledger.audit import SYSTEM, note
from gateway.ledger.certificates import insert_csid
from gateway.ledger.database import Database
from gateway.ledger.rows import NewCsid
from gateway.ledger.tables import ONBOARDING

Purpose = Literal["onboard", "renew"]
"""What a run is for: a unit's certificate from nothing, or the one that follows the certificate in use."""


class Step(StrEnum):
    """How far a run has come; what the step names is what comes next, or may just have been done without a trace."""

    KEY = "key"  # nothing was sent
    REQUEST = "request"  # the certificate request is on its way, or its answer was lost
    CHECKS = "checks"  # the compliance certificate is there; compliance documents remain
    PRODUCTION = "production"  # every document passed; the production certificate is asked for
    DONE = "done"
    ENDED = "ended"  # came to nothing


_CLOSED: Final = (Step.DONE.value, Step.ENDED.value)
_RUN: Final = ONBOARDING.c


@dataclass(frozen=True, slots=True)
class OnboardingRun:
    """A run; `id` is that of the production CSID to come and names the key. `passed` are the compliance documents the
    authority accepted, in order, each with `name` and `hash`; `error` is why the run stopped last."""

    id: str
    taxpayer_id: str
    unit_id: str
    purpose: Purpose
    request_digest: str
    step: Step
    compliance_csid_id: str | None
    passed: tuple[Mapping[str, str], ...]
    error: str
    created_at: datetime
    changed_at: datetime


class Onboardings:
    """Opening, moving and closing runs."""

    _database: Database

    def open_onboarding(self, taxpayer_id: str, unit_id: str) -> OnboardingRun | None:
        """The unit's run that is not closed; there is one at most."""
        wanted = select(ONBOARDING).where(*_open(taxpayer_id, unit_id))
        with self._database.reading() as connection:
            row = connection.execute(wanted).first()
        return _run(row) if row else None

    def onboardings(self, taxpayer_id: str, unit_id: str) -> tuple[OnboardingRun, ...]:
        """All runs of a unit, oldest first."""
        wanted = select(ONBOARDING).where(_RUN.taxpayer_id == taxpayer_id, _RUN.unit_id == unit_id)
        with self._database.reading() as connection:
            rows = connection.execute(wanted.order_by(_RUN.created_at, _RUN.id)).all()
        return tuple(_run(row) for row in rows)

    def begin_onboarding(
        self,
        run_id: str,
        *,
        taxpayer_id: str,
        unit_id: str,
        purpose: Purpose,
        request_digest: str,
        now: datetime,
        actor: str = SYSTEM,
    ) -> OnboardingRun:
        """A new run; Conflict if one is open."""
        run = OnboardingRun(
            run_id,
            taxpayer_id,
            unit_id,
            purpose,
            request_digest,
            Step.KEY,
            None,
            (),
            "",
            created_at=now,
            changed_at=now,
        )
        with self._database.writing() as connection:
            self._database.lock_taxpayer(connection, taxpayer_id)
            if connection.execute(select(_RUN.id).where(*_open(taxpayer_id, unit_id))).first():
                raise _taken(run)
            connection.execute(insert(ONBOARDING), _values(run))
            self._note_run(connection, run, "onboarding.begun", actor, now, {})
        return run

    def move_onboarding(self, run: OnboardingRun, changed: OnboardingRun, *, now: datetime) -> OnboardingRun:
        """Put `changed` in place of `run`; Conflict if it does not stand there any more."""
        with self._database.writing() as connection:
            return _move(connection, run, changed, now)

    def keep_compliance(
        self, run: OnboardingRun, changed: OnboardingRun, csid: NewCsid, *, now: datetime, actor: str = SYSTEM
    ) -> OnboardingRun:
        """Keep the compliance certificate and the run that has it, both or neither."""
        with self._database.writing() as connection:
            insert_csid(self._database, connection, csid, now=now, actor=actor)
            return _move(connection, run, changed, now)

    def finish_onboarding(
        self, run: OnboardingRun, changed: OnboardingRun, csid: NewCsid, *, now: datetime, actor: str, continues: bool
    ) -> None:
        """Put the production certificate in use and close the run, both or neither; for chains see `add_csid`."""
        with self._database.writing() as connection:
            _move(connection, run, changed, now)
            insert_csid(self._database, connection, csid, now=now, actor=actor, continues=continues)

    def end_onboarding(self, run: OnboardingRun, *, error: str, now: datetime, actor: str = SYSTEM) -> bool:
        """Close a run that came to nothing, whatever its step; False if it was closed before, well or not."""
        here = (_RUN.id == run.id, _RUN.step.not_in(_CLOSED))
        with self._database.writing() as connection:
            values = {"step": Step.ENDED.value, "error": error, "changed_at": now}
            if connection.execute(update(ONBOARDING).where(*here).values(**values)).rowcount == 0:
                return False
            self._note_run(connection, run, "onboarding.ended", actor, now, {"step": run.step.value, "error": error})
        return True

    def _note_run(
        self,
        connection: Connection,
        run: OnboardingRun,
        action: str,
        actor: str,
        now: datetime,
        detail: Mapping[str, Any],
    ) -> None:
        note(
            connection,
            taxpayer_id=run.taxpayer_id,
            actor=actor,
            action=action,
            target=run.unit_id,
            now=now,
            detail={"run": run.id, "purpose": run.purpose, **detail},
        )


def _open(taxpayer_id: str, unit_id: str) -> tuple[Any, ...]:
    return _RUN.taxpayer_id == taxpayer_id, _RUN.unit_id == unit_id, _RUN.step.not_in(_CLOSED)


def _move(connection: Connection, run: OnboardingRun, changed: OnboardingRun, now: datetime) -> OnboardingRun:
    stands = (_RUN.id == run.id, _RUN.step == run.step.value, _RUN.passed == [dict(each) for each in run.passed])
    values = {**_values(changed), "changed_at": now}
    if connection.execute(update(ONBOARDING).where(*stands).values(**values)).rowcount == 0:
        raise _taken(run)
    return changed


def _taken(run: OnboardingRun) -> Conflict:
    return Conflict(
        f"Somebody else is onboarding unit {run.unit_id} at this moment.",
        fix="Look what became of it: `gateway units`. Then repeat it, if need be.",
        ar=f"تجري عملية تسجيل أخرى للوحدة {run.unit_id} في هذه اللحظة. تحقق من نتيجتها ثم أعد المحاولة عند الحاجة.",
    )


def _values(run: OnboardingRun) -> dict[str, Any]:
    return {
        "id": run.id,
        "taxpayer_id": run.taxpayer_id,
        "unit_id": run.unit_id,
        "purpose": run.purpose,
        "request_digest": run.request_digest,
        "step": run.step.value,
        "compliance_csid_id": run.compliance_csid_id,
        "passed": [dict(each) for each in run.passed],
        "error": run.error,
        "created_at": run.created_at,
        "changed_at": run.changed_at,
    }


def _run(row: Row[Any]) -> OnboardingRun:
    return OnboardingRun(
        id=row.id,
        taxpayer_id=row.taxpayer_id,
        unit_id=row.unit_id,
        purpose=row.purpose,
        request_digest=row.request_digest,
        step=Step(row.step),
        compliance_csid_id=row.compliance_csid_id,
        passed=tuple(row.passed),
        error=row.error,
        created_at=row.created_at,
        changed_at=row.changed_at,
    )
