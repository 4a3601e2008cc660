"""Where a process may be killed: before or after a function of the product, named by where it is looked up.

A function that was moved or renamed fails every test of its point: then the point is to be named anew, here alone.
"""

import importlib
import inspect
import itertools
import os
import signal
from functools import wraps
from typing import NamedTuple

SERVE, WORK = "serve", "work"


class Point(NamedTuple):
    """A moment in the life of a document, and which commands come by there. `at` is "module:name of the function"."""

    name: str
    at: str
    after: bool
    commands: tuple[str, ...]
    claims: bool = False
    """Whether rows are claimed there, many at once. A claim of nothing does not count."""


_ISSUING, _GROUP, _LEDGER = "gateway.ledger.issuing", "gateway.ledger.group", "gateway.ledger.ledger:Ledger"
_CLIENT = "gateway.authority.client"
POINTS = (
    Point("before the lock", f"{_ISSUING}:Issuing._issue", False, (SERVE,)),
    Point("linked", f"{_GROUP}:slot_at", True, (SERVE,)),
    Point("stamped", "gateway.pipeline.issue:stamped", True, (SERVE,)),
    Point("proved", f"{_GROUP}:Group._proved", True, (SERVE,)),
    Point("lock taken", "gateway.ledger.statements:taken", False, (SERVE,)),
    Point("before the commit", f"{_GROUP}:Group._write", True, (SERVE,)),
    Point("committed, before the journal", f"{_ISSUING}:Issuing._acknowledge", False, (SERVE,)),
    Point("journal written, before the answer", f"{_ISSUING}:Issuing._acknowledge", True, (SERVE,)),
    Point("claim committed", f"{_LEDGER}.claim_submissions", True, (WORK, SERVE), claims=True),
    Point("before sending", f"{_CLIENT}:Authority.send", False, (WORK, SERVE)),
    Point("sent, before the answer is read", f"{_CLIENT}:_read", False, (WORK, SERVE)),
    Point("answer read, before it is stored", f"{_CLIENT}:Authority.send", True, (WORK, SERVE)),
    Point("answer stored", f"{_LEDGER}.end_attempt", True, (WORK, SERVE)),
    Point("webhook stored, before it is answered", f"{_LEDGER}.add_notice", True, (SERVE,)),
    Point("webhook's order issued, before it is noted", f"{_LEDGER}.end_notice", False, (SERVE,)),
    Point("linked back, before it is stored", f"{_LEDGER}.end_link_back", False, (SERVE,)),
    Point("in the archive, before it is recorded", f"{_LEDGER}.add_archived", False, (WORK, SERVE)),
    Point("audit log sealed, before the commit", "gateway.ledger.sealing:_seal", True, (SERVE,)),
)


def found(point):
    """The function, and who holds it by which name."""
    module, _, path = point.at.partition(":")
    *outer, name = path.split(".")
    holder = importlib.import_module(module)
    for each in outer:
        holder = getattr(holder, each)
    return holder, name, getattr(holder, name)


def last_words(point):
    """What a process says that dies there, so that one which ended for another reason is not taken for it."""
    return f"killed: {point.name}\n"


def arm(point, nth):
    """From now on this process dies the nth time that it comes there."""
    holder, name, real = found(point)
    count = itertools.count(1)

    def here(result=None):
        if not (point.claims and result == ()) and next(count) == nth:
            os.write(2, last_words(point).encode())
            os.kill(os.getpid(), signal.SIGKILL)

    setattr(holder, name, _armed(real, here, after=point.after))


def _armed(real, here, *, after):
    if inspect.iscoroutinefunction(real):

        @wraps(real)
        async def call(*args, **kwargs):
            if not after:
                here()
            result = await real(*args, **kwargs)
            if after:
                here(result)
            return result
    else:

        @wraps(real)
        def call(*args, **kwargs):
            if not after:
                here()
            result = real(*args, **kwargs)
            if after:
                here(result)
            return result

    return call
