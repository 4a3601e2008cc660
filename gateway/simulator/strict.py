"""Strict clients: faults drawn by chance from a seed, so that only a client that is right gets through."""

import random
from dataclasses import dataclass, field, replace
from typing import Any, Final

from gateway.simulator.catalogue import CATALOGUE, SURVIVABLE
from gateway.simulator.faults import MAX_DELAY, MAX_RETRY_AFTER, Fault

_SILENT: Final = ("stall",)
_LATE: Final = ("latency",)


@dataclass
class Strict:
    """Chance: `rate` of all calls meet one of `faults`, the same ones for the same seed and order of calls.

    `faults` are names of the catalogue, left out: those that a correct client survives without a person.
    `endpoints` are the paths that faults come to, left out: all. Answers lost after the request was dealt with come
    only where the call can be made again. `delay` is how late a late answer is, `stall` how long a silent one is
    silent, both in seconds; `retry_after` is what a 429 asks for. ValueError if one of them cannot be.
    """

    seed: int = 1
    rate: float = 0.3
    faults: tuple[str, ...] = SURVIVABLE
    endpoints: frozenset[str] = frozenset()
    delay: float = 0.01
    stall: float = 0.05
    retry_after: int = 0
    _random: random.Random = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        unknown = sorted(set(self.faults) - set(CATALOGUE))
        if unknown or not self.faults:
            raise ValueError(f"no fault of the catalogue: {', '.join(unknown) or 'none is named'}")
        if not 0 <= self.rate <= 1:
            raise ValueError("rate is from 0 to 1")
        if not 0 <= self.delay <= MAX_DELAY or not 0 <= self.stall <= MAX_DELAY:
            raise ValueError(f"delay and stall are 0 to {MAX_DELAY:.0f} seconds")
        if not 0 <= self.retry_after <= MAX_RETRY_AFTER:
            raise ValueError(f"retry_after is 0 to {MAX_RETRY_AFTER} seconds")
        self.restart()

    def restart(self) -> None:
        """Begin the series of this seed again."""
        self._random = random.Random(self.seed)  # noqa: S311, a series that can be had again

    def draw(self, path: str, *, is_repeatable: bool) -> Fault | None:
        """The fault for one call, None if it goes well."""
        lot = self._random.random()
        if lot >= self.rate or (self.endpoints and path not in self.endpoints):
            return None
        rows = [CATALOGUE[name].fault for name in self.faults]
        fitting = [fault for fault in rows if fault.is_for(path) and (is_repeatable or not _loses(fault))]
        return self._timed(self._random.choice(fitting)) if fitting else None

    def _timed(self, fault: Fault) -> Fault:
        delay = self.delay if fault.name in _LATE else self.stall if fault.name in _SILENT else 0.0
        return replace(fault, delay=delay, retry_after=self.retry_after)

    def shown(self) -> dict[str, Any]:
        """For the management port."""
        names = "seed rate delay stall retry_after".split()
        shown = {name: getattr(self, name) for name in names}
        return shown | {"faults": list(self.faults), "endpoints": sorted(self.endpoints)}


def _loses(fault: Fault) -> bool:
    """Whether the right answer is lost after the request was dealt with."""
    return fault.accept and fault.spoils_answer
