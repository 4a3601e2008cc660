"""From an HTTP status and a body to an Outcome: the table of the authority's API, and the doubts it leaves.

Sending the same bytes again is always safe, for the authority knows a document by its hash; taking a document for
rejected is not, for a second one is then made. So an answer is final only when the authority's own application
says it, in a body that can be read; everything else is UNKNOWN. That holds for 400 too, and for every
status that is not in the table (403, 404, 502, ...): proxies and firewalls on the way send those.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from gateway.authority import answers
from gateway.authority.answers import Answer, Message
from gateway.finding import Finding, RuleSet, Severity, Text
from gateway.verdict import Outcome, Verdict


class Endpoint(StrEnum):
    """Where documents are sent, as paths below the base URL."""

    COMPLIANCE_CHECK = "compliance/invoices"
    REPORTING = "invoices/reporting/single"
    CLEARANCE = "invoices/clearance/single"


class Row(NamedTuple):
    """What a status means at some endpoints, before the body is weighed."""

    status: int
    endpoints: frozenset[Endpoint]
    outcome: Outcome


_EVERY = frozenset(Endpoint)
_CLEARANCE = frozenset({Endpoint.CLEARANCE})

# The authority's API definition ("sandbox release 2.1.0") and its staff's answers in the developer community.
ROWS: Final = (
    Row(200, _EVERY, Outcome.ACCEPTED),  # API definition
    Row(202, _EVERY, Outcome.ACCEPTED),  # API definition: with warnings; never sent again
    Row(208, _EVERY, Outcome.DUPLICATE),  # API definition (clearance): success, the cleared document comes again
    Row(303, _CLEARANCE, Outcome.CLEARANCE_OFF),  # API definition: use reporting instead
    Row(400, _EVERY, Outcome.REJECTED),  # API definition
    Row(401, _EVERY, Outcome.CREDENTIALS),  # API definition: token or secret, says nothing about the document
    Row(406, _EVERY, Outcome.PROTOCOL),  # API definition: the version header is wrong
    Row(409, _EVERY, Outcome.DUPLICATE),  # API definition (reporting): though its body says NOT_REPORTED
    Row(413, _EVERY, Outcome.TOO_LARGE),  # community: refused before it is read
    Row(429, _EVERY, Outcome.LIMITED),  # community: not received, send it again later
    Row(500, _EVERY, Outcome.UNKNOWN),  # API definition; community: the same document again
    Row(503, _EVERY, Outcome.UNKNOWN),  # community
    Row(504, _EVERY, Outcome.UNKNOWN),  # community: it may well have been accepted
)

OUTCOMES: Final = {(endpoint, row.status): row.outcome for row in ROWS for endpoint in row.endpoints}


def verdict_of(endpoint: Endpoint, status: int, headers: Mapping[str, str], body: bytes) -> Verdict:
    """What an answer means; never raises, whatever the body is."""
    answer = answers.read(body)
    cleared = answers.cleared_xml(answer)
    outcome, doubt = _weigh(endpoint, _by_status(endpoint, status), answer, cleared, body)
    says_something = outcome.is_accepted or outcome is Outcome.REJECTED
    return Verdict(
        outcome=outcome,
        status=status,
        body=body,
        findings=tuple(_finding(m, outcome) for m in answer.messages) if says_something else (),
        cleared_xml=cleared if outcome.is_accepted else None,
        retry_after=answers.retry_after(headers),
        date=answers.date(headers),
        headers=answers.kept_headers(headers),
        detail=doubt or ("" if says_something else answer.text),
    )


def _by_status(endpoint: Endpoint, status: int) -> Outcome:
    """By the table; a success it does not list counts as one if its body says so, anything else is not known."""
    unlisted = Outcome.ACCEPTED if 200 <= status < 300 else Outcome.UNKNOWN
    return OUTCOMES.get((endpoint, status), unlisted)


def _weigh(
    endpoint: Endpoint, outcome: Outcome, answer: Answer, cleared: bytes | None, body: bytes
) -> tuple[Outcome, str]:
    """The outcome once the body has been read, and the doubt if there is one."""
    doubt = ""
    if outcome is Outcome.ACCEPTED and not _says_accepted(endpoint, answer):
        doubt = "The status is a success, but the body does not say that the document was accepted."
    elif outcome.is_accepted and endpoint is Endpoint.CLEARANCE and cleared is None:
        doubt = "The answer says cleared, but has no cleared document that can be read."
    elif outcome in (Outcome.DUPLICATE, Outcome.CLEARANCE_OFF) and answer.fields is None:
        doubt = "The status says what only the authority can say, but the body is not the authority's."
    elif outcome is Outcome.CREDENTIALS and body and answer.fields is None:
        doubt = "Something on the way refused the credentials, not the authority."
    elif outcome is Outcome.REJECTED and not _says_rejected(endpoint, answer):
        doubt = "The status is a rejection, but the body names no fault of the document."
    if not doubt:
        return outcome, ""
    return Outcome.UNKNOWN, f"{doubt} {answer.text}".strip()


def _says_accepted(endpoint: Endpoint, answer: Answer) -> bool:
    reported = answer.word("reportingStatus") in ("REPORTED", "REPORTED_SUCCESSFULLY_EARLIER")
    cleared = answer.word("clearanceStatus") == "CLEARED"
    if endpoint is Endpoint.REPORTING:
        return reported
    if endpoint is Endpoint.CLEARANCE:
        return cleared
    # The older form of the compliance check has no status words, only the result of the validation.
    has_words = bool(answer.word("reportingStatus") or answer.word("clearanceStatus"))
    return reported or cleared or (not has_words and answer.validation_status in ("PASS", "WARNING"))


# Faults of the authority's own machinery that come in the dress of a rejection (seen live: rules not executable).
_NOT_ABOUT_THE_DOCUMENT = frozenset({"general", "invalid-request", "http-errors", "duplicate-invoice"})


def _says_rejected(endpoint: Endpoint, answer: Answer) -> bool:
    """Whether a readable body refuses the document, and not only because the authority could not judge it."""
    machinery = [e for e in answer.errors if {e.code.lower(), e.category.lower()} & _NOT_ABOUT_THE_DOCUMENT]
    if answer.errors and len(machinery) == len(answer.errors):
        return False
    refused = answer.word("reportingStatus") == "NOT_REPORTED" or answer.word("clearanceStatus") == "NOT_CLEARED"
    return (bool(answer.errors) or refused) and not _says_accepted(endpoint, answer)


_SETS: Final = {
    "xsd validation": RuleSet.XSD,
    "en_16931": RuleSet.EN16931,
    "ksa": RuleSet.KSA,
    "qrcode_validation": RuleSet.QR,
    "signature_errors": RuleSet.SIGNATURE,
    "certificate_errors": RuleSet.SIGNATURE,
    "invoice_hashing_errors": RuleSet.SIGNATURE,
    "invalid-invoicehash": RuleSet.SIGNATURE,
    "pih": RuleSet.PIH,
}

_FIXES: Final = {
    "invalid-invoice-hash": Text(
        "Send the document exactly as it was stamped.",
        "أرسل المستند كما خُتم دون أي تغيير.",
    ),
    "certificate-permissions": Text(
        "Use the unit whose certificate names this VAT number and covers this kind of document.",
        "استخدم الوحدة التي تحمل شهادتها هذا الرقم الضريبي وتشمل هذا النوع من المستندات.",
    ),
    "br-ksa-98": Text(
        "Report simplified invoices within 24 hours of issue.",
        "أبلغ عن الفواتير المبسطة خلال 24 ساعة من إصدارها.",
    ),
}

_FIX_BY_SET: Final = {
    RuleSet.XSD: Text("Correct the structure of the document.", "صحّح بنية المستند."),
    RuleSet.QR: Text("Issue the document again with a new QR code.", "أصدر المستند من جديد برمز استجابة سريعة جديد."),
    RuleSet.SIGNATURE: Text(
        "Check the unit's certificate and key, then issue the document again.",
        "تحقق من شهادة الوحدة ومفتاحها ثم أصدر المستند من جديد.",
    ),
    RuleSet.PIH: Text("Verify the chain of this unit.", "تحقق من تسلسل مستندات هذه الوحدة."),
}

_FIX: Final = Text(
    "Correct what the message names and issue a new document.",
    "صحّح ما تذكره الرسالة وأصدر مستندًا جديدًا.",
)


def _finding(message: Message, outcome: Outcome) -> Finding:
    """A message as a finding; nothing is an error in a document that was accepted."""
    rule = message.code or message.category or "authority"
    found_in = _set_of(message)
    # The authority writes in the language it was asked in, so both places hold its words as they came.
    return Finding(
        rule=rule,
        severity=Severity.WARNING if outcome.is_accepted else message.severity,
        set=found_in,
        path="",
        term="",
        message=Text(message.text, message.text),
        fix=_FIXES.get(rule.lower()) or _FIX_BY_SET.get(found_in, _FIX),
    )


def _set_of(message: Message) -> RuleSet:
    by_category = _SETS.get(message.category.lower())
    if by_category:
        return by_category
    if "QRCODE" in message.code.upper():
        return RuleSet.QR
    return RuleSet.EN16931 if message.code.startswith("BR-") and "KSA" not in message.code else RuleSet.KSA
