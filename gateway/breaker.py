"""When a line is not to be tried for a while: the state of a circuit breaker, and how each answer changes it.

A line is the way to the authority as a whole, or that of one unit. After so many failures in a row it opens: nothing is
sent over it. When its pause has passed, one document is let through to probe it; if that fails too, the pause grows.
Any answer that shows the line at work closes it. Pure: moments and pauses are arguments.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

UNIT_LIMIT: Final = 5
"""Failures in a row after which a unit's line opens."""
AUTHORITY_LIMIT: Final = 10
"""Failures in a row, of whichever units, after which the authority's line opens."""

Pause = Callable[[int], timedelta]
"""How long a line stays open, by how often it opened in a row."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """`failures` in a row, `opened` times in a row, not to be tried before `open_until`; `probe` is the document (UUID)
    that tries it."""

    failures: int = 0
    opened: int = 0
    open_until: datetime | None = None
    probe: str = ""

    @property
    def is_closed(self) -> bool:
        """Whether all is well: documents go as they come."""
        return not self.opened

    def is_open(self, now: datetime) -> bool:
        """Whether nothing may be sent."""
        return self.open_until is not None and now < self.open_until

    def probed_by(self, uuid: str, until: datetime) -> "Breaker":
        """Half open: this one document goes, and nothing else until it is back or `until` has come."""
        return replace(self, probe=uuid, open_until=until)

    def failed(self, uuid: str, *, limit: int, now: datetime, pause: Pause) -> "Breaker":
        """After an answer, or none, that shows the line broken. Of an open line only the probe brings news: what was
        under way when it opened does not make its pause longer."""
        counted = replace(self, failures=self.failures + 1)
        if self.opened and uuid != self.probe:
            return counted
        return counted.paused(now, pause) if self.opened or counted.failures >= limit else counted

    def limited(self, uuid: str, *, now: datetime, pause: Pause, asked: timedelta) -> "Breaker":
        """After the authority asked for so much time (429). Many that were under way together are told so together:
        that is one event, and the pause grows by the probe alone."""
        if self.opened and uuid != self.probe:
            return replace(self, open_until=max(self.open_until or now, now + asked))
        return self.paused(now, pause, asked)

    def paused(self, now: datetime, pause: Pause, at_least: timedelta = timedelta()) -> "Breaker":
        """Open at once, as when the authority asks for time (429), for `at_least` what it asked for."""
        opened = self.opened + 1
        until = now + max(pause(opened), at_least)
        if self.open_until and not self.probe:
            until = max(until, self.open_until)
        return replace(self, opened=opened, open_until=until, probe="")


CLOSED: Final = Breaker()
