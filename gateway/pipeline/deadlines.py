"""The deadline clock: what the authority should have by now and does not, and the alarms about it.

A simplified document is reported within 24 hours of issue (BR-KSA-98, regulation R4); a standard one is cleared before
its buyer may have it (R3), so every hour is late for it. Documents of a held unit and notes that wait for their
original count, for their time runs all the same. Rejected ones count until they are replaced: the sale is not reported.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from gateway.finding import Text
from gateway.invoice.facts import RIYADH, Profile
from gateway.issued import REPORTING_WINDOW, Status
from gateway.ledger import Backlog, Band, Crossing
from gateway.pipeline.gateway import Gateway

log = structlog.get_logger()

LEVELS: Final[Mapping[Profile, tuple[int, ...]]] = {Profile.SIMPLIFIED: (6, 12, 20, 23, 24), Profile.STANDARD: (1, 24)}
"""Hours after issue at which an alarm is raised, each once a document."""
GRAVE: Final = 20
"""From this level on an alarm is an error in the log: there is little time left to do something."""
LATE: Final = 24
"""The level at which the law's time is over for a simplified document."""


@dataclass(frozen=True, slots=True)
class Alarm(Crossing):
    """Documents of a unit that have just reached a level of hours after issue. `left` is until the 24 hours of the
    oldest are over, negative after; None for standard documents."""

    left: timedelta | None

    @property
    def is_grave(self) -> bool:
        """Whether it is an error rather than a warning."""
        return self.level >= GRAVE

    @property
    def advice(self) -> str:
        """What an operator does about it."""
        return advice(self.profile, self.level).en


def level(profile: Profile, issued_at: datetime, now: datetime) -> int:
    """The last level that a document of this age has reached, in hours; 0 for none."""
    return max((hours for hours in LEVELS[profile] if now - issued_at >= timedelta(hours=hours)), default=0)


def bands(now: datetime) -> tuple[Band, ...]:
    """The same for the ledger to ask by: between which moments the documents of each level were issued."""
    found = []
    for profile, levels in LEVELS.items():
        for hours, following in zip(levels, (*levels[1:], None), strict=True):
            after = None if following is None else now - timedelta(hours=following)
            found.append(Band(profile, hours, after, now - timedelta(hours=hours)))
    return tuple(found)


def raise_alarms(gateway: Gateway) -> list[Alarm]:
    """Raise the alarms that are due now, in the log and the audit log. To be called about once a minute, by any number
    of workers: none is raised twice. It only reads while none is due."""
    now = gateway.now()
    due = bands(now)
    if not gateway.ledger.is_alarm_due(due):
        return []
    alarms = [
        Alarm(**asdict(each), left=time_left(each.profile, each.issued_at, now))
        for each in gateway.ledger.raise_alarms(due, now=now)
    ]
    for alarm in alarms:
        _tell(alarm)
    return alarms


def time_left(profile: Profile, issued_at: datetime, now: datetime) -> timedelta | None:
    """Until it has to be reported, negative once that is past; None for standard documents."""
    return issued_at + REPORTING_WINDOW - now if profile is Profile.SIMPLIFIED else None


def hours_and_minutes(duration: timedelta) -> str:
    """As people read it: 3:07, -0:12. Seconds are left away."""
    minutes = int(abs(duration).total_seconds()) // 60
    sign = "-" if duration < timedelta() and minutes else ""
    return f"{sign}{minutes // 60}:{minutes % 60:02d}"


_UNCLEARED: Final = Text(
    "Standard documents are cleared before buyers get them: see why these are not. While the authority does not"
    " answer, the connection's setting authority_down decides whether buyers get the uncleared document.",
    "تُعتمد الفواتير الضريبية قبل تسليمها للمشتري: ابحث عن سبب عدم اعتماد هذه المستندات. وما دامت الهيئة لا تجيب"
    " فإن الإعداد authority_down يحدد هل يُعطى المشتري المستند غير المعتمد.",
)
_OVER: Final = Text(
    "Their 24 hours are over: report them at once all the same, and notify the authority of the failure.",
    "انقضت مهلة الأربع والعشرين ساعة: بلّغ عنها فورًا مع ذلك، وأشعر الهيئة بالعطل.",
)
_UNREPORTED: Final = Text(
    "Simplified documents are reported within 24 hours of issue: see why these are not.",
    "يُبلَّغ عن الفواتير المبسطة خلال 24 ساعة من إصدارها: ابحث عن سبب عدم التبليغ عن هذه المستندات.",
)


def advice(profile: Profile, reached: int) -> Text:
    """What is to be done at a level."""
    if profile is Profile.STANDARD:
        return _UNCLEARED
    return _OVER if reached >= LATE else _UNREPORTED


def backlog(gateway: Gateway, taxpayer_id: str | None = None, *, since: datetime | None = None) -> tuple[Backlog, ...]:
    """What the authority does not have now, of one taxpayer or all, by unit and profile."""
    return gateway.ledger.backlog(bands(gateway.now()), taxpayer_id, since=since)


def soonest_first(found: Sequence[Backlog]) -> list[Backlog]:
    """In the order in which somebody has to look at them."""
    return sorted(found, key=lambda each: (-each.level, each.first_at))


def backlog_json(unit: Backlog, now: datetime) -> dict[str, Any]:
    """As programs read it; `hours_left` is of the oldest document, negative once it is late, null for standard ones."""
    left = time_left(unit.profile, unit.first_at, now)
    return {
        "taxpayer": unit.taxpayer_id,
        "unit": unit.unit_id,
        "profile": unit.profile.word,
        "open": unit.count,
        "held": unit.held,
        "rejected": unit.with_status(Status.REJECTED),
        "late": unit.from_level(LATE),
        "oldest": unit.first,
        "issued_at": unit.first_at.astimezone(RIYADH).isoformat(),
        "hours_left": None if left is None else round(left / timedelta(hours=1), 2),
        "level": unit.level,
    }


def _tell(alarm: Alarm) -> None:
    say = log.error if alarm.is_grave else log.warning
    more = {} if alarm.left is None else {"left": hours_and_minutes(alarm.left)}
    say(
        "unreported" if alarm.profile is Profile.SIMPLIFIED else "uncleared",
        taxpayer=alarm.taxpayer_id,
        unit=alarm.unit_id,
        hours=alarm.level,
        documents=alarm.count,
        rejected=alarm.rejected,
        oldest=alarm.oldest,
        issued_at=alarm.issued_at.isoformat(),
        advice=alarm.advice,
        **more,
    )
