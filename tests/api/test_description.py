"""What the API says of itself holds, and what is not there is a problem like any other."""

import json

import pytest
from pydantic import TypeAdapter

from gateway.order import Order
from tests.api.conftest import problem
from tests.installation import BUSINESS, order


@pytest.fixture
def description(quiet):
    answer = quiet.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    return json.loads(answer.content)


def operations(description):
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def references(part):
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from references(each)


def test_every_route_is_described(description):
    for name, operation in operations(description):
        assert operation["summary"], name
        assert operation["description"], name
        assert operation["tags"], name
        assert any(status.startswith("2") for status in operation["responses"]), name


def test_every_route_says_that_failures_are_problems(description):
    for name, operation in operations(description):
        failures = {status: each for status, each in operation["responses"].items() if status[0] in "45"}
        assert {"4XX", "5XX"} <= failures.keys(), name
        for status, failure in failures.items():
            if (name, status) != ("get /readyz", "503"):
                assert "application/problem+json" in failure["content"], (name, status)


def test_only_what_is_open_goes_without_a_key(description):
    without = {name for name, operation in operations(description) if "security" not in operation}
    links = {"get /v1/shared/{ticket}/{name}", "get /v1/shared/{code}"}
    monitoring = {"get /healthz", "get /readyz", "get /metrics"}
    assert without == {"post /v1/hooks/{connection}", *links} | monitoring
    assert description["components"]["securitySchemes"]["key"]["scheme"] == "bearer"


def test_every_reference_leads_somewhere(description):
    found = set(references(description))
    assert "#/components/schemas/Order" in found
    for reference in found:
        part = description
        for name in reference.removeprefix("#/").split("/"):
            part = part[name]
        assert part


def test_the_described_order_is_the_one_that_is_read(description):
    schema = description["components"]["schemas"]["Order"]
    assert schema["properties"].keys() == Order.model_fields.keys()
    assert set(schema["required"]) <= order(1, buyer=BUSINESS).keys() <= schema["properties"].keys()
    assert schema["additionalProperties"] is False
    assert TypeAdapter(Order).json_schema()["required"] == schema["required"]


def test_what_is_not_there(quiet):
    for method, path, status in [
        ("GET", "/", 404),
        ("GET", "/v1/nothing", 404),
        ("GET", "/docs", 404),
        ("DELETE", "/v1/orders", 405),
        ("POST", "/v1/invoices", 405),
        ("GET", "/v1/hooks/shop", 405),
    ]:
        problem(quiet.request(method, path), status)


def test_not_ready_says_why(quiet, monkeypatch):
    monkeypatch.setattr(type(quiet.gateway.stamper), "health", lambda _: "the HSM is away")
    answer = quiet.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "not ready",
        "checks": {"ledger": "ok", "journal": "ok", "keys": "the HSM is away", "worker": "ok"},
        "notes": {},
    }
    assert quiet.get("/healthz").status_code == 200
