"""Rules that are switched overnight, and what a made-up rule may be."""

import time
from typing import Any

import httpx2
import pytest
from lxml import etree

from gateway.simulator.document import Document
from gateway.simulator.overnight import MAX_DOCUMENT, MAX_NODES, MAX_NODES_AGAIN, MAX_RULES, MAX_XPATH, Level, Switch
from gateway.verdict import Outcome

TRADE = "//cac:PartyIdentification/cbc:ID[@schemeID='CRN']"


@pytest.fixture
def switch(simulator: Any) -> Any:
    def post(**rule: Any) -> httpx2.Response:
        return httpx2.post(f"{simulator.management_url}/rules", json=rule, trust_env=False)

    return post


def test_a_made_up_rule_rejects_overnight(talk: Any, enrolled: Any, switch: Any) -> None:
    till, credentials = enrolled

    def report() -> Any:
        document = till.document("02")
        return talk(lambda authority: authority.report(credentials, document))

    assert report().status == 200
    assert switch(id="BR-KSA-NEW", xpath=TRADE, message="No trade registers any more").status_code == 204
    refused = report()
    assert (refused.outcome, refused.status) == (Outcome.REJECTED, 400)
    assert [(f.rule, f.message.en) for f in refused.findings] == [
        ("BR-KSA-NEW", "[BR-KSA-NEW] - No trade registers any more")
    ]
    switch(id="BR-KSA-NEW", xpath=TRADE, severity="warning")
    assert report().status == 202
    switch(id="BR-KSA-NEW", xpath=TRADE, severity="off")
    assert report().status == 200


def test_a_rule_of_the_book_is_made_harder_softer_and_silent(talk: Any, enrolled: Any, switch: Any) -> None:
    till, credentials = enrolled

    def report(old: str, new: str) -> Any:
        document = till.document("02", edit=lambda xml: xml.replace(old, new))
        return talk(lambda authority: authority.report(credentials, document))

    short = ("<cbc:BuildingNumber>1234<", "<cbc:BuildingNumber>12<")  # BR-KSA-37, a warning
    before = report(*short)
    rule = before.findings[0].rule
    assert (before.status, {finding.rule for finding in before.findings}) == (202, {rule})
    assert switch(id=rule, severity="error").status_code == 204
    assert report(*short).status == 400
    assert switch(id=rule, severity="off").status_code == 204
    assert report(*short).status == 200


def test_the_compliance_check_knows_the_rule_too(talk: Any, till: Any, switch: Any) -> None:
    switch(id="BR-KSA-NEW", xpath=TRADE)

    async def check(authority: Any) -> Any:
        compliance = await authority.compliance_csid(till.csr(), "123456")
        till.take(compliance)
        return await authority.check_compliance(compliance, till.document("02"))

    assert talk(check).outcome is Outcome.REJECTED


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"id": "BR-KSA-999"}, "no rule of the book"),
        ({"id": "BR-KSA-F-07", "xpath": "//x"}, "an id of its own"),
        ({"id": "<b>", "xpath": "//x"}, "an id has"),
        ({"id": "X", "xpath": "//cbc:ID["}, "no XPath"),
        ({"id": "X", "xpath": "re:test('a', 'a+')"}, "re:test"),
        ({"id": "X", "xpath": "document('file:///etc/passwd')"}, "document"),
        ({"id": "X", "xpath": "//foo:bar"}, "foo"),
        ({"id": "X", "xpath": "//a[. = $secret]"}, "variables"),
        ({"id": "X", "xpath": "//a//b//c"}, "at most 2 times"),
        ({"id": "X", "xpath": "/*/*[../*[../*[. = 'x']]]"}, "at most 1 time"),
        ({"id": "X", "xpath": "/*/*[/*/*[/*/*[. = 'x']]]"}, "at most 1 time"),
        ({"id": "X", "xpath": "*[1 */*/*[parent::*/*]]"}, "at most 1 time"),
        ({"id": "X", "xpath": "*[following-sibling::*[following-sibling::*]]"}, "at most 1 time"),
        ({"id": "X", "xpath": "a" * (MAX_XPATH + 1)}, ""),
        ({"id": "X", "xpath": "//a", "severity": "fatal"}, ""),
    ],
)
def test_rules_that_cannot_be_switched(switch: Any, rule: dict[str, str], words: str) -> None:
    answer = switch(**rule)
    assert answer.status_code == 422
    assert words in answer.text


def test_rules_have_a_limit_and_are_shown_and_forgotten(switch: Any, simulator: Any) -> None:
    simulator.state.rules |= {f"X-{each}": Switch(f"X-{each}", Level.ERROR, xpath="//x") for each in range(MAX_RULES)}
    assert switch(id="ONE-MORE", xpath="//cbc:ID").status_code == 422
    assert switch(id="X-1", xpath="//cbc:ID", severity="off").status_code == 204
    shown = httpx2.get(f"{simulator.management_url}/state", trust_env=False).json()["rules"]
    assert shown[1] == {"id": "X-1", "severity": "off", "xpath": "//cbc:ID", "message": shown[0]["message"]}
    simulator.state.reset()
    assert simulator.state.rules == {}


@pytest.mark.parametrize(
    "xpath",
    ["//*[../*[. = 'x']]", "//*[count(//*) < 0]", "*[following-sibling::*[. = 'x']]", "* = *", "*|*|*|*", "//@*/.."],
)
def test_no_rule_holds_the_simulator_up(xpath: str) -> None:
    switch = Switch("X", Level.ERROR, xpath=xpath)
    most = MAX_NODES if switch.remark(_flat(MAX_NODES_AGAIN + 10)) else MAX_NODES_AGAIN
    began = time.process_time()
    for nodes in (most - 2, MAX_NODES + 10, 70_000):
        switch.remark(_flat(nodes))
    assert time.process_time() - began < 10  # without limits some of these take hours


def _flat(nodes: int) -> Document:
    source = b"<a>" + b"<b/>" * (nodes - 1) + b"</a>"
    return Document(source, etree.fromstring(source))


@pytest.mark.parametrize(
    "xpath",
    [
        "//cac:InvoiceLine[not(cac:Item/cbc:Description)]",
        "/*/cac:InvoiceLine[cbc:ID = ../cbc:ID]",
        "//cbc:ID[. = '[../../..]']",
        "count(//cac:InvoiceLine[cbc:ID]) != count(//cac:InvoiceLine[cac:Item])",
        "/*/cac:InvoiceLine[cac:Price/cbc:PriceAmount/@currencyID != /*/cbc:DocumentCurrencyCode]",
    ],
)
def test_what_an_ordinary_rule_needs_is_there(xpath: str) -> None:
    assert Switch("X", Level.ERROR, xpath=xpath).xpath


def test_a_document_that_is_too_large_is_not_looked_through(enrolled: Any) -> None:
    till, _ = enrolled
    document = Document.read(till.document("02").xml)
    switch = Switch("X", Level.ERROR, xpath="//cbc:ID")
    assert switch.remark(document)
    assert switch.remark(Document(b" " * (MAX_DOCUMENT + 1), document.root)) is None
    assert Switch("X", Level.ERROR, xpath="boolean(//cbc:ID = 'no')").remark(document) is None
    assert Switch("X", Level.ERROR, xpath="count(//cac:InvoiceLine) < 2").remark(document)
