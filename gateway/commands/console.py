"""How commands draw: tables and colours on a terminal, plain lines elsewhere; and the log."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDE = 130  # columns, for files and pipes that have no width of their own

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
    """A table people can read; `right` names the columns of numbers."""
    numbers = set(right)
    shown = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        shown.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(Text(str(cell)) for cell in row))  # as it is: brackets in data are no markup
    out.print(shown)
