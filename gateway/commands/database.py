"""Commands about the ledger's database: moving it, and the role it is worked on with."""

import time
from typing import Final

import click

from gateway.commands.console import out

_EVERY: Final = 2.0
"""Seconds between two lines about a table that is long under way."""


@click.group("db", short_help="Move the ledger to another database; the role to run as.")
def db_command() -> None:
    """The ledger's database: one SQLite file, or PostgreSQL once several processes or machines work on it."""


@db_command.command("move", short_help="Carry a ledger to another database.")
@click.option(
    "--from", "source", required=True, metavar="URL", help="Where the ledger is: sqlite:///... or postgresql://..."
)
@click.option("--to", "target", required=True, metavar="URL", help="Where it goes: a new file, or an empty database.")
def move_command(source: str, target: str) -> None:
    """Carry a ledger from one database to another, SQLite or PostgreSQL, either way.

    Stop `serve` and `work` first: a ledger in use is refused, and so is a target that is not empty. Every row is
    compared, every chain and every audit log walked on arrival, all in one transaction: either the whole ledger stands
    there, or nothing does. The former database refuses to be opened afterwards: set GATEWAY_DATABASE_URL anew.

    A password is better kept in ~/.pgpass or PGPASSWORD than on the command line.
    """
    from gateway.ledger import move

    moved = move(source, target, tell=_Teller())
    out.print(
        f"Moved: {moved.rows['document']:,} documents, {moved.chains:,} chains with {moved.links:,} links and"
        f" {moved.audit_entries:,} audit entries, all walked. Now set GATEWAY_DATABASE_URL.",
        soft_wrap=True,
    )


@db_command.command("role", short_help="SQL that makes the role to run as on PostgreSQL.")
@click.argument("name")
@click.option("--database", default="gateway", show_default=True, help="The ledger's database.")
def role_command(name: str, database: str) -> None:
    """Print SQL that makes the role NAME for the gateway, with as few rights as it can work with.

    The owner of the tables runs it with psql, after the gateway has made them, and again after an upgrade. The role
    cannot change or delete documents, attempts or the audit log, nor the guards that protect them.
    """
    from gateway.ledger import role_sql

    click.echo(role_sql(name, database), nl=False)


class _Teller:
    """Says of each table how far it is, once it is there and now and then before."""

    def __init__(self) -> None:
        self._due = time.monotonic() + _EVERY

    def __call__(self, name: str, done: int, total: int) -> None:
        if total and (done == total or time.monotonic() > self._due):
            click.echo(f"{name}: {done:,} of {total:,} rows", err=True)
            self._due = time.monotonic() + _EVERY
