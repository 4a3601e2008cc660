"""The command for the VAT return."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any, Final

import click

from gateway.commands.console import out, table
from gateway.commands.progress import Progress
from gateway.commands.streams import print_json
from gateway.commands.units import choose_taxpayer, installation, taxpayer_option
from gateway.commands.vat_files import COLUMNS, TITLE, TOTAL, WORDS, DocumentsCsv, Workbook, sentences, word
from gateway.commands.verdicts import Language, spoken
from gateway.finding import Text
from gateway.invoice.period import read_period
from gateway.invoice.vat_return import Box, By, Entry, Figure, Standing
from gateway.pipeline.gateway import Gateway
from gateway.pipeline.vat_json import documents_behind, report_json
from gateway.pipeline.vat_report import Question, VatReport, vat_report

_PAGE: Final = 500
_BY_KIND: Final = Text("By kind, category and rate", "بحسب النوع والفئة والنسبة")


@click.command("vat-report", short_help="The sales of a period by the fields of the VAT return.")
@click.option("--period", required=True, metavar="PERIOD", help="2026-07, 2026-Q3, 2026 or 2026-07-01..2026-09-15.")
@click.option(
    "--by", type=click.Choice([each.value for each in By]), default=By.TAX_POINT.value, show_default=True,
    help="The day that counts: the earlier of supply and issue, as the law has it, or the day of issue.",
)  # fmt: skip
@click.option("--box", type=click.Choice([each.value for each in Box]), help="List the documents behind this field.")
@click.option("--unit", default="", help="Of one unit only; a return is for all.")
@click.option("--csv", "csv_file", metavar="FILE", type=click.Path(dir_okay=False), help="Write the documents as CSV.")
@click.option("--xlsx", "xlsx_file", metavar="FILE", type=click.Path(dir_okay=False), help="Write a workbook of it.")
@click.option("--lang", type=click.Choice(["en", "ar"]), default="en", show_default=True, help="Of tables and files.")
@click.option("--no-proof", is_flag=True, help="Do not compare with the XML of every document, which takes longer.")
@taxpayer_option("Whose return")
@click.option("--json", "as_json", is_flag=True, help="One JSON object; with --box one a figure, one a line.")
def vat_report_command(
    period: str,
    by: str,
    box: str | None,
    unit: str,
    csv_file: str | None,
    xlsx_file: str | None,
    lang: Language,
    no_proof: bool,
    taxpayer: str | None,
    as_json: bool,
) -> None:
    """What was sold in a period, by the fields of the Saudi VAT return, to the halala.

    Documents count that the authority has; those it lacks stand apart, rejected ones are named. Every figure is
    compared with the XML of its document. Exit 0: all agree; 1: one does not, or has no exchange rate.
    """
    with installation() as gateway, ExitStack() as files:
        question = Question(choose_taxpayer(gateway, taxpayer), read_period(period), By(by), unit)
        if unit:
            gateway.ledger.unit(question.taxpayer_id, unit)
        if box:
            _print_documents(gateway, question, Box(box), lang, as_json=as_json)
            return
        written = files.enter_context(DocumentsCsv(csv_file, lang)) if csv_file else None
        book = files.enter_context(Workbook(xlsx_file, lang)) if xlsx_file else None
        sinks = [each for each in (written, book) if each]
        report = _made(gateway, question, sinks, prove=not no_proof)
        if book:
            book.conclude(report)
    print_json(report_json(report)) if as_json else _print(report, lang)
    raise SystemExit(1 if report.agrees is False or report.unreadable or report.tally.unexchanged else 0)


def _made(gateway: Gateway, question: Question, sinks: list[Any], *, prove: bool) -> VatReport:
    mine = partial(gateway.ledger.count_documents, question.taxpayer_id)
    with Progress(mine, is_silent=True) as progress:

        def hear(entry: Entry, figures: tuple[Figure, ...]) -> None:
            progress.jump(1)
            for sink in sinks:
                sink.hear(entry, figures)

        return vat_report(gateway.ledger, question, now=gateway.now(), prove=prove, hear=hear)


def _print(report: VatReport, lang: Language) -> None:
    shown = report_json(report)
    heading = f"{spoken(TITLE, lang)}  {shown['taxpayer']}  {shown['from']} .. {shown['to']}"
    total = {"box": None, "rate": "", "documents": "", **shown["total"]}
    _print_fields(heading, [*shown["boxes"], total], lang)
    if shown["open"]:
        _print_fields(spoken(WORDS[Standing.OPEN.value], lang), shown["open"], lang)
    _print_groups(shown["groups"], lang)
    for sentence in sentences(report, lang):
        out.print(sentence, markup=False, soft_wrap=True)
    for named in shown["look_at"]:
        out.print(f"  {named['number']}: {word('why', named['why'], lang)}", markup=False, soft_wrap=True)


def _print_fields(title: str, rows: list[dict[str, Any]], lang: Language) -> None:
    names = ("name", "rate", "amount", "adjustment", "vat", "documents")
    columns = [spoken(COLUMNS[name], lang) for name in names]
    cells = [
        (word("box", each["box"], lang) if each["box"] else spoken(TOTAL, lang), *(each[name] for name in names[1:]))
        for each in rows
    ]
    table(title, columns, cells, right=columns[1:])


def _print_groups(groups: list[dict[str, Any]], lang: Language) -> None:
    names = "standing kind profile part category rate reason_code currency documents taxable vat".split()
    columns = [spoken(COLUMNS[name], lang) for name in names]
    cells = [[word(name, each[name], lang) or "" for name in names] for each in groups]
    if cells:
        numbers = [spoken(COLUMNS[name], lang) for name in ("rate", "documents", "taxable", "vat")]
        table(spoken(_BY_KIND, lang), columns, cells, right=numbers)


def _print_documents(gateway: Gateway, question: Question, box: Box, lang: Language, *, as_json: bool) -> None:
    rows = _behind(gateway, question, box)
    if as_json:
        for row in rows:
            print_json(row)
        return
    names = "number kind profile day column part rate taxable vat".split()
    columns = [spoken(COLUMNS[name], lang) for name in names]
    cells = [[word(name, row[name], lang) or "" for name in names] for row in rows]
    numbers = [spoken(COLUMNS[name], lang) for name in ("rate", "taxable", "vat")]
    table(f"{word('box', box.value, lang)}  {question.period}", columns, cells, right=numbers)


def _behind(gateway: Gateway, question: Question, box: Box) -> Iterator[dict[str, Any]]:
    cursor: str | None = ""
    while cursor is not None:
        page = documents_behind(gateway.ledger, question, box, Standing.COUNTED, cursor=cursor, limit=_PAGE)
        yield from page.items
        cursor = page.next
