"""The books agree: what a shop sold stands in the ERP once, and what it waits for is told."""

import asyncio
import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
import structlog

from gateway.errors import BadInput, Conflict
from gateway.invoice.facts import Kind
from gateway.issued import Status
from gateway.ledger import PostingMode, PostingState
from gateway.order import read_order, read_refund
from gateway.pipeline import postings
from gateway.pipeline.connect import connect
from gateway.pipeline.erps import erp_json, key_warning, posting_json, standing_of, watch_keys
from gateway.pipeline.gateway import online
from gateway.pipeline.issue import Request, correct
from gateway.pipeline.notes import NoteRequest, credit
from gateway.simulator import Fault
from tests.erps.odoo_server import odoo_server
from tests.erps.trouble import TROUBLES
from tests.installation import BUSINESS, CONNECTION, OWNER, UNIT, order
from tests.pipeline.test_submit import REFUSAL

ERP = "odoo-1"


@pytest.fixture
def odoo():
    with odoo_server() as server:
        yield server


def open_books(site, odoo, *, change=False, unchecked_issuer=False, **settings):
    """Connect it as the command line does."""
    connection = odoo.connection(ERP, taxpayer_id=OWNER, unit_id=UNIT.id, **settings)

    async def run():
        async with online(site.gateway) as lines:
            return await connect(
                site.gateway, lines, connection, actor="tests", change=change, unchecked_issuer=unchecked_issuer
            )

    return asyncio.run(run())


@pytest.fixture
def books(site, shop, odoo):
    """A shop and an ERP of one unit."""
    site.connect(shop)
    open_books(site, odoo)
    return odoo


def sold(site, number=1, **more):
    return site.issue(number, connection="shop", **more)


def posting(site, issued):
    return site.ledger.posting_at(OWNER, issued.uuid, ERP)


def policy(site, odoo, when):
    open_books(site, odoo, change=True, post_when=when, **{"payment.card": "BNK1"})


def test_what_a_shop_sold_is_posted_when_it_is_final(site, books):
    issued = sold(site)
    assert (posting(site, issued).state, books.moves) == (PostingState.DUE, [])
    site.work()
    (move,) = books.posted(name=issued.number, ref=issued.uuid)
    assert move["amount_total"] == 115.0
    assert len(books.of("ir.attachment", move["id"])) == 2
    (note,) = books.of("mail.message", move["id"])
    assert "reported" in note["body"]
    kept = posting(site, issued)
    assert (kept.state, kept.told, kept.entry_id) == (PostingState.DONE, "reported", str(move["id"]))
    assert (kept.entry_number, kept.entry_state, kept.entry_total) == (issued.number, "posted", issued.total)
    assert posting_json(kept)["entry"]["total"] == "115.00"
    site.work_later(days=1)
    assert (len(books.moves), len(books.of("mail.message", move["id"]))) == (1, 1)


def test_the_attached_xml_of_a_standard_document_is_the_cleared_one(site, books):
    issued = sold(site, buyer=BUSINESS)
    site.work()
    (move,) = books.posted()
    names = [each["name"] for each in books.of("ir.attachment", move["id"])]
    assert sorted(name.rpartition(".")[2] for name in names) == ["pdf", "xml"]
    assert site.now(issued).status is Status.CLEARED
    (partner,) = books.tables["res.partner"]
    assert partner["vat"] == BUSINESS["vat"]


def test_by_policy_it_is_posted_at_once_and_told_when_it_is_final(site, books):
    policy(site, books, "issued")
    site.authority.faults.add(Fault(status=503))
    issued = sold(site)
    site.work()
    (move,) = books.posted(payment_state="paid")
    assert (posting(site, issued).told, books.of("ir.attachment", move["id"])) == ("issued", [])
    site.work_later(minutes=10)
    assert posting(site, issued).told == "reported"
    assert len(books.of("ir.attachment", move["id"])) == 2
    assert ["reported" in each["body"] for each in books.of("mail.message", move["id"])] == [False, True]


def corrected(site, rejected, **more):
    again = read_order(order(1, connection="shop", note="corrected", **more))
    return correct(site.gateway, rejected.uuid, Request(OWNER, "tests", again)).issued


def work_on_postings_first(site):
    """What is issued stands in the books before it is sent; of two workers at work at once either may be first."""
    never = site.clock.at.replace(year=2099)
    assert site.ledger.claim_submissions(now=site.clock(), limit=1, lease_until=never, worker="stuck")
    site.work()
    site.ledger.release_leases("stuck")
    site.work()


@pytest.mark.parametrize("number", [None, "GIVEN-1"])
def test_a_rejected_document_is_told_and_its_correction_takes_its_place(site, books, number):
    policy(site, books, "issued")
    site.authority.faults.add(Fault(status=400, body=REFUSAL))
    given = {"invoice_number": number} if number else {}
    rejected = sold(site, **given)
    work_on_postings_first(site)
    (move,) = books.posted()
    assert posting(site, rejected).told == "rejected"
    assert "rejected" in books.of("mail.message", move["id"])[-1]["body"]
    new = corrected(site, rejected, **given)
    site.work_later(minutes=10)
    site.work_later(minutes=2)  # what is taken out of the books first may have been under way
    assert Counter(each["state"] for each in books.moves) == {"cancel": 1, "posted": 1}
    assert books.posted()[0]["ref"] == new.uuid
    assert (posting(site, rejected).told, posting(site, rejected).entry_state) == ("replaced", "cancelled")
    assert posting(site, new).state is PostingState.DONE


def test_what_was_rejected_before_it_was_posted_is_never_posted(site, books):
    site.authority.faults.add(Fault(status=400, body=REFUSAL))
    rejected = sold(site)
    site.work()
    assert posting(site, rejected).state is PostingState.IGNORED
    assert set(posting(site, rejected).reason) == {"en", "ar"}
    new = corrected(site, rejected)
    site.work_later(minutes=10)
    assert [each["ref"] for each in books.moves] == [new.uuid]


def give_back(site, issued):
    request = NoteRequest(OWNER, "tests", issued.uuid)
    return credit(site.gateway, request, read_refund({"id": "r1", "everything": True})).issued


def test_a_credit_note_waits_for_its_invoice_and_reverses_it(site, books):
    policy(site, books, "issued")
    issued = sold(site)
    note = give_back(site, issued)
    (first,) = site.ledger.claim_postings(
        now=site.clock(), limit=1, lease_until=site.clock.at.replace(year=2099), worker="stuck"
    )
    assert first.uuid == issued.uuid
    site.work()
    waits = posting(site, note)
    assert (waits.state, books.moves) == (PostingState.DUE, [])
    assert issued.number in waits.reason["en"]
    site.ledger.release_leases("stuck")
    for _ in range(2):
        site.work_later(minutes=10)
    (invoice,), (refund,) = books.posted(move_type="out_invoice"), books.posted(move_type="out_refund")
    assert refund["reversed_entry_id"] == invoice["id"]
    assert (refund["payment_state"], note.kind) == ("paid", Kind.CREDIT_NOTE)


def test_a_credit_note_on_what_was_sold_before_the_books_were_opened(site, shop, odoo):
    site.connect(shop)
    issued = sold(site)
    open_books(site, odoo)
    give_back(site, issued)
    site.work()
    (move,) = odoo.posted()
    assert not move.get("reversed_entry_id")
    assert issued.number in move["narration"]


def test_what_anybody_else_ordered_is_not_posted(site, books):
    issued = site.issue(1)
    assert issued.connection == CONNECTION
    assert site.ledger.postings_of(OWNER, issued.uuid) == ()


def test_what_the_erp_ordered_itself_is_linked_back_and_not_posted(site, books):
    issued = site.issue(1, connection=ERP, invoice_number="INV/2026/7")
    assert posting(site, issued).mode is PostingMode.ATTACH
    assert site.ledger.link_backs(OWNER, issued.uuid) == ()
    site.work()
    assert "no invoice yet" in posting(site, issued).reason["en"]
    own = {"move_type": "out_invoice", "name": "INV/2026/7", "ref": "", "invoice_line_ids": []}
    books._account_move_create([], {"vals_list": [own]})
    site.work_later(minutes=10)
    (move,) = books.moves
    assert (move["state"], len(books.of("ir.attachment", move["id"]))) == ("draft", 2)
    assert posting(site, issued).state is PostingState.DONE


# -- what waits, and for whom -----------------------------------------------------------------------------------


def test_sums_that_differ_wait_for_a_person_and_are_posted_once_mended(site, books):
    company = books.tables["res.company"][0]
    company["tax_calculation_rounding_method"] = "round_per_line"
    lines = [
        {"id": str(number), "name": "coffee", "quantity": "1", "unit_price": "0.30",
         "tax": {"category": "S", "rate": "15"}} for number in range(3)
    ]  # fmt: skip
    issued = sold(site, lines=lines, prices_include_tax=False, declared={}, payments=[])
    site.work()
    held = posting(site, issued)
    assert (held.state, books.moves) == (PostingState.HELD, [])
    assert "comes to 1.04 SAR, in the ERP it would be 1.05" in held.reason["en"]
    assert "Round Globally" in held.reason["ar"]
    site.work_later(days=1)
    assert posting(site, issued).state is PostingState.HELD
    company["tax_calculation_rounding_method"] = "round_globally"
    site.ledger.retry_posting(OWNER, held.id, now=site.clock())
    site.work()
    assert (posting(site, issued).state, len(books.posted())) == (PostingState.DONE, 1)


def test_an_erp_that_is_down_is_tried_again_until_it_is_given_up(site, books, monkeypatch):
    monkeypatch.setattr(postings, "GIVE_UP_AFTER", 2)
    books.trouble = lambda model, method: "502"
    issued = sold(site)
    site.work()
    assert (posting(site, issued).state, posting(site, issued).attempts) == (PostingState.DUE, 1)
    for _ in range(2):
        site.work_later(minutes=10)
    assert posting(site, issued).state is PostingState.FAILED
    books.trouble = lambda model, method: None
    open_books(site, books, change=True)
    site.work()
    assert posting(site, issued).state is PostingState.DONE


def test_an_erp_that_asks_to_be_left_alone_is_left_alone(site, books, monkeypatch):
    issued = sold(site)
    monkeypatch.setattr("tests.erps.odoo_server._Handler._json_rpc", lambda self, asked: self._json({}, 429))
    site.work()
    assert "left alone" in posting(site, issued).reason["en"]
    assert (posting(site, issued).next_at - site.clock.at).total_seconds() == 30


def test_credentials_that_are_refused_end_the_trying(site, books):
    books.key = "another"
    issued = sold(site)
    site.work()
    assert posting(site, issued).state is PostingState.FAILED
    open_books(site, books, change=True)
    site.work()
    assert posting(site, issued).state is PostingState.DONE


def test_what_nobody_thought_of_is_for_a_person_too(site, books, monkeypatch):
    issued = sold(site)
    monkeypatch.setattr("gateway.erps.odoo.move_values", lambda *_: {}["secret"])
    site.work()
    assert posting(site, issued).state is PostingState.HELD
    assert "KeyError" in posting(site, issued).reason["en"]
    assert "secret" not in posting(site, issued).reason["en"]


def test_documents_with_faults_on_the_way_stand_in_the_books_once(site, books):
    open_books(site, books, change=True, **{"payment.card": "BNK1"})
    chance = random.Random(7)
    books.trouble = lambda model, method: chance.choice(TROUBLES) if chance.random() < 0.3 else None
    documents = [sold(site, number) for number in range(1, 13)]
    for _ in range(60):
        site.work_later(minutes=10)
        if all(posting(site, each).state is PostingState.DONE for each in documents):
            break
    assert Counter(each["state"] for each in books.moves) == {"posted": len(documents)}
    assert {each["ref"]: each["amount_residual"] for each in books.moves} == {each.uuid: 0 for each in documents}
    assert {len(books.of("ir.attachment", each["id"])) for each in books.moves} == {2}
    assert {len(books.of("account.payment", each["id"])) for each in books.moves} == {1}


# -- connecting -------------------------------------------------------------------------------------------------


def test_an_erp_that_issues_itself_is_not_connected(site, odoo):
    odoo.tables["ir.module.module"] = [{"id": 1, "name": "l10n_sa_edi", "state": "installed"}]
    odoo.tables["account.journal"][0]["edi_format_ids"] = "sa_zatca"
    with pytest.raises(BadInput, match="issues to the authority itself"):
        open_books(site, odoo)
    assert site.ledger.any_connection(ERP) is None


def test_what_it_lacks_is_told_and_nothing_is_entered(site, odoo):
    odoo.tables["account.tax"] = []
    with pytest.raises(BadInput, match="no sales tax of 15 %"):
        open_books(site, odoo)
    assert site.ledger.any_connection(ERP) is None
    with pytest.raises(BadInput, match="post_when"):
        open_books(site, odoo, post_when="someday")


def test_its_secrets_are_in_the_safe_and_its_settings_what_was_found(site, books):
    kept = site.ledger.connection(OWNER, ERP)
    assert dict(kept.secrets) == {}
    assert (kept.settings["protocol"], kept.settings["journal_id"]) == ("jsonrpc", "9")
    with pytest.raises(Conflict, match="exists already"):
        open_books(site, books)


def test_how_it_stands_and_when_its_key_ends(site, books):
    sold(site)
    (standing,) = standing_of(site.gateway, OWNER)
    assert (standing.due, standing.done, standing.waiting, standing.wrong) == (1, 0, 0, None)
    assert "key" not in erp_json(standing)["settings"]
    today = site.clock().date()
    for days, says in ((30, None), (14, "ends on"), (-1, "has ended on")):
        ends = today.fromordinal(today.toordinal() + days).isoformat()
        warned = key_warning(replace(standing.connection, settings={"key_ends": ends}), today)
        assert says in warned.en if says else warned is None


def test_a_key_that_ends_is_logged_once(site, books):
    ends = site.clock().date().isoformat()
    known = site.ledger.connection(OWNER, ERP)
    site.ledger.change_connection(replace(known, settings={**known.settings, "key_ends": ends}), now=site.clock())
    with structlog.testing.capture_logs() as logged:
        watch_keys(site.gateway)
        watch_keys(site.gateway)
        site.clock.move(timedelta(days=2))
        watch_keys(site.gateway)
    assert [(each["event"], each["connection"]) for each in logged] == [("erp_key_ends", ERP)] * 2
    assert "ended" in logged[1]["detail"]
