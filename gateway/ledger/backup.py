"""A copy of an embedded ledger, taken while it is in use, and the way back. PostgreSQL has tools of its own."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from gateway.disk import sync
from gateway.errors import BadInput, Conflict, Misconfigured, Unavailable

_PAGES: Final = 1000
"""Pages copied at once (4 MB)."""
_TABLES: Final = frozenset({"document", "stamp", "chain", "audit", "mark", "ledger_version"})
_CHECK: Final = "master_key_check"
RESTORED: Final = "restored"
"""The mark of a ledger that was put back from a backup, once or more often."""


class Copied(NamedTuple):
    """What a copy holds: its documents, and by what its master key is recognised; empty if it seals nothing yet."""

    documents: int
    key_check: str


def back_up(ledger: Path, file: Path) -> Copied:
    """Copy a ledger that may be in use to a new file, readable by its owner only. Unavailable: there is no room."""
    if file.exists():
        raise Conflict(f"{file} exists already.", fix="Give a backup a name of its own, such as one with the date.")
    with _made(file) as new:
        with closing(_open(ledger)) as source, closing(sqlite3.connect(new)) as copy:
            source.backup(copy, pages=_PAGES)
            copy.execute("PRAGMA journal_mode = DELETE")
        return inspect(new)


def put_back(file: Path, ledger: Path) -> Copied:
    """Make a backup the ledger. Conflict if there is a ledger; BadInput if the backup is none, or damaged."""
    if ledger.exists():
        raise Conflict(
            f"There is a ledger {ledger} already.",
            fix="Stop the gateway and move the ledger's files away (ledger.db, -wal, -shm); do not delete them.",
        )
    copied = inspect(file)
    ledger.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for rest in ("-wal", "-shm"):
        ledger.with_name(ledger.name + rest).unlink(missing_ok=True)  # of a ledger that is gone
    with _made(ledger) as new, closing(_open(file)) as source, closing(sqlite3.connect(new)) as copy:
        source.backup(copy, pages=_PAGES)
        _fence(copy)
    return copied


def inspect(file: Path) -> Copied:
    """What a copy holds, once it is known to be whole; BadInput if it is no ledger or damaged."""
    if not file.is_file():
        raise BadInput(f"There is no file {file}.", fix="Name a file that `gateway backup` has written.")
    try:
        with closing(_open(file)) as copy:
            tables = {row[0] for row in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if not tables >= _TABLES:
                raise BadInput(f"{file} is not a ledger.", fix="Name a file that `gateway backup` has written.")
            if copy.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise _damaged(file)
            documents = copy.execute("SELECT count(*) FROM document").fetchone()[0]
            check = copy.execute("SELECT value FROM mark WHERE name = ?", (_CHECK,)).fetchone()
    except sqlite3.DatabaseError:
        raise _damaged(file) from None
    return Copied(documents, check[0] if check else "")


def _damaged(file: Path) -> BadInput:
    return BadInput(
        f"{file} is damaged, or no ledger.",
        fix="Use another backup.",
        ar="النسخة الاحتياطية تالفة أو ليست سجلاً. استخدم نسخة أخرى.",
    )


def _fence(copy: sqlite3.Connection) -> None:
    """Every chain is fenced before the file bears the ledger's name: nobody can open it without."""
    with copy:
        copy.execute("INSERT OR IGNORE INTO mark SELECT 'fence:' || id, '{\"lost\": 0}' FROM chain")
        copy.execute("DELETE FROM mark WHERE name LIKE 'doctor:%'")
        copy.execute("INSERT OR IGNORE INTO mark VALUES (?, 'yes')", (RESTORED,))
    copy.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _open(file: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True, timeout=10)
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
    except sqlite3.OperationalError as error:
        raise Misconfigured(f"{file} cannot be opened: {error}.", fix="See that it is there and readable.") from None
    return connection


@contextmanager
def _made(file: Path) -> Iterator[Path]:
    """A file beside, which takes the name once it is complete and on the disk; nothing is left of one that is not."""
    new = file.with_name(f"{file.name}.part")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600))
        yield new
        sync(new)
        new.replace(file)
        sync(file.parent)
    except (sqlite3.OperationalError, OSError) as error:
        raise Unavailable(
            f"{file} cannot be written: {error}.", fix="See that there is room and it may be written."
        ) from None
    finally:
        for rest in ("", "-journal", "-wal", "-shm"):
            new.with_name(new.name + rest).unlink(missing_ok=True)
