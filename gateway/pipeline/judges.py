"""Processes that prove documents beside the one that makes them, so that all cores of a machine issue.

A judge is handed whole cases and knows nothing else: no ledger, no key, no setting. It may die or hang at any moment:
what it had is then proved by whoever waits for it, and another judge takes its place.
"""

import gc
import os
import pickle
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Final, NamedTuple, Self

import structlog

from gateway.pipeline.proof import Case, Proof, prove

log = structlog.get_logger()

AT_ONCE: Final = 4
"""Cases that are handed over together at most: what they share, such as the seller, is then sent once."""
AHEAD: Final = 2
"""Parcels a judge has at most, so that it has work while its answer is fetched."""
PATIENCE: Final = 10.0
"""Seconds after which a judge that has work and says nothing is taken to hang."""
REPLACED_AFTER: Final = 5.0
"""Seconds between two judges in one place: one that cannot live must not be born all the time."""
_ELSEWHERE: Final = 0.001
"""Seconds until one looks again for a case that another thread of this process is proving."""
_READY: Final = b"ready"
_WORK: Final = "import sys; from gateway.pipeline.judges import work; work(int(sys.argv[1]))"


class Pending:
    """A case on its way to its proof."""

    def __init__(self, case: Case, judges: "Judges") -> None:
        self.case = case
        self.proof: Proof | None = None
        self.is_ours = False  # no judge could prove it, so whoever waits for it does, and hears why
        self._judges = judges

    def result(self) -> Proof:
        """The proof, once there is one; raises what `prove` does."""
        while self.proof is None:
            if self.is_ours:
                self.proof = prove(self.case)
            else:
                self._judges.work_on(self)
        return self.proof

    def settle(self, proof: Proof | None) -> None:
        """What a judge has found; None: that it could not."""
        self.proof, self.is_ours = proof, proof is None

    def settle_here(self) -> None:
        """Prove it for another thread, which waits for it."""
        try:
            self.settle(prove(self.case))
        except Exception:  # noqa: BLE001, the one who waits meets it again
            self.settle(None)


class Judges:
    """Some judges and what waits for them; where there are none, a case is proved when its result is asked for."""

    def __init__(self, number: int = 0) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Pending] = deque()
        self._judges = [_Judge() for _ in range(number)]
        self._hand_out()

    def ask(self, case: Case) -> Pending:
        """Have a case proved. Its `result` is for the thread that needs it, which works on others' while it waits."""
        pending = Pending(case, self)
        if not self._judges:
            pending.is_ours = True
            return pending
        with self._lock:
            self._waiting.append(pending)
            if len(self._waiting) >= AT_ONCE:
                self._hand_out()
        return pending

    def work_on(self, wanted: Pending) -> None:
        """Something that brings this case nearer to its proof: fetch answers, prove a case here, or wait."""
        with self._lock:
            self._fetch()
            self._hand_out()
            if wanted.proof is not None or wanted.is_ours:
                return
            mine = self._waiting.pop() if self._waiting else None
            lines = [each.line for each in self._judges if each.line and each.parcels]
        if mine:
            mine.settle_here()
        elif not lines:
            time.sleep(_ELSEWHERE)
        elif not wait(lines, PATIENCE):
            with self._lock:
                self._end_silent()

    def close(self) -> None:
        """End the judges."""
        with self._lock:
            for each in self._judges:
                each.end()

    def pids(self) -> list[int]:
        """The processes at work."""
        return [each.process.pid for each in self._judges if each.process]

    def _hand_out(self) -> None:
        """To each its share; one case alone is proved sooner where it is than anywhere else."""
        for judge in self._judges:
            while judge.has_room() and len(self._waiting) > 1:
                share = len(self._waiting) // (len(self._judges) + 1) or 1
                judge.take([self._waiting.popleft() for _ in range(min(AT_ONCE, share))])

    def _fetch(self) -> None:
        lines = {each.line: each for each in self._judges if each.line}
        for line in wait(list(lines), 0) if lines else ():
            lines[line].hear()  # type: ignore[index]

    def _end_silent(self) -> None:
        late = time.monotonic() - PATIENCE
        for judge in self._judges:
            if judge.parcels and judge.parcels[0].sent_at < late:
                judge.end("it has said nothing for too long")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class _Parcel(NamedTuple):
    """Cases a judge has, and since when."""

    cases: Sequence[Pending]
    sent_at: float


class _Judge:
    """One process and the line to it; its place is kept when it dies."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.line: Connection | None = None
        self.parcels: deque[_Parcel] = deque()
        self._born_at = -REPLACED_AFTER
        self._is_ready = False

    def has_room(self) -> bool:
        """Whether it takes another parcel; one that is missing is born, and takes some when it has learned its work."""
        if self.line is None and time.monotonic() - self._born_at >= REPLACED_AFTER:
            self._bear()
        return self._is_ready and len(self.parcels) < AHEAD

    def take(self, cases: Sequence[Pending]) -> None:
        assert self.line is not None, "only a judge that is there has room"
        self.parcels.append(_Parcel(cases, time.monotonic()))
        try:
            self.line.send_bytes(pickle.dumps([each.case for each in cases], pickle.HIGHEST_PROTOCOL))
        except OSError as error:
            self.end(str(error))

    def hear(self) -> None:
        """One message of it: that it is ready, or the proofs of its oldest parcel."""
        assert self.line is not None, "only a judge that is there says something"
        try:
            said = self.line.recv_bytes()
        except (EOFError, OSError) as error:
            self.end(str(error) or "it has died")
            return
        if said == _READY:
            self._is_ready = True
            return
        for case, proof in zip(self.parcels.popleft().cases, pickle.loads(said), strict=True):  # noqa: S301, our own
            case.settle(proof)

    def end(self, why: str = "") -> None:
        """Let it go; what it had goes back to those who wait for it."""
        if why:
            log.warning("judge_lost", why=why)
        if self.line:
            self.line.close()
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = self.line = None
        self._is_ready = False
        for parcel in self.parcels:
            for case in parcel.cases:
                case.settle(None)
        self.parcels.clear()

    def _bear(self) -> None:
        ours, its = socket.socketpair()
        # Should it hang in the middle of a message, then whoever sends or reads does not hang with it.
        for way in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
            ours.setsockopt(socket.SOL_SOCKET, way, struct.pack("ll", max(int(PATIENCE), 1), 0))
        # It needs nothing that is secret, and judges what anybody may have written.
        plain = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
        with its:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _WORK, str(its.fileno())],
                pass_fds=[its.fileno()],
                env=plain,
                stdin=subprocess.DEVNULL,
            )
        self.line = Connection(ours.detach())
        self._born_at = time.monotonic()


def work(descriptor: int) -> None:
    """A judge's life: parcels in, proofs out, until the line ends. None is for a case that cannot be proved."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one it works for decides when it ends
    line = Connection(descriptor)
    gc.freeze()  # what is loaded stays, so the collector need not walk it again and again
    try:
        line.send_bytes(_READY)
        while True:
            cases = pickle.loads(line.recv_bytes())  # noqa: S301, what our own process sends
            line.send_bytes(pickle.dumps([_proof_of(each) for each in cases], pickle.HIGHEST_PROTOCOL))
    except (EOFError, OSError):
        return


def _proof_of(case: Case) -> Proof | None:
    try:
        return prove(case)
    except Exception:  # noqa: BLE001, it is met again where the case came from, with all that is known there
        return None
