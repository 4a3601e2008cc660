"""Commands for whoever runs the gateway: connections, API keys, settings, and what such commands begin with."""

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar

import click
from pydantic import SecretStr, ValidationError

from gateway.commands.console import configure_log, out, table
from gateway.commands.moment import day_of
from gateway.commands.streams import print_json, read_json
from gateway.connection import Connection
from gateway.erps import ERPS
from gateway.errors import BadInput, Misconfigured, Unknown
from gateway.invoice.period import day_ends
from gateway.ledger import ApiKey
from gateway.pipeline.api_keys import Role, Scope, add_key
from gateway.pipeline.connect import Connected, connect
from gateway.pipeline.gateway import Gateway, online, open_gateway
from gateway.settings import Settings
from gateway.stores import STORES

ACTOR = "command line"
Decorated = TypeVar("Decorated", bound=Callable[..., Any])
_DAY = click.DateTime(["%Y-%m-%d"])


def read_settings() -> Settings:
    """The settings of this environment; Misconfigured names the one that cannot be used."""
    try:
        settings = Settings()
    except ValidationError as error:
        wrong = "; ".join(f"GATEWAY_{str(each['loc'][0]).upper()}: {each['msg']}" for each in error.errors())
        raise Misconfigured(
            f"The settings cannot be used: {wrong}.", fix="`gateway settings --help` says where they come from."
        ) from None
    configure_log(settings.log_format)
    return settings


@contextmanager
def installation(*, serves: bool = False) -> Iterator[Gateway]:
    """The gateway of this environment; one that `serves` has judges beside it."""
    settings = read_settings()
    with open_gateway(settings, judges=settings.judges_at_work if serves else 0) as gateway:
        yield gateway


def choose_taxpayer(gateway: Gateway, vat: str | None) -> str:
    """The taxpayer that was named, or the only one there is."""
    known = [each.id for each in gateway.ledger.taxpayers()]
    if vat:
        if vat not in known:
            raise Unknown(f"There is no taxpayer {vat} here.", fix="`gateway units` lists them.")
        return vat
    if not known:
        raise Unknown("There is no taxpayer here yet.", fix="Begin with `gateway onboard UNIT.json --otp OTP`.")
    if len(known) > 1:
        raise BadInput(f"There are {len(known)} taxpayers here.", fix="Say which one: --taxpayer VAT.")
    return known[0]


def taxpayer_option(whose: str) -> Callable[[Decorated], Decorated]:
    """--taxpayer, for `choose_taxpayer`."""
    return click.option("--taxpayer", metavar="VAT", help=f"{whose}, if there are several taxpayers.")


@click.command("connect", short_help="Connect a shop or an ERP.")
@click.argument("name")
@click.option("--unit", "unit_id", required=True, help="The unit that issues what this connection sells.")
@click.option(
    "--platform",
    type=click.Choice(["api", *sorted(ERPS), *sorted(STORES)]),
    default="api",
    show_default=True,
    help="What is connected.",
)
@click.option("--url", "base_url", default="", help="Base URL of the shop's or the ERP's API.")
@click.option("--secrets", "secrets_file", metavar="FILE|-", help="JSON object with the credentials.")
@click.option("--settings", "settings_file", metavar="FILE|-", help="JSON object with the platform's own settings.")
@click.option(
    "--cutover",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]),
    metavar="TIME",
    help="Sales of a shop before this moment are not issued, e.g. 2026-12-01T00:00:00+03:00.",
)
@click.option(
    "--change",
    is_flag=True,
    help="Replace the address and settings of a known connection, and the credentials that are given.",
)
@click.option(
    "--unchecked-issuer",
    is_flag=True,
    help="Connect a shop that cannot be asked now, neither who issues nor anything else; the audit log keeps it.",
)
@taxpayer_option("Whose shop it is")
def connect_command(
    name: str,
    unit_id: str,
    platform: str,
    base_url: str,
    secrets_file: str | None,
    settings_file: str | None,
    cutover: datetime | None,
    change: bool,
    unchecked_issuer: bool,
    taxpayer: str | None,
) -> None:
    """Connect a shop, an ERP whose books are written (--platform odoo or erpnext), or one that sends orders by the API
    alone (--platform api).

    A shop is asked whether the credentials serve and who issues: one that still issues to the authority itself is
    refused. Then it is told to send its webhooks here, and is asked every few minutes what changed.

    An ERP whose books are written is asked for its journals, taxes and rounding; what the unit's shops sell is posted
    there from then on. `gateway erps` shows how that goes.

    Credentials come from a file or standard input, never from the command line, where others could read them; which
    ones, docs/reference/shops.md and docs/reference/erps.md say for each platform. With --platform api none are needed,
    but for an Odoo that is to be asked who issues: {"login": "...", "key": "an API key"}, with --url and --settings
    {"erp": "odoo", "database": "..."}.
    """
    with installation() as gateway:
        owner = choose_taxpayer(gateway, taxpayer)
        connection = Connection(
            id=name,
            taxpayer_id=owner,
            unit_id=gateway.ledger.unit(owner, unit_id).id,
            platform=platform,
            base_url=base_url,
            settings=_texts(settings_file, "settings"),
            secrets=_texts(secrets_file, "secrets"),
            cutover=cutover,
        )
        made = asyncio.run(_connect(gateway, connection, change=change, unchecked_issuer=unchecked_issuer))
        public = gateway.settings.address
    out.print(f"Connection {name} is open.")
    for each in made.look_at:
        out.print(each.en, soft_wrap=True, markup=False)
    for done in made.webhooks:
        out.print(f"Webhooks: {done}.", soft_wrap=True, markup=False)
    if platform in STORES:
        out.print(f"Webhooks are expected at {public}/v1/hooks/{name}", soft_wrap=True)


async def _connect(gateway: Gateway, connection: Connection, *, change: bool, unchecked_issuer: bool) -> Connected:
    async with online(gateway) as lines:
        return await connect(gateway, lines, connection, actor=ACTOR, change=change, unchecked_issuer=unchecked_issuer)


def _storable(text: str) -> bool:
    """Whether it is text that can be written at all: JSON can spell half characters."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _texts(path: str | None, what: str) -> dict[str, str]:
    value = read_json(path) if path else {}
    if not isinstance(value, dict) or not all(isinstance(each, str) and _storable(each) for each in value.values()):
        raise BadInput(f"The {what} in {path} are not a JSON object of texts.", fix='Write {"name": "value", ...}.')
    return value


@click.group("keys")
def keys_command() -> None:
    """API keys: who may call, and as what."""


@keys_command.command("add")
@click.option("--role", type=click.Choice([each.value for each in Role]), required=True, help="What the key is for.")
@click.option("--label", default="", help="A name to recognise it by.")
@click.option("--until", type=_DAY, metavar="DAY", help="Its last day (Riyadh), e.g. 2027-03-31; else it never ends.")
@click.option("--unit", default="", help="Auditors: it sees the documents of this unit only.")
@click.option("--issued-from", "first", type=_DAY, metavar="DAY", help="Auditors: it sees documents from this day on.")
@click.option("--issued-to", "last", type=_DAY, metavar="DAY", help="Auditors: it sees documents up to this day.")
@taxpayer_option("Whose key")
def add_key_command(
    role: str,
    label: str,
    until: datetime | None,
    unit: str,
    first: datetime | None,
    last: datetime | None,
    taxpayer: str | None,
) -> None:
    """Make a key and print it. It is shown this once; the ledger keeps only its hash.

    An auditor's key reads and never writes, and everything it looks at is in the audit log. Give it an end.
    """
    ends_at = day_ends(until.date()) if until else None
    scope = Scope(unit, first.date() if first else None, last.date() if last else None)
    with installation() as gateway:
        owner = choose_taxpayer(gateway, taxpayer)
        click.echo(add_key(gateway, owner, Role(role), label, actor=ACTOR, ends_at=ends_at, scope=scope))


@keys_command.command("list")
@taxpayer_option("Whose keys")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a key, one a line.")
def list_keys_command(taxpayer: str | None, as_json: bool) -> None:
    """The keys there are, without their secrets."""
    with installation() as gateway:
        keys, now = gateway.ledger.api_keys(choose_taxpayer(gateway, taxpayer)), gateway.now()
    rows = [
        (each.id, each.role, each.label, day_of(each.created_at), _until(each), _sees(each), _state(each, now))
        for each in keys
    ]
    columns = ("Id", "Role", "Label", "Made", "Until", "Sees", "State")
    if as_json:
        for row in rows:
            print_json(dict(zip(map(str.lower, columns), row, strict=True)))
    elif rows:
        table("API keys", columns, rows)
    else:
        click.echo("There is no key yet. Make one with `gateway keys add`.")


def _until(key: ApiKey) -> str:
    return day_of(key.ends_at and key.ends_at - timedelta(days=1))


def _sees(key: ApiKey) -> str:
    return " ".join(f"{name} {value}" for name, value in key.scope.items()) or "all"


def _state(key: ApiKey, now: datetime) -> str:
    if key.revoked_at:
        return "revoked"
    return "ended" if key.ends_at and key.ends_at <= now else "valid"


@keys_command.command("revoke")
@click.argument("key_id")
@taxpayer_option("Whose key")
def revoke_key_command(key_id: str, taxpayer: str | None) -> None:
    """Make a key worthless, at once and for good."""
    with installation() as gateway:
        owner = choose_taxpayer(gateway, taxpayer)
        gateway.ledger.revoke_api_key(key_id, taxpayer_id=owner, actor=ACTOR, now=gateway.now())
    click.echo(f"Key {key_id} is revoked.")


def _masked(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return "****"
    # A database URL may carry its password.
    return re.sub(r"(://[^:/@]*:)[^@]*@", r"\1****@", str(value))


@click.command("settings", short_help="Every setting: meaning, default, present value.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def settings_command(as_json: bool) -> None:
    """Every setting with its meaning, default and present value; secrets are masked."""
    settings = read_settings()
    rows = []
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        shown = _masked(value)
        default = "" if field.default is None else str(field.default)
        rows.append((f"GATEWAY_{name.upper()}", shown, default, field.description or ""))
    if as_json:
        print_json(
            {name: {"value": value, "default": default, "meaning": meaning} for name, value, default, meaning in rows}
        )
        return
    table("Settings (environment)", ("Name", "Value", "Default", "Meaning"), rows)
