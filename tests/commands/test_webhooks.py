"""For admins: who hears of events, and what became of each delivery."""

from tests.commands.conftest import complaint, run

URL = "http://127.0.0.1:9/erp"


def test_a_webhook_is_kept(installed):
    assert run("webhooks", "list").out == "There are no webhooks.\n"
    ended = run("webhooks", "add", URL, "--type", "document.cleared", "--json")
    [made] = ended.rows
    webhook = made["id"]
    assert (made["url"], made["types"], made["secret"][:6]) == (URL, ["document.cleared"], "whsec_")
    assert [each["id"] for each in run("webhooks", "list", "--json").rows] == [webhook]
    shown = run("webhooks", "list").out
    assert webhook in shown
    assert "document.cleared" in shown
    assert made["secret"] not in shown
    assert run("webhooks", "deliveries", webhook).out == "Nothing was delivered yet.\n"
    event = run("webhooks", "ping", webhook).out.split()[0]
    [due] = run("webhooks", "deliveries", webhook, "--json").rows
    assert (due["id"], due["state"]) == (event, "due")
    assert event in run("webhooks", "deliveries", webhook).out
    assert run("webhooks", "redeliver", webhook, event).out == "Deliveries that are sent again: 0.\n"
    assert run("webhooks", "redeliver", webhook, "--since", "2026-01-01").code == 0
    [rotated] = run("webhooks", "rotate", webhook, "--json").rows
    assert rotated["secret"] != made["secret"]
    assert "whsec_" in run("webhooks", "rotate", webhook).out
    assert run("webhooks", "delete", webhook).code == 0
    complaint(run("webhooks", "ping", webhook), "There is no webhook")


def test_a_secret_is_shown_with_a_word_about_it(installed):
    ended = run("webhooks", "add", URL)
    assert "Secret: whsec_" in ended.out
    assert "not shown again" in ended.err
    complaint(run("webhooks", "add", URL, "--type", "nothing"), "nothing")
