"""No sale has two issuers: a shop that issues itself is not connected, and its unit not onboarded."""

import asyncio
import http.server
import json
import threading
from contextlib import contextmanager
from dataclasses import replace

import pytest

from gateway.connection import Connection
from gateway.demo.salla import salla_shop
from gateway.errors import BadInput, Unknown
from gateway.pipeline.connect import add_connection, connect
from gateway.pipeline.gateway import online
from gateway.pipeline.second_issuer import check_issuer
from tests.erps.erpnext_server import erpnext_server
from tests.erps.odoo_server import odoo_server
from tests.installation import OWNER, UNIT
from tests.pipeline.test_onboard import take


@pytest.fixture
def salla():
    with salla_shop() as shop:
        yield shop


def enter(site, connection, **more):
    async def run():
        async with online(site.gateway) as lines:
            return await connect(site.gateway, lines, connection, actor="tests", **more)

    return asyncio.run(run())


def shop_of(salla, name="salla-1"):
    return salla.connection(name, taxpayer_id=OWNER, unit_id=UNIT.id)


def audited(site, action):
    return [entry for entry in site.ledger.audit_log(OWNER) if entry.action == action]


def test_a_shop_that_leaves_issuing_to_us_is_connected(site, salla):
    assert enter(site, shop_of(salla)).look_at == ()
    assert site.ledger.connection(OWNER, "salla-1").platform == "salla"
    assert len(audited(site, "issuer.checked")) == 1
    assert {path for method, path in salla.requests if method != "GET"} == {"/admin/v2/webhooks/subscribe"}


@pytest.mark.parametrize("unchecked", [False, True])
def test_a_shop_that_issues_itself_is_never_connected(site, salla, unchecked):
    salla.custom_invoices = False
    with pytest.raises(BadInput, match="issues to the authority itself") as refused:
        enter(site, shop_of(salla), unchecked_issuer=unchecked)
    assert "set the invoice provider to custom" in refused.value.fix
    assert "سلة" in refused.value.ar
    with pytest.raises(Unknown):
        site.ledger.connection(OWNER, "salla-1")


def test_a_shop_that_begins_to_issue_itself_stops_the_next_onboarding_of_its_unit(site, salla):
    enter(site, shop_of(salla))
    salla.custom_invoices = False
    with pytest.raises(BadInput, match="connection salla-1 connects"):
        take(site, UNIT)
    assert site.ledger.onboardings(OWNER, UNIT.id)[1:] == ()
    salla.custom_invoices = True
    take(site, UNIT)


@pytest.mark.parametrize("outage", [503, 401, 404])
def test_a_shop_that_cannot_be_asked_needs_somebodys_word(site, salla, outage):
    salla.outage = [outage]
    with pytest.raises(BadInput, match="cannot be told") as refused:
        enter(site, shop_of(salla))
    assert "--unchecked-issuer" in refused.value.fix
    salla.outage = [outage]
    (left,) = enter(site, shop_of(salla), unchecked_issuer=True).look_at
    assert "custom" in left.en
    (entry,) = audited(site, "issuer.unchecked")
    assert (entry.actor, entry.object) == ("tests", "salla-1")
    assert str(outage) in entry.detail["why"] or "nothing at" in entry.detail["why"]


def test_an_onboarding_with_a_shop_that_cannot_be_asked(site, salla):
    enter(site, shop_of(salla))
    salla.outage = [503]
    with pytest.raises(BadInput, match="cannot be told"):
        take(site, UNIT)
    salla.outage = [503]
    take(site, UNIT, unchecked_issuer=True)


def test_a_known_shop_is_asked_again_when_it_is_changed(site, salla):
    enter(site, shop_of(salla))
    salla.custom_invoices = False
    with pytest.raises(BadInput, match="issues to the authority itself"):
        enter(site, shop_of(salla), change=True)
    salla.custom_invoices = True
    enter(site, replace(shop_of(salla), settings={"merchant": "1"}), change=True)
    assert site.ledger.connection(OWNER, "salla-1").settings == {"merchant": "1"}


def test_of_an_erp_a_person_is_told_what_to_look_at(site):
    (said,) = enter(site, Connection("erp-2", OWNER, UNIT.id, "api")).look_at
    assert "l10n_sa_edi" in said.en
    assert "l10n_sa_edi" in said.ar
    (entry,) = audited(site, "issuer.left_to_check")
    assert "l10n_sa_edi" in entry.detail["look_at"]


def test_a_shop_that_lacks_something_is_not_even_asked(site, salla):
    with pytest.raises(BadInput, match="address and its credentials"):
        enter(site, replace(shop_of(salla), secrets={}))
    assert salla.requests == []


# -- Zid, by the settings that its recorded lists carry -----------------------------------------------------------


@contextmanager
def zid_shop(answer, status=200):
    """A server that answers every call so, and the headers and paths it was asked with."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, dict(self.headers)))
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def ask_zid(site, url):
    connection = Connection(
        "zid-1", OWNER, UNIT.id, "zid", url, secrets={"authorization": "first", "access_token": "second"}
    )

    async def run():
        async with online(site.gateway) as lines:
            return await check_issuer(site.gateway, lines, connection, actor="tests")

    return asyncio.run(run())


@pytest.mark.parametrize("name", ["orders_list", "orders_list_default", "orders_list_tiny"])
def test_a_recorded_zid_shop_leaves_issuing_to_others(site, shared, name):
    recorded = json.loads((shared / "payloads" / "zid" / f"{name}.sdk.json").read_text())
    with zid_shop(recorded) as (url, asked):
        assert ask_zid(site, url) is None
    ((path, headers),) = asked
    assert path.startswith("/v1/managers/store/orders?")
    assert (headers["Authorization"], headers["X-Manager-Token"]) == ("Bearer first", "second")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"printed_invoice_settings": {"is_zid_invoice_generation_enabled": True}}, "issues to the authority itself"),
        ({"invoice_settings": {"is_zid_invoice_generation_enabled": True}}, "issues to the authority itself"),
        ({"printed_invoice_settings": {}}, "cannot be told"),
        ([], "cannot be told"),
    ],
)
def test_a_zid_shop_that_issues_itself_or_does_not_tell(site, answer, says):
    with zid_shop(answer) as (url, _), pytest.raises(BadInput, match=says) as refused:
        ask_zid(site, url)
    assert "is_zid_invoice_generation_enabled" in refused.value.fix
    assert "زد" in refused.value.ar


def test_a_connection_entered_without_asking_is_asked_at_the_onboarding(site, salla):
    """The demo and migrations enter connections by themselves."""
    salla.custom_invoices = False
    add_connection(site.gateway, shop_of(salla), actor="tests")
    with pytest.raises(BadInput, match="issues to the authority itself"):
        take(site, UNIT)


# -- Odoo, an ERP that can be asked ------------------------------------------------------------------------------


@pytest.fixture
def odoo():
    """One whose sales journal issues by Odoo's own module."""
    with odoo_server() as server:
        server.tables["ir.module.module"] = [{"id": 1, "name": "l10n_sa_edi", "state": "installed"}]
        server.tables["account.journal"][0]["edi_format_ids"] = "sa_zatca"
        yield server


@pytest.mark.parametrize("spelled", ["odoo", "Odoo", " ODOO "])
def test_an_odoo_that_is_named_is_asked_at_connecting_and_at_onboarding(site, odoo, spelled):
    erp = odoo.connection("odoo-1", taxpayer_id=OWNER, unit_id=UNIT.id, erp=spelled)
    erp = replace(erp, platform="api")
    with pytest.raises(BadInput, match=r"\(odoo\) issues to the authority itself") as refused:
        enter(site, erp)
    assert "l10n_sa_edi" in refused.value.fix
    odoo.tables["account.journal"][0]["edi_format_ids"] = "facturx"
    assert enter(site, erp).look_at == ()
    assert dict(site.ledger.connection(OWNER, "odoo-1").secrets) == {}
    take(site, UNIT)
    odoo.tables["account.journal"][0]["edi_format_ids"] = "sa_zatca"
    with pytest.raises(BadInput, match="issues to the authority itself"):
        take(site, UNIT)
    odoo.trouble = lambda model, method: "502"
    with pytest.raises(BadInput, match="cannot be told"):
        take(site, UNIT)
    take(site, UNIT, unchecked_issuer=True)


def test_an_erpnext_whose_app_is_at_work_stops_connecting_and_the_onboarding(site):
    with erpnext_server() as erpnext:
        erp = erpnext.connection(taxpayer_id=OWNER, unit_id=UNIT.id)
        erpnext.apps.append("ksa_compliance")
        with pytest.raises(BadInput, match=r"\(erpnext\) issues to the authority itself") as refused:
            enter(site, erp)
        assert "ksa_compliance" in refused.value.fix
        erpnext.apps.remove("ksa_compliance")
        assert enter(site, erp).look_at == ()
        assert site.ledger.connection(OWNER, erp.id).settings["tax.S15"]
        take(site, UNIT)
        erpnext.apps.append("ksa_compliance")
        with pytest.raises(BadInput, match="issues to the authority itself"):
            take(site, UNIT)
