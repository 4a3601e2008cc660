"""Judging UBL documents from anywhere, one or a hundred thousand, by as many processes as that is worth."""

import os
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from functools import partial
from itertools import chain, islice
from math import inf
from pathlib import Path
from typing import Final

import click

from gateway.commands.judging import Form, Judged, Question, judge, lost
from gateway.commands.moment import in_riyadh, moment
from gateway.commands.progress import Progress
from gateway.commands.sources import Source, count, sources
from gateway.commands.streams import read_input
from gateway.commands.tally import Tally
from gateway.commands.verdicts import Language
from gateway.csid import read_certificate
from gateway.rules import BOOKS
from gateway.xml import MAX_XML_BYTES

MANY: Final = 400
"""From so many documents on, other processes are worth the time of their start, measured with invoices of 3 lines."""

ALONE: Final = 1.0
"""Seconds until they are worth it for fewer, which must be larger then."""

STOPPED: Final = 130
READER_GONE: Final = 141
"""Exit codes as of a shell's command that SIGINT or SIGPIPE ended."""


@click.command("validate", short_help="Judge UBL invoices, ours or anyone's.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a document, one document a line.")
@click.option("--summary", "only_summary", is_flag=True, help="Print only the table at the end.")
@click.option(
    "--lang", type=click.Choice(["en", "ar"]), default="en", show_default=True, help="Language of what is printed."
)
@click.option("--recursive", is_flag=True, help="Also the *.xml files in the folders of a folder.")
@click.option(
    "--as-of", type=moment, metavar="TIME", help="Judge as of this moment (Riyadh time), e.g. 2026-11-23T10:00:00."
)
@click.option("--pih", metavar="HASH", help="The hash (base64) that it has to carry as its previous hash.")
@click.option("--cert", type=click.Path(exists=True, dir_okay=False), help="The certificate it has to be signed with.")
@click.option(
    "--rules", "release", type=click.Choice(list(BOOKS)), default=list(BOOKS)[-1], show_default=True,
    help="Release of the official rules to judge by.",
)  # fmt: skip
@click.option(
    "--max-bytes", type=click.IntRange(1, 1_000_000_000), default=MAX_XML_BYTES, show_default=True,
    help="Largest document that is read.",
)  # fmt: skip
@click.option(
    "--jobs", type=click.IntRange(1, 256), metavar="N",
    help=f"Processes that judge; if left out, one for every core from {MANY} documents or after a second.",
)  # fmt: skip
@click.option(
    "--official", type=click.Path(exists=True, file_okay=False), metavar="SDK_DIR",
    help="Compare with the authority's own stylesheets from this folder of its SDK (needs saxonche).",
)  # fmt: skip
def validate_command(
    paths: tuple[str, ...],
    as_json: bool,
    only_summary: bool,
    lang: Language,
    recursive: bool,
    as_of: datetime | None,
    pih: str | None,
    cert: str | None,
    release: str,
    max_bytes: int,
    jobs: int | None,
    official: str | None,
) -> None:
    """Judge UBL invoices, ours or anyone's: schema, official rules, QR, signature, previous hash.

    A PATH is a file, a folder (its *.xml files) or - for standard input. Of several documents a table at the end says
    which rules are broken, how often and where first. Exit 0: all valid; 1: some are not; 2: something could not be
    read. With --official 0 means that both sides agree on every document, valid or not, and 1 that they differ.
    """
    if as_json and only_summary:
        raise click.UsageError("--json prints documents, --summary prints none: choose one.")
    if official:
        _must_be_comparable(official, as_of)
    form: Form = "json" if as_json else lang
    certificate = _certificate(cert) if cert else None
    question = Question(in_riyadh(as_of), release, max_bytes, form, certificate, pih or None, official)
    tally = Tally()
    found = sources(paths, recursive=recursive, limit=max_bytes, refuse=tally.refuse)
    progress = Progress(lambda: count(paths, recursive=recursive), is_silent=only_summary)
    with _interruptible(tally), progress, closing(_verdicts(question, found, jobs)) as verdicts:
        for judged in verdicts:
            tally.add(judged)
            progress.advance(judged.text)
    _close(tally, lang, as_json=as_json, is_due=only_summary or tally.judged > 1)
    raise SystemExit(_exit_code(tally, question))


def _must_be_comparable(folder: str, as_of: datetime | None) -> None:
    from gateway.official import find, must_be_installed

    if as_of:
        raise click.UsageError("--official judges by the clock of this machine; leave --as-of out.")
    must_be_installed()
    find(Path(folder))


def _certificate(path: str) -> bytes:
    data = read_input(path)
    read_certificate(data)  # BadInput here, once, rather than on every document
    return data


def _verdicts(question: Question, found: Iterator[Source], jobs: int | None) -> Generator[Judged]:
    """In the order of the documents: by this process as long as that is sooner, the rest by others."""
    work, ahead = partial(judge, question), list(islice(found, MANY))
    documents = chain(ahead, found)
    yield from _alone(work, documents, seconds=_patience(question, jobs, len(ahead)))
    if (one_more := next(documents, None)) is None:
        return
    from gateway.commands.crew import Crew

    with Crew(work, jobs or _cores(), lost=partial(lost, question)) as crew:
        yield from crew.in_order(chain([one_more], documents))


def _patience(question: Question, jobs: int | None, known: int) -> float:
    """Seconds that this process judges alone; it never runs the official stylesheets (see gateway.official)."""
    if question.official:
        return 0.0
    if jobs == 1 or known < 2:
        return inf
    return ALONE if jobs is None and known < MANY else 0.0


def _alone(work: Callable[[Source], Judged], documents: Iterator[Source], *, seconds: float) -> Iterator[Judged]:
    until = time.monotonic() + seconds
    while time.monotonic() < until and (source := next(documents, None)):
        yield work(source)


def _cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _interruptible(tally: Tally) -> Iterator[None]:
    """Ctrl-C and a reader who has seen enough have exit codes of their own."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo(f"Stopped after {tally.judged} documents.", err=True)
        raise SystemExit(STOPPED) from None
    except BrokenPipeError:
        # What is still to be written at the end goes nowhere, rather than to a pipe without a reader.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(READER_GONE) from None


def _close(tally: Tally, lang: Language, *, as_json: bool, is_due: bool) -> None:
    """What is said at the end; programs read documents only on standard output."""
    if is_due and not as_json:
        tally.print_summary(lang)
    if tally.compared:
        click.echo(tally.comparison(lang), err=as_json)


def _exit_code(tally: Tally, question: Question) -> int:
    if tally.states["unreadable"] or not tally.is_complete:
        return 2
    return 1 if (tally.differing if question.official else tally.states["invalid"]) else 0
