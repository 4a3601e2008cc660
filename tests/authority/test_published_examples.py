"""Every answer the authority publishes as an example is understood."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.authority import Endpoint, verdict_of
from gateway.authority.onboarding import credentials_of
from gateway.errors import BadInput, Unavailable
from gateway.verdict import Outcome

_BY_STATUS = {
    200: Outcome.ACCEPTED,
    202: Outcome.ACCEPTED,
    208: Outcome.DUPLICATE,
    303: Outcome.CLEARANCE_OFF,
    400: Outcome.REJECTED,
    401: Outcome.CREDENTIALS,
    406: Outcome.PROTOCOL,
    409: Outcome.DUPLICATE,
    500: Outcome.UNKNOWN,
}


def _examples(file: Path) -> Iterator[tuple[int, bytes]]:
    (path,) = json.loads(file.read_text())["paths"].values()
    (operation,) = path.values()
    for status, response in operation["responses"].items():
        for content in response.get("content", {}).values():
            examples: dict[str, Any] = content.get("examples") or {"only": {"value": content.get("example")}}
            for example in examples.values():
                value = example["value"]
                yield int(status), value.encode() if isinstance(value, str) else json.dumps(value).encode()


def test_published_answers_about_documents(shared: Path) -> None:
    folder = shared / "vectors" / "openapi"
    seen = 0
    for name, endpoint in (("reporting", Endpoint.REPORTING), ("clearance", Endpoint.CLEARANCE)):
        for status, body in _examples(folder / f"{name}-api_openapi.json"):
            verdict = verdict_of(endpoint, status, {}, body)
            assert verdict.outcome is _BY_STATUS[status], (name, status, verdict.detail)
            assert bool(verdict.cleared_xml) == (endpoint is Endpoint.CLEARANCE and verdict.outcome.is_accepted)
            assert verdict.findings or verdict.outcome is not Outcome.REJECTED
            seen += 1
    assert seen > 20


def test_published_answers_about_renewal(shared: Path) -> None:
    for status, body in _examples(shared / "vectors" / "openapi" / "renewal-api_openapi.json"):
        if status in (200, 428):
            assert credentials_of(status, {}, body, is_compliance=False).is_compliance is (status == 428)
            continue
        expected = BadInput if status in (400, 401) else Unavailable
        with pytest.raises(expected):
            credentials_of(status, {}, body, is_compliance=False)
