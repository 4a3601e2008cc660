"""The simulator's answers have the fields of the authority's published examples, no more and no fewer."""

import base64
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gateway.unit import Environment


def _shape(value: Any) -> Any:
    """Names and kinds of values; the messages of a list count once, since their number is free."""
    if isinstance(value, dict):
        return {name: _shape(inner) for name, inner in value.items()}
    return [_shape(inner) for inner in value[:1]] if isinstance(value, list) else type(value).__name__


@pytest.fixture
def published(shared: Path) -> Any:
    def example(name: str, status: int) -> Any:
        spec = json.loads((shared / "vectors" / "openapi" / f"{name}-api_openapi.json").read_text())
        (path,) = spec["paths"].values()
        (operation,) = path.values()
        content = operation["responses"][str(status)]["content"]["application/json"]
        examples = content.get("examples")
        return next(iter(examples.values()))["value"] if examples else content["example"]

    return example


@pytest.fixture
def send(simulator: Any, enrolled: Any) -> Any:
    _, credentials = enrolled

    def to(path: str, submission: Any, *, signed_in: bool = True) -> Any:
        body = {
            "invoiceHash": submission.hash,
            "uuid": submission.uuid,
            "invoice": base64.b64encode(submission.xml).decode(),
        }
        auth = (credentials.token, credentials.secret) if signed_in else None
        url = f"{simulator.url(Environment.SANDBOX)}/{path}"
        with httpx2.Client(trust_env=False, auth=auth) as client:
            return client.post(url, json=body, headers={"Accept-Version": "V2"})

    return to


def test_reporting(send: Any, enrolled: Any, published: Any) -> None:
    till, _ = enrolled
    path, good = "invoices/reporting/single", till.document("02")
    bad = good._replace(hash=till.document("02").hash)
    for submission, status in ((bad, 400), (good, 200), (good, 409)):
        answer = send(path, submission)
        assert answer.status_code == status
        assert _shape(answer.json()) == _shape(published("reporting", status))
    assert _shape(send(path, good, signed_in=False).json()) == _shape(published("reporting", 401))


def test_clearance(send: Any, enrolled: Any, published: Any, simulator: Any) -> None:
    till, _ = enrolled
    path, good = "invoices/clearance/single", till.document("01")
    bad = good._replace(hash=till.document("01").hash)
    for submission, status in ((bad, 400), (good, 200)):
        answer = send(path, submission)
        assert answer.status_code == status
        assert _shape(answer.json()) == _shape(published("clearance", status))
    # Live duplicates carry a warning that the published example lacks.
    again = send(path, good).json()
    assert again["validationResults"].pop("warningMessages")
    example = published("clearance", 208)
    example["validationResults"].pop("warningMessages")
    assert _shape(again) == _shape(example)
    simulator.state.clearance_on = False
    assert send(path, good).json() == published("clearance", 303)
