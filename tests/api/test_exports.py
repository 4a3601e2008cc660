"""Packages over HTTP: asked for, made beside everything else, fetched, removed."""

import shutil
import threading
import time

import pytest

from gateway.pipeline import export_jobs
from gateway.pipeline.export_facts import Scope
from gateway.pipeline.export_jobs import ExportJobs
from gateway.verifier import verify
from tests.api.conftest import problem
from tests.api.test_invoices import stranger_to


@pytest.fixture
def auditor(quiet):
    for number in range(3):
        quiet.issue(number)
    return quiet.as_role("auditor")


def ready(auditor, key):
    until = time.monotonic() + 20
    while (shown := auditor.get(f"/v1/exports/{key}").json())["state"] == "making":
        assert time.monotonic() < until
        time.sleep(0.02)
    return shown


def test_an_auditor_carries_a_package_away(auditor, quiet, tmp_path):
    asked = auditor.post("/v1/exports", json={"from": "2020-01-01", "to": "9999-12-31"})
    assert (asked.status_code, asked.json()["state"]) == (202, "making")
    shown = ready(auditor, asked.json()["id"])
    assert (shown["state"], shown["error"], shown["scope"]["from"]) == ("ready", "", "2020-01-01")
    got = auditor.get(shown["package"])
    assert got.headers["content-type"] == "application/zip"
    (tmp_path / "package.zip").write_bytes(got.content)
    report = verify(tmp_path / "package.zip")
    assert (report.faults, report.counts["documents"]) == ([], 3)
    last = list(auditor.ledger.audit_log(auditor.ledger.taxpayers()[0].id))
    assert any(each.action == "package.exported" and each.actor.startswith("key:") for each in last)
    assert [each["id"] for each in auditor.get("/v1/exports").json()["items"]] == [shown["id"]]
    problem(auditor.request("DELETE", f"/v1/exports/{shown['id']}"), 403)
    assert quiet.as_role("accountant").request("DELETE", f"/v1/exports/{shown['id']}").status_code == 204
    last = list(auditor.ledger.audit_log(auditor.ledger.taxpayers()[0].id))
    assert [each.object for each in last if each.action == "package.removed"] == [shown["id"]]
    problem(auditor.get(shown["package"]), 404)
    assert auditor.get("/v1/exports").json() == {"items": []}


def test_what_is_refused(auditor, quiet):
    problem(quiet.as_role("integrator").post("/v1/exports", json={}), 403)
    problem(auditor.post("/v1/exports", json={"status": ["x"]}), 422)
    problem(auditor.post("/v1/exports", json={"since": "2026-01-01"}), 422)
    problem(auditor.with_key("").post("/v1/exports", content=b"{"), 401)
    problem(auditor.get("/v1/exports/none"), 404)
    problem(auditor.get("/v1/exports/..%2f..%2fledger/package"), 404)
    failed = ready(auditor, auditor.post("/v1/exports", json={"units": ["x"]}).json()["id"])
    assert failed["state"] == "interrupted"
    assert "There is no unit x" in failed["error"]
    problem(auditor.get(f"/v1/exports/{failed['id']}/package"), 409)


def test_a_strangers_package_is_not_seen(auditor, quiet):
    key = auditor.post("/v1/exports", json={}).json()["id"]
    ready(auditor, key)
    stranger = stranger_to(quiet)
    assert stranger.get("/v1/exports").json() == {"items": []}
    problem(stranger.get(f"/v1/exports/{key}"), 404)
    problem(stranger.get(f"/v1/exports/{key}/package"), 404)


def test_half_a_note_hides_no_other_package(auditor):
    """A full disk left one: whoever looked, or asked for another, got 404 till somebody took it away by hand."""
    key = auditor.post("/v1/exports", json={}).json()["id"]
    ready(auditor, key)
    folder = auditor.gateway.settings.home / "exports" / auditor.ledger.taxpayers()[0].id
    for number, half in enumerate(("", "[]", "{}", '{"scope":')):
        (folder / f"{number}.json").write_text(half)
        problem(auditor.get(f"/v1/exports/{number}"), 404)
    assert [each["id"] for each in auditor.get("/v1/exports").json()["items"]] == [key]
    assert auditor.post("/v1/exports", json={"to": "2030-01-01"}).status_code == 202


def test_packages_take_no_thread_from_what_is_due(auditor, monkeypatch):
    """The worker submits in the threads of the loop; a few packages at once would have taken all of them."""
    names = []
    monkeypatch.setattr(export_jobs, "export", lambda *_, **__: names.append(threading.current_thread().name))
    ready(auditor, auditor.post("/v1/exports", json={}).json()["id"])
    assert [name.partition("_")[0] for name in names] == ["export"]


@pytest.mark.parametrize("days", [{"from": "0001-01-01"}, {"to": "9999-12-31"}], ids=str)
def test_the_first_and_last_days_there_are(auditor, days):
    shown = ready(auditor, auditor.post("/v1/exports", json=days).json()["id"])
    assert (shown["state"], shown["error"]) == ("ready", "")


def test_a_process_that_is_stopped_leaves_a_package_that_goes_on(auditor):
    jobs = ExportJobs(auditor.gateway)
    jobs.stop()
    owner = auditor.ledger.taxpayers()[0].id
    made, work = jobs.ask(owner, Scope(), actor="tests")
    work()
    assert "being stopped" in jobs.package(owner, made.id).error
    assert auditor.get(f"/v1/exports/{made.id}").json()["state"] == "interrupted"
    asked = auditor.post("/v1/exports", json={}).json()
    assert asked["id"] == made.id
    assert ready(auditor, made.id)["state"] == "ready"


def test_packages_leave_the_ledger_its_space(auditor, monkeypatch):
    """They lie on its disk: twenty of them may fill it, and then nothing is issued any more."""
    owner = auditor.ledger.taxpayers()[0].id
    folder = auditor.gateway.settings.home / "exports" / owner
    jobs, much = ExportJobs(auditor.gateway), shutil.disk_usage(folder.parent.parent)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: much._replace(free=export_jobs.RESERVE - 1))
        answer = auditor.post("/v1/exports", json={})
        said = problem(answer, 503)
        assert ("1024 stay free" in said["detail"], "المساحة" in said["detail_ar"]) == (True, True)
        assert not folder.exists()
    free = iter([export_jobs.RESERVE, export_jobs.RESERVE - 1])
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: much._replace(free=next(free)))
        made, work = jobs.ask(owner, Scope(), actor="tests")
        work()
    stopped = auditor.get(f"/v1/exports/{made.id}").json()
    assert stopped["state"] == "interrupted"
    assert "1024 stay free" in jobs.package(owner, made.id).error
    assert "المساحة" in jobs.package(owner, made.id).error
    assert not (folder / f"{made.id}.zip").exists()
    assert auditor.post("/v1/exports", json={}).json()["id"] == made.id
    assert ready(auditor, made.id)["state"] == "ready"
    assert {each.name for each in folder.iterdir()} == {f"{made.id}.json", f"{made.id}.zip"}


def test_a_package_of_nothing_is_none(auditor):
    asked = auditor.post("/v1/exports", json={"buyer": "Mistyped"}).json()
    shown = ready(auditor, asked["id"])
    assert shown["state"] == "interrupted"
    assert "Nothing that was issued" in shown["error"]
    problem(auditor.get(f"/v1/exports/{asked['id']}/package"), 409)
