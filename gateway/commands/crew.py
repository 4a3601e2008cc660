"""The same work on many things by several processes, answered in the order of the things.

Each process has a pipe of its own, so when one dies it is known which thing it had in hand: that one is answered by
`lost`, another process takes the empty place, and nothing else is lost. Few things are under way at a time, however
many there are in all. What the things are is not known here.
"""

import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Final, Generic, Self, TypeVar

from gateway.errors import GatewayError, Misconfigured

AHEAD: Final = 32
"""How many things for each process are under way, or done and waiting for an earlier answer."""

MAX_BATCH: Final = 8
"""How many things a process is given at once at most."""

MAX_DEATHS: Final = 20
"""After so many deaths in a row, without an answer, it is not the things that kill the processes."""

T = TypeVar("T")
R = TypeVar("R")
_SPAWN: Final = get_context("spawn")  # a fork would share open files, and not every library survives one


class _Task(Generic[T, R]):
    """One thing, and its answer once there is one."""

    def __init__(self, thing: T) -> None:
        self.thing = thing
        self.answers: list[R] = []


class _Worker(Generic[T, R]):
    """One process and the tasks it was given, the first of which it has in hand."""

    def __init__(self, work: Callable[[T], R]) -> None:
        self.pipe, theirs = _SPAWN.Pipe()
        self.tasks: deque[_Task[T, R]] = deque()
        self._process = _SPAWN.Process(target=_labour, args=(work, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def give(self, tasks: Iterable[_Task[T, R]]) -> None:
        """Only to one that has nothing to do and so listens."""
        assert not self.tasks
        self.tasks.extend(tasks)
        with suppress(OSError):  # it is dead already, which the silence on its pipe will tell
            self.pipe.send([task.thing for task in self.tasks])

    def end(self) -> None:
        self.pipe.close()
        self._process.terminate()
        self._process.join()


class Crew(Generic[T, R]):
    """Up to `jobs` processes that do `work`, which travels to them and so must be known by name; so must what it
    takes and gives. A GatewayError that it raises ends the whole."""

    def __init__(self, work: Callable[[T], R], jobs: int, *, lost: Callable[[T], R]) -> None:
        self._work, self._jobs, self._lost = work, jobs, lost
        self._workers: list[_Worker[T, R]] = []
        self._done = 0
        self._deaths = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.end()

    def in_order(self, things: Iterable[T]) -> Iterator[R]:
        """The answers; Misconfigured if no process lives long enough to give one."""
        coming = iter(things)
        tasks: deque[_Task[T, R]] = deque()
        while True:
            while len(tasks) < AHEAD * self._jobs and self._has_room() and (batch := self._batch(coming)):
                self._idle().give(batch)
                tasks.extend(batch)
            if not tasks:
                return
            self._gather()
            while tasks and tasks[0].answers:
                yield tasks.popleft().answers[0]

    def _batch(self, coming: Iterator[T]) -> list[_Task[T, R]]:
        """One at a time at first, so that few are shared out evenly; then more, for each errand takes time."""
        size = min(MAX_BATCH, 1 + self._done // (4 * self._jobs))
        return [_Task(thing) for thing in islice(coming, size)]

    def _has_room(self) -> bool:
        return len(self._workers) < self._jobs or any(not worker.tasks for worker in self._workers)

    def _idle(self) -> _Worker[T, R]:
        for worker in self._workers:
            if not worker.tasks:
                return worker
        self._workers.append(_Worker(self._work))
        return self._workers[-1]

    def _gather(self) -> None:
        """Wait for answers or a death, and note what there is."""
        busy = [worker for worker in self._workers if worker.tasks]
        ready = wait([worker.pipe for worker in busy])
        for worker in busy:
            if worker.pipe in ready:
                in_hand = worker.tasks[0]
                in_hand.answers.append(self._answer(worker))
                worker.tasks.popleft()
                self._done += 1

    def _answer(self, worker: _Worker[T, R]) -> R:
        try:
            answer = worker.pipe.recv()
        except (EOFError, OSError):
            return self._after_death(worker)
        if isinstance(answer, GatewayError):
            raise answer
        self._deaths = 0
        return answer  # type: ignore[no-any-return]

    def _after_death(self, worker: _Worker[T, R]) -> R:
        """The thing it had in hand is lost; the others that it was given go to another."""
        worker.end()
        self._workers.remove(worker)
        self._deaths += 1
        if self._deaths > MAX_DEATHS:
            raise Misconfigured("The processes end before they have done anything.", fix="Try with one: --jobs 1.")
        lost, *others = worker.tasks
        if others:
            another: _Worker[T, R] = _Worker(self._work)
            self._workers.append(another)
            another.give(others)
        return self._lost(lost.thing)


def _labour(work: Callable[[T], R], pipe: Connection) -> None:
    """The life of a process: one thing after another, until its pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asked decides what Ctrl-C means
    with suppress(EOFError, BrokenPipeError):
        while True:
            for thing in pipe.recv():
                try:
                    pipe.send(work(thing))
                except GatewayError as error:
                    pipe.send(error)
