"""Where a process may die: the worker around each of its steps, and whoever issues before and after the commit."""

from contextlib import contextmanager
from unittest.mock import patch

from gateway.ledger import Ledger
from gateway.ledger.group import Group
from tests.simulation.world import Killed

DEATHS = ("before the attempt", "attempt begun", "sent", "answer lost", "answer recorded")
ISSUING_DEATHS = (None, None, None, "before the commit", "after the commit")
_CALLS = {
    "before the attempt": ("begin_attempt", False),
    "attempt begun": ("begin_attempt", True),
    "answer lost": ("end_attempt", False),
    "answer recorded": ("end_attempt", True),
}


@contextmanager
def dying(world, death, after):
    """The worker dies at the call of this kind that comes after so many others."""
    left = [after]

    def here():
        left[0] -= 1
        if left[0] == -1:
            raise Killed

    if death == "sent":
        yield from _dying_on_the_way(world, here)
        return
    name, is_done = _CALLS[death]
    real = getattr(Ledger, name)

    def call(self, *args, **kwargs):
        if not is_done:
            here()
        result = real(self, *args, **kwargs)
        if is_done:
            here()
        return result

    with patch.object(Ledger, name, call):
        yield


def _dying_on_the_way(world, here):
    async def meddle(send):
        here()
        return await send()

    world.authority.meddle = meddle
    try:
        yield
    finally:
        world.authority.meddle = None


@contextmanager
def dying_in_issue(death):
    """Whoever issues dies in the transaction, or before it can say that it is done."""
    if death is None:
        yield
        return
    before = death == "before the commit"
    owner, name = (Group, "_write") if before else (Ledger, "append")
    real = getattr(owner, name)

    def call(self, *args, **kwargs):
        real(self, *args, **kwargs)
        raise Killed

    with patch.object(owner, name, call):
        yield
