"""What goes wrong: slow, lost and strange answers, queued one by one or drawn by chance.

Here is the mechanism; catalogue.py has the answers the authority was seen to give, strict.py draws among them.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol

MAX_DELAY: Final = 600.0
MAX_QUEUED: Final = 10_000
MAX_RETRY_AFTER: Final = 86_400
MAX_QUEUED_TEXT: Final = 50_000_000
"""Characters in the bodies of all faults that are queued."""

NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,100}")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]{0,1000}")
_WITHOUT_BODY: Final = (204, 205, 304)


class Reply(NamedTuple):
    """The answer that a call deserves: HTTP status and JSON body."""

    status: int
    body: Mapping[str, Any]


class Scene(NamedTuple):
    """What a named fault may look at when it makes its answer.

    `right` is the answer the call deserves, None if it was not dealt with; `foreign` turns a cleared document into
    one of somebody else, under a whole stamp; `retry_after` is in seconds.
    """

    path: str
    now: datetime
    right: Reply | None
    foreign: Callable[[bytes], bytes]
    retry_after: int


class Made(NamedTuple):
    """An answer as it goes over the wire."""

    status: int
    body: str
    content_type: str = "application/json"
    headers: Mapping[str, str] = NO_HEADERS


Make = Callable[[Scene], Made | None]
"""Makes the wrong answer; None lets the right one stand."""


@dataclass(frozen=True, slots=True)
class Fault:
    """How one answer goes wrong, or the next `times` answers, or all before `until` by the simulator's clock.

    `status`, `body` and `headers` replace the answer, or `make` does; `drop` breaks the connection off in the middle
    of it, `reset` before its first byte; `refuse` shuts the port for so many seconds besides. With `accept` the
    request is first dealt with as usual and only its answer is lost; without, it never happened. `delay` is in
    seconds; a caller who does not wait that long is dealt with all the same. `endpoint` is the path below the
    environment, such as invoices/clearance/single; empty stands for whichever call comes next, of `paths` if
    there are any. `name` is that of the catalogue.
    """

    status: int | None = None
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS)
    delay: float = 0.0
    drop: bool = False
    accept: bool = False
    endpoint: str = ""
    times: int = 1
    reset: bool = False
    refuse: float = 0.0
    retry_after: int = 7
    until: datetime | None = None
    name: str = ""
    paths: frozenset[str] = frozenset()
    make: Make | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0 <= self.delay <= MAX_DELAY or not 0 <= self.refuse <= MAX_DELAY or not 1 <= self.times <= MAX_QUEUED:
            raise ValueError(f"delay and refuse are 0 to {MAX_DELAY:.0f} seconds, times 1 to {MAX_QUEUED}")
        if not 0 <= self.retry_after <= MAX_RETRY_AFTER:
            raise ValueError(f"retry_after is 0 to {MAX_RETRY_AFTER} seconds")
        if self.until is not None and self.until.tzinfo is None:
            raise ValueError("until is a moment with its zone")
        self._check_answer()

    def _check_answer(self) -> None:
        if self.status is not None and not 200 <= self.status <= 599:
            raise ValueError("status is an HTTP status from 200 to 599")
        if self.status in _WITHOUT_BODY and self.body:
            raise ValueError(f"an answer of status {self.status} has no body")
        for name, value in self.headers.items():
            if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
                raise ValueError(f"the header {name[:100]!r} cannot be sent: letters, digits and -; printable ASCII")
            if name.lower() in ("content-length", "transfer-encoding"):
                raise ValueError(f"the header {name} follows from the body")

    @property
    def spoils_answer(self) -> bool:
        """Whether the answer itself changes, not only its moment."""
        return self.breaks_off or self.status is not None or self.make is not None

    @property
    def breaks_off(self) -> bool:
        """Whether there is no whole answer at all."""
        return self.drop or self.reset

    @property
    def label(self) -> str:
        """Its name, or what a free-form one does."""
        return self.name or ("reset" if self.reset else "drop" if self.drop else str(self.status or "delay"))

    def is_for(self, path: str) -> bool:
        """Whether it may meet a call to this path."""
        return self.endpoint in ("", path) and (not self.paths or path in self.paths)

    def shown(self) -> dict[str, Any]:
        """For the management port."""
        names = "name status body drop reset refuse delay accept endpoint times retry_after".split()
        until = self.until.isoformat() if self.until else None
        return {name: getattr(self, name) for name in names} | {"headers": dict(self.headers), "until": until}


class Chance(Protocol):
    """Draws faults; `draw` gives None if a call goes well, `restart` begins the same series again."""

    def draw(self, path: str, *, is_repeatable: bool) -> Fault | None: ...

    def restart(self) -> None: ...

    def shown(self) -> dict[str, Any]: ...


@dataclass
class Faults:
    """`latency` is waited before every answer, in seconds; `queue` holds what goes wrong next, in order.

    `strict` draws a fault for the calls that nothing is queued for.
    """

    latency: float = 0.0
    queue: list[Fault] = field(default_factory=list)
    strict: Chance | None = None

    def __post_init__(self) -> None:
        self._strict_at_start = self.strict

    def add(self, fault: Fault) -> None:
        """Put a fault at the end of the queue."""
        if len(self.queue) >= MAX_QUEUED:
            raise ValueError(f"at most {MAX_QUEUED} faults are kept")
        if fault.body and len(fault.body) + sum(len(each.body) for each in self.queue) > MAX_QUEUED_TEXT:
            raise ValueError(f"the bodies of all faults that are kept have at most {MAX_QUEUED_TEXT} characters")
        self.queue.append(fault)

    def reset(self) -> None:
        """Empty the queue, and draw as at the start again."""
        self.queue.clear()
        self.strict = self._strict_at_start
        if self.strict:
            self.strict.restart()

    def next(self, path: str, *, now: datetime | None = None, is_repeatable: bool = True) -> Fault | None:
        """The fault for this call, used up by it; None if all goes well.

        `is_repeatable` tells whether the call may be made again if its answer is lost, without anything new from a
        person: chance loses no other answers.
        """
        if now is not None and any(fault.until for fault in self.queue):
            self.queue = [fault for fault in self.queue if fault.until is None or now < fault.until]
        for place, fault in enumerate(self.queue):
            if fault.is_for(path):
                self._use(place, fault)
                return fault
        return self.strict.draw(path, is_repeatable=is_repeatable) if self.strict else None

    def _use(self, place: int, fault: Fault) -> None:
        if fault.until is not None:
            return
        if fault.times > 1:
            self.queue[place] = replace(fault, times=fault.times - 1)
        else:
            del self.queue[place]
