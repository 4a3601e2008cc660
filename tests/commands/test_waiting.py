"""What waits for a person, and how it goes on: quarantine, retry, release, a connection that is changed."""

import json

import pytest

from gateway.demo.woocommerce import woocommerce_shop
from gateway.pipeline.credentials import connection_with_secrets
from gateway.pipeline.gateway import open_gateway
from gateway.simulator import Fault
from tests.commands.conftest import complaint, run
from tests.installation import OWNER, UNIT, order

WRONG = "99"


@pytest.fixture
def shop(installed, tmp_path):
    """A shop that is connected by the command line, its credentials in a file."""
    with woocommerce_shop() as opened:
        secrets = tmp_path / "secrets.json"
        secrets.write_text(json.dumps(dict(opened.connection("woo", taxpayer_id=OWNER, unit_id=UNIT.id).secrets)))
        arguments = ("woo", "--unit", UNIT.id, "--platform", "woocommerce", "--url", opened.url, "--secrets", secrets)
        assert run("connect", *arguments).code == 0
        opened.arguments, opened.secrets = arguments, secrets
        yield opened


def announced(installed, order_id):
    """The shop's webhook is kept, and the worker has looked at it."""
    with open_gateway(installed.settings) as gateway:
        gateway.ledger.add_notice(
            OWNER, "woo", topic="order.updated", order_id=order_id, delivery_id="d", body=b"{}", now=gateway.now()
        )
    assert run("work", "--once").code == 0


def test_an_order_in_quarantine_is_mended_in_the_shop_and_taken_up_again(installed, shop):
    assert "No order waits" in run("quarantine").out
    announced(installed, WRONG)
    (row,) = run("quarantine", "--json").rows
    assert (row["order"], row["state"]) == (f"woo/{WRONG}", "quarantined")
    assert "395.49" in row["reason"]["en"]
    assert "395.49" in row["reason"]["ar"]
    assert f"woo/{WRONG}" in run("quarantine").out
    assert "395.49" in complaint(run("status", f"woo/{WRONG}"), f"gateway retry {row['id']}")
    shop.orders[WRONG]["total"] = "388.59"
    assert run("retry", row["id"]).code == 0
    assert run("work", "--once").code == 0
    assert "No order waits" in run("quarantine").out
    (document,) = run("status", f"woo/{WRONG}", "--json").rows
    assert (document["status"], document["total"]) == ("reported", "388.59")


def test_what_does_not_wait_cannot_be_retried(installed):
    complaint(run("retry", "12345"), "12345")
    complaint(run("retry", "abc"), "abc")


def test_a_held_unit_sends_again_when_it_is_released(installed, tmp_path):
    complaint(run("release", UNIT.id), "holds nothing back")
    installed.authority.faults.add(Fault(status=401, body='{"status": 401}'))
    file = tmp_path / "order.json"
    file.write_text(json.dumps(order(1)))
    assert run("issue", file).code == 0
    (unit,) = run("units", "--json").rows
    assert "401" in unit["held"]
    assert run("release", UNIT.id).code == 0
    assert run("work", "--once").code == 0
    (document,) = run("status", "--json").rows
    assert document["status"] == "reported"
    (unit,) = run("units", "--json").rows
    assert unit["held"] == ""


def test_a_known_connection_is_changed_only_when_asked_to(installed, shop):
    complaint(run("connect", *shop.arguments), "woo")
    shop.secrets.write_text(json.dumps({"key": "k2", "secret": "s2", "webhook": "w2"}))
    assert run("connect", *shop.arguments, "--change", "--unchecked-issuer").code == 0
    with open_gateway(installed.settings) as gateway:
        assert connection_with_secrets(gateway, OWNER, "woo").secrets["key"] == "k2"
    complaint(run("connect", "nobody", *shop.arguments[1:], "--change"), "nobody")
