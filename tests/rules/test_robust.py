"""No document makes the rule book raise, hang or fill the memory, whatever is in it and however much of it."""

import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from gateway.errors import UnreadableXml
from gateway.rules import Report, check
from tests.rules.broken import good

STANDARD, SIMPLIFIED = good("standard-invoice").decode(), good("simplified-invoice").decode()
LINE = STANDARD[STANDARD.index("<cac:InvoiceLine>") : STANDARD.index("</Invoice>")]
RIYALS = 'currencyID="SAR"'


def before(place: str, inserted: str, document: str = STANDARD) -> str:
    assert place in document
    return document.replace(place, inserted + place, 1)


def extended(inserted: str) -> str:
    """In an extension the schema lets anything stand."""
    opening = "<ext:UBLExtensions>"
    content = f"<ext:UBLExtension><ext:ExtensionContent><x:a xmlns:x='urn:x'>{inserted}</x:a></ext:ExtensionContent>"
    return SIMPLIFIED.replace(opening, f"{opening}{content}</ext:UBLExtension>", 1)


CATEGORY = "<cac:{0}><cbc:ID>S</cbc:ID><cac:TaxScheme><cbc:ID>VAT</cbc:ID></cac:TaxScheme></cac:{0}>"
CROWDS: dict[str, Callable[[int], str]] = {
    "lines": lambda n: STANDARD.replace(LINE, LINE * n),
    "allowances": lambda n: before(
        "<cac:TaxTotal>",
        f"<cac:AllowanceCharge><cbc:ChargeIndicator>0</cbc:ChargeIndicator><cbc:Amount {RIYALS}>1</cbc:Amount>"
        f"{CATEGORY.format('TaxCategory')}</cac:AllowanceCharge>" * n,
    ),
    "VAT totals": lambda n: before(
        "<cac:LegalMonetaryTotal>", f"<cac:TaxTotal><cbc:TaxAmount {RIYALS}>1</cbc:TaxAmount></cac:TaxTotal>" * n
    ),
    "VAT groups": lambda n: before(
        "<cac:TaxSubtotal>",
        f"<cac:TaxSubtotal><cbc:TaxableAmount {RIYALS}>1</cbc:TaxableAmount><cbc:TaxAmount {RIYALS}>1</cbc:TaxAmount>"
        f"{CATEGORY.format('TaxCategory')}</cac:TaxSubtotal>" * n,
    ),
    "means of payment": lambda n: before(
        "<cac:TaxTotal>",
        "<cac:PaymentMeans><cbc:PaymentMeansCode>1</cbc:PaymentMeansCode></cac:PaymentMeans>" * n,
    ),
    "buyers": lambda n: extended(
        "<cac:AccountingCustomerParty><cac:Party><cac:PostalAddress><cac:Country><cbc:IdentificationCode>SA"
        "</cbc:IdentificationCode></cac:Country></cac:PostalAddress></cac:Party></cac:AccountingCustomerParty>" * n
    ),
    "names of buyers": lambda n: extended(
        "<cac:PartyLegalEntity><cbc:RegistrationName>a</cbc:RegistrationName></cac:PartyLegalEntity>" * n
    ),
    "type codes": lambda n: extended('<cbc:InvoiceTypeCode name="0200010">388</cbc:InvoiceTypeCode>' * n),
    "currencies": lambda n: extended("<cbc:DocumentCurrencyCode>SAR</cbc:DocumentCurrencyCode>" * n),
    "amounts": lambda n: extended('<cbc:Amount currencyID="USD">-1</cbc:Amount>' * n),
    "incomplete totals": lambda n: extended(
        f"<cac:LegalMonetaryTotal><cbc:PrepaidAmount {RIYALS}>1</cbc:PrepaidAmount></cac:LegalMonetaryTotal>" * n
    ),
    "names of nothing": lambda n: extended("".join(f"<x:y{number}/>" for number in range(n))),
}


def steps(xml: str, now: datetime) -> int:
    """How many functions are called, in Python or beyond: the work that is done, whatever the machine."""
    counted = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    check(xml.encode(), now=now)  # what is done once only does not count
    sys.setprofile(count)
    try:
        check(xml.encode(), now=now)
    finally:
        sys.setprofile(None)
    return counted


@pytest.mark.parametrize("crowd", CROWDS)
def test_the_work_grows_no_faster_than_the_document(crowd: str, now: datetime) -> None:
    few, many = (steps(CROWDS[crowd](number), now) for number in (60, 240))
    assert many < 4.4 * few


WEIGHTS = {
    "digits": STANDARD.replace(">57.50<", f">{'9' * 900_000}<"),
    "decimals": STANDARD.replace(">57.50<", f">0.{'0' * 900_000}1<"),
    "a price per quantity": STANDARD.replace(
        ">57.50</cbc:PriceAmount>",
        f">{'9' * 100_000}</cbc:PriceAmount><cbc:BaseQuantity>0.{'3' * 100_000}</cbc:BaseQuantity>",
    ),
    "a runaway pattern": STANDARD.replace('currencyID="SAR">57', 'currencyID="(S+)+$">57').replace(
        "DocumentCurrencyCode>SAR", f"DocumentCurrencyCode>{'S' * 50_000}!"
    ),
    "a nested pattern": STANDARD.replace('currencyID="SAR">57', f'currencyID="{"(" * 20_000}">57'),
    "a note": before("<cbc:DocumentCurrencyCode>", f"<cbc:Note>{'a' * 1_500_000}</cbc:Note>"),
    "comments": STANDARD.replace("RUH1", "<!-- -->R" * 50_000),
    "base64": STANDARD.replace('mimeCode="text/plain">', f'mimeCode="text/plain">{"AAAA" * 300_000}', 1),
    "a QR": SIMPLIFIED.replace(
        "<cbc:ID>QR</cbc:ID>", f"<cbc:ID>QR</cbc:ID><!--{'-x' * 300_000}-->"
    ),
    "attributes": STANDARD.replace(
        "<cbc:ID>RUH1", "<cbc:ID " + " ".join(f'a{number}=""' for number in range(100_000)) + ">RUH1"
    ),
    "namespaces": STANDARD.replace(
        "<cbc:ID>RUH1", "<cbc:ID " + " ".join(f'xmlns:a{number}="urn:{number}"' for number in range(30_000)) + ">RUH1"
    ),
    "depth": before("<cbc:DocumentCurrencyCode>", "<cbc:Note>" * 100_000),
    "an entity": "<!DOCTYPE a [<!ENTITY b 'c'>]>" + STANDARD,
    "a file": STANDARD.replace("<cbc:ProfileID>", '<cbc:ProfileID xmlns:xi="http://www.w3.org/2001/XInclude">'
                               '<xi:include href="file:///etc/hostname" parse="text"/>'),
    "another schema": STANDARD.replace("<Invoice ", '<Invoice xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
                                       'xsi:schemaLocation="urn:x http://127.0.0.1:1/x.xsd" '),
    "nil": STANDARD.replace("<cbc:ID>RUH1-000123", '<cbc:ID xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
                            'xsi:nil="true">'),
    "nothing": "",
    "NUL": STANDARD.replace("RUH1", "RU\0H1"),
}  # fmt: skip


def judged(xml: bytes, now: datetime) -> Report | None:
    try:
        return check(xml, now=now)
    except UnreadableXml:
        return None


@pytest.mark.parametrize("weight", WEIGHTS)
def test_a_heavy_document_is_judged_or_refused(weight: str, now: datetime) -> None:
    judged(WEIGHTS[weight].encode(), now)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1256", "utf-7"])
@pytest.mark.parametrize("declared", ["", "UTF-8", "UTF-16", "ISO-8859-1", "x-unheard-of"])
def test_whatever_the_encoding_and_what_is_said_of_it(encoding: str, declared: str, now: datetime) -> None:
    head = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    body = STANDARD[STANDARD.index("<Invoice") :]
    report = judged((head + body).encode(encoding, "xmlcharrefreplace"), now)
    if report is not None and not report.xsd:
        assert {finding.rule for finding in report.findings} <= {"BR-KSA-98"}


_WEIGH = """
import sys
from datetime import datetime, UTC
from gateway.errors import UnreadableXml
from gateway.rules import check
now = datetime(2026, 11, 23, 12, tzinfo=UTC)
xml = sys.stdin.buffer.read()
check(open(sys.argv[1], "rb").read(), now=now)
def peak():
    (line,) = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
    return int(line.split()[1])
before = peak()
try:
    check(xml, now=now)
except UnreadableXml:
    pass
print((peak() - before) // 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
@pytest.mark.parametrize(
    "xml",
    [CROWDS["lines"](1800), CROWDS["allowances"](7000), CROWDS["amounts"](40_000), WEIGHTS["digits"],
     WEIGHTS["comments"]],
    ids=["lines", "allowances", "amounts", "digits", "comments"],
)  # fmt: skip
def test_memory_stays_bounded(xml: str, tmp_path: object) -> None:
    """64 MB over the size of the document, in a process of its own."""
    from tests.golden.test_golden import FOLDER

    data = xml.encode()
    assert len(data) < 2_000_000
    command = [sys.executable, "-c", _WEIGH, str(FOLDER / "standard-invoice.xml")]
    ended = subprocess.run(command, input=data, capture_output=True, check=True, timeout=120)
    assert int(ended.stdout) <= 64 + len(data) // 1_000_000
