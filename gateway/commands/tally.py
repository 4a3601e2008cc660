"""What became of many documents: how many are valid, which rules are broken how often, and where first."""

from collections import Counter
from collections.abc import Iterator

import click

from gateway.commands.judging import Judged
from gateway.commands.streams import complain
from gateway.commands.verdicts import SEVERITIES, STATES, Language, printable, spoken
from gateway.errors import BadInput
from gateway.finding import Severity, Text

_COLUMNS = (Text("rule", "القاعدة"), Text("severity", "الدرجة"), Text("documents", "المستندات"), Text("first", "أولها"))
_JUDGED = Text("{} documents", "المستندات: {}")
_COMPARED = Text(
    "Compared with the official stylesheets: {} documents, {} of them differ.",
    "قورنت مع الملفات الرسمية: {} مستندات، اختلف منها {}.",
)
_SPEED = Text(
    "The same rules took {:.2f} ms a document here and {:.1f} ms there: {:.0f} times as long.",
    "استغرقت القواعد نفسها {:.2f} مللي ثانية لكل مستند هنا و{:.1f} هناك، أي {:.0f} ضعفًا.",
)


class Tally:
    """Counts that do not grow with the number of documents. `is_complete` is false once a folder had to be left out."""

    def __init__(self) -> None:
        self.states: Counter[str] = Counter()
        self.is_complete = True
        self.compared = 0
        self.differing = 0
        self._ours = self._official = 0.0
        self._broken: Counter[tuple[str, Severity]] = Counter()
        self._first: dict[tuple[str, Severity] | str, str] = {}

    def add(self, judged: Judged) -> None:
        """One more document."""
        self.states[judged.state] += 1
        self._first.setdefault(judged.state, judged.path)
        for rule in judged.rules:
            self._broken[rule] += 1
            self._first.setdefault(rule, judged.path)
        if judged.comparison:
            self.compared += 1
            self.differing += bool(judged.comparison.differences)
            self._ours += judged.comparison.ours
            self._official += judged.comparison.official

    def refuse(self, error: BadInput) -> None:
        """A folder without documents that can be read: said at once, and remembered."""
        self.is_complete = False
        complain(error)

    @property
    def judged(self) -> int:
        """How many documents there were, readable or not."""
        return self.states.total()

    def print_summary(self, language: Language) -> None:
        """A table of the broken rules, errors and frequent ones first, and the counts."""
        rows = list(self._rows(language))
        if rows:
            from gateway.commands.console import table

            columns = [spoken(each, language) for each in _COLUMNS]
            table("", columns, rows, right=[columns[2]])
        counts = (f"{self.states[state]} {spoken(name, language)}" for state, name in STATES.items())
        click.echo(f"{spoken(_JUDGED, language).format(self.judged)}: {', '.join(counts)}")

    def _rows(self, language: Language) -> Iterator[tuple[str, str, int, str]]:
        if unreadable := self.states["unreadable"]:
            yield f"({spoken(STATES['unreadable'], language)})", "", unreadable, printable(self._first["unreadable"])
        for (rule, severity), count in sorted(self._broken.items(), key=_weight):
            first = printable(self._first[rule, severity])
            yield rule, spoken(SEVERITIES[severity], language), count, first

    def comparison(self, language: Language) -> str:
        """How the verdicts agree with the official ones, and the times that both took."""
        said = spoken(_COMPARED, language).format(self.compared, self.differing)
        if not self.compared:
            return said
        ours, official = (1000 * each / self.compared for each in (self._ours, self._official))
        return f"{said}\n{spoken(_SPEED, language).format(ours, official, official / ours)}"


def _weight(counted: tuple[tuple[str, Severity], int]) -> tuple[bool, int, str]:
    (rule, severity), count = counted
    return severity is not Severity.ERROR, -count, rule
