"""What the authority does not have, the failure notice, what it warned of, and what monitoring sees."""

import asyncio
import re
from collections import defaultdict
from datetime import timedelta

import pytest

from gateway.api import metrics
from gateway.api.metrics import MEDIA_TYPE, MOST_RULES, exposition
from gateway.invoice.facts import RIYADH
from gateway.issued import Status
from tests.api.conftest import problem
from tests.api.test_invoices import stranger_to
from tests.installation import BUSINESS, OWNER, UNIT
from tests.ledger.many import break_line, warn

DAY = timedelta(days=1)


@pytest.fixture
def accountant(quiet):
    return quiet.as_role("accountant")


def test_what_is_open_by_unit_and_profile(quiet, accountant):
    assert accountant.get("/v1/deadlines").json() == {"items": []}
    first = quiet.issue(1)
    quiet.issue(2)
    standard = quiet.issue(3, buyer=BUSINESS)
    other, simple = sorted(accountant.get("/v1/deadlines").json()["items"], key=lambda each: each["open"])
    assert 23.9 < simple.pop("hours_left") <= 24
    assert simple == {
        "taxpayer": OWNER, "unit": UNIT.id, "profile": "simplified", "open": 2, "held": 0, "rejected": 0, "late": 0,
        "oldest": first["number"], "issued_at": first["issued_at"], "level": 0,
    }  # fmt: skip
    assert (other["profile"], other["open"], other["hours_left"]) == ("standard", 1, None)
    assert other["oldest"] == standard["number"]
    assert stranger_to(quiet).get("/v1/deadlines").json() == {"items": []}


def test_the_notice(quiet, accountant):
    quiet.issue(1, buyer={"name": "فلان الفلاني"})
    notice = accountant.get("/v1/deadlines/notice").json()
    assert (notice["due"], notice["unreported"], notice["vat"]) == (False, 1, UNIT.seller.vat)
    assert notice["text"]["en"].startswith("Failure notification")
    assert notice["text"]["ar"].startswith("إشعار بعطل")
    assert "فلان" not in str(notice)
    later = (quiet.gateway.now() + timedelta(hours=1)).astimezone(RIYADH).isoformat()
    assert accountant.request("GET", "/v1/deadlines/notice", params={"since": later}).json()["unreported"] == 0
    for since, status in (("2026-11-27T10:00:00", 422), ("0001-01-01T00:00:00Z", 400), ("9999-12-31T23:59:59Z", 400)):
        problem(accountant.request("GET", "/v1/deadlines/notice", params={"since": since}), status)


def test_what_the_authority_warned_of(quiet, accountant):
    made, now = quiet.issue(1), quiet.gateway.now()
    warn(quiet.ledger, made["uuid"], "BR-KSA-98", now, "late", OWNER)
    warn(quiet.ledger, made["uuid"], "BR-KSA-60", now - 100 * DAY, "old", OWNER)
    shown = accountant.get("/v1/reports/warnings").json()
    (trend,) = shown["items"]
    assert (trend["rule"], trend["count"], sum(trend["weeks"].values())) == ("BR-KSA-98", 1, 1)
    assert trend["example"] == {"uuid": made["uuid"], "number": made["number"], "message": "late"}
    assert "rejections" in shown["note"]["en"]
    assert shown["note"]["ar"]
    today = now.astimezone(RIYADH).date()
    assert shown["to"] == str(today)
    whole = accountant.get(f"/v1/reports/warnings?from={today - 101 * DAY}").json()["items"]
    assert {each["rule"] for each in whole} == {"BR-KSA-98", "BR-KSA-60"}
    assert accountant.get(f"/v1/reports/warnings?to={today - DAY}").json()["items"] == []
    for query in ("from=0001-01-01&to=9999-12-31", "from=9999-12-31", "to=0001-01-01", "from=2026-02-01&to=2026-01-01"):
        assert accountant.get(f"/v1/reports/warnings?{query}").status_code == 200, query
    problem(accountant.get("/v1/reports/warnings?from=x"), 422)
    assert stranger_to(quiet).get("/v1/reports/warnings").json()["items"] == []


# -- metrics

SAMPLE = re.compile(r'(?P<name>[a-z_]+)(?:\{(?P<labels>(?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)+)\})? (?P<value>-?[0-9.e+-]+)')


def parsed(text):
    """name -> {labels: value}; what is not the text format does not pass."""
    families, kinds = defaultdict(dict), {}
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert kind == "gauge"
            assert name not in kinds, "a family stands in one place"
            kinds[name] = kind
        elif not line.startswith("# HELP "):
            found = SAMPLE.fullmatch(line)
            assert found, line
            assert found["name"] == list(kinds)[-1]
            labels = tuple(re.findall(r'([a-z_]+)="((?:[^"\\\n]|\\.)*)"', found["labels"] or ""))
            assert labels not in families[found["name"]], "a series is told once"
            families[found["name"]][labels] = float(found["value"])
    return {name.removeprefix("gateway_"): dict(families[name]) for name in kinds}


def labelled(family, **wanted):
    return [value for labels, value in family.items() if wanted.items() <= dict(labels).items()]


def test_monitoring_needs_no_key(quiet):
    answer = quiet.with_key("").get("/metrics")
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert parsed(answer.text)["breakers_open"] == {(): 0.0}


def test_what_monitoring_sees(quiet, monkeypatch):
    quiet.issue(1)
    made, now = quiet.issue(2, buyer=BUSINESS), quiet.gateway.now()
    warn(quiet.ledger, made["uuid"], "BR-KSA-98", now, "late", OWNER)
    break_line(quiet.ledger, "authority", now=now, reason="HTTP 503")
    quiet.ledger.set_mark("authority_clock", value='{"skew": -75.5, "at": "2026-11-27T10:00:00+00:00"}')
    quiet.ledger.hold_unit(OWNER, UNIT.id, reason="401", now=now)
    shown = parsed(exposition(quiet.gateway))
    assert labelled(shown["unreported_documents"], profile="simplified", hours="0") == [1]
    assert labelled(shown["unreported_documents"], profile="simplified", hours="23", unit=UNIT.id) == [0]
    assert labelled(shown["unreported_documents"], profile="standard", hours="0") == [1]
    assert 0 <= labelled(shown["unreported_oldest_seconds"], profile="simplified")[0] < 60
    assert {dict(labels)["status"] for labels in shown["submissions"]} == {each.value for each in Status}
    assert labelled(shown["submissions"], status="held") == [2]
    assert shown["breakers_open"] == {(): 1}
    assert labelled(shown["breaker_open"], scope="authority") == [1]
    assert labelled(shown["unit_held"], unit=UNIT.id, taxpayer=OWNER) == [1]
    assert 1000 < labelled(shown["certificate_days_left"], unit=UNIT.id)[0] < 2000
    assert shown["authority_clock_skew_seconds"] == {(): -75.5}
    assert labelled(shown["queue_depth"], kind="submissions") == [2]
    assert labelled(shown["authority_warnings"], rule="BR-KSA-98") == [1]


def test_the_exchanges_of_the_day_by_outcome(api):
    api.settled(api.issue(1)["uuid"])
    assert labelled(parsed(exposition(api.gateway))["attempts"], outcome="accepted") == [1]


def test_monitoring_names_no_buyer_and_no_document_and_stays_small(quiet):
    made = quiet.issue(1, buyer=BUSINESS)
    for number in range(MOST_RULES + 20):
        warn(quiet.ledger, made["uuid"], f'RULE-{number:03d}"\n\\', quiet.gateway.now(), "x", OWNER)
    text = exposition(quiet.gateway)
    for told in (BUSINESS["name"], BUSINESS["vat"], made["uuid"], made["number"], UNIT.seller.name):
        assert told not in text
    rules = parsed(text)["authority_warnings"]
    assert (len(rules), labelled(rules, rule="other")) == (MOST_RULES + 1, [20])


def test_whoever_asks_all_the_time_asks_the_ledger_once_a_second(quiet, monkeypatch):
    asked = []
    monkeypatch.setattr(metrics, "exposition", lambda gateway: asked.append(gateway) or "text")
    kept = metrics.Kept()

    async def many():
        return await asyncio.gather(*(kept.text(quiet.gateway) for _ in range(20)))

    assert asyncio.run(many()) == ["text"] * 20
    assert asked == [quiet.gateway]
