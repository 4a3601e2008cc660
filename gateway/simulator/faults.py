"""What goes wrong on demand: slow, lost and strange answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

MAX_DELAY: Final = 600.0
MAX_QUEUED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Fault:
    """How one answer goes wrong, or the next `times` answers.

    `status`, `body` and `headers` replace the answer; `drop` breaks the connection off in the middle of it. With
    `accept` the request is first dealt with as usual and only its answer is lost; without, it never happened.
    `delay` is in seconds; a caller who does not wait that long is dealt with all the same. `endpoint` is the path
    below the environment, such as invoices/clearance/single; empty stands for whichever call comes next.
    """

    status: int | None = None
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    delay: float = 0.0
    drop: bool = False
    accept: bool = False
    endpoint: str = ""
    times: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.delay <= MAX_DELAY or not 1 <= self.times <= MAX_QUEUED:
            raise ValueError(f"delay is 0 to {MAX_DELAY:.0f} seconds, times 1 to {MAX_QUEUED}")
        if self.status is not None and not 200 <= self.status <= 599:
            raise ValueError("status is an HTTP status from 200 to 599")

    @property
    def spoils_answer(self) -> bool:
        """Whether the answer itself changes, not only its moment."""
        return self.drop or self.status is not None


@dataclass
class Faults:
    """`latency` is waited before every answer, in seconds; `queue` holds what goes wrong next, in order."""

    latency: float = 0.0
    queue: list[Fault] = field(default_factory=list)

    def add(self, fault: Fault) -> None:
        """Put a fault at the end of the queue."""
        if len(self.queue) >= MAX_QUEUED:
            raise ValueError(f"at most {MAX_QUEUED} faults are kept")
        self.queue.append(fault)

    def next(self, endpoint: str) -> Fault | None:
        """The fault for this call, used up by it; None if all goes well."""
        for place, fault in enumerate(self.queue):
            if fault.endpoint in ("", endpoint):
                if fault.times > 1:
                    self.queue[place] = replace(fault, times=fault.times - 1)
                else:
                    del self.queue[place]
                return fault
        return None
