"""How commands draw: tables and colours on a terminal, plain lines elsewhere; and the log."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDE: Final = 130  # columns, for files and pipes that have no width of their own
_GAP: Final = 3  # between two columns
_EDGES: Final = 2  # left and right of a table

out = Console(highlight=False, width=None if sys.stdout and sys.stdout.isatty() else _WIDE)
"""Standard output; rich leaves colours away where it is not a terminal."""


def configure_log(log_format: str = "text") -> None:
    """structlog, to standard error: for people, or as JSON lines. Tracebacks show no values, which may be secrets."""
    import structlog

    renderer: Any = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([structlog.processors.format_exc_info] if log_format == "json" else []),
            renderer,
        ],
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),  # as it is then: it may be put elsewhere meanwhile
    )


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Iterable[str] = ()) -> None:
    """A table people can read; `right` names the columns of numbers.

    Columns wrap between words. Where a number or an identifier would have to break, which nobody can read or copy, each
    row is printed as a record instead, one field a line.
    """
    cells = [tuple(str(cell) for cell in row) for row in rows]
    whole = [max(cell_len(text) for text in texts) for texts in _down(columns, cells)]
    least = [max(cell_len(word) for text in texts for word in text.split() or [""]) for texts in _down(columns, cells)]
    room, is_tight = out.width - _EDGES - _GAP * (len(columns) - 1), False
    if sum(least) > room:
        room, is_tight = room + len(columns) - 1, True
    if sum(least) > room:
        records(title, [tuple(zip(columns, row, strict=True)) for row in cells])
        return
    numbers = set(right)
    shown = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 0) if is_tight else (0, 1),
    )
    for column, width in zip(columns, widths(least, whole, room), strict=True):
        shown.add_column(column, justify="right" if column in numbers else "left", overflow="fold", width=width)
    for row in cells:
        shown.add_row(*(Text(cell) for cell in row))  # as it is: brackets in data are no markup
    out.print(shown)


def records(title: str, found: Iterable[Sequence[tuple[str, object]]]) -> None:
    """One field a line, what is empty left out; an empty line after each record."""
    if title:
        out.print(Text(title, style="bold"))
    for fields in found:
        shown = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
        shown.add_column(style="bold", no_wrap=True)
        shown.add_column(overflow="fold")
        for name, value in fields:
            if str(value):
                shown.add_row(name, Text(str(value)))
        out.print()
        out.print(shown)
    out.print()


def widths(least: Sequence[int], whole: Sequence[int], room: int) -> list[int]:
    """How wide each column is: from `least`, its longest word, towards `whole`, none wider than it has use for."""
    given = list(least)
    for _ in range(min(room, sum(whole)) - sum(least)):
        lacking = max(range(len(given)), key=lambda column: (whole[column] - given[column], -column))
        given[lacking] += 1
    return given


def _down(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> Iterator[tuple[str, ...]]:
    return zip(columns, *cells, strict=True)
