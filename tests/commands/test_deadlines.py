"""For accountants and operators: what is open, the failure notice, what the authority warned of."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from gateway.ledger import Filter
from gateway.pipeline.gateway import open_gateway
from tests.commands.conftest import complaint, run
from tests.installation import OWNER, UNIT
from tests.ledger.many import warn


@pytest.fixture
def opened(installed):
    """The installation's gateway with one document that is not sent."""
    with open_gateway(installed.settings) as gateway:
        yield gateway


def test_all_is_with_the_authority(installed):
    assert (run("deadlines").code, run("deadlines").out) == (0, "Every document is with the authority.\n")
    assert run("deadlines", "--json").rows == []
    ended = run("deadlines", "--notice")
    assert (ended.code, "nothing to notify" in ended.out) == (0, True)
    assert run("warnings").out == "The authority warned of nothing.\n"
    assert run("deadlines", "--lang", "ar").out == "كل المستندات لدى الهيئة.\n"
    assert run("warnings", "--lang", "ar").out == "لم تصدر عن الهيئة أي تحذيرات.\n"


def test_what_is_open(installed, written):
    run("issue", written(1), "--no-wait")
    run("issue", written(2), "--no-wait")
    ended = run("deadlines", "--json")
    (row,) = ended.rows
    assert (row["unit"], row["open"], row["oldest"], row["level"]) == (UNIT.id, 2, "RUH1-000001", 0)
    ended = run("deadlines")
    assert ended.code == 0
    for word in ("RUH1-000001", "simplified", "23:5"):
        assert word in ended.out
    assert run("deadlines", "--taxpayer", OWNER, "--json").rows[0]["open"] == 2
    complaint(run("deadlines", "--taxpayer", "310000000000003"), "no taxpayer")


def test_from_a_level_of_alarm_on_it_ends_with_1_and_says_what_to_do(installed, written, monkeypatch):
    run("issue", written(1), "--no-wait")
    later = datetime.now(UTC) + timedelta(hours=25, minutes=30)
    monkeypatch.setattr("gateway.commands.units.open_gateway", partial(open_gateway, now=lambda: later))
    ended = run("deadlines")
    assert ended.code == 1
    assert "-1:30" in ended.out or "-1:29" in ended.out
    assert "24 h" in ended.out
    assert "notify the authority" in ended.out
    arabic = run("deadlines", "--lang", "ar").out
    for word in ("مستندات ليست لدى الهيئة", "مبسطة", "24 ساعة", "انقضت مهلة"):
        assert word in arabic
    assert "Issued" not in arabic
    notice = run("deadlines", "--notice")
    assert notice.code == 0
    assert notice.out.index("إشعار بعطل") < notice.out.index("Failure notification")
    (row,) = run("deadlines", "--notice", "--json", "--since", "2026-01-01").rows
    assert (row["due"], row["late"], row["from"]) == (True, 1, "2026-01-01T00:00:00+03:00")


def test_since_is_of_the_notice(installed):
    complaint(run("deadlines", "--since", "2026-01-01"), "--notice")
    complaint(run("deadlines", "--notice", "--since", "1999-01-01"), "no time for an invoice")


def test_a_clock_that_differs_is_told(opened):
    opened.ledger.set_mark("authority_clock", value='{"skew": 75.2, "at": "2026-11-27T10:00:00+00:00"}')
    assert "differ by 75 s (seen 2026-11-27 13:00)" in run("deadlines").out
    assert "75 ثانية" in run("deadlines", "--lang", "ar").out


def test_a_clock_that_is_right_is_not_told(opened):
    opened.ledger.set_mark("authority_clock", value='{"skew": -60, "at": "2026-11-27T10:00:00+00:00"}')
    assert "differ" not in run("deadlines").out


def test_what_the_authority_warned_of(opened, written):
    run("issue", written(1), "--no-wait")
    (issued,) = opened.ledger.invoices(OWNER, Filter()).items
    warn(opened.ledger, issued.uuid, "BR-KSA-98", datetime.now(UTC), "submitted [late]", OWNER)
    (row,) = run("warnings", "--json").rows
    assert (row["rule"], row["count"], row["example"]["number"]) == ("BR-KSA-98", 1, issued.number)
    ended = run("warnings")
    for word in ("BR-KSA-98", issued.number, "submitted [late]", "rejections"):
        assert word in ended.out
    arabic = run("warnings", "--lang", "ar").out
    assert ("تحذيرات الهيئة" in arabic, "قُبلت هذه المستندات" in arabic, "Rule" in arabic) == (True, True, False)
    assert run("warnings", "--to", "2026-01-01", "--json").rows == []
    assert run("warnings", "--from", "2099-01-01", "--json").rows == []
