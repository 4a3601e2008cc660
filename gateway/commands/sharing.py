"""Commands that give buyers their documents: the PDF, how it looks, and links to it."""

import sys
from dataclasses import replace
from pathlib import Path

import click

from gateway.commands.console import out
from gateway.commands.moment import iso_of, minute_of
from gateway.commands.orders import one_document
from gateway.commands.streams import print_json, read_input
from gateway.commands.units import ACTOR, choose_taxpayer, installation, taxpayer_option
from gateway.ledger import EVERY_UNIT
from gateway.looks import ACCENT, COLOUR, MAX_LOGO, Looks, logo_of
from gateway.pdf import must_be_drawable, render
from gateway.pipeline.links import File, make_link, revoke_links
from gateway.pipeline.readable import readable

_OWNER = taxpayer_option("Whose")
_UNIT = click.option("--unit", metavar="UNIT", help="Of this unit alone; of all units if left out.")


@click.command("pdf", short_help="A document as a PDF for people.")
@click.argument("what", metavar="NUMBER|UUID|CONNECTION/ORDER|FILE.xml")
@click.option(
    "-o", "--output", metavar="OUT",
    help="Where it goes; a file of the authority's name for it if left out, - is standard output.",
)  # fmt: skip
@_OWNER
def pdf_command(what: str, output: str | None, taxpayer: str | None) -> None:
    """The readable document in Arabic and English, PDF/A-3 with its XML inside.

    Of a standard document the cleared one, and none before the authority has cleared it. FILE.xml prints any UBL
    invoice, also one from elsewhere, without a taxpayer's looks.
    """
    if what.endswith(".xml") or what == "-":
        content, name = render(read_input(what)), f"{Path(what).stem}.pdf" if what != "-" else "-"
    else:
        with installation() as gateway:
            owner = choose_taxpayer(gateway, taxpayer)
            content, name, _ = readable(gateway, owner, one_document(gateway, owner, what).uuid, actor=ACTOR)
    target = output or name
    if target == "-":
        sys.stdout.buffer.write(content)
        return
    Path(target).write_bytes(content)
    click.echo(f"{target}: {len(content)} bytes")


@click.group("looks", short_help="How printed documents look: logo, colours, footer.")
def looks_command() -> None:
    """How the PDFs of a taxpayer or of one of its units look. What was printed before is not touched."""


@looks_command.command("set")
@click.option("--logo", metavar="FILE", help=f"PNG or SVG, at most {MAX_LOGO // 1024} kB; 'none' takes it off.")
@click.option("--colour", metavar="#RRGGBB", help=f"Titles and heads of tables. [default: {COLOUR}]")
@click.option("--accent", metavar="#RRGGBB", help=f"What is set off more quietly. [default: {ACCENT}]")
@click.option("--footer", help="A text at the foot of each page, in at most three lines; empty takes it off.")
@_UNIT
@_OWNER
def set_command(
    logo: str | None, colour: str | None, accent: str | None, footer: str | None, unit: str | None, taxpayer: str | None
) -> None:
    """Change how PDFs look; what is left out stays as it is."""
    given: dict[str, str] = {}
    if logo is not None:
        given["logo"] = "" if logo == "none" else logo_of(read_input(logo, limit=MAX_LOGO))
        if given["logo"]:
            must_be_drawable(given["logo"])
    given |= {name: value.lower() for name, value in (("colour", colour), ("accent", accent)) if value}
    if footer is not None:
        given["footer"] = footer
    with installation() as gateway:
        owner = choose_taxpayer(gateway, taxpayer)
        place = gateway.ledger.unit(owner, unit).id if unit else EVERY_UNIT
        looks = replace(gateway.ledger.looks(owner, place), **given)
        gateway.ledger.set_looks(owner, place, looks, actor=ACTOR, now=gateway.now())
    _show(looks)


@looks_command.command("show")
@_UNIT
@_OWNER
def show_command(unit: str | None, taxpayer: str | None) -> None:
    """How PDFs look."""
    with installation() as gateway:
        _show(gateway.ledger.looks(choose_taxpayer(gateway, taxpayer), unit or EVERY_UNIT))


@looks_command.command("clear")
@_UNIT
@_OWNER
def clear_command(unit: str | None, taxpayer: str | None) -> None:
    """Print plainly again; a unit as its taxpayer does."""
    with installation() as gateway:
        owner = choose_taxpayer(gateway, taxpayer)
        gateway.ledger.clear_looks(owner, unit or EVERY_UNIT, actor=ACTOR, now=gateway.now())
    click.echo("Taken back.")


def _show(looks: Looks) -> None:
    click.echo(f"colour  {looks.colour}\naccent  {looks.accent}\nlogo    {'yes' if looks.logo else 'none'}")
    click.echo(f"footer  {' / '.join(looks.footer.splitlines()) or 'none'}")


@click.group("links", short_help="Links to documents for those without a key.")
def links_command() -> None:
    """Links to documents that need no key, signed and for a time."""


@links_command.command("make")
@click.argument("what", metavar="NUMBER|UUID|CONNECTION/ORDER")
@click.option(
    "--file", type=click.Choice([each.value for each in File]), default="pdf", show_default=True,
    help="Which file it gives.",
)  # fmt: skip
@click.option("--days", type=click.IntRange(1), help="How long it works; GATEWAY_LINK_DAYS if left out.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@_OWNER
def make_command(what: str, file: str, days: int | None, as_json: bool, taxpayer: str | None) -> None:
    """Print a link to a document that a buyer may have. Whoever has the link has the file."""
    with installation() as gateway:
        owner = choose_taxpayer(gateway, taxpayer)
        uuid = one_document(gateway, owner, what).uuid
        link = make_link(gateway, owner, uuid, file=File(file), days=days, actor=ACTOR)
    if as_json:
        print_json({"url": link.url, "file": link.file.value, "expires_at": iso_of(link.expires_at)})
        return
    click.echo(link.url)
    click.echo(f"Works until {minute_of(link.expires_at)}.", err=True)


@links_command.command("revoke", short_help="Make every link that was given out worthless.")
@_OWNER
def revoke_command(taxpayer: str | None) -> None:
    """Make every link that was given out worthless, at once and for good."""
    with installation() as gateway:
        revoke_links(gateway, choose_taxpayer(gateway, taxpayer), actor=ACTOR)
    out.print("No link that was given out works any more.")
