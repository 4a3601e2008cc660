"""The command line. Commands live in gateway.commands, grouped by who uses them; only this module knows exit codes."""

import sys
from typing import Any, Final

import click

from gateway import __version__
from gateway.commands.streams import complain
from gateway.errors import GatewayError

# Loaded when asked for, so that `gateway hash` does not wait for the web server to import.
_SECTIONS: Final = {
    "See it work": {
        "demo": "gateway.commands.servers",
        "simulate": "gateway.commands.servers",
    },
    "Set it up": {
        "onboard": "gateway.commands.onboarding",
        "units": "gateway.commands.onboarding",
        "renew": "gateway.commands.onboarding",
        "release": "gateway.commands.onboarding",
        "connect": "gateway.commands.units",
        "backfill": "gateway.commands.shops",
        "keys": "gateway.commands.units",
        "rules": "gateway.commands.rules",
        "looks": "gateway.commands.sharing",
        "settings": "gateway.commands.units",
    },
    "Run it": {
        "serve": "gateway.commands.servers",
        "work": "gateway.commands.servers",
        "shops": "gateway.commands.shops",
        "erps": "gateway.commands.erps",
        "doctor": "gateway.commands.doctor",
        "backup": "gateway.commands.backup",
        "restore": "gateway.commands.backup",
        "db": "gateway.commands.database",
    },
    "Orders and their documents": {
        "map": "gateway.commands.orders",
        "preview": "gateway.commands.orders",
        "issue": "gateway.commands.orders",
        "credit": "gateway.commands.notes",
        "debit": "gateway.commands.notes",
        "correct": "gateway.commands.notes",
        "status": "gateway.commands.orders",
        "pdf": "gateway.commands.sharing",
        "links": "gateway.commands.sharing",
    },
    "What waits, and the return": {
        "quarantine": "gateway.commands.shops",
        "retry": "gateway.commands.shops",
        "dismiss": "gateway.commands.shops",
        "deadlines": "gateway.commands.deadlines",
        "warnings": "gateway.commands.deadlines",
        "vat-report": "gateway.commands.vat",
        "reconcile": "gateway.commands.reconcile",
        "webhooks": "gateway.commands.webhooks",
    },
    "Proof": {
        "audit": "gateway.commands.audit",
        "archive": "gateway.commands.archive",
        "export": "gateway.commands.proof",
        "verify": "gateway.commands.proof",
        "seal": "gateway.commands.seal",
    },
    "Any UBL invoice, without a ledger": {
        "validate": "gateway.commands.validate",
        "hash": "gateway.commands.documents",
        "qr": "gateway.commands.documents",
        "stamp": "gateway.commands.documents",
        "csr": "gateway.commands.documents",
    },
}
_COMMANDS: Final = {name: module for section in _SECTIONS.values() for name, module in section.items()}

EXIT_UNUSABLE: Final = 2


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        import importlib

        module = importlib.import_module(_COMMANDS[cmd_name])
        command: click.Command = getattr(module, f"{cmd_name.replace('-', '_')}_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """By what somebody has come for."""
        room = formatter.width - max(map(len, _COMMANDS)) - 6
        for title, names in _SECTIONS.items():
            with formatter.section(title):
                found = ((name, self.get_command(ctx, name)) for name in names)
                formatter.write_dl([(name, each.get_short_help_str(room)) for name, each in found if each])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="gateway")
def gateway() -> None:
    """Saudi e-invoicing (ZATCA, Fatoora) for online shops.

    \b
    See it work:        gateway demo
    Judge any invoice:  gateway validate invoice.xml
    Run it:             gateway onboard unit.json --otp OTP, gateway keys add, gateway serve

    Exit codes: 0 good, 1 a document or an order that does not pass, 2 input or settings that cannot be used.
    """


def main(arguments: list[str] | None = None) -> Any:
    """Run one command; no traceback reaches a user for what the outside did."""
    try:
        return gateway.main(args=arguments, prog_name="gateway")
    except GatewayError as error:
        complain(error)
        sys.exit(EXIT_UNUSABLE)
    except OSError as error:
        complain(GatewayError(f"{error.strerror or error}: {error.filename or ''}".rstrip(": ") + "."))
        sys.exit(EXIT_UNUSABLE)
    except KeyboardInterrupt:
        click.echo("Stopped.", err=True)
        sys.exit(130)


if __name__ == "__main__":
    main()
