"""One document judged and put into words, wherever that is done: in this process or in another."""

import traceback
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from gateway.commands.sources import Source
from gateway.commands.streams import read_input
from gateway.commands.verdicts import Language, State, as_json, in_words, unreadable_as_json, unreadable_in_words
from gateway.csid import Certificate, read_certificate
from gateway.errors import BadInput, GatewayError
from gateway.finding import Severity
from gateway.rules import BOOKS, Report, check

if TYPE_CHECKING:
    from gateway.official import Comparison

Form = Literal["json"] | Language


class Question(NamedTuple):
    """What every document of one run is asked, and the form of the answer. `official` is a folder of the SDK."""

    now: datetime
    release: str
    limit: int
    form: Form
    certificate: bytes | None = None
    pih: str | None = None
    official: str | None = None


class Judged(NamedTuple):
    """A document's verdict as it is written, and what a summary counts."""

    path: str
    state: State
    text: str
    rules: tuple[tuple[str, Severity], ...] = ()
    comparison: "Comparison | None" = None


def judge(question: Question, source: Source) -> Judged:
    """The verdict on one document, also on one that cannot be read."""
    try:
        return _judged(question, source)
    except BadInput as error:
        return _unreadable(question, source.path, error)
    except GatewayError:
        raise
    except Exception as error:  # noqa: BLE001, a mistake of ours over one document takes no verdict from the others
        return _unreadable(question, source.path, _our_mistake(error))


def _judged(question: Question, source: Source) -> Judged:
    xml = _bytes(source, question.limit)
    report = _report(question, xml)
    comparison = _compared(question, xml, report)
    if question.form == "json":
        text = as_json(source.path, report, comparison)
    else:
        text = in_words(source.path, report, comparison, question.form)
    broken = {(each.rule, each.severity) for each in (*report.xsd, *report.findings)}
    return Judged(source.path, "valid" if report.valid else "invalid", text, tuple(sorted(broken)), comparison)


def _our_mistake(error: Exception) -> BadInput:
    place = traceback.extract_tb(error.__traceback__)[-1]
    return BadInput(
        f"This document brings out a mistake in gateway: {type(error).__name__} at {place.name}, line {place.lineno}.",
        fix="Report it, with the document if you may.",
        ar="أظهر هذا المستند خطأً في البرنامج نفسه. أبلغ عنه وأرفق المستند إن أمكن.",
    )


def lost(question: Question, source: Source) -> Judged:
    """The verdict on a document over which a process died."""
    error = BadInput(
        "The process that judged it ended unexpectedly.",
        fix="Judge it alone to see whether it does so again.",
        ar="توقفت عملية الفحص على نحو غير متوقع. افحص هذا المستند وحده.",
    )
    return _unreadable(question, source.path, error)


def _bytes(source: Source, limit: int) -> bytes:
    if isinstance(source.read, BadInput):
        raise source.read
    return read_input(source.path, limit=limit) if source.read is None else source.read


def _report(question: Question, xml: bytes) -> Report:
    return check(
        xml,
        now=question.now,
        certificate=_certificate(question.certificate) if question.certificate else None,
        pih=question.pih,
        book=BOOKS[question.release],
        limit=question.limit,
    )


@cache
def _certificate(data: bytes) -> Certificate:
    return read_certificate(data)


def _compared(question: Question, xml: bytes, report: Report) -> "Comparison | None":
    """Beside the official stylesheets, which judge no document that breaks the schema."""
    if not question.official or report.xsd:
        return None
    from gateway.official import compare

    book, folder = BOOKS[question.release], Path(question.official)
    return compare(folder, xml, report, now=question.now, book=book, limit=question.limit)


def _unreadable(question: Question, path: str, error: BadInput) -> Judged:
    if question.form == "json":
        text = unreadable_as_json(path, error)
    else:
        text = unreadable_in_words(path, error, question.form)
    return Judged(path, "unreadable", text)
