"""What is told to PostgreSQL when a ledger is kept there, and what a server must be to keep one."""

from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL

from gateway.errors import Misconfigured

OLDEST: Final = 15
"""The oldest release that is tried."""

CONNECT_SECONDS: Final = 10
APPLICATION: Final = "gateway"
"""How the server's operators, and a ledger that is to be moved, tell our connections from others."""

_DRIVER: Final = "postgresql+psycopg"
_SCHEMA_LOCK: Final = 7466001
_TURN_LOCK: Final = 7466002
_DURABLE: Final = (
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
)


def with_driver(url: URL) -> URL:
    """The URL as other programs write it, naming the driver that is used here."""
    return url.set(drivername=_DRIVER) if url.drivername in ("postgres", "postgresql") else url


def engine(url: URL, size: int, *, writes: bool, patience: float) -> Engine:
    """Connections that wait for one another at most `patience` seconds; a lost server is found again."""
    try:
        made = create_engine(
            url,
            pool_size=size,
            max_overflow=0,
            pool_timeout=patience,
            pool_pre_ping=True,
            isolation_level="READ COMMITTED",
            connect_args={"connect_timeout": CONNECT_SECONDS, "application_name": APPLICATION},
        )
    except ImportError as error:
        raise Misconfigured(f"The database driver is missing: {error}.", fix="Install it beside gateway.") from None

    @event.listens_for(made, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.execute(f"SET lock_timeout = {int(patience * 1000)}")
        if writes:
            # A server may be set to acknowledge what is not on its disk yet; here that would lose documents.
            connection.execute(_DURABLE)
        connection.commit()

    if not writes:
        made = made.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return made


def check(connection: Connection, name: str) -> None:
    """Misconfigured unless this server and database can keep a ledger."""
    found = connection.execute(
        text("SELECT current_setting('server_version_num')::int / 10000, current_setting('server_encoding')")
    ).one()
    release, encoding = found
    if release < OLDEST:
        raise Misconfigured(f"The server of {name} is PostgreSQL {release}.", fix=f"Use PostgreSQL {OLDEST} or newer.")
    if encoding != "UTF8":
        raise Misconfigured(
            f"The database {name} has the encoding {encoding}, which cannot hold Arabic.",
            fix="Create it anew with ENCODING 'UTF8' TEMPLATE template0.",
        )


def lock_schema(connection: Connection) -> None:
    """Of several processes that bring one ledger up to date at once, let one do it."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SCHEMA_LOCK})


def has_turn(connection: Connection, what: str) -> bool:
    """Whether this transaction is the only one that does `what`; the server knows when it ends, however it does."""
    of_this = text("SELECT pg_try_advisory_xact_lock(:key, hashtext(:what))")
    return bool(connection.execute(of_this, {"key": _TURN_LOCK, "what": what}).scalar())
