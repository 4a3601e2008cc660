"""What every command reads and says: input from files, complaints, JSON for programs.

It imports nothing that draws, so that a command that prints plain lines starts at once.
"""

import json
import sys
from pathlib import Path
from typing import Any

import click

from gateway.errors import BadInput, GatewayError, NotCompliant
from gateway.xml import MAX_XML_BYTES


def complain(error: GatewayError) -> None:
    """What went wrong and how to mend it, on standard error."""
    click.secho(f"Error: {error.what}", fg="red", err=True)
    if isinstance(error, NotCompliant):
        for finding in error.findings:
            click.echo(f"  {finding.where}: {finding.message.en} ({finding.rule})", err=True)
    if error.fix:
        click.echo(error.fix, err=True)
    if error.ar:
        click.echo(error.ar, err=True)


def read_input(path: str, *, limit: int = MAX_XML_BYTES) -> bytes:
    """A file's bytes, or standard input for `-`; BadInput if it cannot be read or is larger than `limit`."""
    try:
        if path == "-":
            data = sys.stdin.buffer.read(limit + 1) if sys.stdin else b""  # none where it was closed
        else:
            with Path(path).open("rb") as file:
                data = file.read(limit + 1)
    except OSError as error:
        raise BadInput(
            f"{path} cannot be read: {error.strerror}.",
            fix="Check the name and its permissions.",
            ar=f"تعذّرت قراءة {path}. تحقق من الاسم والصلاحيات.",
        ) from None
    if len(data) > limit:
        raise BadInput(
            f"{path} is larger than {limit} bytes.",
            fix="Nothing of that size is an invoice or an order.",
            ar=f"حجم {path} أكبر من {limit} بايت، ولا تبلغ فاتورة أو طلب هذا الحجم.",
        )
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
    text = json.dumps(value, ensure_ascii=False)
    click.echo(text.encode(errors="backslashreplace").decode())  # half a character is written as JSON escapes it
