"""Odoo is asked one thing: whether one of its sales journals issues to the authority."""

import asyncio
import http.server
import json
import threading

import pytest

from gateway.connection import Connection
from gateway.erps.odoo import MODULE, issues_itself
from gateway.errors import BadInput, Misconfigured, Unavailable
from gateway.outbound import client
from gateway.settings import Settings

ACCESS_ERROR = {
    "code": 200,
    "message": "Odoo Server Error",
    "data": {"name": "odoo.exceptions.AccessError", "debug": "Traceback ... secret", "message": "no access"},
}


class Odoo:
    """A server of one database, by its modules and sales journals; `calls` are the models it was asked for."""

    def __init__(self):
        self.installed = True
        self.journals = {9: "sa_zatca"}  # id of the company's journal and its format
        self.fault = None
        self.status, self.raw = 200, None
        self.calls = []

    def answer(self, asked):
        assert (asked["jsonrpc"], asked["method"]) == ("2.0", "call")
        service, method, arguments = (asked["params"][name] for name in ("service", "method", "args"))
        if (service, method) == ("common", "authenticate"):
            database, login, key, _ = arguments
            return {"result": 2 if (database, login, key) == ("gw", "admin", "k") else False}
        database, user, key, model, what, (domain,) = arguments
        assert (database, user, key, what) == ("gw", 2, "k", "search_count")
        self.calls.append((model, domain))
        if self.fault:
            return {"error": self.fault}
        if model == "ir.module.module":
            assert domain[0] == ["name", "=", MODULE]
            return {"result": int(self.installed)}
        return {"result": sum(form == "sa_zatca" for form in self.journals.values())}


@pytest.fixture
def odoo():
    state = Odoo()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = state.raw or json.dumps({"jsonrpc": "2.0", "id": asked["id"], **state.answer(asked)}).encode()
            self.send_response(state.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()
    server.server_close()


def connection(url, secrets=None, **settings):
    known = {"login": "admin", "key": "k"} if secrets is None else secrets
    return Connection(
        "erp", "t", "u", "api", url, settings={"erp": "odoo", "database": "gw", **settings}, secrets=known
    )


def ask(asked):
    async def run():
        async with client(Settings.given(allow_private_shops=True)) as outside:
            return await issues_itself(asked, outside)

    return asyncio.run(run())


def test_a_journal_with_the_authoritys_format_issues(odoo):
    assert ask(connection(odoo.url)) is True
    odoo.journals = {9: "facturx"}
    assert ask(connection(odoo.url, company="2")) is False
    assert odoo.calls[-1] == (
        "account.journal",
        [["type", "=", "sale"], ["edi_format_ids.code", "=", "sa_zatca"], ["company_id", "=", 2]],
    )


def test_without_the_module_nothing_is_issued_and_no_journal_looked_at(odoo):
    odoo.installed = False
    assert ask(connection(odoo.url + "/")) is False
    assert [model for model, _ in odoo.calls] == ["ir.module.module"]


def test_a_fault_is_told_by_its_kind_and_never_by_its_traceback(odoo):
    odoo.fault = ACCESS_ERROR
    with pytest.raises(BadInput, match=r"odoo\.exceptions\.AccessError") as refused:
        ask(connection(odoo.url))
    assert "secret" not in str(refused.value)
    odoo.fault = {"data": {"name": "x" * 999}}
    with pytest.raises(BadInput, match="does not say why"):
        ask(connection(odoo.url))


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"secrets": {"login": "admin", "key": "wrong"}}, "refuses the credentials"),
        ({"secrets": {"login": "admin"}}, "lacks key"),
        ({"database": ""}, "lacks database"),
        ({"database": "other"}, "refuses the credentials"),
        ({"company": "two"}, "not a number"),
    ],
)
def test_credentials_and_settings_that_cannot_be_used(odoo, asked, says):
    with pytest.raises(Misconfigured, match=says):
        ask(connection(odoo.url, **asked))


def test_an_address_that_is_missing():
    with pytest.raises(Misconfigured, match="lacks the address"):
        ask(connection(""))


@pytest.mark.parametrize(
    ("status", "raw", "error"),
    [(503, None, Unavailable), (200, b"<html>", Unavailable), (200, b"[]", BadInput), (200, b"{}", BadInput)],
)
def test_answers_that_say_nothing(odoo, status, raw, error):
    odoo.status, odoo.raw = status, raw
    with pytest.raises(error):
        ask(connection(odoo.url))


def test_nobody_there():
    with pytest.raises(Unavailable, match="cannot be reached"):
        ask(connection("http://127.0.0.1:9"))


def test_the_recorded_odoo_is_asked_in_the_same_form(odoo, shared):
    """Its calls name a model, a method and a domain of triples, as ours do."""
    recorded = json.loads((shared / "payloads" / "odoo" / "odoo14_jsonrpc_session.json").read_text())
    (journals,) = [each for each in recorded if (each["model"], each["method"]) == ("account.journal", "search_read")]
    ask(connection(odoo.url))
    model, domain = odoo.calls[-1]
    assert model == journals["model"]
    assert ["type", "=", "sale"] in journals["args"][0]
    assert ["type", "=", "sale"] in domain
