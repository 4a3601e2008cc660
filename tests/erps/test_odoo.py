"""Odoo's books over each of its protocols: posted once, equal to the halala, whatever goes wrong on the way."""

import json
from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest

from gateway.erps import odoo as erp
from gateway.erps.erp import Entered, Paid
from gateway.errors import BadInput, Conflict, Misconfigured, Throttled, Unavailable
from gateway.invoice.facts import Kind
from gateway.issued import Status
from tests.erps.bookings import CARD, FILES, asking, booked, settled, statused
from tests.erps.odoo_server import OdooServer, odoo_server
from tests.ubl_documents import BUYER, INSURANCE, NOT_SUBJECT, SIMPLIFIED, STANDARD, VAT5, line, note_on

PROTOCOLS = ("jsonrpc", "xmlrpc", "json2")
ask = asking(erp)


def serving(protocol):
    return odoo_server(19 if protocol == "json2" else 14)


@pytest.fixture(params=PROTOCOLS)
def odoo(request):
    with serving(request.param) as server:
        server.json_rpc = request.param == "jsonrpc"
        server.protocol = request.param
        yield server


@pytest.fixture
def plain():
    """Over JSON-RPC, where the protocol does not matter."""
    with odoo_server() as server:
        yield server


def connected(server: OdooServer, **settings):
    """The connection with what connecting found out."""
    connection = server.connection(**settings)
    return replace(connection, settings={**ask("inspect", connection).settings, **connection.settings})


# -- connecting -----------------------------------------------------------------------------------------------


def test_the_protocol_is_chosen_by_itself(odoo):
    found = connected(odoo).settings
    assert found["protocol"] == odoo.protocol
    assert (found["company"], found["journal_id"], found["currency"]) == ("3", "9", "SAR")
    assert {name: found[name] for name in ("tax.S15", "tax.Z0", "tax.E0")} == {
        "tax.S15": "1",
        "tax.Z0": "2",
        "tax.E0": "3",
    }
    assert found["release"] == str(odoo.release)


def test_one_that_was_connected_before_an_upgrade_is_asked_anew(plain):
    connection = connected(plain)
    plain.json_rpc = False
    assert ask("post", connection, booked()).state is Entered.POSTED


def test_a_company_that_rounds_by_line_is_told_how_to_change_it(plain):
    assert ask("inspect", plain.connection()).look_at == ()
    plain.tables["res.company"][0]["tax_calculation_rounding_method"] = "round_per_line"
    (note,) = ask("inspect", plain.connection()).look_at
    assert "Round Globally" in note.en
    assert "Round Globally" in note.ar


def test_what_is_missing_is_named_with_the_way_to_make_it(plain):
    plain.tables["account.tax"] = plain.tables["account.tax"][1:2]
    with pytest.raises(BadInput, match="no sales tax of 15 %") as lacking:
        ask("inspect", plain.connection())
    assert "Accounting, Configuration, Taxes" in lacking.value.fix
    assert lacking.value.ar
    plain.tables["account.tax"] += [plain._tax(1, "VAT incl.", 15.0, price_include=True), plain._tax(7, "VAT", 15.0)]
    inspected = ask("inspect", plain.connection())
    assert inspected.settings["tax.S15"] == "7"
    assert ["tax.E0" in each.en for each in inspected.look_at] == [True]
    with pytest.raises(BadInput, match="no sales journal OTHER; it has: GW"):
        ask("inspect", plain.connection(journal="OTHER"))
    with pytest.raises(BadInput, match="no account 999"):
        ask("inspect", plain.connection(account="999"))


def test_a_journal_and_ways_of_paying_are_looked_for(plain):
    notes = [each.en for each in ask("inspect", plain.connection(journal="", **{"payment.card": "NOPE"})).look_at]
    assert any("a sales journal of its own" in each for each in notes)
    assert any(each.startswith("payment.card=NOPE") for each in notes)


def test_of_several_companies_one_has_to_be_named(plain):
    plain.tables["res.company"].append({**plain.tables["res.company"][0], "id": 4, "name": "Tea"})
    with pytest.raises(BadInput, match=r"3 \(Coffee & Co\), 4 \(Tea\)"):
        ask("inspect", plain.connection())
    assert ask("inspect", plain.connection(company="3")).settings["company"] == "3"
    with pytest.raises(BadInput, match="no company 8"):
        ask("inspect", plain.connection(company="8"))


def test_a_key_of_release_19_ends_and_that_is_told():
    with serving("json2") as odoo:
        assert connected(odoo).settings["key_ends"] == "2027-02-20"
        connection = connected(odoo)
        odoo.key = "another"
        with pytest.raises(Misconfigured, match="three months") as ended:
            ask("post", connection, booked())
        assert "--change" in ended.value.fix


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"secrets": {"login": "gateway@company.example", "key": "wrong"}}, "refuses the credentials"),
        ({"secrets": {"login": "x"}}, "lacks key"),
        ({"settings": {}}, "lacks database"),
        ({"settings": {"database": "books", "company": "two"}}, "not a number"),
        ({"settings": {"database": "books", "protocol": "soap"}}, "protocol"),
        ({"base_url": ""}, "lacks the address"),
    ],
)
def test_credentials_and_settings_that_cannot_be_used(plain, changes, says):
    with pytest.raises(Misconfigured, match=says):
        ask("inspect", replace(plain.connection(), **changes))


def test_an_address_where_no_odoo_is(plain):
    plain.json_rpc = False
    with pytest.raises(Misconfigured, match="No Odoo answers"):
        ask("inspect", replace(plain.connection(), base_url=f"{plain.url}/shop"))
    with pytest.raises(Unavailable, match="cannot be reached"):
        ask("inspect", replace(plain.connection(), base_url="http://127.0.0.1:9"))


# -- who issues -----------------------------------------------------------------------------------------------


def test_its_own_module_issues_where_a_journal_has_the_authoritys_format(odoo):
    assert ask("issues_itself", odoo.connection()) is False
    odoo.tables["ir.module.module"] = [{"id": 1, "name": "l10n_sa_edi", "state": "installed"}]
    if odoo.release < 19:
        assert ask("issues_itself", odoo.connection()) is False
        odoo.tables["account.journal"][0]["edi_format_ids"] = "sa_zatca"
    else:
        for journal in odoo.tables["account.journal"]:
            journal["l10n_sa_production_csid_json"] = False
        assert ask("issues_itself", odoo.connection()) is False
        odoo.tables["account.journal"][0]["l10n_sa_production_csid_json"] = "{}"
    assert ask("issues_itself", odoo.connection(company="3")) is True
    assert ask("issues_itself", odoo.connection(company="4")) is False


@pytest.mark.parametrize("field", [None, "l10n_sa_chain_index", "l10n_sa_edi_document_id"])
def test_a_user_who_may_not_see_the_modules_sees_their_fields(odoo, field):
    def refuse(model, ids, named):
        raise odoo.Error("odoo.exceptions.AccessError", "You are not allowed to access this.")

    odoo._search_count, counted = (
        lambda model, ids, named: (refuse if "module" in model else counted)(model, ids, named),
        odoo._search_count,
    )
    odoo.tables["account.move"].append({"id": 1, "move_type": "entry", **({field: 7} if field else {})})
    odoo.tables["account.journal"][0]["edi_format_ids"] = "sa_zatca"
    assert ask("issues_itself", odoo.connection()) is (field is not None)


def test_where_its_journals_do_not_tell_the_module_counts_as_at_work():
    with serving("json2") as odoo:
        odoo.tables["ir.module.module"] = [{"id": 1, "name": "l10n_sa_edi", "state": "installed"}]
        assert ask("issues_itself", odoo.connection()) is True


# -- posting --------------------------------------------------------------------------------------------------


def test_a_sale_stands_in_the_books_as_the_document_says(odoo):
    connection = connected(odoo, **{"payment.card": "BNK1"})
    booking = booked(STANDARD, payments=(Paid("card", STANDARD.payable),))
    assert ask("state", connection, booking) is None
    entry = ask("post", connection, booking)
    (move,) = odoo.posted(name="RUH1-000001", ref=booking.issued.uuid, payment_state="paid")
    assert (entry.id, entry.number, entry.state) == (str(move["id"]), "RUH1-000001", Entered.POSTED)
    assert (entry.total, entry.paid) == (STANDARD.payable, True)
    assert entry.url.startswith(odoo.url)
    (partner,) = odoo.tables["res.partner"]
    assert (partner["name"], partner["vat"], partner["country_id/id"]) == (BUYER.name, BUYER.vat, "base.sa")
    assert move["partner_id"] == partner["id"]
    assert ask("state", connection, booking) == entry
    assert not [name for each in odoo.moves for name in each if name.startswith("l10n_sa")]


def test_a_repeat_finds_what_is_there(odoo):
    connection = connected(odoo, **{"payment.card": "BNK1"})
    booking = booked(payments=CARD)
    first = ask("post", connection, booking)
    odoo.calls.clear()
    assert ask("post", connection, booking) == first
    assert {method for _, method in odoo.calls} == {"search_read"}
    assert (len(odoo.moves), len(odoo.tables["account.payment"])) == (1, 1)


def test_a_partner_comes_again_with_a_new_address(plain):
    connection = connected(plain)
    moved = replace(BUYER, name="شركة المثال القابضة")
    ask("post", connection, booked(STANDARD))
    ask("post", connection, booked(replace(STANDARD, buyer=moved), 2))
    assert [each["name"] for each in plain.tables["res.partner"]] == [moved.name]


def test_a_credit_note_reverses_its_invoice(odoo):
    connection = connected(odoo)
    invoice = ask("post", connection, booked())
    note = ask("post", connection, booked(note_on(SIMPLIFIED, Kind.CREDIT_NOTE), 2, corrects=invoice.id))
    (move,) = odoo.posted(move_type="out_refund")
    assert (str(move["id"]), str(move["reversed_entry_id"])) == (note.id, invoice.id)


def test_totals_that_differ_are_not_posted_and_leave_no_draft(odoo):
    odoo.tables["res.company"][0]["tax_calculation_rounding_method"] = "round_per_line"
    halves = replace(SIMPLIFIED, lines=tuple(line("0.30", id=str(number)) for number in range(3)))
    with pytest.raises(BadInput, match=r"comes to 1\.04 SAR, in the ERP it would be 1\.05") as differ:
        ask("post", connected(odoo), booked(halves))
    assert "Round Globally" in differ.value.fix
    assert "1.05" in differ.value.ar
    assert odoo.moves == []
    odoo.tables["res.company"][0]["tax_calculation_rounding_method"] = "round_globally"
    assert ask("post", connected(odoo), booked(halves)).total == Decimal("1.04")


def test_a_tax_that_is_missing_is_named_and_one_made_since_is_found(plain):
    connection = connected(plain)
    exempt = replace(SIMPLIFIED, lines=(line("10", tax=VAT5),))
    with pytest.raises(BadInput, match="no sales tax of 5 %"):
        ask("post", connection, booked(exempt))
    plain.tables["account.tax"].append(plain._tax(8, "Old rate", 5.0))
    assert ask("post", connection, booked(exempt)).total == Decimal("10.50")
    mixed = replace(SIMPLIFIED, lines=(line("10", tax=NOT_SUBJECT), line("7", tax=INSURANCE, id="2")))
    assert ask("post", connection, booked(mixed, 2)).total == Decimal("17.00")


def test_a_currency_that_is_not_active_is_named(plain):
    connection = connected(plain)
    dollars = replace(STANDARD, currency="USD", fx_rate=Decimal("3.75"))
    ask("post", connection, booked(dollars))
    assert plain.posted()[0]["currency_id"] == 2
    with pytest.raises(BadInput, match="EUR is not active"):
        ask("post", connection, booked(replace(dollars, currency="EUR"), 2))


def test_a_buyer_that_odoo_does_not_take_is_named_without_its_words(plain):
    with pytest.raises(BadInput, match="does not take the buyer"):
        ask("post", connected(plain), booked(replace(STANDARD, buyer=replace(BUYER, vat="31X"))))


def test_a_number_that_another_invoice_has_is_for_a_person(plain):
    connection = connected(plain)
    ask("post", connection, booked())
    plain.tables["account.move"][0]["ref"] = "by hand"
    with pytest.raises(Conflict, match="another invoice of the number RUH1-000001"):
        ask("post", connection, booked())
    assert len(plain.moves) == 1


def test_what_was_changed_or_cancelled_in_odoo_is_for_a_person(plain):
    connection = connected(plain)
    ask("post", connection, booked())
    plain.tables["account.move"][0]["invoice_line_ids"][0][2]["price_unit"] = 1
    with pytest.raises(BadInput, match="changed it there"):
        ask("post", connection, booked())
    plain.tables["account.move"][0]["state"] = "cancel"
    with pytest.raises(BadInput, match="was cancelled in Odoo"):
        ask("post", connection, booked())


def test_parts_are_paid_in_the_journal_of_their_method(odoo):
    connection = connected(odoo, **{"payment.card": "BNK1", "payment.cash": "CSH1"})
    rest = SIMPLIFIED.payable - 100
    booking = booked(payments=(Paid("card", Decimal(100)), Paid("gift_card", Decimal(5)), Paid("cash", rest)))
    assert ask("post", connection, booking).paid is True
    paid = [(each["journal_id"], each["amount"]) for each in odoo.tables["account.payment"]]
    assert paid == [(15, Decimal(100)), (16, rest)]
    with pytest.raises(BadInput, match=r"no bank or cash journal NOPE for payments by card"):
        ask("post", connected(odoo, **{"payment.card": "NOPE"}), booked(number=2, payments=CARD))


def test_what_a_person_registered_in_odoo_is_left_alone(plain):
    connection = connected(plain, **{"payment.card": "BNK1"})
    ask("post", connection, booked())
    plain.tables["account.move"][0]["payments"].append(Decimal(50))
    ask("post", connection, booked(payments=CARD))
    assert plain.tables["account.payment"] == []


# -- what belongs to it ---------------------------------------------------------------------------------------


def test_files_and_a_note_for_each_status_once(odoo):
    connection = connected(odoo)
    booking = booked(status=Status.ISSUED)
    entry = ask("post", connection, booking)
    for status, files in ((Status.ISSUED, ()), (Status.REPORTED, FILES), (Status.REPORTED, FILES)):
        receipt = ask("attach", connection, statused(booking, status), entry, files)
    assert "0 files, no note" in receipt
    assert [each["name"] for each in odoo.of("ir.attachment", int(entry.id))] == ["a.xml", "a.pdf"]
    notes = [each["body"] for each in odoo.of("mail.message", int(entry.id))]
    assert ["reported" in each for each in notes] == [False, True]


def test_a_document_that_was_replaced_is_taken_out_of_the_books(odoo):
    connection = connected(odoo, **{"payment.card": "BNK1"})
    booking = booked(status=Status.ISSUED, payments=CARD)
    entry = ask("post", connection, booking)
    ask("attach", connection, statused(booking, Status.REJECTED), entry, ())
    assert len(odoo.posted()) == 1
    for _ in range(2):
        ask("attach", connection, statused(booking, Status.REPLACED), entry, ())
    assert [each["state"] for each in odoo.moves] == ["cancel"]
    new = replace(booked(), issued=replace(booked().issued, uuid="another"))
    assert ask("post", connection, new).number == entry.number
    assert ask("state", connection, booking).state is Entered.CANCELLED


def test_what_odoo_ordered_itself_is_found_and_never_made(odoo):
    connection = connected(odoo)
    booking = booked(ordered_here=True)
    with pytest.raises(Unavailable, match="no invoice yet"):
        ask("post", connection, booking)
    assert odoo.moves == []
    own = {"move_type": "out_invoice", "name": "INV/1", "ref": "", "invoice_origin": "461", "invoice_line_ids": []}
    odoo._account_move_create([], {"vals_list": [own]})
    entry = ask("post", connection, booking)
    ask("attach", connection, booking, entry, FILES)
    ask("attach", connection, statused(booking, Status.REPLACED), entry, FILES)
    (move,) = odoo.moves
    assert (entry.number, move["state"], len(odoo.of("ir.attachment", move["id"]))) == ("INV/1", "draft", 2)


# -- what goes wrong ------------------------------------------------------------------------------------------


def faulty(odoo, name, message=""):
    """Odoo answers every posting so."""

    def refuse(ids, named):
        raise type(odoo).Error(name, message)

    odoo._account_move_action_post = refuse


def test_what_odoo_says_to_people_is_told_and_nothing_of_its_traceback(odoo, caplog):
    connection = connected(odoo)
    faulty(odoo, "odoo.exceptions.UserError", "The fiscal year is locked.\nsecond line")
    with pytest.raises(BadInput, match=r"Odoo refuses the entry of RUH1-000001: The fiscal year is locked\.") as said:
        ask("post", connection, booked())
    assert "second line" not in str(said.value) + said.value.ar
    faulty(odoo, "odoo.exceptions.AccessError")
    with pytest.raises(Misconfigured, match="may not do this"):
        ask("post", connection, booked(number=2))
    faulty(odoo, "builtins.KeyError", "secret of the server")
    with pytest.raises(Unavailable, match="KeyError") as broken:
        ask("post", connection, booked(number=3))
    assert "secret" not in f"{broken.value!r} {broken.value.__cause__!r} {caplog.text}"
    assert len(odoo.posted()) == 0


def test_a_fault_that_lies_is_seen_through(odoo):
    """As XML-RPC of Odoo 14 answers each posting: it was done."""
    connection = connected(odoo)
    lies = Counter()

    def once_each(model, method):
        lies[model, method] += 1
        return "fault after" if lies[model, method] == 1 and method in ("create", "action_post") else None

    odoo.trouble = once_each
    assert ask("post", connection, booked()).state is Entered.POSTED
    assert len(odoo.moves) == 1


@pytest.mark.parametrize(("status", "error"), [(429, Throttled), (500, Unavailable), (301, Misconfigured)])
def test_other_answers_of_a_server(plain, status, error, monkeypatch):
    connection = connected(plain)
    monkeypatch.setattr("tests.erps.odoo_server._Handler._json_rpc", lambda self, asked: self._json({}, status))
    with pytest.raises(error):
        ask("post", connection, booked())


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b"{}", b'{"error": {"data": 1}}'])
def test_answers_that_say_nothing(plain, answer, monkeypatch):
    connection = connected(plain)
    monkeypatch.setattr(
        "tests.erps.odoo_server._Handler._json_rpc", lambda self, asked: self._answer(200, answer, "application/json")
    )
    with pytest.raises((Unavailable, Misconfigured, BadInput)):
        ask("post", connection, booked())


def test_entities_in_xml_are_not_read(plain, monkeypatch):
    plain.json_rpc = False
    connection = connected(plain)
    bomb = b'<?xml version="1.0"?>' + b" " * 1100 + b'<!DOCTYPE x [<!ENTITY a "b">]><methodResponse/>'
    monkeypatch.setattr(
        "tests.erps.odoo_server._Handler._xml_rpc", lambda self, service, body: self._answer(200, bomb, "text/xml")
    )
    with pytest.raises(Unavailable, match="not XML-RPC"):
        ask("post", connection, booked())


# -- a hundred postings with faults -----------------------------------------------------------------------------


def in_order(odoo, count):
    """That there are exactly as many moves, all equal to the halala, and each has what belongs to it once."""
    assert Counter(each["state"] for each in odoo.moves) == {"posted": count}
    for each in odoo.moves:
        assert each["amount_residual"] == 0
        assert len(odoo.of("ir.attachment", each["id"])) == len(FILES)
        assert len(odoo.of("mail.message", each["id"])) == 1
        assert len(odoo.of("account.payment", each["id"])) == 1
    assert len({each["name"] for each in odoo.moves}) == count


def test_a_hundred_postings_with_faults_are_a_hundred_moves(odoo):
    count = 34
    tries = settled(erp, connected(odoo, **{"payment.card": "BNK1"}), odoo, count, 0.3, odoo.protocol)
    assert tries > count
    in_order(odoo, count)


@pytest.mark.torture
def test_a_thousand_postings_with_faults_are_a_thousand_moves(odoo):
    settled(erp, connected(odoo, **{"payment.card": "BNK1"}), odoo, 1000, 0.3, odoo.protocol)
    in_order(odoo, 1000)


def test_the_recorded_odoo_is_asked_in_the_same_form(plain, shared, monkeypatch):
    """Models, methods and the fields of a move are those that a real one took."""
    recorded = json.loads((shared / "payloads" / "odoo" / "odoo14_jsonrpc_session.json").read_text())
    known = {(each["model"], each["method"]) for each in recorded}
    fields = {name for each in recorded if (each["model"], each["method"]) == ("account.move", "create")
              for name in each["args"][0]}  # fmt: skip
    connection = connected(plain, **{"payment.card": "BNK1"})
    plain.calls.clear()
    booking = booked(payments=CARD)
    ask("attach", connection, booking, ask("post", connection, booking), FILES)
    writes = {call for call in plain.calls if call[1] not in ("search_read", "search_count")}
    assert writes <= known
    assert set(plain.tables["account.move"][0]) - {"id", "state", "company_id", "payments", "name"} <= fields
