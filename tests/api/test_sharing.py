"""What buyers get: the PDF with a key, and by a link without one."""

import asyncio

import pytest
import structlog

from gateway.api.sharing import AT_ONCE, MOST_BY_LINKS, MOST_WAITING, Printing
from gateway.errors import Unavailable
from tests.api.conftest import problem
from tests.installation import BUSINESS, OWNER
from tests.pdf.reading import opened


def link_of(api, uuid, **wanted):
    answer = api.post(f"/v1/invoices/{uuid}/links", json=wanted)
    assert answer.status_code == 201, answer.text
    return answer.json()


def follow(api, link):
    """As a buyer does: without a key, at whatever address this server has."""
    nobody = api.with_key("")
    return nobody.get(link["url"].removeprefix(api.gateway.settings.address))


def test_the_pdf_of_a_document(api):
    uuid = api.settled(api.issue(1, buyer=BUSINESS)["uuid"])["uuid"]
    shown = api.get(f"/v1/invoices/{uuid}").json()
    where = shown["links"]["pdf"].removeprefix(api.gateway.settings.address)
    answer = api.get(where)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    assert answer.headers["cache-control"] == "no-store"
    name = answer.headers["content-disposition"].removeprefix('inline; filename="').removesuffix('"')
    assert name.startswith(f"{OWNER}_{shown['issued_at'][:10].replace('-', '')}T")
    assert name.endswith(f"_{shown['number']}.pdf")
    with opened(answer.content) as document:
        assert document.Root.AF[0].EF.F.read_bytes() == api.ledger.xml(OWNER, uuid)


def test_a_buyer_has_neither_pdf_nor_link_before_clearance(quiet):
    uuid = quiet.issue(1, buyer=BUSINESS)["uuid"]
    assert problem(quiet.get(f"/v1/invoices/{uuid}/pdf"), 409)["title"] == "Not cleared yet"
    assert problem(quiet.post(f"/v1/invoices/{uuid}/links", json={}), 409)["title"] == "Not cleared yet"
    problem(quiet.get("/v1/invoices/nobodys/pdf"), 404)
    problem(quiet.post("/v1/invoices/nobodys/links"), 404)


def test_a_link_needs_no_key(quiet):
    uuid = quiet.issue(1)["uuid"]
    link = link_of(quiet, uuid)
    assert link["file"] == "pdf"
    answer = follow(quiet, link)
    assert answer.content == quiet.get(f"/v1/invoices/{uuid}/pdf").content
    wanted = {
        "content-type": "application/pdf", "cache-control": "no-store", "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff", "x-robots-tag": "noindex",
    }  # fmt: skip
    assert {name: answer.headers[name] for name in wanted} == wanted
    as_xml = follow(quiet, link_of(quiet, uuid, file="xml", days=30))
    assert as_xml.content == quiet.ledger.stamped_xml(OWNER, uuid)
    assert as_xml.headers["content-type"] == "application/xml"
    assert as_xml.headers["content-disposition"].startswith(f'attachment; filename="{OWNER}_')


def test_wrong_links_are_answered_alike(quiet):
    uuid = quiet.issue(1)["uuid"]
    url = link_of(quiet, uuid)["url"]
    other = ("1" if uuid[0] == "0" else "0") + uuid[1:]
    wrong = [url[:-4] + ".xml", url.replace(uuid, other), url.replace(OWNER, "310122393500003")]
    answers = [problem(follow(quiet, {"url": each}), 404) for each in wrong]
    assert all(each == answers[0] for each in answers)
    assert quiet.as_role("admin").request("DELETE", "/v1/links").status_code == 204
    assert problem(follow(quiet, {"url": url}), 404) == answers[0]


@pytest.mark.parametrize("wanted", [{"file": "png"}, {"days": 0}, {"days": 1.5}, {"day": 1}])
def test_what_cannot_be_asked_for(quiet, wanted):
    uuid = quiet.issue(1)["uuid"]
    problem(quiet.post(f"/v1/invoices/{uuid}/links", json=wanted), 422)


def test_longer_than_the_installation_allows(quiet):
    uuid = quiet.issue(1)["uuid"]
    assert "1 to 366 days" in problem(quiet.post(f"/v1/invoices/{uuid}/links", json={"days": 367}), 400)["detail"]


def test_an_address_that_fails_is_in_no_log(quiet, monkeypatch):
    url = link_of(quiet, quiet.issue(1)["uuid"])["url"]

    def busy(*_, **__):
        raise Unavailable("The ledger is busy.")

    monkeypatch.setattr("gateway.api.sharing.genuine", busy)
    with structlog.testing.capture_logs() as log:
        problem(follow(quiet, {"url": url}), 503)
    assert [each["path"] for each in log if each["event"] == "request_failed"] == ["/v1/shared/"]


def test_only_so_many_wait():
    async def crowd():
        printing, done = Printing(), asyncio.Event()
        most, inside = 0, 0

        async def one():
            nonlocal most, inside
            async with printing.turn():
                inside += 1
                most = max(most, inside)
                await done.wait()
                inside -= 1

        waiting = [asyncio.create_task(one()) for _ in range(AT_ONCE + MOST_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(Unavailable):
            await one()
        done.set()
        await asyncio.gather(*waiting)
        await one()
        return most

    assert asyncio.run(crowd()) == AT_ONCE


def test_links_of_one_taxpayer_leave_places_for_everybody_else():
    async def crowd():
        printing, done = Printing(), asyncio.Event()

        async def one(link_of=""):
            async with printing.turn(link_of=link_of):
                await done.wait()

        waiting = [asyncio.create_task(one("tp")) for _ in range(MOST_BY_LINKS)]
        await asyncio.sleep(0)
        with pytest.raises(Unavailable) as refused:
            await one("tp")
        waiting += [asyncio.create_task(one(by)) for by in ("other", "", "")]
        await asyncio.sleep(0)
        done.set()
        await asyncio.gather(*waiting)
        await one("tp")
        assert not printing._by_links
        return refused.value.retry_after

    assert asyncio.run(crowd()) > 0


def test_a_link_that_is_followed_without_end_hears_to_come_again(quiet, monkeypatch):
    uuid = quiet.issue(1)["uuid"]
    link = link_of(quiet, uuid)
    monkeypatch.setattr("gateway.api.sharing.MOST_BY_LINKS", 0)
    answer = follow(quiet, link)
    problem(answer, 503)
    assert int(answer.headers["retry-after"]) > 0
    assert quiet.get(f"/v1/invoices/{uuid}/pdf").status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("path", ["a.1.1.b/c.pdf", "abc", "a/b/c", ""])
def test_nothing_keeps_an_answer_without_a_document(quiet, method, path):
    answer = quiet.with_key("").request(method, f"/v1/shared/{path}")
    assert answer.status_code in (404, 405)
    assert answer.headers["cache-control"] == "no-store"
