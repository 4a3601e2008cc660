"""For monitoring: the state of the installation in the Prometheus text format, version 0.0.4.

Counts, ages and names of taxpayers and units; no document, no buyer, no secret. Labels have few values: units, levels,
statuses and outcomes are ours, and of the authority's rules only the most frequent are named.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from fastapi import APIRouter, Request, Response

from gateway.api.access import Served
from gateway.errors import Unavailable
from gateway.issued import Status
from gateway.ledger import Backlog, CheckpointFiles
from gateway.pipeline.deadlines import LEVELS, backlog
from gateway.pipeline.doctor import last_result
from gateway.pipeline.gateway import Gateway

router = APIRouter(tags=["operation"])

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
KEPT_FOR: Final = 1.0
"""Seconds for which an answer serves again: whoever asks all the time does not keep the ledger busy."""
MOST_RULES: Final = 50
"""So many rules of the authority are named; all others are one, `other`."""
_MONTH: Final = timedelta(days=30)
_DAY: Final = timedelta(days=1)

Samples = Iterable[tuple[Mapping[str, str], float]]


class Family(NamedTuple):
    """One measure: its name after `gateway_`, what it is, and its values by labels. All are gauges: they are read from
    the ledger, and a ledger may be replaced by an older one, or since this process started."""

    name: str
    meaning: str
    samples: Samples


@router.get(
    "/metrics",
    summary="What monitoring watches",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}},
)
async def get_metrics(request: Request, gateway: Served) -> Response:
    """Documents the authority does not have by age, submissions, attempts, breakers, certificates, clock, queues,
    warnings; in the text format of Prometheus."""
    kept: Kept = request.app.state.metrics
    return Response(await kept.text(gateway), media_type=MEDIA_TYPE)


class Kept:
    """The last answer, made anew by one caller at a time when it is older than a second."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._text = ""
        self._until = 0.0

    async def text(self, gateway: Gateway) -> str:
        """All measures, at most `KEPT_FOR` seconds old."""
        clock = asyncio.get_running_loop().time
        async with self._turn:
            if clock() >= self._until:
                self._text = await gateway.offload(exposition, gateway)
                self._until = clock() + KEPT_FOR
            return self._text


def exposition(gateway: Gateway) -> str:
    """All measures in the text format; while the ledger cannot be read, those alone that say so."""
    shown = [_shown(family) for family in _of_reach(gateway)]
    with suppress(Unavailable):
        shown += [_shown(family) for family in _families(gateway, gateway.now())]
    return "".join(shown)


def _of_reach(gateway: Gateway) -> Iterator[Family]:
    ledger = gateway.ledger
    yield Family("ledger_up", "1 if the ledger answers and can be written.", [({}, ledger.health() == "ok")])
    yield Family("journal_up", "1 if the head journal can be written.", [({}, ledger.journal_health() == "ok")])
    yield Family(
        "ledger_refusals",
        "How often this process found the ledger busy, full or gone since it started.",
        _by("why", ledger.refusals()),
    )


def _families(gateway: Gateway, now: datetime) -> Iterator[Family]:
    yield from _of_documents(gateway, now)
    yield from _of_sending(gateway, now)
    yield from _of_units(gateway, now)
    skew = gateway.clocks.skew()
    if skew:
        yield Family("authority_clock_skew_seconds", "Last difference between the authority's clock and ours.",
                     [({}, skew.seconds)])  # fmt: skip
    yield from _of_records(gateway, now)
    rules = _named(gateway.ledger.warnings_by_rule(since=now - _MONTH))
    yield Family("authority_warnings", "Warnings of the authority in the last 30 days, by rule.", _by("rule", rules))


def _of_documents(gateway: Gateway, now: datetime) -> Iterator[Family]:
    found = backlog(gateway)
    yield Family(
        "unreported_documents",
        "Documents the authority does not have, by the hours they have reached since issue (see the alarms).",
        [
            ({**_unit(each.taxpayer_id, each.unit_id), "profile": each.profile.word, "hours": str(hours)}, count)
            for each in found
            for hours, count in _by_age(each).items()
        ],
    )
    yield Family(
        "unreported_oldest_seconds",
        "Age of the oldest document that the authority does not have.",
        [
            ({**_unit(each.taxpayer_id, each.unit_id), "profile": each.profile.word},
             (now - each.first_at).total_seconds())
            for each in found
        ],
    )  # fmt: skip


def _by_age(unit: Backlog) -> dict[int, int]:
    """Every level is shown, so that a series does not end when it is zero."""
    counts = dict.fromkeys((0, *LEVELS[unit.profile]), 0)
    for part in unit.parts:
        counts[part.level] += part.documents
    return counts


def _of_sending(gateway: Gateway, now: datetime) -> Iterator[Family]:
    ledger = gateway.ledger
    statuses = {status.value: 0 for status in Status} | dict(ledger.submissions_by_status())
    yield Family("submissions", "Documents by their status with the authority.", _by("status", statuses))
    outcomes = ledger.attempts_by_outcome(since=now - _DAY)
    yield Family("attempts", "Exchanges about documents of the last 24 hours, by outcome.", _by("outcome", outcomes))
    lines = ledger.broken_lines()
    yield Family("breakers_open", "Lines to the authority that are down.", [({}, len(lines))])
    yield Family("breaker_open", "1 for each of them.", [({"scope": line.scope}, 1) for line in lines])
    yield Family("queue_depth", "Work that is not done, by kind.", _by("kind", ledger.queue_depths()))


def _of_units(gateway: Gateway, now: datetime) -> Iterator[Family]:
    held = {(each.taxpayer_id, each.unit_id) for each in gateway.ledger.held_units()}
    yield Family(
        "unit_held",
        "1 for a unit that sends nothing until a person has looked.",
        [(_unit(each.taxpayer_id, each.id), (each.taxpayer_id, each.id) in held) for each in gateway.ledger.units()],
    )
    yield Family(
        "certificate_days_left",
        "Days until the certificate a unit issues with ends; negative after.",
        [
            (_unit(each.taxpayer_id, each.unit_id), round((each.not_after - now) / _DAY, 2))
            for each in gateway.ledger.certificate_ends()
        ],
    )


def _of_records(gateway: Gateway, now: datetime) -> Iterator[Family]:
    """Whether the audit log is sealed, its checkpoints written and the books examined, and what was found."""
    since = gateway.ledger.audit_waiting().since
    waited = (now - since).total_seconds() if since else 0
    yield Family("audit_unsealed_seconds", "How long an entry of the audit log waits for its seal.", [({}, waited)])
    written = CheckpointFiles(gateway.settings.checkpoints_folder).written_at()
    yield Family(
        "checkpoint_age_seconds",
        "Time since a checkpoint of the audit log was written last.",
        [({}, (now - written).total_seconds())] if written else [],
    )
    night = last_result(gateway.ledger)
    yield Family(
        "books_examined_age_seconds",
        "Time since the last nightly examination of the books ended.",
        [({}, (now - night.ended_at).total_seconds())] if night else [],
    )
    yield Family(
        "books_wrong",
        "What the last nightly examination found, by severity.",
        _by("severity", {"error": night.errors, "warning": night.warnings}) if night else [],
    )


def _unit(taxpayer_id: str, unit_id: str) -> dict[str, str]:
    return {"taxpayer": taxpayer_id, "unit": unit_id}


def _by(label: str, counts: Mapping[str, int]) -> Samples:
    return [({label: name}, count) for name, count in sorted(counts.items())]


def _named(rules: Mapping[str, int]) -> dict[str, int]:
    """The most frequent by name, the others together: what the authority calls its rules is not ours to bound."""
    ranked = sorted(rules.items(), key=lambda item: (-item[1], item[0]))
    others = sum(count for _, count in ranked[MOST_RULES:])
    return dict(ranked[:MOST_RULES]) | ({"other": others} if others else {})


def _shown(family: Family) -> str:
    name = f"gateway_{family.name}"
    lines = [f"# HELP {name} {family.meaning}", f"# TYPE {name} gauge"]
    lines += [f"{name}{_labels(labels)} {float(value):.15g}" for labels, value in family.samples]
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
