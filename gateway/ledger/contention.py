"""Doing a transaction again that the database undid because another one came in between.

Only PostgreSQL lets two write at once. Where both want what the other holds it undoes one of them, and where both look
for a row, find none and make it, the second is refused; done again, that one finds what the first has made.
"""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, Final, TypeVar

from sqlalchemy.exc import IntegrityError

from gateway.ledger.faults import Contended

TRIES: Final = 5
T = TypeVar("T")


def persistent(ledger: type[T]) -> type[T]:
    """A class each of whose public methods is one transaction: they try again. Generators only read and are left."""
    for name, method in inspect.getmembers(ledger, inspect.isfunction):
        if not name.startswith("_") and not inspect.isgeneratorfunction(method):
            setattr(ledger, name, _trying_again(method))
    return ledger


def _trying_again(method: Callable[..., T]) -> Callable[..., T]:
    @wraps(method)
    def tried(*args: Any, **kwargs: Any) -> T:
        refused: IntegrityError | None = None
        for _ in range(TRIES - 1):
            try:
                return method(*args, **kwargs)
            except Contended:
                continue
            except IntegrityError as error:
                # What is refused twice is refused for good; SQLite has one writer, so there it is at once.
                if refused is not None or getattr(error.orig, "sqlstate", None) is None:
                    raise
                refused = error
        return method(*args, **kwargs)

    return tried
