"""How a verdict on a document is written: for programs, and for people in English or Arabic."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, Literal

from click import style

from gateway.errors import BadInput
from gateway.finding import Finding, Severity, Text
from gateway.rules import Report

if TYPE_CHECKING:
    from gateway.official import Comparison, Difference

Language = Literal["en", "ar"]
State = Literal["valid", "invalid", "unreadable"]

STATES: Final[dict[State, Text]] = {
    "valid": Text("valid", "صالح"),
    "invalid": Text("invalid", "غير صالح"),
    "unreadable": Text("unreadable", "غير مقروء"),
}
SEVERITIES: Final = {Severity.ERROR: Text("error", "خطأ"), Severity.WARNING: Text("warning", "تحذير")}
_AT: Final = Text("at", "الموضع")
_STOPPED: Final = Text("stopped", "توقف")
_ABANDONED: Final = Text(
    "the official implementation abandons its set {} on this document",
    "يتوقف التطبيق الرسمي عند هذا المستند عن فحص المجموعة {}",
)
_DIFFERS: Final = Text("differs", "اختلاف")
_RULE_DIFFERS: Final = {
    True: Text("broken by the official stylesheets alone", "مخالفة بحسب الملفات الرسمية وحدها"),
    False: Text("broken by the rules here alone", "مخالفة بحسب القواعد هنا وحدها"),
}
_STOP_DIFFERS: Final = {
    True: Text("the official stylesheet stops, unexpected here", "توقف الملف الرسمي، وهو غير متوقع هنا"),
    False: Text("the official stylesheet does not stop, as is expected here", "لم يتوقف الملف الرسمي كما هو متوقع هنا"),
}
_NO_XML: Final = Text("", "ليس هذا مستند XML يمكن قراءته.")

# What would move the cursor of a terminal, begin a line of its own, or turn the direction of what follows.
_UNPRINTABLE: Final = dict.fromkeys(
    [*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)], "\ufffd"
)


def spoken(text: Text, language: Language) -> str:
    """The sentence in that language."""
    return text.ar if language == "ar" else text.en


def shown(path: str) -> str:
    """A file's name as text; bytes in it that are no UTF-8 cannot be shown."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def printable(text: str) -> str:
    """The text for a terminal, without what a terminal obeys."""
    return shown(text).translate(_UNPRINTABLE)


# -- for programs ----------------------------------------------------------------------------------------------


def as_json(path: str, report: Report, comparison: "Comparison | None") -> str:
    """One line."""
    verdict = report.as_json(shown(path))
    if comparison:
        verdict["official"] = [_difference(each) for each in comparison.differences]
    return json.dumps(verdict, ensure_ascii=False)


def _difference(difference: "Difference") -> dict[str, Any]:
    shown = {"set": difference.set.value, "broken_by": "official" if difference.is_official else "gateway"}
    if not difference.severity:
        return {"set": difference.set.value, "stopped_by": shown["broken_by"]}
    return {**shown, "rule": difference.rule, "severity": difference.severity.value}


def unreadable_as_json(path: str, error: BadInput) -> str:
    """One line."""
    verdict = {"file": shown(path), "valid": False, "error": {"message": error.what, "fix": error.fix}}
    return json.dumps(verdict, ensure_ascii=False)


# -- for people ------------------------------------------------------------------------------------------------


def in_words(path: str, report: Report, comparison: "Comparison | None", language: Language) -> str:
    """Some lines: the verdict, each finding with its place, and where the official stylesheets differ."""
    lines = [_headed("valid" if report.valid else "invalid", path, language)]
    for finding in (*report.xsd, *report.findings):
        lines += _finding(finding, language)
    for name in report.stopped:
        lines.append(_note(_STOPPED, spoken(_ABANDONED, language).format(name), language))
    for each in comparison.differences if comparison else ():
        lines.append(_note(_DIFFERS, _parted(each, language), language))
    return "\n".join(lines)


def unreadable_in_words(path: str, error: BadInput, language: Language) -> str:
    """One line: why there is no verdict."""
    said = f"{error.ar or spoken(_NO_XML, language)} {'' if error.ar else error}" if language == "ar" else str(error)
    return f"{_headed('unreadable', path, language)}: {printable(said).strip()}"


def _headed(state: State, path: str, language: Language) -> str:
    colour = "green" if state == "valid" else "red"
    return f"{style(spoken(STATES[state], language), fg=colour)}  {printable(path)}"


def _finding(finding: Finding, language: Language) -> Iterator[str]:
    rule = style(finding.rule, fg="red" if finding.is_error else "yellow")
    term = f" {finding.term}" if finding.term else ""
    said = printable(f"{spoken(finding.message, language)} {spoken(finding.fix, language)}")
    yield f"  {rule}{term}: {said}"
    yield f"    {spoken(_AT, language)} {printable(finding.path)}"


def _note(word: Text, said: str, language: Language) -> str:
    return f"  {style(spoken(word, language), fg='yellow')}: {said}"


def _parted(difference: "Difference", language: Language) -> str:
    if not difference.severity:
        return f"{difference.set}: {spoken(_STOP_DIFFERS[difference.is_official], language)}"
    severity = spoken(SEVERITIES[difference.severity], language)
    side = spoken(_RULE_DIFFERS[difference.is_official], language)
    return f"{difference.set}: {printable(difference.rule)} ({severity}) {side}"
