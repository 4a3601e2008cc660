"""Commands for how strict the gateway is: which warnings may stand on the documents of a taxpayer."""

import click

from gateway.commands.console import table
from gateway.commands.moment import day_of, iso_of
from gateway.commands.streams import print_json
from gateway.commands.units import ACTOR, choose_taxpayer, installation, taxpayer_option
from gateway.pipeline.allow import allow, refuse

_OWNER = taxpayer_option("Whose documents")


@click.group("rules", short_help="Which warnings may stand.")
def rules_command() -> None:
    """Which warnings of the rule book may stand on documents; every other finding stops them before a counter is
    used."""


@rules_command.command("allow", short_help="Issue documents in spite of a warning.")
@click.argument("rule")
@click.option("--reason", required=True, help="Why it may stand; the audit log keeps it.")
@_OWNER
def allow_command(rule: str, reason: str, taxpayer: str | None) -> None:
    """Issue documents in spite of this warning, such as BR-KSA-71, from now on. Errors cannot be allowed."""
    with installation() as gateway:
        allow(gateway, choose_taxpayer(gateway, taxpayer), rule, reason, actor=ACTOR)
    click.echo(f"{rule} may stand: documents are issued in spite of it, and keep the finding.")


@rules_command.command("refuse")
@click.argument("rule")
@_OWNER
def refuse_command(rule: str, taxpayer: str | None) -> None:
    """Let a warning that was allowed stop documents again."""
    with installation() as gateway:
        refuse(gateway, choose_taxpayer(gateway, taxpayer), rule, actor=ACTOR)
    click.echo(f"{rule} stops documents again.")


@rules_command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a rule, one a line.")
@_OWNER
def list_rules_command(as_json: bool, taxpayer: str | None) -> None:
    """The warnings that are allowed, since when, by whom and why."""
    with installation() as gateway:
        allowed = gateway.ledger.allowed_warnings(choose_taxpayer(gateway, taxpayer))
    if as_json:
        for each in allowed:
            print_json(each._asdict() | {"at": iso_of(each.at)})
    elif not allowed:
        click.echo("No warning is allowed: every finding stops a document.")
    else:
        rows = [(each.rule, day_of(each.at), each.actor, each.reason) for each in allowed]
        table("Warnings that may stand", ("Rule", "Since", "By", "Why"), rows)
