"""For ERPs: reading on what happened, and keeping webhooks."""

import json

import pytest

from tests.api.conftest import problem, wait_for
from tests.receivers import receiver
from tests.test_webhook import SECRET


@pytest.fixture
def admin(api):
    return api.as_role("admin")


@pytest.fixture
def hook():
    with receiver() as found:
        yield found


def events(api, **asked):
    answer = api.get("/v1/events", params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def added(admin, url, types=()):
    answer = admin.post("/v1/webhooks", content=json.dumps({"url": url, "types": list(types)}))
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_who_polls_reads_on(api):
    issued = api.issue(1)
    api.settled(issued["uuid"])
    api.ledger.seal_audit(now=api.gateway.now())
    found = events(api)
    assert [each["type"] for each in found["events"]] == ["document.issued", "document.reported"]
    assert found["events"][1]["data"]["number"] == issued["number"]
    assert found["events"][1]["data"]["links"]["invoice"] == f"/v1/invoices/{issued['uuid']}"
    assert events(api, after=found["next"])["events"] == []
    only = events(api, types="document.reported, deadline.alarm")
    assert [each["type"] for each in only["events"]] == ["document.reported"]
    first = events(api, limit=1)
    assert events(api, after=first["next"])["events"] == found["events"][1:]
    problem(api.get("/v1/events", params={"types": "nothing"}), 400)


def test_a_webhook_is_kept(admin, hook):
    made = added(admin, hook.url, ["document.reported"])
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    assert len(secret) > len(SECRET)
    assert admin.get("/v1/webhooks").json()["items"] == [made]
    place = f"/v1/webhooks/{made['id']}"
    event_id = admin.post(f"{place}/ping").json()["id"]
    wait_for(hook.ids, lambda ids: ids == [event_id])
    [sent] = wait_for(
        lambda: admin.get(f"{place}/deliveries").json()["items"], lambda them: them[0]["state"] == "delivered"
    )
    assert (sent["id"], sent["http_status"], sent["attempts"]) == (event_id, 204, 1)
    rotated = admin.post(f"{place}/rotation").json()
    assert rotated["secret"] not in ("", secret)
    assert admin.post(f"{place}/redelivery", params={"event": event_id}).json() == {"deliveries": 1}
    wait_for(hook.ids, lambda ids: ids == [event_id] * 2)
    assert len(hook.got[1][0]["webhook-signature"].split(" ")) == 2
    assert admin.post(f"{place}/redelivery", params={"since": "2026-01-01T00:00:00+03:00"}).status_code == 202
    assert admin.request("DELETE", place).status_code == 204
    assert admin.get("/v1/webhooks").json()["items"] == []
    problem(admin.get(f"{place}/deliveries"), 404)


def test_what_happens_is_delivered_by_itself(api, admin, hook):
    api.ledger.seal_audit(now=api.gateway.now())
    added(admin, hook.url, ["document.reported"])
    issued = api.issue(1)
    api.settled(issued["uuid"])
    api.ledger.seal_audit(now=api.gateway.now())
    wait_for(hook.types, lambda types: types == ["document.reported"])


@pytest.mark.parametrize("body", [{}, {"url": ""}, {"url": "http://127.0.0.1:1", "secret": "x"}])
def test_bodies_that_are_refused(admin, body):
    problem(admin.post("/v1/webhooks", content=json.dumps(body)), 422)


def test_types_that_are_refused(admin):
    body = json.dumps({"url": "http://127.0.0.1:1", "types": ["document.made"]})
    problem(admin.post("/v1/webhooks", content=body), 400)
