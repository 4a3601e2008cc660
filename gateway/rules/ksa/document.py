"""What kind of document it is, when it was made, and what it counts as."""

import re
from datetime import timedelta
from typing import Final
from unicodedata import category

from gateway.rules.book import WARNING, rule
from gateway.rules.everywhere import everywhere
from gateway.rules.ksa.contexts import (
    DATE,
    EMBEDDED_OBJECT,
    EN16931_INVOICE,
    EXPORT,
    INVOICE,
    ISSUE_DATE,
    LATEST_DELIVERY,
    PRIOR_TIME,
    SIMPLIFIED,
    STANDARD_INVOICE,
    TYPE_CODE,
)
from gateway.rules.parts import BinaryObject, Delivery, Invoice, TypeCode
from gateway.rules.view import Node, single
from gateway.rules.xpath import code_list, is_after, moment_of

MAX_AGE: Final = timedelta(days=1)
"""How old a simplified document may become before it is reported."""

# BR-KSA-05. The official list ends in two blanks, so that empty text passes.
DOCUMENT_TYPES: Final = code_list("388 383 381 386  ")
# BR-KSA-CL-03.
MIME_TYPES: Final = code_list(
    "text/csv text/plain application/pdf image/png image/jpeg image/tiff application/acad application/dwg drawing/dwg "
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet "
    "application/vnd.oasis.opendocument.spreadsheet"
)

_TRANSACTION_CODE: Final = re.compile(r"0[12][01]{5,7}")
_TIME: Final = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z?")
_LONG_MONTHS: Final = "(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
_DAY: Final = rf"(?:{_LONG_MONTHS}|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
# BR-KSA-F-01: every year divisible by four has a 29 February here, also 2100.
_DATE: Final = re.compile(rf"[2-9][0-9](?:[0-9]{{2}}-{_DAY}|(?:[02468][048]|[13579][26])-02-29)")
# BR-KSA-36.
_DELIVERY_DATE: Final = re.compile(
    rf"(?:18|19|20)[0-9]{{2}}-{_DAY}|(?:(?:18|19|20)(?:04|08|[2468][048]|[13579][26])|2000)-02-29"
)
_XSD_TIME: Final = re.compile(
    r"(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?|24:00:00(?:\.0+)?)"
    r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))?"
)


@rule("BR-KSA-EN16931-01", EN16931_INVOICE, term="BT-23", place=lambda invoice: invoice.profile)
def profile_is_reporting(invoice: Invoice) -> bool:
    return invoice.profile.normal == "reporting:1.0"


@rule("BR-KSA-03", INVOICE, term="KSA-1", place=lambda invoice: invoice.uuid)
def uuid_is_given(invoice: Invoice) -> bool:
    # The official pattern is open at its end, so only the first character is looked at: `\w` of XPath is everything
    # but punctuation, separators and controls, and takes symbols such as + and $.
    first = invoice.uuid.text[:1]
    return first in (".", "-") or (first != "" and category(first)[0] not in "PZC")


@rule("BR-KSA-04", ISSUE_DATE, term="BT-2")
def issue_date_is_not_in_the_future(day: Node) -> bool:
    assert day.document.now is not None, "a document is judged as of a moment"
    return not is_after(day.text, day.document.now)


@rule("BR-KSA-70", INVOICE, term="KSA-25", place=lambda invoice: invoice.issue_time)
def issue_time_is_given_to_the_second(invoice: Invoice) -> bool:
    return _TIME.fullmatch(invoice.issue_time.text) is not None


@rule("BR-KSA-98", INVOICE, term="KSA-25", place=lambda each: each.issue_time, since="R3.4.1", severity=WARNING)
def simplified_document_is_reported_within_a_day(invoice: Invoice) -> bool:
    if invoice.type_code.name[:2] != "02" or not invoice.issue_date or not invoice.issue_time:
        return True
    now = invoice.document.now
    assert now is not None, "a document is judged as of a moment"
    return now - moment_of(invoice.issue_date.text, invoice.issue_time.text, now) <= MAX_AGE


@rule("BR-KSA-05", TYPE_CODE, term="BT-3")
def type_is_listed(code: TypeCode) -> bool:
    return code.normal in DOCUMENT_TYPES


@rule("BR-KSA-06", TYPE_CODE, term="KSA-2", value=lambda code: code.name)
def transaction_code_is_well_formed(code: TypeCode) -> bool:
    return _TRANSACTION_CODE.fullmatch(code.name) is not None


@rule("BR-KSA-F-06-C40", TYPE_CODE, term="KSA-2", value=lambda code: code.name, since="R3.4.3", severity=WARNING)
def transaction_code_has_7_to_9_characters(code: TypeCode) -> bool:
    return 7 <= len(code.name) <= 9


@rule("BR-KSA-07", EXPORT, term="KSA-2", value=lambda code: code.name)
def export_is_not_self_billed(code: TypeCode) -> bool:
    return code.name[6:7] != "1"


@rule("BR-KSA-31", SIMPLIFIED, term="KSA-2", value=lambda code: code.name)
def simplified_document_is_not_self_billed(code: TypeCode) -> bool:
    return len(code.name) > 6 and set(code.name[2:6]) <= {"0", "1"} and code.name[6] == "0"


@rule("BR-KSA-92", INVOICE, term="BT-12", since="R3.3.5", place=lambda each: next(iter(each.contracts), Node.absent()))
def document_for_the_government_names_its_contract(invoice: Invoice) -> bool:
    codes = everywhere(invoice).type_codes
    if not any(len(code.name) == 9 and code.name[:2] in ("01", "02") and code.name[8] == "1" for code in codes):
        return True
    return bool(single(Node, [contract.id for contract in invoice.contracts if contract.id]).normal)


def _uuids(invoice: Invoice) -> list[Node]:
    return [reference.uuid for reference in invoice.references if reference.uuid]


@rule("BR-KSA-33", INVOICE, term="KSA-16", value=lambda _: "")
def counter_is_given(invoice: Invoice) -> bool:
    # It does not ask whose UUID it finds: that of any additional reference will do.
    return bool(invoice.references_named("ICV")) and any(uuid.filled for uuid in _uuids(invoice))


@rule("BR-KSA-34", INVOICE, term="KSA-16", place=lambda invoice: single(Node, _uuids(invoice)))
def counter_is_a_whole_number(invoice: Invoice) -> bool:
    return re.fullmatch("[0-9]*", single(Node, _uuids(invoice)).text) is not None


@rule("BR-KSA-CL-03", EMBEDDED_OBJECT, term="BT-125", value=lambda each: each.mime)
def attachment_is_of_a_listed_type(attached: BinaryObject) -> bool:
    return attached.mime in MIME_TYPES


@rule("BR-KSA-15", STANDARD_INVOICE, term="KSA-5", value=lambda _: "", severity=WARNING)
def standard_invoice_states_the_day_of_supply(code: TypeCode) -> bool:
    return bool(everywhere(code).delivery_date.normal)


@rule("BR-KSA-35", LATEST_DELIVERY, term="KSA-5", severity=WARNING)
def last_day_of_supply_has_a_first(latest: Node) -> bool:
    return bool(latest.up(Delivery).actual_date.normal)


@rule("BR-KSA-36", LATEST_DELIVERY, term="KSA-24", severity=WARNING)
def last_day_of_supply_is_not_before_the_first(latest: Node) -> bool:
    first = latest.up(Delivery).actual_date.text
    both_are_days = _DELIVERY_DATE.fullmatch(first) and _DELIVERY_DATE.fullmatch(latest.text)
    return not both_are_days or latest.text >= first


@rule("BR-KSA-F-01", DATE, term="BT-2")
def date_is_plain(day: Node) -> bool:
    return _DATE.fullmatch(day.text) is not None


@rule("BR-KSA-F-05", PRIOR_TIME, term="KSA-29", severity=WARNING)
def time_of_prepayment_is_a_time(time: Node) -> bool:
    return _XSD_TIME.fullmatch(time.text.strip(" \t\r\n")) is not None
