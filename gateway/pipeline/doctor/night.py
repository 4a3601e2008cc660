"""The nightly examination: once a night the books are looked at by themselves, and what was found is kept.

Every night what is new; once a week everything, from the beginning. It runs in a process of its own and with low
priority, so that nobody waits for it; one that was killed is taken up where it stopped.
"""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, Self

import structlog

from gateway.finding import Severity, Text
from gateway.invoice.facts import RIYADH
from gateway.ledger import Ledger
from gateway.pipeline.doctor.examination import LAST, Examination
from gateway.pipeline.doctor.symptoms import Symptom
from gateway.pipeline.gateway import Gateway
from gateway.settings import Settings

log = structlog.get_logger()

LEASE: Final = timedelta(minutes=10)
RENEW: Final = 120.0
"""Seconds after which a worker says that it is still at it."""
WEEK: Final = timedelta(days=7)
MOST: Final = 100
"""So many symptoms are kept in full; all are counted."""
_RESULT: Final = "night_result"
_BEGUN: Final = "night_begun"
_WHOLE: Final = "night_whole"


@dataclass(frozen=True, slots=True)
class Result:
    """What a night's examination found. `whole` says whether everything was looked at, or what was new."""

    night: date
    ended_at: datetime
    whole: bool
    seen: Mapping[str, int]
    errors: int
    warnings: int
    symptoms: tuple[Symptom, ...]

    def as_json(self) -> dict[str, Any]:
        """As programs read it, and as it is kept."""
        return {
            "night": f"{self.night}",
            "ended_at": self.ended_at.isoformat(),
            "whole": self.whole,
            "seen": dict(self.seen),
            "errors": self.errors,
            "warnings": self.warnings,
            "symptoms": [each.as_json() for each in self.symptoms],
        }

    @classmethod
    def of_json(cls, kept: Mapping[str, Any]) -> Self:
        """The way back."""
        return cls(
            date.fromisoformat(kept["night"]),
            datetime.fromisoformat(kept["ended_at"]),
            kept["whole"],
            kept["seen"],
            kept["errors"],
            kept["warnings"],
            tuple(_symptom(each) for each in kept["symptoms"]),
        )


def _symptom(kept: Mapping[str, Any]) -> Symptom:
    message, fix = Text(**kept["message"]), Text(**kept["fix"])
    return Symptom(kept["code"], kept["where"], message, fix, Severity(kept["severity"]))


def night_of(now: datetime, hour: int) -> date:
    """The night that began last: it bears the day's date, in Riyadh, on whose `hour` it began."""
    local = now.astimezone(RIYADH)
    return local.date() if local.hour >= hour else local.date() - timedelta(days=1)


def last_result(ledger: Ledger) -> Result | None:
    """What the last night found; None if no night was ended yet."""
    try:
        return Result.of_json(json.loads(ledger.mark(_RESULT) or ""))
    except (ValueError, TypeError, KeyError):
        return None


def examine_night(ledger: Ledger, night: date, examination: Examination) -> Result:
    """Examine the books for this night and keep the result. Called again for a night that was not ended, it goes on."""
    last_whole = ledger.mark(_WHOLE)
    is_whole = not last_whole or night - date.fromisoformat(last_whole) >= WEEK
    examination.since, examination.whole_files = LAST, is_whole
    if is_whole and ledger.mark(_BEGUN) != f"{night}":
        ledger.forget_bookmarks()
        ledger.put_mark(_BEGUN, f"{night}")
    found: list[Symptom] = []
    errors = warnings = 0
    for each in examination.symptoms():
        errors, warnings = errors + each.is_error, warnings + (not each.is_error)
        if len(found) < MOST:
            found.append(each)
    now, seen = examination.now(), examination.seen
    result = Result(night, now, is_whole, seen, errors, warnings, tuple(found))
    ledger.put_mark(_RESULT, json.dumps(result.as_json()))
    if is_whole:
        ledger.put_mark(_WHOLE, f"{night}")
    return result


async def examine_tonight(gateway: Gateway, *, worker: str) -> None:
    """Examine the books if it is time and no other worker does; the log tells what was found."""
    hour = gateway.settings.doctor_hour
    if hour is None:
        return
    night = night_of(gateway.now(), hour)
    if not await _takes(gateway, night, worker):
        return
    log.info("night_begun", night=f"{night}")
    before = await gateway.offload(last_result, gateway.ledger)
    complaint = await _in_its_own_process(gateway, night, worker)
    result = await gateway.offload(last_result, gateway.ledger)
    if result is None or result == before:  # its exit code does not tell an accident from books that are not sound
        log.error("night_failed", night=f"{night}", error=complaint)
        return
    await gateway.offload(gateway.ledger.end_night, night, worker=worker, now=gateway.now(), found=by_taxpayer(result))
    _tell(result)


def by_taxpayer(result: Result) -> dict[str, dict[str, Any]]:
    """What was found in the books of each taxpayer, for their events: the codes, and how many are errors."""
    found: dict[str, list[Symptom]] = {}
    for each in result.symptoms:
        found.setdefault(str(each.where.get("taxpayer", "")), []).append(each)
    return {
        owner: {"codes": sorted({each.code for each in some}), "errors": sum(each.is_error for each in some)}
        for owner, some in found.items()
    }


async def _takes(gateway: Gateway, night: date, worker: str) -> bool:
    now = gateway.now()
    return await gateway.offload(gateway.ledger.take_night, night, worker=worker, now=now, until=now + LEASE)


async def _in_its_own_process(gateway: Gateway, night: date, worker: str) -> str:
    """How it ended and what it complained of last; it ends with the worker at the latest."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "doctor", "--night", f"{night}"),
        env=os.environ | _places(gateway.settings),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    ended = asyncio.create_task(process.communicate())
    try:
        while not (await asyncio.wait({ended}, timeout=RENEW))[0]:
            await _takes(gateway, night, worker)
        _, complaint = ended.result()
    finally:
        ended.cancel()
        with suppress(ProcessLookupError):
            process.kill()
    return f"It ended with {process.returncode}. {complaint.decode(errors='replace')[-500:]}".strip()


def _places(settings: Settings) -> dict[str, str]:
    """Where the other process finds what is to be examined."""
    return {
        "GATEWAY_HOME": f"{settings.home}",
        "GATEWAY_DATABASE_URL": settings.ledger_url,
        "GATEWAY_JOURNAL": f"{settings.journal_file}",
        "GATEWAY_CHECKPOINTS": f"{settings.checkpoints_folder}",
    }


def _tell(result: Result) -> None:
    tell = log.error if result.errors else log.info
    tell("night_ended", night=f"{result.night}", errors=result.errors, warnings=result.warnings, **result.seen)
    for each in result.symptoms:
        (log.error if each.is_error else log.warning)("symptom", code=each.code, place=each.place, what=each.message.en)
