"""How commands speak: complaints, tables and progress on a terminal, plain lines elsewhere."""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
import structlog
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.errors import BadInput, GatewayError, NotCompliant
from gateway.xml import MAX_XML_BYTES

_WIDE = 130  # columns, for files and pipes that have no width of their own

out = Console(highlight=False, width=None if sys.stdout and sys.stdout.isatty() else _WIDE)
"""Standard output; rich leaves colours away where it is not a terminal."""


def configure_log(log_format: str = "text") -> None:
    """structlog, to standard error: for people, or as JSON lines. Tracebacks show no values, which may be secrets."""
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
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def complain(error: GatewayError) -> None:
    """What went wrong and how to mend it, on standard error."""
    click.secho(f"Error: {error.what}", fg="red", err=True)
    if isinstance(error, NotCompliant):
        for finding in error.findings:
            click.echo(f"  {finding.rule} ({finding.term or finding.set}): {finding.message.en}", err=True)
    if error.fix:
        click.echo(error.fix, err=True)
    if error.ar:
        click.echo(error.ar, err=True)


def read_input(path: str, *, limit: int = MAX_XML_BYTES) -> bytes:
    """A file's bytes, or standard input for `-`; BadInput if it cannot be read or is larger than `limit`."""
    try:
        if path == "-":
            data = sys.stdin.buffer.read(limit + 1)
        else:
            with Path(path).open("rb") as file:
                data = file.read(limit + 1)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.", fix="Check the name and its permissions.") from None
    if len(data) > limit:
        raise BadInput(f"{path} is larger than {limit} bytes.", fix="Nothing of that size is an invoice or an order.")
    return data


def read_json(path: str, **options: Any) -> Any:
    """The JSON in a file; BadInput with line and column where it breaks."""
    data = read_input(path)
    try:
        return json.loads(data, **options)
    except RecursionError:
        raise BadInput(f"{path} is nested too deeply.", fix="Send one JSON object.") from None
    except ValueError as error:
        raise BadInput(f"{path} is not JSON: {error}.", fix="Look at that line and column.") from None


def print_json(value: Any) -> None:
    """One JSON value a line, for programs."""
    click.echo(json.dumps(value, ensure_ascii=False))


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Iterable[str] = ()) -> None:
    """A table people can read; `right` names the columns of numbers."""
    numbers = set(right)
    shown = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        shown.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(Text(str(cell)) for cell in row))  # as it is: brackets in data are no markup
    out.print(shown)
