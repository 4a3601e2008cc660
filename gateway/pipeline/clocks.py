"""Two clocks held against each other: ours, by which documents are issued, and the authority's, by which it judges.

The difference is read off the `Date` of the authority's answers and kept in the ledger, so that all processes of an
installation know it. A clock that goes wrong makes documents of a moment that is not theirs (BR-KSA-04), for good.
"""

import json
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from gateway.errors import Unavailable
from gateway.invoice.facts import RIYADH
from gateway.ledger import Ledger

MAX_SKEW: Final = timedelta(seconds=60)
"""How far the two may differ before nothing is issued; an answer may be half a minute on its way."""
MARK: Final = "authority_clock"
_FORGOTTEN_AFTER: Final = timedelta(hours=1)
_KEPT_EVERY: Final = timedelta(minutes=10)
_CHANGE: Final = timedelta(seconds=5)
_SECOND: Final = 1.0
"""An answer's date has whole seconds, so a clock that is right seems up to one ahead of it."""


class Skew(NamedTuple):
    """How many seconds the authority's clock was ahead of ours, and when that was seen."""

    seconds: float
    at: datetime

    @property
    def is_wrong(self) -> bool:
        return abs(self.seconds) > MAX_SKEW.total_seconds()


class Clocks:
    """What is known of the difference."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def saw(self, date: datetime, now: datetime, *, began: datetime | None = None) -> Skew | None:
        """An answer said `date`; its exchange `began` here and was over by `now`. The difference, if it is news and was
        put on record: none where the answer may have been written in between, however late it came to be looked at."""
        # Compared with what is on record, not with what this process saw last: another may have seen a clock that is
        # right by now, and nothing is issued until that is on record.
        seen, kept = Skew(_apart(date, min(began or now, now), now), now), self.skew()
        is_recent = kept is not None and timedelta() <= now - kept.at < _KEPT_EVERY
        if kept and is_recent and abs(seen.seconds - kept.seconds) < _CHANGE.total_seconds():
            return None
        self._ledger.put_mark(MARK, json.dumps({"skew": seen.seconds, "at": seen.at.isoformat()}))
        return seen

    def skew(self) -> Skew | None:
        """The last difference on record; None where there is none that can be read."""
        try:
            kept = json.loads(self._ledger.mark(MARK) or "")
            return Skew(float(kept["skew"]), datetime.fromisoformat(kept["at"]))
        except (ValueError, TypeError, KeyError):
            return None

    def day_begins(self, issued_at: datetime) -> datetime | None:
        """When, by our clock, the authority's day is that of a document issued in its first minute, which would be
        rejected for good before (BR-KSA-04). None if there is nothing to wait for."""
        day = issued_at.astimezone(RIYADH).replace(hour=0, minute=0, second=0, microsecond=0)
        skew = self.skew() if issued_at - day <= MAX_SKEW else None
        if skew is None or skew.seconds > -_SECOND:
            return None
        return day + timedelta(seconds=-skew.seconds) + _CHANGE

    def check(self, now: datetime, *, ever: bool = False) -> None:
        """Unavailable if the clock here was seen to be wrong within the hour: nothing is issued by it. With `ever`, if
        it was when it was last seen, whenever that was: the hour is measured by the same clock."""
        skew = self.skew()
        if skew is None or not skew.is_wrong or (not ever and abs(now - skew.at) > _FORGOTTEN_AFTER):
            return
        late = "behind" if skew.seconds > 0 else "ahead of"
        raise Unavailable(
            f"The clock of this machine is {abs(skew.seconds):.0f} seconds {late} the authority's.",
            retry_after=60,
            fix="Set the clock right (NTP); the next answer of the authority shows that it is.",
            ar="ساعة هذا الخادم تختلف عن ساعة الهيئة بأكثر من دقيقة. اضبط ساعة الخادم (NTP) ثم أعد المحاولة.",
        )


def _apart(date: datetime, began: datetime, now: datetime) -> float:
    """How many seconds a moment lies before (negative) or after the time from `began` to `now`."""
    return (date - min(max(date, began), now)).total_seconds()
