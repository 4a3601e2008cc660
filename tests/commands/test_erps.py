"""The commands over connected ERPs: connecting, how they stand, what of each document stands in their books."""

import json

import pytest

from gateway.pipeline.connect import add_connection
from gateway.pipeline.gateway import open_gateway
from tests.commands.conftest import complaint, run
from tests.commands.test_waiting import shop
from tests.erps.odoo_server import odoo_server
from tests.installation import OWNER, UNIT, order

__all__ = ["shop"]


@pytest.fixture
def odoo():
    with odoo_server() as server:
        yield server


def connect(odoo, tmp_path, *more, secrets=None, **settings):
    connection = odoo.connection(**settings)
    files = {"secrets": secrets or dict(connection.secrets), "settings": dict(connection.settings)}
    for name, content in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    given = [f"--{name}={tmp_path / name}.json" for name in files]
    return run("connect", "odoo-1", "--unit", UNIT.id, "--platform", "odoo", "--url", odoo.url, *given, *more)


@pytest.fixture
def books(installed, shop, odoo, tmp_path):
    """A shop and an ERP of one unit, and a sale that stands in no books yet."""
    ended = connect(odoo, tmp_path)
    assert (ended.code, "Connection odoo-1 is open." in ended.out) == (0, True), ended
    assert "Webhooks" not in ended.out
    return odoo


def sell(tmp_path, number=1):
    path = tmp_path / f"order-{number}.json"
    path.write_text(json.dumps(order(number, connection="woo")), encoding="utf-8")
    ended = run("issue", path, "--json")
    assert ended.code == 0, ended
    return ended.rows[0]["number"]


def test_how_each_erp_stands_and_what_is_in_its_books(books, tmp_path):
    number = sell(tmp_path)
    assert run("work", "--once").code == 0
    (standing,) = run("erps", "list", "--json").rows
    assert standing["postings"] == {"due": 0, "done": 1, "waiting": 0}
    assert standing["settings"]["journal_id"] == "9"
    assert "k" * 40 not in json.dumps(standing)
    assert "odoo-1" in run("erps", "list").out
    (posting,) = run("erps", "postings", "--json").rows
    assert (posting["state"], posting["number"], posting["entry"]["state"]) == ("done", number, "posted")
    assert run("erps", "postings", number, "--json").rows == [posting]
    assert "مُرحّل" in run("erps", "postings", "--lang", "ar").out
    assert f"{number}: in the books of odoo-1: done" in run("status", number).out
    assert "Nothing waits." in run("erps", "postings", "--failed").out


def test_what_waits_is_tried_again_or_set_aside(books, tmp_path):
    kept, books.tables["account.tax"] = books.tables["account.tax"], []
    with open_gateway(_settings()) as gateway:  # as if the tax had gone after it was connected
        known = gateway.ledger.connection(OWNER, "odoo-1")
        settings = {name: each for name, each in known.settings.items() if not name.startswith("tax.")}
        object.__setattr__(known, "settings", settings)
        gateway.ledger.change_connection(known, now=gateway.now())
    first, second = sell(tmp_path, 1), sell(tmp_path, 2)
    assert run("work", "--once").code == 0
    ended = run("erps", "list", "--json")
    assert (ended.code, ended.rows[0]["postings"]["waiting"]) == (1, 2)
    waiting = {row["number"]: row for row in run("erps", "postings", "--failed", "--json").rows}
    assert waiting[first]["state"] == "held"
    assert "no sales tax of 15 %" in waiting[first]["reason"]["en"]
    complaint(run("erps", "dismiss", waiting[second]["id"]), "--reason")
    assert "Set aside" in run("erps", "dismiss", waiting[second]["id"], "--reason", "by hand").out
    books.tables["account.tax"] = kept
    assert "Taken up again" in run("erps", "retry", waiting[first]["id"]).out
    assert run("work", "--once").code == 0
    states = {row["number"]: row["state"] for row in run("erps", "postings", "--json", "--erp", "odoo-1").rows}
    assert states == {first: "done", second: "ignored"}
    complaint(run("erps", "retry", "12345"), "waits for a person")
    assert run("erps", "postings", "--erp", "nobody").out.strip() == "Nothing was to be posted."


def _settings():
    from gateway.commands.units import read_settings

    return read_settings()


def test_what_cannot_be_connected_is_told(installed, odoo, tmp_path):
    assert run("erps", "list").out.strip() == "No ERP is connected."
    complaint(connect(odoo, tmp_path, journal="OTHER"), "no sales journal OTHER")
    complaint(connect(odoo, tmp_path, secrets={"login": "x", "key": "wrong"}), "refuses the credentials")
    odoo.tables["ir.module.module"] = [{"id": 1, "name": "l10n_sa_edi", "state": "installed"}]
    odoo.tables["account.journal"][0]["edi_format_ids"] = "sa_zatca"
    complaint(connect(odoo, tmp_path), "issues to the authority itself")
    assert run("erps", "list").out.strip() == "No ERP is connected."


def test_a_key_that_ends_soon_is_told(books):
    with open_gateway(_settings()) as gateway:
        known = gateway.ledger.connection(OWNER, "odoo-1")
        object.__setattr__(known, "settings", {**known.settings, "key_ends": "2026-01-02"})
        gateway.ledger.change_connection(known, now=gateway.now())
    ended = run("erps", "list", "--json")
    assert ended.code == 1
    assert "has ended on 2026-01-02" in ended.rows[0]["warning"]["en"]


def test_an_erp_that_cannot_be_asked_is_entered_on_ones_own_word(installed, tmp_path):
    with odoo_server() as gone:
        pass
    complaint(connect(gone, tmp_path), "cannot be told")
    assert "cannot be reached" in connect(gone, tmp_path, "--unchecked-issuer").out
    with open_gateway(_settings()) as gateway:
        assert gateway.ledger.connection(OWNER, "odoo-1").platform == "odoo"
        with pytest.raises(Exception, match="exists already"):
            add_connection(gateway, gone.connection(taxpayer_id=OWNER, unit_id=UNIT.id), actor="tests")
