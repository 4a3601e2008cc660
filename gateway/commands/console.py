"""How commands speak: complaints, tables and progress on a terminal, plain lines elsewhere."""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from gateway.errors import BadInput, GatewayError, NotCompliant
from gateway.xml import MAX_XML_BYTES

_WIDE = 130  # columns, for files and pipes that have no width of their own

out = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)
"""Standard output; rich leaves colours away where it is not a terminal."""


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


def read_json(path: str) -> Any:
    """The JSON in a file; BadInput with line and column where it breaks."""
    data = read_input(path)
    try:
        return json.loads(data)
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
        shown.add_row(*(str(cell) for cell in row))
    out.print(shown)
