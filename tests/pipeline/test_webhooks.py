"""Events go to receivers: signed, tried again with the same id, given up after three days, never to the inside."""

import json
from datetime import timedelta

import pytest

from gateway.errors import BadInput, Unknown
from gateway.pipeline import webhooks
from gateway.pipeline.webhooks import add_webhook, delete_webhook, make_deliveries, ping, rotate
from gateway.webhook import WAITS, signature
from tests.installation import OWNER
from tests.pipeline.conftest import opened
from tests.receivers import receiver


@pytest.fixture
def hook():
    with receiver() as found:
        yield found


def listen(site, url, types=()):
    found, secret = add_webhook(site.gateway, OWNER, url, tuple(types), actor="tests")
    return found.id, secret


def tell(site):
    """Seal what happened, and deliver it."""
    site.ledger.seal_audit(now=site.clock())
    make_deliveries(site.gateway)
    site.work()


def states(site, webhook_id):
    return [(each.state, each.attempts, each.http_status) for each in site.ledger.deliveries(OWNER, webhook_id)]


def is_signed(got, secret):
    headers, body = got
    mine = signature(secret, headers["webhook-id"], int(headers["webhook-timestamp"]), body)
    return mine in headers["webhook-signature"].split(" ")


def test_what_happens_to_a_document_is_told_in_order(site, hook):
    tell(site)
    webhook_id, secret = listen(site, hook.url)
    issued = site.issue()
    tell(site)
    site.work()
    tell(site)
    assert hook.types() == ["document.issued", "document.reported"]
    assert all(is_signed(each, secret) for each in hook.got)
    assert json.loads(hook.got[1][1])["data"] == {
        "id": hook.ids()[1],
        "number": issued.number,
        "status": "reported",
        "uuid": issued.uuid,
        "order": {"connection": issued.connection, "id": issued.order_id},
        "links": {"invoice": f"/v1/invoices/{issued.uuid}", "xml": f"/v1/invoices/{issued.uuid}/xml"},
    }
    assert states(site, webhook_id) == [("delivered", 1, 204)] * 2


def test_a_webhook_hears_what_it_wants_and_nothing_from_before_it(site, hook):
    site.issue(1)
    tell(site)
    tell(site)
    listen(site, hook.url, ["document.reported"])
    site.issue(2)
    tell(site)
    tell(site)
    assert hook.types() == ["document.reported"]


def test_no_cookie_is_kept_for_one_client_calls_everybody(site, hook):
    webhook_id, _ = listen(site, hook.url)
    for _ in range(2):
        ping(site.gateway, OWNER, webhook_id)
        site.work()
    assert [headers.get("cookie") for headers, _ in hook.got] == [None, None]


def test_what_a_receiver_says_is_kept_in_one_line_of_letters(site, hook):
    webhook_id, _ = listen(site, hook.url)
    hook.answers, hook.says = [500], b"\0no\r\nnever"
    ping(site.gateway, OWNER, webhook_id)
    site.work()
    [kept] = site.ledger.deliveries(OWNER, webhook_id)
    assert kept.error == "The receiver says 500.  no  never"


def test_a_receiver_that_fails_is_tried_for_three_days_with_the_same_id(site, hook):
    webhook_id, _ = listen(site, hook.url)
    hook.answers = [500] * 10
    ping(site.gateway, OWNER, webhook_id)
    site.work()
    for attempts, wait in enumerate(WAITS, start=1):
        assert len(hook.got) == attempts
        site.clock.move(wait - timedelta(seconds=1))
        site.work()
        assert len(hook.got) == attempts
        site.work_later(seconds=1)
    assert len(set(hook.ids())) == 1
    assert len({body for _, body in hook.got}) == 1
    assert len({headers["webhook-timestamp"] for headers, _ in hook.got}) == 10
    assert states(site, webhook_id) == [("failed", 10, 500)]
    assert site.ledger.redeliver(OWNER, webhook_id, actor="tests", now=site.clock()) == 1
    site.work()
    assert states(site, webhook_id) == [("delivered", 1, 204)]


@pytest.mark.parametrize("status", [301, 307])
def test_redirects_are_not_followed(site, hook, status):
    webhook_id, _ = listen(site, hook.url)
    hook.answers = [status]
    ping(site.gateway, OWNER, webhook_id)
    site.work()
    assert len(hook.got) == 1
    [delivery] = site.ledger.deliveries(OWNER, webhook_id)
    assert (delivery.state, delivery.http_status) == ("due", status)
    assert "redirects" in delivery.error


def test_a_receiver_that_stalls_is_left(site, hook, monkeypatch):
    monkeypatch.setattr(webhooks, "LONGEST", 0.1)
    webhook_id, _ = listen(site, hook.url)
    hook.stall = 0.5
    ping(site.gateway, OWNER, webhook_id)
    site.work()
    [delivery] = site.ledger.deliveries(OWNER, webhook_id)
    assert (delivery.state, delivery.http_status) == ("due", None)
    assert "did not answer" in delivery.error


def test_a_receiver_that_is_gone_is_not_asked_again(site, hook):
    webhook_id, _ = listen(site, hook.url)
    hook.answers = [410]
    ping(site.gateway, OWNER, webhook_id)
    ping(site.gateway, OWNER, webhook_id)
    site.work()
    site.issue()
    tell(site)
    site.work_later(days=4)
    assert site.ledger.webhook(OWNER, webhook_id).off_reason == "The receiver says 410."
    assert len(hook.got) <= 2
    assert {each.next_at for each in site.ledger.deliveries(OWNER, webhook_id)} == {None}


def test_nobody_inside_is_called(installation):
    with opened(installation, allow_private_shops=False) as site:
        with pytest.raises(BadInput):
            listen(site, "https://127.0.0.1/hook")
        with pytest.raises(BadInput):
            listen(site, "http://shop.example/hook")
        webhook_id, _ = listen(site, "https://localhost:8443/hook")
        ping(site.gateway, OWNER, webhook_id)
        site.work()
        [delivery] = site.ledger.deliveries(OWNER, webhook_id)
        assert (delivery.state, delivery.attempts) == ("due", 1)
        assert "public address" in delivery.error


def test_a_killed_worker_sends_the_same_id_again(site, hook):
    webhook_id, _ = listen(site, hook.url)
    event_id = ping(site.gateway, OWNER, webhook_id)
    until = site.clock() + timedelta(minutes=1)
    [held] = site.ledger.claim_deliveries(now=site.clock(), limit=5, lease_until=until, worker="killed")
    site.work()
    assert hook.got == []
    site.work_later(minutes=1)
    assert hook.ids() == [event_id]
    site.ledger.end_delivery(held, http_status=None, error="late", next_at=site.clock(), now=site.clock())
    assert states(site, webhook_id) == [("delivered", 1, 204)]


def test_a_former_secret_counts_for_a_day(site, hook):
    webhook_id, former = listen(site, hook.url)
    _, secret = rotate(site.gateway, OWNER, webhook_id, actor="tests")
    for days in (0, 1):
        site.clock.move(timedelta(days=days))
        ping(site.gateway, OWNER, webhook_id)
        site.work()
    assert [is_signed(each, secret) for each in hook.got] == [True, True]
    assert [is_signed(each, former) for each in hook.got] == [True, False]


def test_a_deleted_webhook_hears_nothing_and_its_secret_is_forgotten(site, hook):
    webhook_id, _ = listen(site, hook.url)
    ping(site.gateway, OWNER, webhook_id)
    delete_webhook(site.gateway, OWNER, webhook_id, actor="tests")
    site.work()
    assert hook.got == []
    with pytest.raises(Unknown):
        site.gateway.safe.open(f"{OWNER}/webhook/{webhook_id}")
    with pytest.raises(Unknown):
        ping(site.gateway, OWNER, webhook_id)


def test_there_are_no_events_of_another_type(site, hook):
    with pytest.raises(BadInput, match=r"document\.made"):
        listen(site, hook.url, ["document.made"])
