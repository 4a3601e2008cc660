"""Packages that are asked for over the API: made beside everything else, kept in a folder till somebody removes them.

Beside a package lies a note of what was asked for and by whom. A process that ends in the middle leaves a package that
is not whole; asked for the same again, it goes on.
"""

import json
import shutil
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, NamedTuple

import structlog

from gateway.errors import Conflict, GatewayError, Unavailable, Unknown
from gateway.ledger import canonical_json
from gateway.pipeline.export import export
from gateway.pipeline.export_facts import Scope
from gateway.pipeline.gateway import Gateway

log = structlog.get_logger()

MOST_KEPT: Final = 20
"""Packages of one taxpayer that may lie here."""
AT_ONCE: Final = 2
"""How many are made at a time in this process, in threads of their own: documents that are due never wait for them."""


RESERVE: Final = 1 << 30
"""Bytes that stay free on the disk of the packages, which is the ledger's: 1 GiB, some ten thousand documents with all
that is kept of them, so that who is warned of a full disk has time to mend it."""


class State(StrEnum):
    """How a package stands."""

    MAKING = "making"
    READY = "ready"
    INTERRUPTED = "interrupted"


class Package(NamedTuple):
    """A package that was asked for; `done` counts links of chains, `error` says why it is not being made."""

    id: str
    state: State
    scope: Mapping[str, Any]
    actor: str
    asked_at: str
    done: int
    size: int
    error: str


@dataclass
class _Running:
    done: int = 0


class ExportJobs:
    """The packages of one installation, and those this process is making."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._root = gateway.settings.home / "exports"
        self._running: dict[str, _Running] = {}
        self._errors: dict[str, str] = {}
        self._lock, self._stopping = threading.Lock(), False
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="export")

    def ask(self, taxpayer_id: str, scope: Scope, *, actor: str) -> tuple[Package, Callable[[], None]]:
        """The package of this scope that is not whole yet, or a new one, and the work of making it.

        Conflict: another package of this taxpayer is being made, or too many lie here. Unavailable: too little is free.
        """
        with self._lock:
            packages = self.packages(taxpayer_id)
            if any(each.state is State.MAKING for each in packages):
                raise Conflict(
                    "A package is being made already.",
                    fix="Ask again when it is ready.",
                    ar="يجري إعداد حزمة أخرى. أعد الطلب بعد اكتمالها.",
                )
            same = [each for each in packages if each.state is State.INTERRUPTED and each.scope == scope.as_json()]
            self._mind_disk()
            if not same and len(packages) >= MOST_KEPT:
                raise Conflict(
                    f"{MOST_KEPT} packages lie here, and no more may.",
                    fix="Delete one: DELETE /v1/exports/{id}.",
                    ar=f"بلغ عدد الحزم المحفوظة حده الأعلى ({MOST_KEPT}). احذف إحداها أولًا.",
                )
            key = same[0].id if same else self._noted(taxpayer_id, scope, actor)
            self._running[key] = _Running()
            self._errors.pop(key, None)
        return self.package(taxpayer_id, key), lambda: self._make(taxpayer_id, key, scope, actor)

    def packages(self, taxpayer_id: str) -> tuple[Package, ...]:
        """All that lie here, oldest first."""
        found = []
        for file in self._folder(taxpayer_id).glob("*.json"):
            with suppress(Unknown):  # a note that cannot be read must not hide the others
                found.append(self.package(taxpayer_id, file.stem))
        return tuple(sorted(found, key=lambda each: (each.asked_at, each.id)))

    def package(self, taxpayer_id: str, key: str) -> Package:
        """One of them; Unknown if the taxpayer has none of this id."""
        try:
            note = json.loads(self._path(taxpayer_id, key, "json").read_bytes())
            scope, actor, asked_at = (note[name] for name in ("scope", "actor", "asked_at"))
        except (OSError, ValueError, TypeError, KeyError):
            raise _no_package(key) from None
        whole = self._path(taxpayer_id, key, "zip")
        running = self._running.get(key)
        state = State.READY if whole.exists() else State.MAKING if running else State.INTERRUPTED
        size = whole.stat().st_size if state is State.READY else 0
        done, error = running.done if running else 0, self._errors.get(key, "")
        return Package(key, state, scope, actor, asked_at, done, size, error)

    def file(self, taxpayer_id: str, key: str) -> Path:
        """The file of a package that is ready; Conflict if it is not."""
        if self.package(taxpayer_id, key).state is not State.READY:
            raise Conflict(
                f"Package {key} is not ready.",
                fix="Ask for it again in a moment.",
                ar="لم تكتمل الحزمة بعد. أعد المحاولة بعد قليل.",
            )
        return self._path(taxpayer_id, key, "zip")

    def delete(self, taxpayer_id: str, key: str, *, actor: str) -> None:
        """Remove a package; what it was made of stays. Conflict while it is being made."""
        if self.package(taxpayer_id, key).state is State.MAKING:
            raise Conflict(
                f"Package {key} is being made.",
                fix="Delete it when it is ready.",
                ar="يجري إعداد الحزمة. احذفها بعد اكتمالها.",
            )
        self._gateway.note(taxpayer_id, actor, "package.removed", key)
        for file in self._folder(taxpayer_id).glob(f"{key}.*"):
            file.unlink(missing_ok=True)

    def start(self, taxpayer_id: str, scope: Scope, *, actor: str) -> Package:
        """Like `ask`, and begin the work beside everything else."""
        made, work = self.ask(taxpayer_id, scope, actor=actor)
        self._threads.submit(work)
        return made

    def stop(self) -> None:
        """Let what is under way end soon, and wait for that; it goes on when it is asked for again."""
        self._stopping = True
        self._threads.shutdown(cancel_futures=True)

    def _mind_disk(self) -> None:
        """Unavailable if a package would take what the ledger may need."""
        place = next(each for each in (self._root, *self._root.parents) if each.exists())
        free = shutil.disk_usage(place).free
        if free < RESERVE:
            raise Unavailable(
                f"Only {free >> 20} MB are free on the disk of {self._root}; {RESERVE >> 20} stay free for the ledger.",
                retry_after=600,
                fix="Free space there, or DELETE /v1/exports/{id}. Then ask for the same again: it goes on.",
                ar=f"المساحة الحرة على القرص أقل من الحد المحجوز لدفتر البيانات ({RESERVE >> 20} ميغابايت)."
                " وفّر مساحة أو احذف حزمة ثم أعد الطلب نفسه ليستأنف من حيث توقف.",
            )

    def _noted(self, taxpayer_id: str, scope: Scope, actor: str) -> str:
        key = self._gateway.new_id()
        note = {"scope": scope.as_json(), "actor": actor, "asked_at": self._gateway.now().isoformat()}
        path = self._path(taxpayer_id, key, "json")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = path.with_suffix(".new")  # so that a full disk leaves no half of a note
            new.write_text(canonical_json(note), encoding="utf-8")
            new.replace(path)
        except OSError as error:
            raise Unavailable(f"{path} cannot be written: {error.strerror}.", fix="Free space on its disk.") from None
        return key

    def _make(self, taxpayer_id: str, key: str, scope: Scope, actor: str) -> None:
        running = self._running[key]

        def tell(links: int) -> None:
            running.done += links
            self._mind_disk()
            if self._stopping:
                raise Unavailable("The gateway is being stopped.", fix="Ask for the same again: it goes on.")

        try:
            export(self._gateway, taxpayer_id, scope, self._path(taxpayer_id, key, "zip"), actor=actor, tell=tell)
        except GatewayError as error:
            self._errors[key] = " ".join(filter(None, (str(error), error.ar)))
            log.warning("export_failed", package=key, error=str(error))
        except Exception as error:  # the caller is long gone: it is told when it asks
            self._errors[key] = "It failed; the log of the gateway says why."
            log.exception("export_broke", package=key, error=repr(error))
        finally:
            del self._running[key]

    def _folder(self, taxpayer_id: str) -> Path:
        return self._root / taxpayer_id

    def _path(self, taxpayer_id: str, key: str, ending: str) -> Path:
        if not key.replace("-", "").isalnum():
            raise _no_package(key)
        return self._folder(taxpayer_id) / f"{key}.{ending}"


def _no_package(key: str) -> Unknown:
    return Unknown(
        f"There is no package {key[:100]}.",
        fix="GET /v1/exports lists them.",
        ar="لا توجد حزمة بهذا المعرّف.",
    )
