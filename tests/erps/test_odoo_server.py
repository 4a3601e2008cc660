"""The Odoo of the tests answers as a real one did: its recorded session is played again."""

import json
import urllib.request
import xmlrpc.client

import pytest

from tests.erps.odoo_server import COMPANY, DATABASE, KEY, USER, odoo_server

PLAYED = {
    ("account.tax", "search_read"), ("account.journal", "search_read"), ("account.move", "create"),
    ("account.move", "read"), ("account.move", "write"), ("account.move", "action_post"),
    ("account.move", "message_post"), ("ir.attachment", "create"), ("account.payment.register", "create"),
    ("account.payment.register", "action_create_payments"), ("res.partner", "load"),
}  # fmt: skip
READ = ("name", "ref", "state", "move_type", "amount_total", "amount_residual", "payment_state", "invoice_date")
"""What is compared of a move, by value: its amounts are those that Odoo came to."""
INVOICE = 3
"""The move that the session is about; the other one came of a wizard that is not used here."""


@pytest.fixture
def recorded(shared):
    session = json.loads((shared / "payloads" / "odoo" / "odoo14_jsonrpc_session.json").read_text("utf-8"))
    return [each for each in session if (each["model"], each["method"]) in PLAYED and each["args"] != [[5]]]


@pytest.fixture
def odoo():
    """One that rounds line by line, as the recorded one does."""
    with odoo_server() as server:
        server.tables["res.company"][0]["tax_calculation_rounding_method"] = "round_per_line"
        yield server


def asked(odoo, call, move):
    """What it answers to a recorded call, of which `move` is its own invoice."""
    arguments = json.loads(
        json.dumps(call["args"]).replace('["company_id", "=", 2]', f'["company_id", "=", {COMPANY}]')
    )
    arguments = [[move] if each == [INVOICE] else each for each in arguments]
    named = dict(call["kwargs"])
    method = call["method"]
    if "active_ids" in named.get("context", {}):
        named["context"] = {**named["context"], "active_ids": [move]}
    if call["model"] == "account.payment.register" and method == "action_create_payments":
        arguments = [[odoo.tables["account.payment.register"][-1]["id"]]]
    if method == "read":
        method, arguments, named["fields"] = "search_read", [[["id", "=", move]]], list(READ)
    if isinstance(call.get("faultCode"), int):
        return over_xml_rpc(odoo, call["model"], method, arguments, named)
    return over_json_rpc(odoo, call["model"], method, arguments, named)


def over_json_rpc(odoo, *call):
    parameters = {"service": "object", "method": "execute_kw", "args": [DATABASE, USER, KEY, *call]}
    body = json.dumps({"jsonrpc": "2.0", "method": "call", "params": parameters, "id": 1}).encode()
    with urllib.request.urlopen(f"{odoo.url}/jsonrpc", body) as answer:  # noqa: S310
        content = json.loads(answer.read())
    if "error" in content:
        return {"faultCode": content["error"]["data"]["name"], "faultString": content["error"]["data"]["message"]}
    return {"result": content["result"]}


def over_xml_rpc(odoo, *call):
    with xmlrpc.client.ServerProxy(f"{odoo.url}/xmlrpc/2/object", allow_none=True) as server:
        try:
            return {"result": server.execute_kw(DATABASE, USER, KEY, *call)}
        except xmlrpc.client.Fault as fault:
            return {"faultCode": fault.faultCode, "faultString": fault.faultString}


def shape(value):
    """Types instead of values; of a list those of its first."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value[:1]]
    return type(value).__name__


def is_of_shape(answer, recorded):
    """Whether it has the types that were recorded, and no part that was not."""
    if isinstance(answer, dict) and isinstance(recorded, dict):
        return answer.keys() <= recorded.keys() and all(is_of_shape(answer[each], recorded[each]) for each in answer)
    if isinstance(answer, list) and isinstance(recorded, list) and answer and recorded:
        return is_of_shape(answer[0], recorded[0])
    return shape(answer) == shape(recorded)


def test_the_recorded_session_has_the_same_answers(odoo, recorded):
    move, played = 0, set()
    for call in recorded:
        answer = asked(odoo, call, move)
        what = (call["model"], call["method"])
        if "faultCode" in call:
            last = call["faultString"].strip().splitlines()[-1]
            assert (answer["faultCode"], answer["faultString"].strip().splitlines()[-1]) == (call["faultCode"], last)
        elif what == ("account.move", "read"):
            ((was,), (now,)) = call["result"], answer["result"]
            assert {each: now[each] for each in READ if each in was} == {
                each: was[each] for each in READ if each in was
            }
        else:
            assert is_of_shape(answer["result"], call["result"]), (what, answer, call["result"])
        if what == ("account.move", "create") and "result" in call:
            move = answer["result"]
        played.add(what)
    assert played == PLAYED
    assert odoo.posted(payment_state="paid")


@pytest.mark.parametrize("answer", [{"ids": "45"}, {"ids": [45], "more": 1}, {"ids": [True]}, [45]])
def test_another_shape_would_be_seen(answer):
    assert not is_of_shape(answer, {"ids": [45], "messages": []})
