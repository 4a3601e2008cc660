"""A verdict over HTTP is that of the command line, and nothing is kept of the document."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.rules import check
from tests.api.conftest import problem
from tests.commands.conftest import golden
from tests.golden.test_golden import NOW
from tests.rules.broken import violations
from tests.ubl_documents import LINK

GOOD = golden("simplified invoice").read_bytes()
XML = {"Content-Type": "application/xml"}
AS_OF = {"as_of": NOW.isoformat()}


def test_the_verdict_is_that_of_the_rule_book(quiet):
    for xml in (GOOD, violations()["BR-KSA-40"].document):
        answer = quiet.post("/v1/validate", content=xml, headers=XML, params=AS_OF)
        assert answer.status_code == 200
        expected = check(xml, now=NOW).as_json("")
        del expected["file"]
        assert answer.json() == expected


def test_the_previous_hash_is_compared(quiet):
    def sets(pih):
        answer = quiet.post("/v1/validate", content=GOOD, headers=XML, params={**AS_OF, "pih": pih})
        return [finding["set"] for finding in answer.json()["findings"]]

    assert sets("AAAA") == ["PIH"]
    assert sets(LINK.pih) == []


@pytest.mark.parametrize("content", [b"", b"<a>", b"<!DOCTYPE a><a/>", b'{"json": true}'])
def test_what_is_no_xml_is_a_problem(quiet, content):
    assert problem(quiet.post("/v1/validate", content=content, headers=XML), 400)["fix"]


@pytest.mark.parametrize("params", [{"as_of": "yesterday"}, {"as_of": "2026-11-23T10:00:00"}, {"pih": "A" * 201}])
def test_a_parameter_that_cannot_be_used_is_a_problem(quiet, params):
    answer = quiet.post("/v1/validate", content=GOOD, headers=XML, params=params)
    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"] == "application/problem+json"


def test_many_at_once_all_get_their_verdict(quiet):
    before = quiet.position()
    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(lambda _: quiet.post("/v1/validate", content=GOOD, params=AS_OF), range(24)))
    assert [answer.json()["valid"] for answer in answers] == [True] * 24
    assert quiet.position() == before
