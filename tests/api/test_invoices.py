"""The accountant looks: lists and their filters, the document in all its forms, every exchange."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway import qr, ubl
from gateway.connection import Connection
from gateway.demo.woocommerce import woocommerce_shop
from gateway.invoice.facts import RIYADH
from gateway.pipeline.connect import add_connection, change_connection, register
from gateway.simulator import Fault
from gateway.stamp import qr_text
from tests.api.conftest import problem, wait_for
from tests.installation import BUSINESS, CONNECTION, OWNER, UNIT

NOBODYS = "8e6000cf-1a98-4174-b3e7-b5d5954bc10d"
OTHER = "310122393500003"


def ids(answer):
    assert answer.status_code == 200, answer.text
    return [each["order"]["id"] for each in answer.json()["items"]]


@pytest.fixture
def three(api, authority):
    """A cleared, a reported and a rejected document, in this order."""
    message = {"code": "BR-KSA-15", "category": "KSA", "message": "no"}
    refusal = json.dumps({"validationResults": {"errorMessages": [message]}, "reportingStatus": "NOT_REPORTED"})
    made = [api.settled(api.issue(1, buyer=BUSINESS)["uuid"]), api.settled(api.issue(2)["uuid"])]
    authority.faults.add(Fault(status=400, body=refusal))
    return [*made, api.settled(api.issue(3)["uuid"])]


def test_the_list_and_its_filters(api, three):
    first, _, third = three
    assert [each["status"] for each in three] == ["cleared", "reported", "rejected"]
    today = third["issued_at"][:10]
    yesterday = str(api.gateway.now().astimezone(RIYADH).date() - timedelta(days=1))
    filters = {
        "": ["SO-3", "SO-2", "SO-1"],
        "status=cleared": ["SO-1"],
        "status=rejected": ["SO-3"],
        "status=held": [],
        f"connection={CONNECTION}": ["SO-3", "SO-2", "SO-1"],
        "connection=other": [],
        "order=SO-2": ["SO-2"],
        f"number={first['number']}": ["SO-1"],
        "buyer=المثال": ["SO-1"],
        f"buyer={BUSINESS['vat']}": ["SO-1"],
        "buyer=%25": [],
        f"from={today}": ["SO-3", "SO-2", "SO-1"],
        f"to={today}": ["SO-3", "SO-2", "SO-1"],
        f"to={yesterday}": [],
        f"from={yesterday}&to={today}&status=reported": ["SO-2"],
    }
    assert {query: ids(api.get(f"/v1/invoices?{query}")) for query in filters} == filters


def test_the_list_in_pages(quiet):
    for number in range(1, 8):
        quiet.issue(number)
    seen, query, pages = [], "limit=3", 0
    while query:
        page = quiet.get(f"/v1/invoices?{query}").json()
        seen += [each["icv"] for each in page["items"]]
        query = f"limit=3&cursor={page['next']}" if "next" in page else ""
        pages += 1
        if pages == 1:
            quiet.issue(8)  # what is new while someone reads moves nothing
    assert (seen, pages) == ([7, 6, 5, 4, 3, 2, 1], 3)


def test_a_question_that_cannot_be_answered(quiet):
    for query in ("limit=0", "limit=201", "limit=x", "from=yesterday", "status=good", "cursor=rubbish", "cursor=eA=="):
        answer = quiet.get(f"/v1/invoices?{query}")
        assert answer.status_code in (400, 422), query
        assert query.split("=")[0] in problem(answer, answer.status_code)["detail"].lower()


def test_the_document_in_all_its_forms(api):
    uuid = api.settled(api.issue(1, buyer=BUSINESS)["uuid"])["uuid"]
    document, where = api.get(f"/v1/invoices/{uuid}").json(), f"/v1/invoices/{uuid}"
    xml = api.get(f"{where}/xml")
    assert xml.headers["content-type"] == "application/xml"
    assert xml.content == api.ledger.xml(OWNER, uuid) != api.ledger.stamped_xml(OWNER, uuid)
    assert ubl.read(xml.content).heading.uuid == uuid
    svg, png = api.get(f"{where}/qr.svg"), api.get(f"{where}/qr.png")
    assert svg.headers["content-type"] == "image/svg+xml"
    assert svg.content == qr.svg(document["qr"])
    assert png.headers["content-type"] == "image/png"
    assert png.content == qr.png(document["qr"])
    assert png.content.startswith(b"\x89PNG\r\n\x1a\n")


def test_the_pictures_of_two_documents_differ(quiet):
    one, other = (quiet.get(f"/v1/invoices/{quiet.issue(number)['uuid']}/qr.png").content for number in (1, 2))
    assert one != other


def test_the_qr_that_a_buyer_scans_is_the_shared_documents_own(api):
    """A standard document's QR is the authority's, once it is cleared."""
    for number, buyer in ((1, {}), (2, BUSINESS)):
        document = api.settled(api.issue(number, buyer=buyer)["uuid"])
        assert document["qr"] == qr_text(api.get(f"/v1/invoices/{document['uuid']}/xml").content)


def test_a_standard_document_is_not_handed_out_before_it_is_cleared(quiet):
    made = quiet.issue(1, buyer=BUSINESS)
    assert (made["qr"], made["shared_uncleared"]) == (None, False)
    for view in ("/xml", "/xml?form=shared", "/qr.svg", "/qr.png"):
        shown = problem(quiet.get(f"/v1/invoices/{made['uuid']}{view}"), 409)
        assert shown["title"] == "Not cleared yet"
        assert made["number"] in shown["detail"]
        assert made["number"] in shown["detail_ar"]
        assert shown["fix"]


def test_in_an_outage_a_connection_may_share_the_uncleared_document(api, authority):
    changed = Connection(CONNECTION, OWNER, UNIT.id, "api", settings={"authority_down": "share"})
    change_connection(api.gateway, changed, actor="tests")
    authority.faults.add(Fault(status=503, times=1000))
    uuid = api.issue(1, buyer=BUSINESS)["uuid"]
    where = f"/v1/invoices/{uuid}"
    xml = wait_for(lambda: api.get(f"{where}/xml"), lambda answer: answer.status_code == 200)
    assert xml.headers["x-gateway-uncleared"] == "true"
    assert xml.content == api.ledger.stamped_xml(OWNER, uuid)
    shown = api.get(where).json()
    assert (shown["shared_uncleared"], shown["qr"]) == (True, qr_text(xml.content))
    picture = api.get(f"{where}/qr.png")
    assert (picture.headers["cache-control"], picture.headers["x-gateway-uncleared"]) == ("no-store", "true")
    authority.faults.queue.clear()
    cleared = api.settled(uuid)
    assert (cleared["status"], cleared["shared_uncleared"]) == ("cleared", True)
    again = api.get(f"{where}/xml")
    assert "x-gateway-uncleared" not in again.headers
    assert cleared["qr"] == qr_text(again.content) != shown["qr"]


def test_who_examines_reads_the_stamped_bytes_at_any_time(quiet):
    uuid = quiet.issue(1, buyer=BUSINESS)["uuid"]
    where = f"/v1/invoices/{uuid}/xml?form=stamped"
    problem(quiet.get(where), 403)
    for role in ("accountant", "auditor", "admin"):
        answer = quiet.as_role(role).get(where)
        assert answer.content == quiet.ledger.stamped_xml(OWNER, uuid)
    problem(quiet.as_role("admin").get(f"/v1/invoices/{uuid}/xml?form=other"), 422)
    problem(quiet.as_role("admin").get(f"/v1/invoices/{NOBODYS}/xml?form=stamped"), 404)


def test_every_exchange_word_for_word(api, authority):
    authority.faults.add(Fault(status=500, body="<html>oops</html>"))
    uuid = api.settled(api.issue(1)["uuid"])["uuid"]
    answer = api.as_role("accountant").get(f"/v1/invoices/{uuid}/attempts").json()["items"]
    assert [(each["attempt"], each["phase"], each["http_status"], each["outcome"]) for each in answer] == [
        (1, "begun", None, None),
        (1, "ended", 500, "unknown"),
        (2, "begun", None, None),
        (2, "ended", 200, "accepted"),
    ]
    assert answer[1]["answer"] == "<html>oops</html>"
    assert '"REPORTED"' in answer[3]["answer"]


def test_the_documents_of_an_order(quiet):
    made = quiet.issue(1, id="2026/11#7")
    assert quiet.get(f"/v1/orders/{CONNECTION}/2026/11%237").json() == {"items": [made | {"written_back": []}]}
    assert "SO-9" in problem(quiet.get(f"/v1/orders/{CONNECTION}/SO-9"), 404)["detail"]


def test_what_waits_for_a_person(api):
    with woocommerce_shop() as shop:
        add_connection(api.gateway, shop.connection("shop", taxpayer_id=OWNER, unit_id=UNIT.id), actor="tests")
        shop.deliver("order.created", "99", f"{api.url}/v1/hooks/shop")
        (waiting,) = wait_for(lambda: api.get("/v1/quarantine").json()["items"], bool)
    assert waiting["order"] == {"connection": "shop", "id": "99"}
    assert waiting["state"] == "quarantined"
    assert "395.49" in waiting["reason"]["en"]
    assert "395.49" in waiting["reason"]["ar"]


VIEWS = ["", "/xml", "/qr.svg", "/qr.png", "/attempts"]


def test_what_is_not_there(quiet):
    admin = quiet.as_role("admin")
    for view in VIEWS:
        for uuid in (NOBODYS, "x", "..%2F..", "'; drop table document; --"):
            answer = admin.get(f"/v1/invoices/{uuid}{view}")
            assert problem(answer, 404)["title"] == "Not found"


def test_another_taxpayers_document_is_not_there_either(quiet):
    stranger = stranger_to(quiet)
    uuid = quiet.issue(1)["uuid"]
    for view in VIEWS:
        there, nowhere = (problem(stranger.get(f"/v1/invoices/{each}{view}"), 404) for each in (uuid, NOBODYS))
        assert there["detail"].replace(uuid, NOBODYS) == nowhere["detail"]


def test_a_taxpayer_sees_and_uses_nothing_of_another(quiet):
    stranger = stranger_to(quiet)
    quiet.issue(1)
    assert ids(stranger.get("/v1/invoices")) == []
    assert stranger.get("/v1/quarantine").json()["items"] == []
    problem(stranger.get(f"/v1/orders/{CONNECTION}/SO-1"), 404)
    problem(stranger.order(2), 404)
    assert len(quiet.documents()) == 1


def stranger_to(api):
    """An admin of another taxpayer in the same installation."""
    unit = replace(UNIT, id="DMM1", taxpayer_id=OTHER, number_prefix="DMM1-")
    register(api.gateway, unit, actor="tests")
    return api.as_role("admin", OTHER)


def test_a_qr_reads_as_the_document_says(quiet):
    made = quiet.issue(1)
    tags = {tag.number: tag.shown for tag in qr.decode(made["qr"])}
    assert (tags[4], tags[5]) == ("115.00", "15.00")
