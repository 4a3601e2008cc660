"""The commands over connected shops: how they stand, what they sold before, what waits and what is decided about it."""

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from gateway.pipeline.gateway import open_gateway
from tests.commands.conftest import complaint, run
from tests.commands.test_waiting import WRONG, announced, shop
from tests.installation import UNIT
from tests.shops import ask_now

__all__ = ["shop"]

ROOT = Path(__file__).parents[2]


def test_how_each_shop_stands(installed, shop):
    ended = run("shops")
    assert (ended.code, "woo" in ended.out) == (0, True)
    (row,) = run("shops", "--json").rows
    assert (row["connection"], row["error"]) == ("woo", "")
    with open_gateway(installed.settings) as gateway:
        ask_now(gateway, "woo")
    shop.outage = [401] * 9
    assert run("work", "--once").code == 0
    ended = run("shops", "--json")
    assert ended.code == 1
    assert "refuses the credentials" in json.loads(ended.out)["error"]


def test_what_a_shop_sold_before_is_shown_and_then_issued(installed, shop):
    dry = run("backfill", "woo", "--from", "2026-01-01", "--dry-run", "--json")
    fates = {row["order"]: row["fate"] for row in dry.rows}
    assert (dry.code, fates[WRONG], fates["46"]) == (1, "quarantine", "issue")
    assert run("status", "--json").rows == []
    shown = run("backfill", "woo", "--from", "2026-01-01", "--dry-run")
    assert "388.59 SAR (VAT" in shown.out
    assert "Nothing was issued." in shown.out
    real = run("backfill", "woo", "--from", "2026-01-01")
    assert "taken up" in real.out
    assert run("work", "--once").code == 0
    issued = {row["order"]["id"] for row in run("status", "--json", "--limit", "100").rows}
    assert issued == {order for order, fate in fates.items() if fate == "issue"}
    again = run("backfill", "woo", "--from", "2026-01-01", "--dry-run", "--json")
    assert {row["fate"] for row in again.rows if row["order"] in issued} == {"issued"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nobody", "--from", "2026-01-01"), "nobody"),
        (("woo", "--from", "yesterday"), "Usage: "),
        (("woo", "--from", "2026-02-01", "--to", "2026-01-01"), "before the first"),
    ],
)
def test_what_cannot_be_looked_back_at(installed, shop, arguments, says):
    complaint(run("backfill", *arguments), says)


def test_one_that_waits_is_shown_whole_and_set_aside(installed, shop):
    announced(installed, WRONG)
    (row,) = run("quarantine", "--json").rows
    assert datetime.fromisoformat(row["received_at"]).tzinfo, "programs are told a moment with its zone"
    listed = run("quarantine", "--lang", "ar").out
    assert "محجوز" in listed
    assert "395.49" in listed
    shown = run("quarantine", row["id"]).out
    assert "The shop says 395.49, its parts come to 388.59." in shown
    assert '"total": "395.49"' in shown
    whole = json.loads(run("quarantine", row["id"], "--json").out)
    assert whole["payload"]["id"] == int(WRONG)
    complaint(run("quarantine", "12345"), "`gateway quarantine` and GET /v1/quarantine list those that do")
    complaint(run("dismiss", row["id"]), "--reason")
    assert "Set aside" in run("dismiss", row["id"], "--reason", "a gift").out
    assert "No order waits" in run("quarantine").out
    assert "لا يوجد طلب" in run("quarantine", "--lang", "ar").out
    complaint(run("dismiss", row["id"], "--reason", "again"), str(row["id"]))


def test_an_orders_status_tells_what_stands_in_the_shop(installed, shop):
    announced(installed, "46")
    assert "written back: done" in run("status", "woo/46").out


@pytest.fixture(params=["zid", "shopify", "magento"])
def process(request):
    """A shop in a process of its own, and what it is told to do."""
    command = [sys.executable, "-m", "tests.shops", request.param]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        facts = json.loads(process.stdout.readline())

        def tell(line):
            process.stdin.write(f"{line}\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        yield request.param, facts, tell
        process.stdin.close()


def look(installed):
    """As if its time had come: the shop is asked, and all that follows is done."""
    with open_gateway(installed.settings) as gateway:
        ask_now(gateway, "store")
    assert run("work", "--once").code == 0


def test_the_whole_way_with_a_shop_in_a_process_of_its_own(installed, process, tmp_path):
    platform, facts, tell = process
    secrets = tmp_path / "secrets.json"
    secrets.write_text(json.dumps(facts["secrets"]))
    arguments = ("store", "--unit", UNIT.id, "--platform", platform, "--url", facts["url"], "--secrets", secrets)
    connected = run("connect", *arguments)
    assert (connected.code, "/v1/hooks/store" in connected.out) == (0, True)
    tell("sell 77")
    look(installed)
    (invoice,) = run("status", "store/77", "--json").rows
    assert (invoice["status"], invoice["total"]) == ("reported", "138.00")
    assert invoice["number"] in str(tell("written 77"))
    back = tell("give_back 77")
    look(installed)
    rows = {row["kind"]: row for row in run("status", "store/77", "--json").rows}
    note = rows["credit_note"]
    assert (note["status"], note["total"], note["corrects"]) == ("reported", back, invoice["uuid"])
    assert note["number"] in str(tell("written 77"))
