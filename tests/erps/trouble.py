"""What can go wrong with the calls to an ERP, before or after they are done, or long after."""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal

Trouble = Literal["fault before", "fault after", "cut before", "cut after", "late", "502"]
"""Late: the answer is cut off, and the call is done just before the next one; an entry is made so late that another one
may have been made meanwhile."""
LATE_ENTRY = 6
"""Calls until then."""
TROUBLES: tuple[Trouble, ...] = ("fault before", "fault after", "cut before", "cut after", "late", "502")


class Cut(Exception):
    """No answer, or one of the proxy in front."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Troubled:
    """An ERP's calls, one after another. `trouble` is asked about each, by what it is about and what it does."""

    Error: type[Exception]
    MAKES_ENTRY: tuple[str, str]

    def __init__(self) -> None:
        self.trouble: Callable[[str, str], Trouble | None] = lambda about, does: None
        self.calls: list[tuple[str, str]] = []
        self._late: list[tuple[int, Callable[[], Any]]] = []
        self._lock = threading.RLock()

    def fault(self, *, done: bool) -> Exception:
        """What it answers of a call that goes wrong."""
        raise NotImplementedError

    def through(self, about: str, does: str, work: Callable[[], Any]) -> Any:
        """Do it, or what goes wrong with it; raises Error, or Cut for an answer that never comes."""
        with self._lock:
            self._catch_up(len(self.calls))
            self.calls.append((about, does))
            trouble = self.trouble(about, does)
            if trouble == "late":
                later = LATE_ENTRY if (about, does) == self.MAKES_ENTRY else 0
                self._late.append((len(self.calls) + later, work))
            if trouble in ("cut before", "late", "502"):
                raise Cut(502 if trouble == "502" else 0)
            if trouble == "fault before":
                raise self.fault(done=False)
            result = work()
            if trouble == "cut after":
                raise Cut(0)
            if trouble == "fault after":
                raise self.fault(done=True)
            return result

    def _catch_up(self, calls: int) -> None:
        due = [each for each in self._late if each[0] <= calls]
        self._late = [each for each in self._late if each[0] > calls]
        for _, work in due:
            with suppress(self.Error):
                work()

    def come_to_rest(self) -> None:
        """All that is late is done now."""
        self._catch_up(len(self.calls) + LATE_ENTRY)
