"""Where an element stands, as far as some paths ask: a machine that follows all of them at once, step by step.

It is made once for a set of paths and then shared by all documents. It knows names of elements, not elements.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

T = TypeVar("T")

_ANY: Final = "*"
_MAX_REMEMBERED: Final = 1000
"""How many names below a place are remembered; a document may invent as many as it likes."""


class Path(NamedTuple):
    """The steps of an XPath, outermost first: `/a/b` from the root, `a/b` anywhere, `*` any element."""

    steps: tuple[str, ...]
    from_root: bool


class Machine(Generic[T]):
    """Follows the paths; `decide` says what it means that some of them, by their indices, lead to an element."""

    def __init__(self, paths: Sequence[Path], decide: Callable[[Sequence[int]], T]) -> None:
        self._paths = paths
        self._decide = decide
        self._places: dict[frozenset[tuple[int, int]], Place[T]] = {}
        anywhere = [index for index, path in enumerate(paths) if not path.from_root]
        self._begin = frozenset((index, 0) for index in anywhere)
        self.start = Place(self, frozenset((index, 0) for index in range(len(paths))), decide(()))

    def step(self, followed: frozenset[tuple[int, int]], tag: str) -> Place[T]:
        """The place of an element of that name below one where the paths were followed so far."""
        taken = [
            (index, done + 1)
            for index, done in followed | self._begin
            if done < len(self._paths[index].steps) and self._paths[index].steps[done] in (tag, _ANY)
        ]
        key = frozenset(taken)
        if key not in self._places:
            ends = sorted(index for index, done in taken if done == len(self._paths[index].steps))
            self._places[key] = Place(self, key, self._decide(ends))
        return self._places[key]


class Place(dict[str, "Place[T]"], Generic[T]):
    """All places with the same paths behind them are one; as a mapping it gives the places of the children by name."""

    def __init__(self, machine: Machine[T], followed: frozenset[tuple[int, int]], meaning: T) -> None:
        super().__init__()
        self._machine = machine
        self._followed = followed
        self.meaning = meaning

    def __missing__(self, tag: str) -> Place[T]:
        place = self._machine.step(self._followed, tag)
        if len(self) < _MAX_REMEMBERED:
            self[tag] = place
        return place
