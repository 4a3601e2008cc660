"""Judging many documents: the order of the answers, what is said at the end, other processes, and a second opinion."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway.commands.crew import Crew
from gateway.errors import BadInput, Misconfigured
from tests.commands.conftest import GOLDEN, complaint, golden, run, run_process
from tests.rules.broken import Violation, violations

GOOD = golden("simplified invoice")
AS_OF = ("--as-of", "2026-11-23T12:00:00")
SDK = Path(__file__).parents[1] / "stylesheets"
RULES = ("BR-02", "BR-KSA-40", "BR-KSA-15")


@pytest.fixture
def folder(tmp_path):
    """Twelve documents, three of which break a rule each, and one more in a folder of its own."""
    place = tmp_path / "documents"
    (place / "more").mkdir(parents=True)
    for number in range(9):
        (place / f"{number:02}.xml").write_bytes(GOOD.read_bytes())
    for number, rule in enumerate(RULES, 9):
        (place / f"{number:02}.xml").write_bytes(violations()[rule].document)
    (place / "more" / "a.xml").write_bytes(GOOD.read_bytes())
    (place / "notes.txt").write_text("no document")
    return place


def names(ended):
    return [Path(row["file"]).name for row in ended.rows]


def test_a_folder_is_judged_in_the_order_of_its_names(folder):
    ended = run("validate", "--json", *AS_OF, folder)
    assert ended.code == 1
    assert names(ended) == [f"{number:02}.xml" for number in range(12)]
    assert names(run("validate", "--json", "--recursive", *AS_OF, folder))[-1] == "a.xml"


def test_the_summary_counts_by_rule(folder):
    ended = run("validate", "--summary", *AS_OF, folder)
    assert ended.code == 1
    assert "12 documents: 11 valid, 1 invalid, 0 unreadable" in ended.out
    for number, rule in enumerate(RULES, 9):
        (row,) = [line for line in ended.out.splitlines() if f" {rule} " in f" {line} "]
        assert f"{number:02}.xml" in row
    assert ended.out.index("BR-KSA-40") < ended.out.index("BR-02")  # errors before warnings


def test_what_is_said_in_arabic(folder):
    ended = run("validate", "--lang", "ar", *AS_OF, folder / "10.xml")
    assert ended.code == 1
    assert "غير صالح" in ended.out
    assert "رقم التسجيل الضريبي للبائع" in ended.out


def test_several_processes_give_the_same_answers_in_the_same_order(folder):
    alone = run_process("validate", "--json", "--jobs", "1", *AS_OF, folder)
    several = run_process("validate", "--json", "--jobs", "3", *AS_OF, folder)
    assert several == alone
    assert alone.code == 1


def test_a_larger_document_is_read_if_it_may_be():
    assert run("validate", "--max-bytes", "1000", GOOD).code == 2
    assert run("validate", "--max-bytes", "100000", *AS_OF, GOOD).code == 0


def test_json_and_summary_exclude_one_another():
    complaint(run("validate", "--json", "--summary", GOOD), "choose one")


def test_a_reader_who_has_seen_enough_ends_it_quietly():
    command = f"{sys.executable} -m gateway validate {GOLDEN} {GOLDEN} {GOLDEN} | head -n 1"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, timeout=60, text=True)
    assert len(ended.stdout.splitlines()) == 1
    assert ended.stderr == ""


# -- the crew --------------------------------------------------------------------------------------------------


def _square(number):
    if number == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.01 * (number % 3))
    return number * number


def _refuses(number):
    raise BadInput(f"{number} is not wanted")


def test_a_process_that_dies_loses_nothing_but_the_thing_in_its_hands():
    with Crew(_square, 3, lost=lambda number: -number) as crew:
        answers = list(crew.in_order(range(40)))
    assert answers == [-7 if number == 7 else number * number for number in range(40)]


def test_an_error_of_ours_ends_the_whole():
    with Crew(_refuses, 2, lost=lambda number: number) as crew, pytest.raises(BadInput, match="is not wanted"):
        list(crew.in_order(range(10)))


# -- the official stylesheets ----------------------------------------------------------------------------------


def judged_twice(tmp_path, *edits, base="foreign-currency"):
    """The verdict beside that of stylesheets that know three rules only."""
    file = tmp_path / "invoice.xml"
    file.write_bytes(Violation("", base, edits).document)
    return run_process("validate", "--json", "--official", SDK, file)


def test_both_sides_agree(tmp_path):
    ended = judged_twice(tmp_path)
    assert ended.code == 0, ended
    assert ended.rows[0]["official"] == []
    assert "Compared with the official stylesheets: 1 documents, 0 of them differ." in ended.err
    assert "times as long" in ended.err
    broken = judged_twice(tmp_path, ("text", "/ubl:Invoice/cbc:ID", ""), ("drop", "/ubl:Invoice/cbc:InvoiceTypeCode"))
    assert {finding["rule"] for finding in broken.rows[0]["findings"]} >= {"BR-02", "BR-04"}
    assert {(each["rule"], each["broken_by"]) for each in broken.rows[0]["official"]} == set()


def test_a_rule_that_one_side_alone_finds_broken_is_a_difference(tmp_path):
    ended = judged_twice(tmp_path, ("text", "/ubl:Invoice/cbc:Note", "x"), ("text", "/ubl:Invoice/cbc:UUID", ""))
    assert ended.code == 1
    assert sorted((each["rule"], each["broken_by"]) for each in ended.rows[0]["official"]) == [
        ("BR-KSA-03", "gateway"),
        ("BR-KSA-77", "official"),
    ]


def test_a_stylesheet_that_stops_is_a_difference_where_we_do_not_expect_it(tmp_path):
    ended = judged_twice(tmp_path, ("repeat", "/ubl:Invoice/cbc:Note"))
    assert ended.code == 1
    assert ended.rows[0]["official"] == [{"set": "KSA", "stopped_by": "official"}]


def test_a_folder_without_the_stylesheets_is_refused(tmp_path):
    complaint(run("validate", "--official", tmp_path, GOOD), "holds no stylesheet")
    complaint(run("validate", "--official", SDK, *AS_OF, GOOD), "leave --as-of out")


def test_without_the_processor_of_stylesheets_it_says_how_to_get_it(monkeypatch):
    from gateway import official

    monkeypatch.setattr(official, "find_spec", lambda name: None)
    with pytest.raises(Misconfigured) as refusal:
        official.must_be_installed()
    assert "pip install" in refusal.value.fix


def test_who_judges_one_file_does_not_wait_for_what_orders_need():
    said = "import sys, gateway.commands.validate, gateway.commands.judging; print('pydantic' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "False"
