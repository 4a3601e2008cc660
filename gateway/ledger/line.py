"""Those who want a document made at the same time: they wait in line, and one of them has it done for all.

Whoever comes while nobody is at work does the work of all who wait, then hands on to the first who came meanwhile. So
there is no thread of the ledger's own, nobody waits who need not, and under load many share one transaction.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from gateway.errors import Unavailable
from gateway.ledger.rows import Appended, Laid, Made, NewSale, Slot

AT_ONCE: Final = 64
"""Documents made in one transaction at most: the first of them is not to wait long for the last."""
AT_ONCE_IN_LOCK: Final = 16
"""The same where they are judged in their chains' locks, for which other processes wait."""


@dataclass(eq=False)
class Waiting:
    """One that waits for its sale's document, and what became of it."""

    sale: NewSale
    make: Callable[[Slot], Made | Laid]
    actor: str
    now: datetime
    looks_back: bool
    made: Appended | None = None
    error: BaseException | None = None
    _called: threading.Event = field(default_factory=threading.Event)

    @property
    def is_decided(self) -> bool:
        return self.made is not None or self.error is not None

    def outcome(self) -> Appended:
        if self.error is not None:
            raise self.error
        assert self.made is not None, "whoever is called is served or works itself"
        return self.made

    def serve(self, made: Appended) -> None:
        """This is its document."""
        self.made = made
        self.call()

    def fail(self, error: BaseException) -> None:
        """It gets no document, for this reason; what was decided before stands."""
        if not self.is_decided:
            self.error = error
            self.call()

    def call(self) -> None:
        """It is served, or its turn to work has come."""
        self._called.set()

    def wait(self) -> None:
        self._called.wait()


Serve = Callable[[list[Waiting]], Callable[[], None]]
"""Makes the documents of all of these, in the lock; what it returns is still to be done before they hear of it, decides
about each of them, and holds up nobody behind."""


class Line:
    """The line of all in this process who want one; `at_once` are served together at most."""

    def __init__(self, serve: Serve, at_once: int) -> None:
        self._serve = serve
        self._at_once = at_once
        self._lock = threading.Lock()
        self._waiting: deque[Waiting] = deque()
        self._is_led = False

    def stand(self, waiting: Waiting) -> Appended:
        """Wait until it is decided, working for others if need be."""
        with self._lock:
            self._waiting.append(waiting)
            leads, self._is_led = not self._is_led, True
        if not leads:
            waiting.wait()
        while not waiting.is_decided:
            self._work(waiting)
        return waiting.outcome()

    def _work(self, leader: Waiting) -> None:
        with self._lock:
            served = [self._waiting.popleft() for _ in range(min(self._at_once, len(self._waiting)))]
        is_last = leader in served
        settled = False
        try:
            conclude = self._serve(served)
            if is_last:
                self._hand_on()
                settled = True
            conclude()
        except BaseException as error:
            _give_up(served, error)
            raise
        finally:
            if is_last and not settled:
                self._hand_on()

    def _hand_on(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting[0].call()
            else:
                self._is_led = False


def _give_up(served: list[Waiting], error: BaseException) -> None:
    """Nobody is left waiting by one that was interrupted; its own error is its own."""
    for each in served:
        each.fail(error if isinstance(error, Exception) else Unavailable("The ledger was interrupted."))
