"""Commands about webhooks: who hears of events, and what became of each delivery."""

from datetime import datetime
from typing import Final

import click

from gateway.commands.console import table
from gateway.commands.moment import in_riyadh, minute_of, moment
from gateway.commands.streams import print_json
from gateway.commands.units import ACTOR, choose_taxpayer, installation, taxpayer_option
from gateway.commands.verdicts import printable
from gateway.ledger import TYPES
from gateway.pipeline.webhooks import add_webhook, delete_webhook, delivery_json, ping, rotate, webhook_json

_OWNER = taxpayer_option("Whose webhooks")
_JSON = click.option("--json", "as_json", is_flag=True, help="JSON, for programs.")
_WHICH = click.argument("webhook", metavar="WEBHOOK")
_ONCE: Final = "Keep it now: it is not shown again."


@click.group("webhooks", short_help="Who hears of events, and what was delivered.")
def webhooks_command() -> None:
    """Signed webhooks for ERPs: documents made, cleared, reported or rejected, orders that wait, alarms.

    Deliveries are signed by the Standard Webhooks convention, tried ten times in three days and sent by `gateway serve`
    or `gateway work`. Those who would rather ask read GET /v1/events.
    """


@webhooks_command.command("add", short_help="Have events delivered to an address.")
@click.argument("url")
@click.option(
    "--type", "types", multiple=True, type=click.Choice(list(TYPES.values())), help="Only these; may be repeated."
)
@_JSON
@_OWNER
def add_command(url: str, types: tuple[str, ...], as_json: bool, taxpayer: str | None) -> None:
    """Deliver to URL what happens from now on, and show the secret that signs it."""
    with installation() as gateway:
        made, secret = add_webhook(gateway, choose_taxpayer(gateway, taxpayer), url, types, actor=ACTOR)
    if as_json:
        print_json({**webhook_json(made), "secret": secret})
        return
    click.echo(f"Webhook {made.id} hears what happens from now on.")
    click.echo(f"Secret: {secret}")
    click.echo(_ONCE, err=True)


@webhooks_command.command("list", short_help="The webhooks there are.")
@_JSON
@_OWNER
def list_command(as_json: bool, taxpayer: str | None) -> None:
    """All webhooks, oldest first; `State` says why one is off."""
    with installation() as gateway:
        found = gateway.ledger.webhooks(choose_taxpayer(gateway, taxpayer))
    if as_json:
        for each in found:
            print_json(webhook_json(each))
        return
    if not found:
        click.echo("There are no webhooks.")
        return
    rows = [
        (
            each.id,
            printable(each.url),
            ", ".join(each.types) or "all",
            each.off_reason or "on",
            minute_of(each.created_at),
        )
        for each in found
    ]
    table("Webhooks", ("Webhook", "URL", "Events", "State", "Since"), rows)


@webhooks_command.command("delete", short_help="Deliver nothing to it any more.")
@_WHICH
@_OWNER
def delete_command(webhook: str, taxpayer: str | None) -> None:
    """Deliver nothing to WEBHOOK any more, not even what is due, and forget its secrets."""
    with installation() as gateway:
        delete_webhook(gateway, choose_taxpayer(gateway, taxpayer), webhook, actor=ACTOR)
    click.echo(f"Webhook {webhook} is deleted.")


@webhooks_command.command("ping", short_help="Deliver something to try the receiver.")
@_WHICH
@_OWNER
def ping_command(webhook: str, taxpayer: str | None) -> None:
    """Deliver an event `ping` to WEBHOOK; `deliveries` tells what the receiver said."""
    with installation() as gateway:
        event_id = ping(gateway, choose_taxpayer(gateway, taxpayer), webhook)
    click.echo(f"{event_id} is to be delivered.")


@webhooks_command.command("rotate", short_help="A new secret.")
@_WHICH
@_JSON
@_OWNER
def rotate_command(webhook: str, as_json: bool, taxpayer: str | None) -> None:
    """Give WEBHOOK a new secret and show it. The former one signs beside it for a day."""
    with installation() as gateway:
        until, secret = rotate(gateway, choose_taxpayer(gateway, taxpayer), webhook, actor=ACTOR)
    if as_json:
        print_json({"secret": secret, "former_secret_until": until.isoformat()})
        return
    click.echo(f"Secret: {secret}")
    click.echo(f"The former one signs beside it until {minute_of(until)} (Riyadh).")
    click.echo(_ONCE, err=True)


@webhooks_command.command("deliveries", short_help="What was delivered, and the last answers.")
@_WHICH
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="So many, the newest.")
@_JSON
@_OWNER
def deliveries_command(webhook: str, limit: int, as_json: bool, taxpayer: str | None) -> None:
    """What was delivered to WEBHOOK or is to be, newest first, with what it said last."""
    with installation() as gateway:
        found = gateway.ledger.deliveries(choose_taxpayer(gateway, taxpayer), webhook, limit=limit)
    if as_json:
        for each in found:
            print_json(delivery_json(each))
        return
    if not found:
        click.echo("Nothing was delivered yet.")
        return
    rows = [
        (each.event_id, each.type, each.state, each.attempts, each.http_status or "", printable(each.error))
        for each in found
    ]
    table("Deliveries", ("Event", "Type", "State", "Attempts", "HTTP", "Error"), rows, right=("Attempts", "HTTP"))


@webhooks_command.command("redeliver", short_help="Deliver again what failed.")
@_WHICH
@click.argument("event", required=False)
@click.option("--since", type=moment, metavar="TIME", help="What failed since this moment (Riyadh).")
@_OWNER
def redeliver_command(webhook: str, event: str | None, since: datetime | None, taxpayer: str | None) -> None:
    """Deliver EVENT again to WEBHOOK, or all that failed. A webhook that was off is on again."""
    with installation() as gateway:
        count = gateway.ledger.redeliver(
            choose_taxpayer(gateway, taxpayer),
            webhook,
            event_id=event or "",
            since=in_riyadh(since) if since else None,
            actor=ACTOR,
            now=gateway.now(),
        )
    click.echo(f"Deliveries that are sent again: {count}.")
