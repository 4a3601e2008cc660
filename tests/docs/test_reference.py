"""The reference is complete and current: every command, option, setting, route, error, field and status is in it."""

import importlib.util
import json
import re

import pytest

from gateway import errors
from gateway.authority.outcomes import ROWS
from gateway.consequence import CONSEQUENCES, Line
from gateway.issued import Status
from gateway.pipeline.api_keys import Role
from gateway.rules.r3_4_8 import BOOK
from gateway.simulator.api import MAX_BODY
from gateway.simulator.faults import MAX_DELAY, MAX_QUEUED, MAX_QUEUED_TEXT
from gateway.simulator.guard import MAX_BODY as MAX_REQUEST
from gateway.simulator.management import MAX_PAGE
from gateway.simulator.overnight import MAX_DOCUMENT, MAX_NODES, MAX_NODES_AGAIN, MAX_RULES, MAX_XPATH
from gateway.simulator.state import DUPLICATE_MEMORY, MAX_EXCHANGES
from gateway.stores import STORES
from gateway.stores.store import State
from gateway.unit_file import UnitFile
from gateway.verdict import Outcome
from gateway.xml import MAX_XML_BYTES
from tests.docs.console import ROOT

DOCS = ROOT / "docs"
PAGES = sorted((DOCS / "reference").glob("*.md"))
_spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
generate = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(generate)


def page(path: str) -> str:
    return (DOCS / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_what_the_code_decides_is_current(path):
    written = path.read_text(encoding="utf-8")
    assert written == generate.renewed(written), "run: python docs/generate.py"


def test_the_pages_of_the_rules_are_current():
    written = {path.name: path.read_text("utf-8") for path in (DOCS / "rules").glob("*.md")}
    assert written == generate.rule_pages.pages(), "run: python docs/generate.py"


def test_every_rule_has_its_entry_with_an_example_or_a_reason():
    entries = "".join(page(f"rules/{name}") for name in ("en16931.md", "ksa.md", "ksa-formats.md"))
    for rule in BOOK.rules:
        (entry,) = re.findall(rf"^## {re.escape(rule.id)}\n(.*?)(?=^## |\Z)", entries, re.M | re.S)
        assert "```xml" in entry or "No document can break it" in entry, rule.id
        assert f"**{rule.severity.value.capitalize()}**" in entry
        assert "since R3." in entry
        assert "To mend it: " in entry


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_row_of_a_table_has_its_words(path):
    written = path.read_text(encoding="utf-8")
    for table in re.findall(r"<!-- table: [\w ]+ -->\n\n((?:\|.*\n)+)", written):
        assert not re.findall(r"^\|.*\|\s*\|$", table, re.M), "a row without words"


def test_every_part_and_table_has_its_place():
    written = "".join(path.read_text(encoding="utf-8") for path in PAGES)
    assert set(re.findall(r"<!-- generated: ([\w ]+) -->", written)) == set(generate.PARTS)
    assert set(re.findall(r"<!-- table: ([\w ]+) -->", written)) == set(generate.TABLES)


def test_every_command_and_option_has_help():
    silent = [
        f"{path} {'/'.join(option.opts)}"
        for path, command in generate.every_command()
        for option in command.params
        if option.param_type_name == "option" and not option.help
    ]
    assert silent == [path for path, command in generate.every_command() if not command.help] == []


def test_every_error_has_its_line():
    for each in vars(errors).values():
        if isinstance(each, type) and issubclass(each, errors.GatewayError) and each is not errors.GatewayError:
            assert f"| `{each.__name__}` |" in page("reference/errors.md")


def test_statuses_outcomes_roles_and_states_are_all_explained():
    assert {each.value for each in Status} <= set(re.findall(r"^\| `(\w+)` \|", page("reference/api.md"), re.M))
    answers = page("explanation/what-the-authority-answers.md")
    assert [each.value for each in Outcome if f"`{each.value}`" not in answers] == []
    assert [each.value for each in Role if f"| `{each.value}` |" not in page("explanation/security.md")] == []
    assert [each.value for each in State if f"`{each.value}`" not in page("reference/shops.md")] == []


def test_the_outcome_table_says_what_the_code_does():
    words = {Line.WORKS: "works", Line.FAILS: "fails", Line.LIMITED: "rests", Line.ISOLATED: "isolated"}
    rows = re.findall(r"^\| ([^|]*\d{3}[^|]*) \| `(\w+)` \| .* \| ([^|]+) \|$", page(ANSWERS), re.M)
    told = {int(status): Outcome(outcome) for statuses, outcome, _ in rows for status in re.findall(r"\d{3}", statuses)}
    assert told == {row.status: row.outcome for row in ROWS}
    assert {outcome for _, outcome, _ in rows} == {each.value for each in Outcome}
    for _, outcome, line in rows:
        assert words[CONSEQUENCES[Outcome(outcome)].line] in line


ANSWERS = "explanation/what-the-authority-answers.md"


def test_the_answer_is_explained_field_by_field():
    api = page("reference/api.md")
    shown = api[api.index("## The answer") : api.index("## Lists")]
    fields = re.findall(r'^    "(\w+)":', shown, re.M)
    assert fields
    assert [field for field in fields if f"| `{field}` |" not in shown] == []


def test_the_simulators_limits_are_those_of_the_code():
    simulator = page("reference/simulator.md")
    for said in (
        f"| a request | {MAX_BODY:,} bytes",
        f"| a document | {MAX_XML_BYTES:,} bytes |",
        f"remembered {DUPLICATE_MEMORY.total_seconds() / 3600:.0f} hours",
        f"the last {MAX_EXCHANGES:,} |",
        f"| {MAX_QUEUED:,} and {MAX_RULES} |",
        f"| {MAX_DELAY:.0f} seconds |",
        f"| a request to the management port | {MAX_REQUEST:,} bytes |",
        f"| the bodies of all faults queued | {MAX_QUEUED_TEXT:,} characters |",
        f"those above {MAX_NODES_AGAIN:,} nodes",
        f"Documents above\n{MAX_DOCUMENT:,} bytes or {MAX_NODES:,} nodes",
        f"have {MAX_XPATH} characters",
        f"`limit` (at most {MAX_PAGE:,})",
    ):
        assert said in simulator


def test_every_setting_and_secret_of_a_shop_is_listed():
    shops = page("reference/shops.md")
    for platform, store in STORES.items():
        sources = [path.read_text(encoding="utf-8") for path in (ROOT / "gateway" / "stores").glob(f"{platform}*.py")]
        named = re.findall(r"(?:connection\.settings\.get\(|secret\(connection, )[\"']([\w.]+)[\"']", "".join(sources))
        named += [*store.SECRETS, *getattr(store, "OURS", ())]
        assert named
        assert [each for each in named if f"`{each}`" not in shops] == []
    assert all(f"--platform {name}" in shops for name in STORES)


def test_the_guide_explains_the_unit_file_field_by_field():
    guide = page("guides/onboard.md")
    fields = [name for name in UnitFile.model_fields if name != "taxpayer"]
    fields += [f"taxpayer.{name}" for name in UnitFile.model_fields["taxpayer"].annotation.model_fields]
    assert [field for field in fields if f"| `{field}` |" not in guide] == []


def test_the_finding_is_shown_as_it_is_printed():
    shown = json.loads(re.search(r"```json\n(.*?)```", page("reference/rules.md"), re.S)[1])
    assert list(shown) == ["rule", "severity", "set", "path", "term", "message", "fix"]
