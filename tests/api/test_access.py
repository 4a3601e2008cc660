"""Who may call what: every role against every route, and no answer without a key that holds."""

import pytest

from gateway.pipeline.api_keys import Role
from tests.api.conftest import problem
from tests.installation import CONNECTION, OWNER, UNIT

UUID = "8e6000cf-1a98-4174-b3e7-b5d5954bc10d"
EVERYONE = {"integrator", "accountant", "auditor", "admin"}

# Whom each route is for. A new route has to be entered here.
FOR = {
    ("post", "/v1/orders"): {"integrator", "admin"},
    ("post", "/v1/preview"): {"integrator", "admin"},
    ("post", "/v1/documents"): {"integrator", "admin"},
    ("post", "/v1/invoices/{uuid}/credit-notes"): {"integrator", "accountant", "admin"},
    ("post", "/v1/invoices/{uuid}/debit-notes"): {"integrator", "accountant", "admin"},
    ("post", "/v1/invoices/{uuid}/correction"): {"integrator", "accountant", "admin"},
    ("get", "/v1/invoices"): EVERYONE,
    ("get", "/v1/invoices/{uuid}"): EVERYONE,
    ("get", "/v1/invoices/{uuid}/xml"): EVERYONE,
    ("get", "/v1/invoices/{uuid}/qr.svg"): EVERYONE,
    ("get", "/v1/invoices/{uuid}/qr.png"): EVERYONE,
    ("get", "/v1/invoices/{uuid}/pdf"): EVERYONE,
    ("post", "/v1/invoices/{uuid}/links"): {"integrator", "accountant", "admin"},
    ("delete", "/v1/links"): {"admin"},
    ("get", "/v1/invoices/{uuid}/attempts"): {"accountant", "auditor", "admin"},
    ("get", "/v1/orders/{connection}/{order_id}"): EVERYONE,
    ("get", "/v1/quarantine"): EVERYONE,
    ("get", "/v1/quarantine/{number}"): {"integrator", "accountant", "admin"},
    ("post", "/v1/quarantine/{number}/retry"): {"integrator", "accountant", "admin"},
    ("post", "/v1/quarantine/{number}/dismissal"): {"integrator", "accountant", "admin"},
    ("get", "/v1/erps"): {"accountant", "auditor", "admin"},
    ("post", "/v1/erps"): {"admin"},
    ("get", "/v1/postings"): EVERYONE,
    ("post", "/v1/postings/{number}/retry"): {"integrator", "accountant", "admin"},
    ("post", "/v1/postings/{number}/dismissal"): {"integrator", "accountant", "admin"},
    ("get", "/v1/deadlines"): {"accountant", "auditor", "admin"},
    ("get", "/v1/deadlines/notice"): {"accountant", "auditor", "admin"},
    ("get", "/v1/reports/warnings"): {"accountant", "auditor", "admin"},
    ("get", "/v1/reports/vat"): {"accountant", "auditor", "admin"},
    ("get", "/v1/reports/vat/documents"): {"accountant", "auditor", "admin"},
    ("get", "/v1/reports/reconciliation"): {"accountant", "auditor", "admin"},
    ("get", "/v1/audit"): {"auditor", "admin"},
    ("post", "/v1/exports"): {"accountant", "auditor", "admin"},
    ("get", "/v1/exports"): {"accountant", "auditor", "admin"},
    ("get", "/v1/exports/{id}"): {"accountant", "auditor", "admin"},
    ("get", "/v1/exports/{id}/package"): {"accountant", "auditor", "admin"},
    ("delete", "/v1/exports/{id}"): {"accountant", "admin"},
    ("get", "/v1/events"): EVERYONE,
    ("post", "/v1/webhooks"): {"admin"},
    ("get", "/v1/webhooks"): {"admin"},
    ("delete", "/v1/webhooks/{webhook_id}"): {"admin"},
    ("post", "/v1/webhooks/{webhook_id}/ping"): {"admin"},
    ("post", "/v1/webhooks/{webhook_id}/rotation"): {"admin"},
    ("get", "/v1/webhooks/{webhook_id}/deliveries"): {"admin"},
    ("post", "/v1/webhooks/{webhook_id}/redelivery"): {"admin"},
    ("post", "/v1/validate"): EVERYONE,
    ("post", "/v1/units"): {"admin"},
    ("get", "/v1/units"): {"accountant", "auditor", "admin"},
    ("get", "/v1/units/{unit_id}/certificates"): {"accountant", "auditor", "admin"},
    ("get", "/v1/units/{unit_id}/chains/{chain_id}"): {"accountant", "auditor", "admin"},
    ("post", "/v1/units/{unit_id}/renew"): {"admin"},
    ("post", "/v1/units/{unit_id}/release"): {"admin"},
}
OPEN = {
    ("post", "/v1/hooks/{connection}"),
    ("get", "/v1/shared/{ticket}/{name}"),
    ("get", "/v1/shared/{code}"),
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/metrics"),
}

PLACES = {
    "{number}": "1",
    "{uuid}": UUID,
    "{id}": UUID,
    "{connection}": CONNECTION,
    "{order_id}": "SO-1",
    "{unit_id}": UNIT.id,
    "{chain_id}": "none",
}


def path_of(route):
    path = route
    for place, value in PLACES.items():
        path = path.replace(place, value)
    return path


def routes(api):
    paths = api.get("/openapi.json").json()["paths"]
    return {(method, path) for path, methods in paths.items() for method in methods}


def test_every_route_has_an_entry(quiet):
    assert routes(quiet) == FOR.keys() | OPEN


@pytest.mark.parametrize("role", Role)
def test_what_a_role_may_and_may_not(quiet, role):
    caller, before = quiet.as_role(role), quiet.position()
    for (method, route), roles in FOR.items():
        answer = caller.request(method, path_of(route))
        if role.value in roles:
            assert answer.status_code not in (401, 403), (method, route)
        else:
            content = problem(answer, 403)
            assert role.value in content["detail"]
            assert all(allowed in content["fix"] for allowed in roles)
    assert quiet.position() == before


def wrong_keys(api, key):
    revoked = api.as_role("admin")
    key_id = max(api.ledger.api_keys(OWNER), key=lambda each: each.created_at).id
    api.ledger.revoke_api_key(key_id, taxpayer_id=OWNER, actor="tests", now=api.gateway.now())
    return {
        "none": {"Authorization": ""},
        "no scheme": {"Authorization": key},
        "another scheme": {"Authorization": f"Basic {key}"},
        "cut off": {"Authorization": f"Bearer {key[:-1]}"},
        "another secret": {"Authorization": f"Bearer {key[:20]}{'x' * 32}"},
        "unknown": {"Authorization": "Bearer gw_test_0000000000_x"},
        "revoked": {"Authorization": revoked.authorization},
        "not ASCII": {"Authorization": "Bearer clé".encode("latin-1")},
        "empty": {"Authorization": "Bearer"},
    }


def test_no_key_that_does_not_hold_opens_any_route(quiet, installation):
    for headers in wrong_keys(quiet, installation.key).values():
        for method, route in FOR:
            answer = quiet.request(method, path_of(route), headers=headers)
            assert problem(answer, 401)["fix"]
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert installation.key not in answer.text


def test_a_role_is_no_help_where_the_route_is_open(quiet):
    nobody = quiet.with_key("")
    assert nobody.get("/healthz").json() == {"status": "ok"}
    assert nobody.get("/readyz").json() == {
        "status": "ok",
        "checks": {"ledger": "ok", "journal": "ok", "keys": "ok", "worker": "ok"},
        "notes": {},
    }
    assert nobody.get("/openapi.json").status_code == 200


def test_bearer_is_written_in_any_case(quiet, installation):
    assert quiet.get("/v1/invoices", headers={"Authorization": f"bearer {installation.key}"}).status_code == 200


def test_what_is_done_is_logged_under_the_keys_name_and_not_its_secret(quiet, installation):
    quiet.issue(1)
    key_id, secret = installation.key.split("_", 3)[2:]
    entries = list(quiet.ledger.audit_log(OWNER))
    issued = [each for each in entries if each.action == "document.issued"]
    assert [each.actor for each in issued] == [f"key:{key_id}"]
    assert secret not in str(entries)
