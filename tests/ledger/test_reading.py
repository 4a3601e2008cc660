"""What can be asked: lists and their pages, one taxpayer's rows only, notices, keys, the audit log."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.connection import Connection
from gateway.errors import BadInput, Conflict, Unknown
from gateway.issued import Status
from gateway.ledger import Filter, NoticeState, Taxpayer
from gateway.ledger.columns import Moment, Money, canonical_json
from tests.ledger.books import NOW, UNIT

HOUR = timedelta(hours=1)


def orders(page):
    return [each.order_id for each in page.items]


@pytest.fixture
def week(desk):
    """Seven documents, an hour apart."""
    return [
        desk.issue(
            str(n), now=NOW + n * HOUR, made={"buyer_name": f"عميل_{n}", "buyer_vat": f"31000000000000{n}"}
        ).issued
        for n in range(7)
    ]


def test_pages_are_newest_first_and_lose_nothing(ledger, week, desk):
    first = ledger.invoices("tp", limit=3)
    desk.issue("new", now=NOW + 9 * HOUR)
    second = ledger.invoices("tp", limit=3, cursor=first.next)
    third = ledger.invoices("tp", limit=3, cursor=second.next)
    assert [orders(page) for page in (first, second, third)] == [["6", "5", "4"], ["3", "2", "1"], ["0"]]
    assert third.next is None


def test_pages_hold_where_many_documents_have_one_moment(ledger, desk):
    for n in range(5):
        desk.issue(str(n))
    seen, cursor = [], None
    while True:
        page = ledger.invoices("tp", limit=2, cursor=cursor)
        seen += orders(page)
        if (cursor := page.next) is None:
            break
    assert sorted(seen) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("by", "found"),
    [
        (Filter(order="3"), ["3"]),
        (Filter(connection="shop", order="3"), ["3"]),
        (Filter(connection="nowhere"), []),
        (Filter(number="RUH1-000002"), ["1"]),
        (Filter(buyer="عميل_4"), ["4"]),
        (Filter(buyer="%"), []),
        (Filter(buyer="310000000000005"), ["5"]),
        (Filter(status=Status.ISSUED, since=NOW + 5 * HOUR - HOUR / 2), ["6", "5"]),
        (Filter(status=Status.REPORTED), []),
        (Filter(since=NOW - HOUR, until=NOW + HOUR / 2), ["0"]),
    ],
    ids=str,
)
def test_a_list_is_narrowed_by_what_is_asked(ledger, week, by, found):
    assert orders(ledger.invoices("tp", by)) == found


@pytest.mark.parametrize("cursor", ["x", "!!!!", "MjAyNg==", "w6k=", "MjAyNi0xMS0yM1QwMCB4"])
def test_a_cursor_that_is_none_is_refused(ledger, cursor):
    with pytest.raises(BadInput, match="cursor"):
        ledger.invoices("tp", cursor=cursor)


def test_a_page_has_a_largest_size(ledger, week):
    assert len(ledger.invoices("tp", limit=0).items) == 1
    assert len(ledger.invoices("tp", limit=10**9).items) == 7


def test_an_order_has_its_documents_in_order(ledger, desk):
    first = desk.issue("46").issued
    note = desk.issue("46", thing="refund:46/1", corrects=first.uuid).issued
    desk.issue("47")
    assert ledger.order_documents("tp", "shop", "46") == (first, note)
    assert ledger.sale_document("tp", "shop", "order:46", first.kind) == first
    assert ledger.sale_document("tp", "shop", "order:48", first.kind) is None
    assert ledger.counts("tp") == {Status.ISSUED: 3}


def test_nothing_of_another_taxpayer_can_be_read(ledger, desk, other):
    uuid = desk.issue("46").issued.uuid
    for ask in (ledger.invoice, ledger.xml, ledger.stamped_xml, ledger.snapshot):
        ask("tp", uuid)
        with pytest.raises(Unknown):
            ask("other", uuid)
    assert ledger.attempts("other", uuid) == ()
    assert ledger.invoices("other").items == ()
    assert ledger.order_documents("other", "shop", "46") == ()
    assert list(ledger.chain_links("other", "csid-1")) == []
    assert ledger.counts("other") == {}
    with pytest.raises(Unknown):
        ledger.connection("other", "shop")
    assert ledger.any_connection("shop").taxpayer_id == "tp"


def test_units_and_connections_come_back_as_they_were(ledger):
    assert ledger.unit("tp", UNIT.id) == UNIT
    assert ledger.units("tp") == ledger.units() == (UNIT,)
    bare = replace(UNIT, id="bare", number_prefix="", seller=replace(UNIT.seller, id=None, address=None))
    ledger.add_unit(bare, now=NOW)
    assert ledger.unit("tp", "bare") == bare
    moved = replace(bare, location="JEDD1234")
    ledger.change_unit(moved, now=NOW)
    assert ledger.unit("tp", "bare") == moved
    riyadh = timezone(timedelta(hours=3))
    cutover = datetime(2026, 11, 1, tzinfo=riyadh)
    shop = Connection("salla", "tp", "bare", "salla", cutover=cutover, secrets={"k": "s3cret"})
    ledger.add_connection(shop, now=NOW)
    assert ledger.connection("tp", "salla") == replace(shop, secrets={})
    ledger.change_connection(replace(shop, unit_id=UNIT.id), now=NOW)
    assert [(each.id, each.unit_id) for each in ledger.connections("tp")] == [("salla", UNIT.id), ("shop", UNIT.id)]
    assert ledger.taxpayers() == (ledger.taxpayer("tp"),)


def test_ids_and_prefixes_are_not_given_twice(ledger, other):
    with pytest.raises(Conflict):
        ledger.add_taxpayer(Taxpayer("tp", "x", "y"), now=NOW)
    with pytest.raises(Conflict):
        ledger.add_unit(UNIT, now=NOW)
    with pytest.raises(Conflict, match="prefix"):
        ledger.add_unit(replace(UNIT, id="second"), now=NOW)
    with pytest.raises(Conflict):
        ledger.add_connection(Connection("shop", "other", UNIT.id, "api"), now=NOW)
    with pytest.raises(Unknown):
        ledger.add_unit(replace(UNIT, taxpayer_id="nobody"), now=NOW)
    with pytest.raises(Unknown):
        ledger.add_connection(Connection("x", "tp", "nowhere", "api"), now=NOW)


@pytest.mark.parametrize("name", ["", "a/b", "-a", "a b", "x" * 65, "أ"])
def test_an_id_that_could_be_mistaken_is_refused(ledger, name):
    with pytest.raises(BadInput):
        ledger.add_taxpayer(Taxpayer(name, "x", "y"), now=NOW)
    with pytest.raises(BadInput):
        ledger.add_unit(replace(UNIT, id=name), now=NOW)


def notice(ledger, delivery="d1", taxpayer="tp", shop="shop"):
    return ledger.add_notice(
        taxpayer, shop, topic="order.updated", order_id="46", delivery_id=delivery, body=b"{}", now=NOW
    )


def take(ledger, now=NOW):
    return ledger.claim_notices(now=now, limit=9, lease_until=now + HOUR, worker="w")


def test_a_delivery_is_kept_once(ledger):
    assert [notice(ledger), notice(ledger), notice(ledger, "d2")] == [True, False, True]
    first, second = take(ledger)
    assert (first.order_id, first.body, first.delivery_id, first.attempts) == ("46", b"{}", "d1", 0)
    assert second.delivery_id == "d2"
    assert take(ledger) == ()
    with pytest.raises(Unknown):
        notice(ledger, taxpayer="other")


def test_a_notice_waits_for_a_person_and_is_worked_on_again(ledger):
    notice(ledger)
    [due] = take(ledger)
    reason = {"en": "The sums differ.", "ar": "المبالغ مختلفة."}
    ledger.end_notice(due.id, state=NoticeState.QUARANTINED, reason=reason, now=NOW)
    ledger.end_notice(due.id, state=NoticeState.DONE, now=NOW)
    [waiting] = ledger.quarantine("tp")
    assert (waiting.state, waiting.reason, waiting.order_id) == (NoticeState.QUARANTINED, reason, "46")
    assert ledger.quarantine("other") == ledger.quarantine("tp", before=waiting.id) == ()
    with pytest.raises(Unknown):
        ledger.retry_notice("other", due.id, now=NOW)
    ledger.retry_notice("tp", due.id, now=NOW, actor="key:1")
    assert ledger.quarantine("tp") == ()
    [again] = take(ledger)
    assert again.attempts == 1
    ledger.end_notice(due.id, state=NoticeState.DUE, next_at=NOW + 2 * HOUR, now=NOW)
    assert take(ledger, NOW + HOUR) == ()
    assert len(take(ledger, NOW + 2 * HOUR)) == 1


def test_a_later_look_at_an_order_answers_the_earlier_ones(ledger):
    for delivery in ("d1", "d2", "d3"):
        notice(ledger, delivery)
    first, second, third = take(ledger)
    for each in (first, second):
        ledger.end_notice(each.id, state=NoticeState.QUARANTINED, reason={"en": "x", "ar": "x"}, now=NOW)
    assert [each.id for each in ledger.quarantine("tp")] == [second.id]
    ledger.end_notice(third.id, state=NoticeState.DONE, now=NOW)
    assert ledger.quarantine("tp") == ()


def test_api_keys_are_found_touched_and_revoked(ledger, other):
    ledger.add_api_key("k1", "tp", role="auditor", hash="00", label="Sara", now=NOW)
    with pytest.raises(Conflict):
        ledger.add_api_key("k1", "tp", role="admin", hash="01", label="", now=NOW)
    assert ledger.api_key("k2") is None
    key = ledger.api_key("k1")
    assert (key.taxpayer_id, key.role, key.hash, key.label, key.last_used_at) == ("tp", "auditor", "00", "Sara", None)
    ledger.touch_api_key(key, now=NOW)
    used = ledger.api_key("k1")
    ledger.touch_api_key(used, now=NOW + timedelta(seconds=59))
    assert ledger.api_key("k1").last_used_at == NOW
    ledger.touch_api_key(used, now=NOW + timedelta(seconds=60))
    assert ledger.api_key("k1").last_used_at == NOW + timedelta(seconds=60)
    with pytest.raises(Unknown):
        ledger.revoke_api_key("k1", taxpayer_id="other", now=NOW)
    ledger.revoke_api_key("k1", now=NOW)
    ledger.revoke_api_key("k1", now=NOW + HOUR)
    assert ledger.api_key("k1").revoked_at == NOW
    assert [key.id for key in ledger.api_keys("tp")] == ["k1"]
    assert ledger.api_keys("other") == ()


def test_who_changed_what_is_in_the_audit_log(ledger, desk):
    ledger.audit(taxpayer_id="tp", actor="key:1", action="export.made", target="x", detail={"ن": [1]}, now=NOW)
    ledger.seal_audit(now=NOW)
    entries = list(ledger.audit_log("tp"))
    assert [entry.action for entry in entries] == [
        "taxpayer.added",
        "unit.added",
        "connection.added",
        "csid.added",
        "export.made",
    ]
    assert entries[-1].detail == {"ن": [1]}
    assert list(ledger.audit_log("tp", after=4)) == entries[-1:]
    assert list(ledger.audit_breaks("tp")) == []


@pytest.mark.parametrize(
    ("attack", "seq"),
    [
        ("UPDATE audit SET actor = 'nobody' WHERE seq = 2", [2]),
        ("UPDATE audit SET detail = '{}' WHERE seq = 3", [3]),
        ("DELETE FROM audit WHERE seq = 2", [2, 3]),
        ("UPDATE audit SET hash = 'x' WHERE seq = 3", [3, 4]),
    ],
)
def test_a_superusers_changes_of_the_audit_log_are_found(ledger, raw_of, attack, seq):
    ledger.seal_audit(now=NOW)
    for trigger in ("seal", "delete"):
        raw_of.drop_trigger("audit", trigger)
    raw_of.execute(attack)
    assert [found.seq for found in ledger.audit_breaks("tp")] == seq


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=3)), timezone(-timedelta(hours=11))])))
def test_moments_come_back_equal_and_sort_as_text(moment):
    column = Moment()
    try:
        stored = column.process_bind_param(moment, None)
    except OverflowError:  # the year 1 or 9999, east or west of UTC
        return
    assert column.process_result_value(stored, None) == moment
    assert len(stored) == 27
    later = moment.astimezone(UTC)
    if later.year < 9998:
        assert stored < column.process_bind_param(later + timedelta(microseconds=1), None)


def test_a_moment_without_its_zone_is_our_own_mistake():
    with pytest.raises(AssertionError):
        Moment().process_bind_param(datetime(2026, 1, 1), None)  # noqa: DTZ001


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2, max_value=10**13, min_value=-(10**13)))
def test_money_comes_back_digit_for_digit(amount):
    back = Money().process_result_value(Money().process_bind_param(amount, None), None)
    assert (back, str(back)) == (amount, str(amount))
    assert isinstance(back, Decimal)


def test_json_has_one_spelling():
    assert canonical_json({"b": 1, "a": "ن"}) == '{"a":"ن","b":1}'
