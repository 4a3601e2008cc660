"""Units over the API: only an admin's key runs them, and no OTP is kept or told."""

import json
import threading
from dataclasses import asdict

import pytest
import structlog

from gateway.ledger import Taxpayer
from gateway.simulator import Fault
from tests.api.conftest import problem, wait_for
from tests.commands.test_documents import UNIT_JSON
from tests.installation import OWNER, UNIT

OTP = "123456"
NEW = json.loads(UNIT_JSON) | {
    "id": "JED1",
    "number_prefix": "JED1-",
    "common_name": "JED1",
    "serial": "1-gateway|2-1.0|3-jed",
    "invoice_types": "0100",
}


@pytest.fixture
def admin(api):
    return api.as_role("admin")


def onboard(caller, unit=NEW, **more):
    return caller.post("/v1/units", json={"unit": unit, **more})


def unit_of(caller, name):
    answer = caller.get("/v1/units")
    assert answer.status_code == 200, answer.text
    return next(each for each in answer.json()["items"] if each["unit"] == name)


def busy(api, authority, endpoint):
    authority.faults.add(Fault(status=503, endpoint=endpoint))


def test_a_unit_comes_into_operation_and_issues(api, admin):
    answer = onboard(admin, otp=OTP)
    assert answer.status_code == 201, answer.text
    assert (answer.json()["unit"], answer.json()["documents"], answer.json()["run"]) == ("JED1", 0, None)
    assert answer.json()["days_left"] > 1800
    assert unit_of(admin, "JED1") == answer.json()
    (entry,) = [each for each in api.ledger.audit_log(OWNER) if each.action == "unit.added" and each.object == "JED1"]
    assert entry.actor.startswith("key:")


def test_the_same_call_goes_on_where_it_stopped(api, admin, authority):
    assert "needs an OTP" in problem(onboard(admin), 400)["detail"]
    busy(api, authority, "compliance/invoices")
    answer = onboard(admin, otp=OTP)
    assert "without a new OTP" in problem(answer, 503)["fix"]
    assert int(answer.headers["Retry-After"]) > 0
    assert unit_of(admin, "JED1")["run"]["step"] == "checks"
    assert onboard(admin).status_code == 201
    busy(api, authority, "production/csids")
    problem(onboard(admin, otp=OTP), 503)
    assert "is discarded" in problem(onboard(admin, restart=True), 400)["detail"]
    assert onboard(admin, restart=True, otp=OTP).status_code == 201


def test_a_refusal_is_a_problem_in_both_languages(admin):
    content = problem(onboard(admin, otp="111111"), 400)
    assert "OTP is invalid" in content["detail"]
    assert content["fix"]
    assert content["detail_ar"]


def test_a_renewal_goes_on_too(api, admin, authority):
    before = api.issue(1)
    busy(api, authority, "compliance/invoices")
    problem(admin.post(f"/v1/units/{UNIT.id}/renew", json={"otp": OTP}), 503)
    assert unit_of(admin, UNIT.id)["documents"] == 1
    answer = admin.post(f"/v1/units/{UNIT.id}/renew", json={})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["documents"], answer.json()["run"]) == (0, None)
    after = api.issue(2)
    assert (before["icv"], after["icv"]) == (1, 1)
    assert api.settled(before["uuid"])["status"] == api.settled(after["uuid"])["status"] == "reported"


def test_a_held_unit_is_released(api, admin):
    problem(admin.post(f"/v1/units/{UNIT.id}/release"), 400)
    api.ledger.hold_unit(OWNER, UNIT.id, reason="the authority answered 401", now=api.gateway.now())
    document = api.issue(1)
    assert unit_of(admin, UNIT.id)["held"] == "the authority answered 401"
    answer = admin.post(f"/v1/units/{UNIT.id}/release")
    assert (answer.status_code, answer.json()["held"]) == (200, "")
    assert api.settled(document["uuid"])["status"] == "reported"


CALLS = [
    ("POST", "/v1/units", {"unit": NEW, "otp": OTP}),
    ("POST", f"/v1/units/{UNIT.id}/renew", {"otp": OTP}),
    ("POST", f"/v1/units/{UNIT.id}/release", None),
]


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
@pytest.mark.parametrize("role", ["integrator", "accountant", "auditor"])
def test_only_an_admin_runs_units(quiet, authority, method, path, body, role):
    asked = len(authority.state.exchanges)
    assert "onboard, renew and release" in problem(quiet.as_role(role).request(method, path, json=body), 403)["detail"]
    problem(quiet.with_key(None).request(method, path, json=body), 401)
    assert len(authority.state.exchanges) == asked


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_a_body_is_read_for_callers_who_may_only(quiet, method, path, body):
    for broken in (b"{", b"[" * 10_000, b"\xff", json.dumps({"otp": [OTP]}).encode()):
        problem(quiet.with_key(None).request(method, path, content=broken), 401)
        problem(quiet.as_role("auditor").request(method, path, content=broken), 403)
        if body:
            answer = quiet.as_role("admin").request(method, path, content=broken)
            assert not problem(answer, 422)["detail"].startswith(":")
            assert OTP not in answer.text


STRANGER = "310122393500003"


@pytest.mark.parametrize("role", ["integrator", "accountant", "auditor", "admin"])
def test_a_strangers_key_meets_nothing_of_this_taxpayer(quiet, authority, role):
    document = quiet.issue(1)
    quiet.ledger.add_taxpayer(Taxpayer(STRANGER, "غريب", STRANGER), actor="tests", now=quiet.gateway.now())
    stranger = quiet.as_role(role, STRANGER)
    asked = len(authority.state.exchanges)
    for path in ("renew", "release"):
        answer = stranger.post(f"/v1/units/{UNIT.id}/{path}", json={"otp": OTP})
        assert problem(answer, 404 if role == "admin" else 403)
    for path in ("", "/xml", "/qr", "/qr.svg", "/attempts"):
        answer = stranger.get(f"/v1/invoices/{document['uuid']}{path}")
        problem(answer, 403 if path == "/attempts" and role == "integrator" else 404)
    for path in ("/v1/units", "/v1/deadlines", "/v1/reports/warnings"):
        answer = stranger.get(path)
        assert answer.status_code == (403 if role == "integrator" else 200)
        assert UNIT.id not in answer.text
    assert document["number"] not in stranger.get("/v1/deadlines/notice").text
    assert len(authority.state.exchanges) == asked


@pytest.mark.parametrize(
    ("role", "status"), [("integrator", 403), ("accountant", 200), ("auditor", 200), ("admin", 200)]
)
def test_who_sees_units(quiet, role, status):
    assert quiet.as_role(role).get("/v1/units").status_code == status


def test_no_unit_of_another_taxpayer(api, admin):
    other = NEW | {"taxpayer": NEW["taxpayer"] | {"vat": "310122393500003"}}
    assert "belongs to taxpayer" in problem(onboard(admin, other, otp=OTP), 403)["detail"]
    problem(admin.post("/v1/units/NONE/renew", json={"otp": OTP}), 404)
    problem(admin.post("/v1/units/NONE/release"), 404)
    assert [unit.id for unit in api.ledger.units()] == [UNIT.id]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"otp": OTP},
        {"unit": {"id": "X"}, "otp": OTP},
        {"unit": NEW, "otp": 123456},
        {"unit": NEW, "otp": OTP * 9},
        {"unit": NEW, "otp": OTP, "more": 1},
    ],
)
def test_bodies_that_cannot_be_used_do_not_come_back(admin, body):
    answer = admin.post("/v1/units", json=body)
    problem(answer, 422)
    assert OTP not in answer.text


def test_an_otp_is_in_no_log_and_no_ledger(quiet, installation):
    admin = quiet.as_role("admin")
    secret = "654321"
    with structlog.testing.capture_logs() as told:
        assert onboard(admin, otp=secret).status_code == 201
        problem(onboard(admin, otp="111111", restart=True), 400)
    assert secret not in str(told)
    for run in quiet.ledger.onboardings(OWNER, "JED1"):
        assert secret not in str(asdict(run))
    assert secret not in str(list(quiet.ledger.audit_log(OWNER)))


def test_a_caller_who_asks_again_meanwhile_spoils_nothing(api, admin, authority):
    authority.faults.add(Fault(delay=1.0, endpoint="compliance"))
    answers = []
    first = threading.Thread(target=lambda: answers.append(onboard(admin, otp=OTP)))
    first.start()
    wait_for(lambda: api.ledger.open_onboarding(OWNER, "JED1"), lambda run: run is not None)
    assert "at this moment" in problem(onboard(api.as_role("admin"), otp=OTP), 409)["detail"]
    first.join(20)
    assert [answer.status_code for answer in answers] == [201]
