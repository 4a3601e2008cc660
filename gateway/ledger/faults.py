"""What the errors of both databases mean, in the project's own words."""

import sqlite3
from typing import Final

from sqlalchemy.exc import DataError, DBAPIError

from gateway.errors import BadInput, GatewayError, Misconfigured, Unavailable

# SQLSTATE: https://www.postgresql.org/docs/15/errcodes-appendix.html
_CONTENDED: Final = ("40001", "40P01")
_WAITED: Final = "55P03"
_EXHAUSTED: Final = "53"
_DENIED: Final = "42501"
_READ_ONLY: Final = "25006"
_LOST: Final = ("08", "57P")
_DAMAGED: Final = "XX001", "XX002"
BUSY, FULL, GONE = WHY = ("busy", "full", "gone")
"""Why a ledger is out of reach: others had it too long, its disk has no room, its server does not answer."""

_FULL_AR: Final = "تعذّرت الكتابة في قاعدة البيانات، ولم يُنفَّذ أي إجراء. وفّر مساحة على القرص."
_GONE_AR: Final = "قاعدة البيانات لا تستجيب، ولم يُنفَّذ أي إجراء. تأكد من تشغيلها ثم أعد المحاولة."
_BUSY_AR: Final = "قاعدة البيانات مشغولة الآن، ولم يُنفَّذ أي إجراء. أعد المحاولة بعد قليل."


class Contended(Unavailable):
    """Two transactions were in each other's way and the database undid this one: it may be done again at once."""


class OutOfReach(Unavailable):
    """The ledger cannot be worked with now, and `why` in one word; nothing was done."""

    def __init__(self, why: str, what: str, *, fix: str, ar: str, retry_after: float = 5.0) -> None:
        super().__init__(what, fix=fix, ar=ar, retry_after=retry_after)
        self.why = why


def busy(name: str) -> OutOfReach:
    """The database is there, but others had it for too long."""
    what = f"The ledger {name} is busy; nothing was done."
    return OutOfReach(BUSY, what, fix="Try again in a moment.", ar=_BUSY_AR)


def _full(name: str, said: object, fix: str) -> OutOfReach:
    what = f"The ledger {name} cannot be written: {said}. Nothing was done."
    return OutOfReach(FULL, what, fix=fix, ar=_FULL_AR, retry_after=30.0)


def _gone(name: str) -> OutOfReach:
    what = f"The database {name} does not answer; nothing was done."
    return OutOfReach(GONE, what, fix="See that it runs and is reachable.", ar=_GONE_AR)


def explanation(error: DBAPIError, name: str) -> GatewayError:
    """What a driver's error says to an operator; one that says nothing about the outside is raised as it is."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        found = _of_sqlite(code & 0xFF, error, name)
    else:
        found = _of_postgresql(getattr(error.orig, "sqlstate", None), error, name)
    if found is None:
        raise error
    return found


def _of_sqlite(code: int, error: DBAPIError, name: str) -> GatewayError | None:
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return busy(name)
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM):
        return _full(name, error.orig, "Free space on its disk.")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
        return Misconfigured(
            f"The ledger {name} cannot be opened: {error.orig}.", fix="See that its folder is writable."
        )
    if code == sqlite3.SQLITE_NOTADB:
        return Misconfigured(f"{name} is not a ledger.", fix="Let GATEWAY_DATABASE_URL name another file.")
    if code == sqlite3.SQLITE_CORRUPT:
        return _damaged(name)
    return None


def _of_postgresql(state: str | None, error: DBAPIError, name: str) -> GatewayError | None:
    if isinstance(error, DataError) and "NUL" in str(error.orig):
        return BadInput("A text has the character U+0000, which the ledger cannot keep.", fix="Leave it out.")
    if state is None or state.startswith(_LOST) or error.connection_invalidated:
        return _gone(name)
    if state == _WAITED:
        return busy(name)
    if state in _CONTENDED:
        return Contended(
            f"Others were in the way in the ledger {name}; nothing was done.", fix="Try again.", ar=_BUSY_AR
        )
    if state.startswith(_EXHAUSTED):
        return _full(name, _said(error), "Free space on its disk, or raise its limits.")
    if state in (_DENIED, _READ_ONLY):
        return Misconfigured(
            f"The ledger {name} cannot be used: {_said(error)}.",
            fix="Grant what is missing (`gateway db role`), or name the server that may be written.",
        )
    return _damaged(name) if state in _DAMAGED else None


def _said(error: DBAPIError) -> str:
    """The first line of the server's message: the others may show values."""
    return str(error.orig).strip().partition("\n")[0].rstrip(".")


def _damaged(name: str) -> Misconfigured:
    return Misconfigured(f"The ledger {name} is damaged.", fix="Restore the last backup.")
