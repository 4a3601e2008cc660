"""No operation tells one taxpayer anything of another: every one of the description, by every role, with the other's
ids wherever it takes one."""

import json

import pytest

from gateway.ledger import AuditFilter
from gateway.pipeline.api_keys import Role
from gateway.pipeline.webhooks import add_webhook
from tests.api.conftest import problem, wait_for
from tests.api.test_access import OPEN
from tests.api.test_invoices import OTHER, stranger_to
from tests.installation import BUSINESS, CONNECTION, OWNER, UNIT, order

MANDATORY = {"period": "2000-01-01..2099-01-01", "from": "2000-01-01", "to": "2099-01-01"}
NOWHERE = "8e6000cf-1a98-4174-b3e7-b5d5954bc10d"
BODIES = {
    "/v1/orders": order(1),
    "/v1/preview": order(1),
    "/v1/invoices/{uuid}/credit-notes": {"id": "R", "everything": True},
    "/v1/invoices/{uuid}/debit-notes": {"id": "A", "lines": order(1)["lines"]},
    "/v1/invoices/{uuid}/correction": order(1),
    "/v1/units/{unit_id}/renew": {"otp": "123456"},
    "/v1/quarantine/{number}/dismissal": {"reason": "Not ours."},
    "/v1/postings/{number}/dismissal": {"reason": "Not ours."},
}


@pytest.fixture
def victim(quiet):
    """A document of the owner, and every secret word of it that must not come back."""
    made = quiet.issue(1, buyer=BUSINESS | {"name": "شركة لا تُرى"})
    hook, _ = add_webhook(quiet.gateway, OWNER, "http://127.0.0.1:9/لا تُرى", (), actor="tests")
    waiting = {
        "topic": "order.created",
        "order_id": "SO-2",
        "delivery_id": "1",
        "body": b"{}",
        "now": quiet.gateway.now(),
    }
    quiet.ledger.add_notice(OWNER, CONNECTION, **waiting)
    package = quiet.as_role("auditor").post("/v1/exports", json={}).json()["id"]
    wait_for(
        lambda: quiet.as_role("auditor").get(f"/v1/exports/{package}").json()["state"], lambda state: state == "ready"
    )
    return {
        "{number}": "1",
        "{id}": package,
        "{webhook_id}": hook.id,
        "{uuid}": made["uuid"],
        "{connection}": CONNECTION,
        "{order_id}": "SO-1",
        "{unit_id}": UNIT.id,
        "{chain_id}": quiet.ledger.chain(OWNER, UNIT.id).id,
    }, (made["number"], made["hash"], "لا تُرى", made["qr"] or made["hash"])


def operations(api):
    for path, methods in api.get("/openapi.json").json()["paths"].items():
        for method, operation in methods.items():
            if (method, path) not in OPEN:
                yield method, path, operation


def query(operation, ids):
    """Every parameter that names a thing, with the other's own."""
    named = {"unit": ids["{unit_id}"], "connection": CONNECTION, "order": "SO-1", "object": ids["{uuid}"]}
    names = {each["name"] for each in operation.get("parameters", []) if each["in"] == "query"}
    return {name: value for name, value in (MANDATORY | named).items() if name in names}


def filled(path, ids):
    for place, value in ids.items():
        path = path.replace(place, value)
    return path


@pytest.mark.parametrize("role", Role)
def test_an_id_of_another_is_as_good_as_none(quiet, victim, role):
    ids, secrets = victim
    stranger_to(quiet)
    caller, before = quiet.as_role(role, OTHER), quiet.position()
    seen = len(quiet.ledger.audit_page(OWNER, AuditFilter(), limit=200).items)
    for method, path, operation in operations(quiet):
        body = json.dumps(BODIES[path]) if path in BODIES else None
        answer = caller.request(method, filled(path, ids), params=query(operation, ids), content=body)
        assert answer.status_code != 500, (method, path)
        assert not [secret for secret in secrets if secret in answer.text], (method, path)
        if "{" in path:
            status = problem(answer, answer.status_code)["status"]
            assert status in (403, 404), (method, path, answer.text)
        elif answer.status_code == 200 and "items" in answer.json():
            assert ids["{uuid}"] not in answer.text, path
    assert quiet.position() == before
    assert len(quiet.ledger.audit_page(OWNER, AuditFilter(), limit=200).items) == seen


def test_what_is_there_and_what_is_nowhere_are_told_alike(quiet, victim):
    ids, _ = victim
    stranger = stranger_to(quiet)
    for method, path, _ in operations(quiet):
        if "{uuid}" in path:
            body = json.dumps(BODIES[path]) if path in BODIES else None
            there, nowhere = (
                stranger.request(method, filled(path, ids | {"{uuid}": uuid}), content=body)
                for uuid in (ids["{uuid}"], NOWHERE)
            )
            assert there.status_code == nowhere.status_code, path
            assert there.text.replace(ids["{uuid}"], NOWHERE) == nowhere.text, path
