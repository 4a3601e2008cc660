"""Commands for units: taking them into operation, renewing their certificates, seeing how they stand."""

import asyncio
import sys
from typing import Any

import click

from gateway.commands.console import out, table
from gateway.commands.streams import print_json, read_input
from gateway.commands.units import ACTOR, choose_taxpayer, installation, taxpayer_option
from gateway.errors import GatewayError
from gateway.pipeline.connect import register
from gateway.pipeline.gateway import Gateway, online
from gateway.pipeline.onboard import onboard
from gateway.pipeline.onboard_many import RowResult, RowState, onboard_many
from gateway.pipeline.renew import renew
from gateway.pipeline.unit_status import UnitStatus, release, unit_status
from gateway.pipeline.validity import watch_certificates
from gateway.unit import Unit
from gateway.unit_file import UnitRow, csv_template, read_unit, read_units

_OTP = "The one-time password from the authority's portal; valid for an hour. Not needed to go on with a run."
_RESTART = "Discard a run that is not finished, and begin anew."
_UNCHECKED = "Go on although a shop cannot be asked whether it issues itself; the audit log keeps it."


@click.command("onboard", short_help="Take a unit, or many, into operation.")
@click.argument("unit_file", metavar="[UNIT.json]", required=False)
@click.option("--otp", help=_OTP)
@click.option("--restart", is_flag=True, help=_RESTART)
@click.option("--unchecked-issuer", is_flag=True, help=_UNCHECKED)
@click.option("--csv", "csv_file", metavar="FILE|-", help="A table of units, each with its OTP, instead of UNIT.json.")
@click.option("--csv-template", "is_template", is_flag=True, help="Print the columns of such a table.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a unit.")
def onboard_command(
    unit_file: str | None,
    otp: str | None,
    restart: bool,
    unchecked_issuer: bool,
    csv_file: str | None,
    is_template: bool,
    as_json: bool,
) -> None:
    """Take a unit into operation: key, compliance checks, production certificate, a chain from 1.

    UNIT.json describes the unit and its taxpayer; docs/guides/onboard.md shows one. A run that broke off goes on where
    it stopped when the command is repeated. Of a table each row is onboarded by itself; repeated, those that are done
    are left alone.
    """
    if is_template:
        click.echo(csv_template(), nl=False)
        return
    if (unit_file is None) == (csv_file is None) or (csv_file and (otp or restart)):
        raise click.UsageError("Give either UNIT.json with --otp, or --csv FILE, which has the OTPs in it.")
    with installation() as gateway:
        if csv_file:
            rows = read_units(read_input(csv_file), gateway.settings.environment)
            asyncio.run(_onboard_many(gateway, rows, as_json=as_json, unchecked_issuer=unchecked_issuer))
            return
        assert unit_file
        unit = read_unit(read_input(unit_file), gateway.settings.environment)
        register(gateway, unit, actor=ACTOR)
        asyncio.run(_onboard(gateway, unit, otp, restart=restart, unchecked_issuer=unchecked_issuer, as_json=as_json))


async def _onboard(
    gateway: Gateway, unit: Unit, otp: str | None, *, restart: bool, unchecked_issuer: bool, as_json: bool
) -> None:
    async with online(gateway) as lines:
        with out.status(f"Onboarding {unit.id} ...") as status:
            certificate = await onboard(
                gateway,
                lines,
                unit,
                otp,
                lambda step: status.update(f"Onboarding {unit.id}: {step} ..."),
                restart=restart,
                unchecked_issuer=unchecked_issuer,
                actor=ACTOR,
            )
    if as_json:
        print_json(unit_status(gateway, unit).as_json())
    else:
        out.print(f"Unit {unit.id} may issue until {certificate.not_after:%Y-%m-%d}; its chain begins at 1.")


# -- many ------------------------------------------------------------------------------------------------------------


async def _onboard_many(gateway: Gateway, rows: tuple[UnitRow, ...], *, as_json: bool, unchecked_issuer: bool) -> None:
    results: list[RowResult] = []
    async with online(gateway) as lines:
        with out.status("Onboarding ...") as status:

            def tell(row: UnitRow, step: str) -> None:
                status.update(f"Onboarding {len(results) + 1} of {len(rows)}, {row.id}: {step} ...")

            async for result in onboard_many(
                gateway, lines, rows, tell, actor=ACTOR, unchecked_issuer=unchecked_issuer
            ):
                results.append(result)
                if as_json:
                    print_json(_result_json(result))
    if not as_json:
        _show_results(results)
    if any(result.state is RowState.FAILED for result in results):
        sys.exit(1)


def _result_json(result: RowResult) -> dict[str, Any]:
    unit, error = result.row.unit, result.error
    return {
        "line": result.row.line,
        "unit": result.row.id,
        "taxpayer": unit.taxpayer_id if unit else None,
        "state": result.state.value,
        "not_after": result.not_after.isoformat() if result.not_after else None,
        "error": str(error) if error else None,
        "error_ar": error.ar or None if error else None,
    }


def _show_results(results: list[RowResult]) -> None:
    rows = [
        (
            result.row.line,
            result.row.id,
            result.state.value,
            f"{result.not_after:%Y-%m-%d}" if result.not_after else "",
            _explained(result.error),
        )
        for result in results
    ]
    table("Onboarding", ("Line", "Unit", "State", "Certificate until", "Why"), rows, right=("Line",))
    failed = sum(result.state is RowState.FAILED for result in results)
    out.print(f"{len(results) - failed} of {len(results)} units may issue.")
    if failed:
        out.print("Correct what failed and repeat the command: it goes on with what is left.")


def _explained(error: GatewayError | None) -> str:
    return str(error) if error else ""


# -- renewal ---------------------------------------------------------------------------------------------------------


@click.command("renew", short_help="Renew a unit's certificate.")
@click.argument("unit_id", metavar="UNIT")
@click.option("--otp", help=_OTP)
@click.option("--restart", is_flag=True, help=_RESTART)
@taxpayer_option("Whose unit")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def renew_command(unit_id: str, otp: str | None, restart: bool, taxpayer: str | None, as_json: bool) -> None:
    """Get the certificate that follows the one in use, which works on until the new one is there.

    GATEWAY_CHAIN_AFTER_RENEWAL says whether a new chain begins (new) or the present one goes on (continue). A run that
    broke off goes on where it stopped when the command is repeated.
    """
    with installation() as gateway:
        unit = gateway.ledger.unit(choose_taxpayer(gateway, taxpayer), unit_id)
        asyncio.run(_renew(gateway, unit, otp, restart=restart))
        status = unit_status(gateway, unit)
    if as_json:
        print_json(status.as_json())
        return
    went_on = f"goes on at {status.documents + 1}" if status.documents else "begins at 1"
    out.print(f"Unit {unit_id} may issue until {status.not_after:%Y-%m-%d}; its chain {went_on}.")


async def _renew(gateway: Gateway, unit: Unit, otp: str | None, *, restart: bool) -> None:
    async with online(gateway) as lines:
        with out.status(f"Renewing {unit.id} ...") as status:
            await renew(
                gateway,
                lines,
                unit.taxpayer_id,
                unit.id,
                otp,
                lambda step: status.update(f"Renewing {unit.id}: {step} ..."),
                restart=restart,
                actor=ACTOR,
            )


# -- how they stand --------------------------------------------------------------------------------------------------


@click.command("units", short_help="The units, their certificates and their chains.")
@click.option(
    "--check", is_flag=True, help="Look their certificates up in the authority's lists of revoked ones first."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a unit.")
def units_command(check: bool, as_json: bool) -> None:
    """The units, their certificates and how far their chains go; what needs attention stands below."""
    with installation() as gateway:
        doubts = asyncio.run(_check(gateway)) if check else []
        units = [unit for payer in gateway.ledger.taxpayers() for unit in gateway.ledger.units(payer.id)]
        found = [unit_status(gateway, unit) for unit in units]
    if as_json:
        for status in found:
            print_json(status.as_json())
        return
    if not found:
        click.echo("There is no unit yet. Begin with `gateway onboard UNIT.json --otp OTP`.")
        return
    columns = ("Taxpayer", "Unit", "Environment", "Types", "Certificate until", "Days left", "Documents", "Held back")
    table("Units", columns, [_shown(status) for status in found], right=("Days left", "Documents"))
    for line in (*(line for status in found for line in _attention(status)), *doubts):
        out.print(line, markup=False, soft_wrap=True)


async def _check(gateway: Gateway) -> list[str]:
    """Look at the lists now; the doubts about them."""
    watched = await watch_certificates(gateway)
    return [f"{each.csid.unit_id}: {each.doubt.en}" for each in watched.doubts if each.doubt]


def _shown(status: UnitStatus) -> tuple[object, ...]:
    unit = status.unit
    until = f"{status.not_after:%Y-%m-%d}" if status.not_after else "not onboarded"
    if status.revoked_at:
        until = f"revoked {status.revoked_at:%Y-%m-%d}"
    left = "" if status.days_left is None else status.days_left
    return (unit.taxpayer_id, unit.id, unit.environment.value, unit.invoice_types, until, left, status.documents,
            status.held)  # fmt: skip


def _attention(status: UnitStatus) -> list[str]:
    """What somebody should see to."""
    lines = [status.warning.en, status.warning.ar] if status.warning else []
    if status.run:
        lines.append(
            f"Unit {status.unit.id} has a run ({status.run.purpose}) that stopped at {status.run.step.value}:"
            f" {status.run.error or 'it may be under way'}"
        )
    return lines


@click.command("release", short_help="Let a held unit send again.")
@click.argument("unit_id", metavar="UNIT")
@taxpayer_option("Whose unit")
def release_command(unit_id: str, taxpayer: str | None) -> None:
    """Send again what a unit holds back since the authority refused its credentials (HTTP 401).

    Mend the cause first: usually the certificate was revoked, and the unit is onboarded again.
    """
    with installation() as gateway:
        unit = gateway.ledger.unit(choose_taxpayer(gateway, taxpayer), unit_id)
        release(gateway, unit, actor=ACTOR)
    click.echo(f"Unit {unit_id} sends again.")
