"""Lines of output as they come, and beside them how far it is, on a terminal, once it takes long."""

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Self

import click

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

PATIENCE: Final = 2.0
"""Seconds without a bar."""
_EVERY: Final = 0.1
"""Seconds between two drawings of it."""


class Progress:
    """A bar on standard error, if that is a terminal; where output goes to a terminal too, both share the screen.

    `count` says how many steps there will be; it is asked only when a bar is drawn. A silent one prints no lines.
    """

    def __init__(self, count: Callable[[], int], *, is_silent: bool) -> None:
        self._count = count
        self._is_silent = is_silent
        self._done = 0
        self._due = time.monotonic() + PATIENCE
        self._bar: tuple[Bar, TaskID] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar[0].stop()

    def advance(self, text: str) -> None:
        """One step is done; its lines are printed, above the bar."""
        if not self._is_silent:
            self._say(text)
        self._done += 1
        self._draw()

    def jump(self, steps: int) -> None:
        """So many steps are done at once, with nothing to print."""
        self._done += steps
        self._draw()

    def percent(self, done: int, total: int) -> None:
        """So much is done of a total that shows only on the way; the count is 100."""
        self._done = 100 * done // max(total, 1)
        self._draw()

    def _draw(self) -> None:
        if sys.stderr and sys.stderr.isatty() and time.monotonic() > self._due:
            bar, task = self._bar = self._bar or self._drawn()
            bar.update(task, completed=self._done)
            bar.refresh()
            self._due = time.monotonic() + _EVERY

    def _say(self, text: str) -> None:
        if self._bar and sys.stdout.isatty():
            from rich.text import Text

            self._bar[0].console.print(Text.from_ansi(text), soft_wrap=True)
        else:
            click.echo(text)

    def _drawn(self) -> "tuple[Bar, TaskID]":
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        # Nothing is redirected: what is printed elsewhere goes where it was meant to go.
        bar = Bar(
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=not sys.stdout.isatty()),
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        bar.start()
        return bar, bar.add_task("", total=self._count())
