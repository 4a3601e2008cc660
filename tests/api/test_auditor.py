"""The auditor: reads all that proves the books, writes nothing, and every look is logged before anything is shown."""

from datetime import UTC, date, datetime, timedelta

import pytest

from gateway.api.access import NARROWED
from gateway.errors import BadInput, Unavailable
from gateway.invoice.facts import RIYADH
from gateway.ledger import AuditFilter
from gateway.pipeline.api_keys import Role, Scope, add_key
from gateway.pipeline.gateway import open_gateway
from tests.api.conftest import Api, problem, serving, wait_for
from tests.api.test_access import OPEN, path_of
from tests.api.test_invoices import stranger_to
from tests.installation import BUSINESS, OWNER, UNIT

MAKES_PROOF = {("post", "/v1/validate"), ("post", "/v1/exports")}
"""Not reading, but nothing in the books changes by it."""
WAITS_FOR_OTHERS = {
    ("get", "/v1/webhooks"),
    ("get", "/v1/webhooks/{webhook_id}/deliveries"),
    ("get", "/v1/quarantine/{number}"),
}
"""An order as the shop gave it, which is no document yet; and the receivers of events, which an admin keeps."""


@pytest.fixture
def auditor(quiet):
    return quiet.as_role("auditor")


def key_of(api):
    return f"key:{api.authorization.split('_')[2]}"


def looks(api, caller, **by):
    found = api.ledger.audit_page(OWNER, AuditFilter(actor=key_of(caller), action="look", **by), limit=200).items
    return [(each.object, dict(each.detail)) for each in reversed(found)]


def operations(api):
    paths = api.get("/openapi.json").json()["paths"]
    return {(method, path) for path, methods in paths.items() for method in methods} - OPEN


def filled(api, path, uuid):
    chain = api.ledger.chain(OWNER, UNIT.id).id
    return path_of(path.replace("{uuid}", uuid).replace("{chain_id}", chain))


def test_an_auditor_never_writes_and_reads_all_that_proves(quiet, auditor):
    uuid, before = quiet.issue(1)["uuid"], quiet.position()
    package = auditor.post("/v1/exports", json={}).json()["id"]
    wait_for(lambda: auditor.get(f"/v1/exports/{package}").json()["state"], lambda state: state == "ready")
    parameters = {
        "/v1/reports/vat": "?period=2026",
        "/v1/reports/vat/documents": "?period=2026",
        "/v1/reports/reconciliation": "?from=2026-01-01&to=2026-01-31",
    }
    for method, path in sorted(operations(quiet)):
        where = filled(quiet, path.replace("{id}", package), uuid)
        answer = auditor.request(method, where + parameters.get(path, ""))
        if method == "get" and (method, path) not in WAITS_FOR_OTHERS:
            assert answer.status_code == 200, (path, answer.text)
        elif (method, path) not in MAKES_PROOF:
            problem(answer, 403)
    assert quiet.position() == before
    done = {each.action for each in quiet.ledger.audit_page(OWNER, AuditFilter(actor=key_of(auditor)), limit=200).items}
    assert done == {"look", "package.exported"}


def test_every_look_is_logged_wherever_it_goes(quiet, auditor):
    uuid = quiet.issue(1)["uuid"]
    for method, path in sorted(operations(quiet)):
        where = filled(quiet, path, uuid)
        auditor.request(method, where)
        assert looks(quiet, auditor)[-1] == (where, {"method": method.upper()}), path
    auditor.get("/v1/invoices?buyer=ACME&limit=3")
    said = ("/v1/invoices", {"method": "GET", "query": {"buyer": "ACME", "limit": "3"}})
    assert looks(quiet, auditor)[-1] == said
    auditor.get(f"/v1/invoices?{'x' * 2000}={'y' * 2000}")
    ((name, value),) = looks(quiet, auditor)[-1][1]["query"].items()
    assert (len(name), len(value)) == (500, 500)
    assert not list(quiet.ledger.audit_breaks(OWNER))


def test_others_are_not_logged_for_looking(quiet):
    quiet.as_role("accountant").get("/v1/invoices")
    assert quiet.ledger.audit_page(OWNER, AuditFilter(action="look")).items == ()


def test_a_look_that_cannot_be_logged_shows_nothing(quiet, auditor, monkeypatch):
    uuid = quiet.issue(1)["uuid"]

    def full(*_, **__):
        raise Unavailable("The disk is full.", retry_after=7)

    monkeypatch.setattr(type(quiet.ledger), "audit", full)
    for method, path in operations(quiet):
        refused = auditor.request(method, filled(quiet, path, uuid))
        assert "audit log" in problem(refused, 503)["detail"]
        assert refused.headers["retry-after"] == "7"
        assert uuid not in refused.text.replace(path, "")
    assert quiet.as_role("accountant").get(f"/v1/invoices/{uuid}").status_code == 200


def test_the_audit_log_in_pages_and_by_what_is_looked_for(quiet, auditor):
    made = quiet.issue(1)
    for _ in range(5):
        auditor.get("/v1/invoices")
    first = auditor.get("/v1/audit?action=look&limit=3").json()
    rest = auditor.get(f"/v1/audit?action=look&limit=3&cursor={first['next']}").json()
    moments = [each["at"] for each in first["items"] + rest["items"]]
    assert moments == sorted(moments, reverse=True)
    assert len(set(moments)) == 6
    (entry,) = auditor.get(f"/v1/audit?object={made['uuid']}").json()["items"]
    assert (entry["action"], entry["detail"]["number"]) == ("document.issued", made["number"])
    today = quiet.gateway.now().astimezone(RIYADH).date()
    assert auditor.get(f"/v1/audit?to={today - timedelta(days=1)}").json()["items"] == []
    assert auditor.get(f"/v1/audit?from={today}&actor=nobody").json()["items"] == []
    assert auditor.get("/v1/audit?from=0001-01-01&to=9999-12-31").json()["items"]
    for wrong in ("cursor=0", "cursor=x", "limit=201", "from=x"):
        problem(auditor.get(f"/v1/audit?{wrong}"), 422)


def test_nobody_sees_the_audit_log_of_another(quiet):
    made = quiet.issue(1)
    seen = stranger_to(quiet).get("/v1/audit?limit=200").json()["items"]
    assert made["uuid"] not in str(seen)
    assert "document.issued" not in {each["action"] for each in seen}


# -- certificates and chains


def test_certificates_and_chains_prove_the_documents(quiet, auditor):
    made = [quiet.issue(number) for number in (1, 2, 3)]
    shown = auditor.get(f"/v1/units/{UNIT.id}/certificates").json()
    in_use = quiet.ledger.current_csid(OWNER, UNIT.id)
    assert [each["certificate"] for each in shown["items"] if each["stage"] == "production"] == [in_use.certificate]
    assert in_use.token not in str(shown)
    (chain,) = shown["chains"]
    assert (chain["documents"], chain["last_hash"]) == (3, made[-1]["hash"])
    first = auditor.get(f"/v1/units/{UNIT.id}/chains/{chain['id']}?limit=2").json()
    rest = auditor.get(f"/v1/units/{UNIT.id}/chains/{chain['id']}?after={first['next']}").json()
    links = first["items"] + rest["items"]
    assert [(each["icv"], each["hash"]) for each in links] == [(each["icv"], each["hash"]) for each in made]
    assert [each["pih"] for each in links[1:]] == [each["hash"] for each in made[:-1]]
    for nowhere in (f"{UNIT.id}/chains/none", "none/chains/none", "none/certificates"):
        problem(auditor.get(f"/v1/units/{nowhere}"), 404)


# -- keys that end, and keys that see a part


def with_key(quiet, **more) -> Api:
    return quiet.with_key(add_key(quiet.gateway, OWNER, Role.AUDITOR, "outside", actor="tests", **more))


def test_a_key_opens_nothing_once_its_time_is_over(installation):
    later = [timedelta()]

    def now():
        return datetime.now(UTC) + later[0]

    with open_gateway(installation.settings, now=now) as gateway, serving(gateway, work=False) as url:
        api = Api(url, gateway, installation.key)
        key = with_key(api, ends_at=now() + timedelta(days=1))
        assert key.get("/v1/invoices").status_code == 200
        later[0] = timedelta(days=1)
        over = problem(key.get("/v1/invoices"), 401)
        assert over == problem(api.with_key("gw_test_0000000000_x").get("/v1/invoices"), 401)
        with pytest.raises(BadInput, match="past"):
            with_key(api, ends_at=now())


def test_a_key_of_a_time_sees_no_document_beyond_it(quiet):
    made = quiet.issue(1, buyer=BUSINESS)
    day = quiet.gateway.now().astimezone(RIYADH).date()
    inside = with_key(quiet, scope=Scope(first=day, last=day))
    before = with_key(quiet, scope=Scope(last=day - timedelta(days=1)))
    other = with_key(quiet, scope=Scope(unit=UNIT.id, first=day + timedelta(days=1)))
    assert [each["uuid"] for each in inside.get("/v1/invoices").json()["items"]] == [made["uuid"]]
    for view in ("", "/xml?form=stamped", "/attempts"):
        assert inside.get(f"/v1/invoices/{made['uuid']}{view}").status_code == 200
    for key in (before, other):
        assert key.get("/v1/invoices?from=2000-01-01&to=2099-01-01").json()["items"] == []
        for view in ("", "/xml", "/xml?form=stamped", "/qr.svg", "/qr.png", "/attempts"):
            hidden = problem(key.get(f"/v1/invoices/{made['uuid']}{view}"), 404)
            assert hidden["detail"] == f"There is no document {made['uuid']}."


def test_a_key_of_a_time_gets_the_report_of_that_time_only(quiet):
    day = quiet.gateway.now().astimezone(RIYADH).date()
    key = with_key(quiet, scope=Scope(unit=UNIT.id, first=day, last=day))
    for path in ("/v1/reports/vat", "/v1/reports/vat/documents"):
        assert key.get(f"{path}?period={day}..{day}&by=issue").status_code == 200
        for beyond in (f"{day}..{day}", f"{day - timedelta(days=1)}..{day}&by=issue", f"{day}..2099-01-01&by=issue"):
            problem(key.get(f"{path}?period={beyond}"), 403)
        problem(key.get(f"{path}?period={day}..{day}&by=issue&unit=none"), 404)


def test_what_cannot_be_narrowed_is_closed_to_a_key_that_sees_a_part(quiet):
    uuid = quiet.issue(1)["uuid"]
    key = with_key(quiet, scope=Scope(unit=UNIT.id))
    for method, path in operations(quiet):
        if path not in NARROWED:
            problem(key.request(method, filled(quiet, path, uuid)), 403)
    assert {path for _, path in operations(quiet)} >= NARROWED


def test_only_keys_that_make_sense_are_made(quiet):
    for role in set(Role) - {Role.AUDITOR}:
        with pytest.raises(BadInput, match="auditor"):
            add_key(quiet.gateway, OWNER, role, "", actor="tests", scope=Scope(unit=UNIT.id))
    with pytest.raises(BadInput, match="before the first"):
        with_key(quiet, scope=Scope(first=date(2026, 2, 1), last=date(2026, 1, 1)))
