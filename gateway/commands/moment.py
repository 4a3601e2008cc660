"""Moments on the command line, given and shown: in Riyadh unless one names its zone."""

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


def day_of(value: datetime | None) -> str:
    """Its day in Riyadh, for people; empty if there is none."""
    return f"{value.astimezone(RIYADH):%Y-%m-%d}" if value else ""


def minute_of(value: datetime | None) -> str:
    """Its day and minute in Riyadh, for people; empty if there is none."""
    return f"{value.astimezone(RIYADH):%Y-%m-%d %H:%M}" if value else ""


def iso_of(value: datetime | None) -> str | None:
    """A moment in Riyadh with its zone (ISO 8601), for programs."""
    return value.astimezone(RIYADH).isoformat() if value else None
