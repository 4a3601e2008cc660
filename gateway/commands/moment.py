"""A moment given on the command line, in Riyadh unless it names its zone."""

from datetime import UTC, datetime

import click

from gateway.errors import BadInput
from gateway.invoice.facts import EARLIEST, LATEST, RIYADH

moment = click.DateTime(["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"])


def in_riyadh(value: datetime | None) -> datetime:
    """A moment from the command line with its zone; now if there is none."""
    if value is None:
        return datetime.now(UTC)
    if not EARLIEST <= value.date() <= LATEST:
        raise BadInput(f"{value.date()} is no time for an invoice.", fix=f"Give one from {EARLIEST} to {LATEST}.")
    return value if value.tzinfo else value.replace(tzinfo=RIYADH)
