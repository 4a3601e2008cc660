"""Fetching and reporting over real HTTP against the demo's shops."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from gateway.connection import Connection
from gateway.demo.salla import SallaShop
from gateway.demo.woocommerce import WooCommerceShop
from gateway.errors import BadInput, Conflict, Misconfigured, Unavailable, Unknown
from gateway.invoice.facts import Kind
from gateway.issued import Issued, Status
from gateway.stores import STORES, salla, salla_api, store_of, woocommerce

Online = Callable[[Callable[[httpx2.AsyncClient], Awaitable[Any]]], Any]
Issue = Callable[..., Issued]
Shop = WooCommerceShop | SallaShop


@pytest.fixture(params=["woocommerce", "salla"])
def shop(request: pytest.FixtureRequest) -> Shop:
    found: Shop = request.getfixturevalue({"woocommerce": "woo", "salla": "salla"}[request.param])
    return found


def connection(shop: Shop) -> Connection:
    return shop.connection("shop-1", taxpayer_id="t1", unit_id="u1")


def fetch(online: Online, known: Connection, order_id: str) -> dict[str, Any]:
    found: dict[str, Any] = online(lambda client: STORES[known.platform].fetch(known, client, order_id))
    return found


def report(online: Online, known: Connection, document: Issued) -> str:
    receipt: str = online(lambda client: STORES[known.platform].report(known, client, document.order_id, document))
    return receipt


# -- both -----------------------------------------------------------------------------------------------------


def test_what_is_fetched_is_the_whole_order_with_exact_numbers(online: Online, shop: Shop) -> None:
    for order_id, expected in shop.orders.items():
        raw = fetch(online, connection(shop), order_id)
        assert raw == json.loads(json.dumps(expected), parse_float=Decimal)


def test_refunds_are_fetched_along_with_the_order(online: Online, woo: WooCommerceShop) -> None:
    """The order itself lists their sums alone; one without any is not asked for them."""
    whole = fetch(online, connection(woo), "46")
    assert len(woo.requests) == 1
    woo.orders["46"]["refunds"] = [{"id": 56, "reason": "", "total": "-100.00"}]
    woo.refunds["46"] = [{"id": 56, "amount": "100.00", "line_items": [{"quantity": -1}]}]
    raw = fetch(online, connection(woo), "46")
    assert raw == {**whole, "refunds": woo.refunds["46"]}
    assert [path.rpartition("/")[2] for _, path in woo.requests[1:]] == ["46", "refunds"]


def test_an_order_that_is_not_there_is_unknown(online: Online, shop: Shop) -> None:
    for order_id in ("404", "../users", "", "1/2", "٤"):
        with pytest.raises(Unknown):
            fetch(online, connection(shop), order_id)
    assert len(shop.requests) == 1


def test_refused_credentials_name_the_connection_and_no_secret(online: Online, shop: Shop) -> None:
    wrong = dict.fromkeys(connection(shop).secrets, "wr0ng")
    with pytest.raises(Misconfigured, match=r"shop-1.*401") as caught:
        fetch(online, replace(connection(shop), secrets=wrong), next(iter(shop.orders)))
    assert "wr0ng" not in str(caught.value)
    assert caught.value.ar


def test_missing_credentials_are_named(online: Online, shop: Shop) -> None:
    with pytest.raises(Misconfigured, match="no secret"):
        fetch(online, replace(connection(shop), secrets={}), next(iter(shop.orders)))


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_shop_is_asked_again_when_it_says(online: Online, shop: Shop, status: int) -> None:
    shop.outage = [status]
    with pytest.raises(Unavailable) as caught:
        fetch(online, connection(shop), next(iter(shop.orders)))
    assert caught.value.retry_after == 7


def test_a_shop_that_is_gone_is_unavailable(online: Online, shop: Shop) -> None:
    closed = replace(connection(shop), base_url="http://127.0.0.1:9")
    with pytest.raises(Unavailable, match="cannot be reached"):
        fetch(online, closed, next(iter(shop.orders)))


def test_an_address_that_is_none_is_a_wrong_setting(online: Online, shop: Shop) -> None:
    with pytest.raises(Misconfigured, match="base_url"):
        fetch(online, replace(connection(shop), base_url="https://[::1"), next(iter(shop.orders)))


def test_there_is_no_other_platform() -> None:
    assert store_of("salla") is salla
    with pytest.raises(Misconfigured, match="magento, salla, shopify, woocommerce, zid"):
        store_of("opencart")


def answering(status: int, body: bytes = b"{}", **headers: str) -> httpx2.AsyncClient:
    """A client whose every request is answered so."""
    return httpx2.AsyncClient(
        transport=httpx2.MockTransport(lambda _: httpx2.Response(status, content=body, headers=headers))
    )


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, b"<html>maintenance</html>", Unavailable),
        (200, b'{"id": NaN}', Unavailable),
        (200, b"[" * 100_000, Unavailable),
        (200, b"[]", Unknown),
        (200, b'{"id": 47}', Unknown),
        (301, b"", Misconfigured),
        (400, b'{"code": "rest_invalid_param"}', BadInput),
        (403, b'{"code": "<script>"}', Misconfigured),
    ],
)
def test_odd_answers(
    online: Online, connect: Callable[..., Connection], status: int, body: bytes, expected: type[Exception]
) -> None:
    async def ask(_: httpx2.AsyncClient) -> None:
        async with answering(status, body) as client:
            await woocommerce.fetch(connect("woocommerce"), client, "46")

    with pytest.raises(expected) as caught:
        online(ask)
    assert "<" not in str(caught.value)


# -- WooCommerce ----------------------------------------------------------------------------------------------


def test_a_report_is_written_once(online: Online, woo: WooCommerceShop, issued: Issue) -> None:
    document = issued("46", "388.59", "50.69")
    assert report(online, connection(woo), document) == "woocommerce order 46: fields and note written"
    assert report(online, connection(woo), document) == "woocommerce order 46: nothing new"
    meta = {entry["key"]: entry["value"] for entry in woo.orders["46"]["meta_data"]}
    assert {key: value for key, value in meta.items() if "zatca" in key} == {
        "_zatca_number": "RUH1-000001",
        "_zatca_status": "reported",
        "_zatca_uuid": document.uuid,
        "_zatca_qr": "AQ1TaG9w",
    }
    assert meta["is_vat_exempt"] == "no"
    assert [(note["customer_note"], note["note"]) for note in woo.notes["46"]] == [
        (False, "ZATCA: RUH1-000001 reported. الفاتورة RUH1-000001: أبلغت بها الهيئة.")
    ]
    assert [method for method, _ in woo.requests].count("PUT") == 1


def test_a_new_status_changes_one_field_and_adds_one_note(online: Online, woo: WooCommerceShop, issued: Issue) -> None:
    document = issued("46", "388.59", "50.69", status=Status.ISSUED)
    report(online, connection(woo), document)
    report(online, connection(woo), replace(document, status=Status.REPORTED))
    meta = {entry["key"]: entry["value"] for entry in woo.orders["46"]["meta_data"]}
    assert meta["_zatca_status"] == "reported"
    assert len(woo.notes["46"]) == 2


def test_a_credit_note_does_not_overwrite_the_invoice(online: Online, woo: WooCommerceShop, issued: Issue) -> None:
    report(online, connection(woo), issued("46", "388.59", "50.69"))
    report(online, connection(woo), issued("46", "100.00", "13.04", kind=Kind.CREDIT_NOTE, number="RUH1-000002"))
    meta = {entry["key"]: entry["value"] for entry in woo.orders["46"]["meta_data"]}
    assert (meta["_zatca_number"], meta["_zatca_credit_note_number"]) == ("RUH1-000001", "RUH1-000002")


def test_the_echo_of_a_report_is_the_same_order(online: Online, woo: WooCommerceShop, issued: Issue) -> None:
    known = connection(woo)
    before = woocommerce.map(known, fetch(online, known, "50"))
    report(online, known, issued("50", "1015.00", "132.39"))
    after = woocommerce.map(known, fetch(online, known, "50"))
    assert before.order.digest == after.order.digest
    assert before.order.version != after.order.version


def test_every_status_has_its_sentence(issued: Issue) -> None:
    notes = {woocommerce._note(issued("46", "1", "0", status=status), "") for status in Status}
    assert len(notes) == len(Status)


# -- Salla ----------------------------------------------------------------------------------------------------


def test_figures_are_given_once(online: Online, salla: SallaShop, issued: Issue) -> None:
    document = issued("710000003", "185.00", "24.13")
    written = "salla order 710000003: tax_invoice RUH1-000001 and note written"
    assert report(online, connection(salla), document) == written
    assert report(online, connection(salla), document) == "salla order 710000003: nothing new"
    (invoice,) = salla.invoices
    amounts = {name: invoice[name]["amount"] for name in ("sub_total", "shipping_cost", "cod_cost", "total")}
    assert amounts == {"sub_total": "130.43", "shipping_cost": "21.74", "cod_cost": "8.70", "total": 185.0}
    assert (invoice["invoice_number"], invoice["tax"]["amount"]["amount"]) == ("RUH1-000001", "24.13")


def test_the_rounding_is_in_the_total_alone(online: Online, salla: SallaShop, issued: Issue) -> None:
    document = issued("710000004", "343.86", "44.85", rounding=Decimal("0.01"))
    report(online, connection(salla), document)
    assert (salla.invoices[0]["sub_total"]["amount"], salla.invoices[0]["total"]["amount"]) == ("299.00", 343.86)


@pytest.mark.parametrize("status", [Status.ISSUED, Status.UNKNOWN, Status.HELD])
def test_nothing_is_given_before_it_is_final(online: Online, salla: SallaShop, issued: Issue, status: Status) -> None:
    receipt = report(online, connection(salla), issued("710000003", "185.00", "24.13", status=status))
    assert status.value in receipt
    assert salla.requests == []


def test_a_credit_note_follows_its_invoice(online: Online, salla: SallaShop, issued: Issue) -> None:
    report(online, connection(salla), issued("710000003", "185.00", "24.13"))
    note = issued("710000003", "149.99", "19.56", kind=Kind.CREDIT_NOTE, number="RUH1-000002")
    for expected in ("credit_note RUH1-000002 and note written", "nothing new"):
        assert report(online, connection(salla), note).endswith(expected)
    assert salla.invoices[1]["sub_total"]["amount"] == "130.43"


def test_of_a_rejected_document_the_history_tells_alone(online: Online, salla: SallaShop, issued: Issue) -> None:
    report(online, connection(salla), issued("710000003", "185.00", "24.13", status=Status.REJECTED))
    (entry,) = salla.histories["710000003"]
    assert "RUH1-000001 rejected" in entry["note"]
    assert salla.invoices == []


def test_two_credit_notes_of_one_amount_are_both_given(online: Online, salla: SallaShop, issued: Issue) -> None:
    """Salla shows no number of ours; the order's history tells which ones it has."""
    report(online, connection(salla), issued("710000003", "185.00", "24.13"))
    for number in ("RUH1-000002", "RUH1-000003"):
        note = issued("710000003", "10.00", "1.30", kind=Kind.CREDIT_NOTE, number=number)
        for _ in range(2):
            report(online, connection(salla), note)
        salla.histories["710000003"].pop()  # an attempt that was cut off before the note
        report(online, connection(salla), note)
    assert [each["invoice_number"] for each in salla.invoices] == ["RUH1-000001", "RUH1-000002", "RUH1-000003"]
    assert len(salla.histories["710000003"]) == 3


def test_a_long_history_is_read_to_its_end(online: Online, salla: SallaShop, issued: Issue) -> None:
    document = issued("710000003", "185.00", "24.13")
    report(online, connection(salla), document)
    salla.histories["710000003"] += [{"note": f"{number}"} for number in range(130)]
    assert report(online, connection(salla), document).endswith("nothing new")


def test_an_invoice_of_someone_else_is_a_conflict(online: Online, salla: SallaShop, issued: Issue) -> None:
    report(online, connection(salla), issued("710000003", "185.00", "24.13"))
    with pytest.raises(Conflict, match="another total") as caught:
        report(online, connection(salla), issued("710000003", "230.00", "30.00"))
    assert caught.value.ar


def test_a_shop_that_issues_itself_is_named(online: Online, salla: SallaShop, issued: Issue) -> None:
    salla.custom_invoices = False
    with pytest.raises(Misconfigured, match="issues its own invoices") as caught:
        report(online, connection(salla), issued("710000003", "185.00", "24.13"))
    assert "مخصص" in caught.value.ar


def test_a_number_used_by_another_order_is_refused(online: Online, salla: SallaShop, issued: Issue) -> None:
    report(online, connection(salla), issued("710000003", "185.00", "24.13"))
    with pytest.raises(BadInput, match="invoice_number"):
        report(online, connection(salla), issued("710000004", "343.85", "44.85"))


def test_a_faster_attempt_counts_as_done(
    online: Online, salla: SallaShop, issued: Issue, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = issued("710000003", "185.00", "24.13")
    report(online, connection(salla), document)
    kept, looked = salla.invoices[:], []
    is_there = salla_api._is_there

    async def blind_once(*args: Any) -> bool:
        looked.append(args)
        return len(looked) > 1 and await is_there(*args)

    monkeypatch.setattr(salla_api, "_is_there", blind_once)
    assert report(online, connection(salla), document).endswith("nothing new")
    assert salla.invoices == kept
    assert len(looked) == 2
