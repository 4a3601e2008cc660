"""The books on the command line: the exit code tells whether they agree."""

from datetime import UTC, datetime

from gateway.invoice.facts import RIYADH
from tests.commands.conftest import complaint, run


def reconcile(*more):
    day = datetime.now(UTC).astimezone(RIYADH).date()
    return run("reconcile", "--from", day, "--to", day, *more)


def test_books_that_agree_and_then_do_not(installed, written, tmp_path):
    run("issue", written(1))
    agreed = reconcile()
    assert agreed.code == 0
    assert "They agree." in agreed.out
    run("issue", "--no-wait", written(2))
    table, files = tmp_path / "gaps.csv", tmp_path / "page.html"
    ended = reconcile("--csv", table, "--html", files, "--ask-shops")
    assert ended.code == 1
    assert "invoice_open" in ended.out
    assert "RUH1-000002" in table.read_text("utf-8-sig")
    assert "RUH1-000002" in files.read_text()
    (shown,) = reconcile("--json", "--connection", "erp-main").rows
    assert [each["number"] for each in shown["gaps"]] == ["RUH1-000002"]
    assert (shown["sides"][0]["invoiced"], shown["sides"][0]["accepted"]) == ("230.00", "115.00")


def test_days_in_the_wrong_order(installed):
    complaint(run("reconcile", "--from", "2026-02-02", "--to", "2026-02-01"), "is no period")
