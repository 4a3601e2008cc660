"""Every wrong answer the authority or what stands before it was seen to give, by name: one table, one place.

A fault answers instead of the call's right answer (nothing was received), after it (the request was dealt with and
only the answer is another), or reshapes it. The shapes are those of the API definition and of what users of the live
service put into public.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from lxml import etree

from gateway import xml
from gateway.simulator.faults import Fault, Made, Make, Scene

COMPLIANCE: Final = "compliance"
CHECK: Final = "compliance/invoices"
PRODUCTION: Final = "production/csids"
REPORTING: Final = "invoices/reporting/single"
CLEARANCE: Final = "invoices/clearance/single"

_CSIDS: Final = frozenset({COMPLIANCE, PRODUCTION})
_SENT: Final = frozenset({REPORTING, CLEARANCE})
_JUDGED: Final = _SENT | {CHECK}
_ANY: Final = frozenset[str]()

CLEARANCE_OFF: Final = "Clearance is deactiviated. Please use the /invoices/reporting/single endpoint instead."
"""The message of a 303; the word is misspelt in the real answer."""

DUPLICATE: Final = "Invoice was already Reported successfully earlier."
_SUBMITTED: Final = "Invoice Hash Previously Submitted"


class Named(NamedTuple):
    """A fault of the catalogue; `is_survivable` if a correct client gets over it without a person."""

    name: str
    meaning: str
    fault: Fault
    is_survivable: bool


def _named(
    name: str,
    meaning: str,
    make: Make | None = None,
    *,
    after: bool = False,
    paths: frozenset[str] = _ANY,
    survivable: bool = True,
    **how: Any,
) -> Named:
    return Named(name, meaning, Fault(name=name, make=make, accept=after, paths=paths, **how), survivable)


def _both(name: str, meaning: str, make: Make | None = None, **more: Any) -> Iterator[Named]:
    """The fault instead of the right answer, and after it."""
    yield _named(name, f"{meaning} Nothing was received.", make, **more)
    yield _named(f"{name}-after", f"{meaning} The request was dealt with before.", make, after=True, **more)


def _json(status: int, body: object, headers: Mapping[str, str] = MappingProxyType({})) -> Made:
    return Made(status, json.dumps(body, ensure_ascii=False), headers=headers)


def _fixed(status: int, body: object) -> Make:
    return lambda scene: _json(status, body)


def page(status: int, title: str) -> Made:
    """An HTML page as nginx writes it."""
    head = f"<html>\r\n<head><title>{status} {title}</title></head>\r\n"
    text = f"<body>\r\n<center><h1>{status} {title}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n"
    return Made(status, f"{head}{text}</html>\r\n", "text/html")


def _page(status: int, title: str) -> Make:
    return lambda scene: page(status, title)


def _in_seconds(scene: Scene) -> Made:
    return Made(429, "", "text/plain", {"Retry-After": str(scene.retry_after)})


def _at_a_date(scene: Scene) -> Made:
    until = scene.now.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=scene.retry_after)
    return Made(429, "", "text/plain", {"Retry-After": format_datetime(until, usegmt=True)})


def unauthorised(now: datetime) -> dict[str, Any]:
    """The body of the published 401."""
    return {"timestamp": int(now.timestamp() * 1000), "status": 401, "error": "Unauthorized", "message": ""}


# -- documents ------------------------------------------------------------------------------------------------


def message(code: str | None, category: str | None, text: str) -> dict[str, Any]:
    """One error of a verdict."""
    return {"type": "ERROR", "code": code, "category": category, "message": text, "status": "ERROR"}


def refused(path: str, error: Mapping[str, Any]) -> dict[str, Any]:
    """A body that refuses a document for one error, with the words of its endpoint."""
    results = {"infoMessages": [], "warningMessages": [], "errorMessages": [error], "status": "ERROR"}
    words: dict[str, Any] = {"reportingStatus": "NOT_REPORTED"}
    if path == CLEARANCE:
        words = {"clearanceStatus": "NOT_CLEARED", "clearedInvoice": None}
    elif path == CHECK:
        words |= {"clearanceStatus": None, "qrSellertStatus": None, "qrBuyertStatus": None}
    return {"validationResults": results, **words}


def _machinery(scene: Scene) -> Made:
    error = message("GENERAL", "BUSINESS_RULES", "Unable to execute Business Rules validation")
    return _json(400, refused(scene.path, error))


_LATE: Final = {
    "type": "WARNING",
    "code": "BR-KSA-98",
    "category": "KSA",
    "message": "[BR-KSA-98] - The simplified invoice should be submitted within 24 hours of issuing the invoice.",
    "status": "WARNING",
}


def _accepted(scene: Scene) -> dict[str, Any] | None:
    """A copy of the right answer's body if it takes the document, now or earlier."""
    if scene.right is None or scene.right.status not in (200, 202, 208, 409):
        return None
    body: dict[str, Any] = json.loads(json.dumps(scene.right.body))
    return body


def _warned(scene: Scene) -> Made | None:
    body = _accepted(scene)
    if body is None or scene.right is None or scene.right.status > 202:
        return None
    body["validationResults"]["warningMessages"].append(_LATE)
    body["validationResults"]["status"] = "WARNING"
    return _json(202, body)


def _reported_earlier(body: Mapping[str, Any]) -> Make:
    return lambda scene: _json(409, body) if _accepted(scene) is not None else None


def _cleared_earlier(warning: Mapping[str, Any] | None) -> Make:
    def make(scene: Scene) -> Made | None:
        body = _accepted(scene)
        if body is None:
            return None
        results = body["validationResults"]
        results["warningMessages"] = [warning] if warning else []
        results["status"] = "WARNING" if warning else "PASS"
        return _json(208, body)

    return make


_DUPLICATE_WARNING: Final = {
    "type": "WARNING",
    "code": "Invoice-Warning",
    "category": "Duplicate-Invoice",
    "message": "Invoice Hash Previously submitted.",
    "status": "WARNING",
}


def _without_codes(scene: Scene) -> Made | None:
    if scene.right is None or "validationResults" not in scene.right.body:
        return None
    body = json.loads(json.dumps(scene.right.body))
    for messages in body["validationResults"].values():
        for each in messages if isinstance(messages, list) else ():
            each["code"] = each["category"] = None
    return _json(scene.right.status, body)


def _older_form(scene: Scene) -> Made | None:
    """The compliance check as older documents show it: flat, infoMessages an object."""
    if scene.right is None or "validationResults" not in scene.right.body:
        return None
    results = dict(scene.right.body["validationResults"])
    results["infoMessages"] = next(iter(results["infoMessages"]), {})
    return _json(scene.right.status, results)


def _cut_short(scene: Scene) -> Made | None:
    if scene.right is None:
        return None
    text = json.dumps(dict(scene.right.body))
    return Made(scene.right.status, text[: len(text) * 2 // 3])


def _cleared_xml(scene: Scene) -> bytes | None:
    encoded = (_accepted(scene) or {}).get("clearedInvoice")
    return base64.b64decode(encoded) if encoded else None


def somebody_elses(cleared: bytes) -> bytes:
    """The document under another UUID (KSA-1) and number (BT-1), so with another hash."""
    root = xml.parse(cleared)
    for path, value in (("cbc:UUID", "8e6000cf-1a98-4174-b3e7-b5d5954bc10d"), ("cbc:ID", "SOMEBODY-ELSE-1")):
        found = root.find(path, xml.NAMESPACES)
        if found is not None:
            found.text = value
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def _foreign(scene: Scene) -> Made | None:
    cleared = _cleared_xml(scene)
    if cleared is None or scene.right is None:
        return None
    other = base64.b64encode(scene.foreign(cleared)).decode("ascii")
    return _json(scene.right.status, {**scene.right.body, "clearedInvoice": other})


def _cut_cleared(scene: Scene) -> Made | None:
    if _cleared_xml(scene) is None or scene.right is None:
        return None
    whole = scene.right.body["clearedInvoice"]
    return _json(scene.right.status, {**scene.right.body, "clearedInvoice": whole[: len(whole) // 2 | 1]})


def _nothing_cleared(scene: Scene) -> Made | None:
    if _cleared_xml(scene) is None or scene.right is None:
        return None
    return _json(scene.right.status, {**scene.right.body, "clearedInvoice": None})


# -- the table ------------------------------------------------------------------------------------------------

_HTTP_ERROR: Final = {
    "category": "HTTP-Errors",
    "code": "500",
    "message": "Something went wrong and caused an Internal Server Error.",
}
_SYSTEM_FAILED: Final = {"code": "Invalid-Request", "message": "System failed to process your request"}
_INVALID_CSR: Final = "The provided CSR is invalid"
_NOT_COMPLIANT: Final = {
    "requestID": -1,
    "dispositionMessage": "NOT_COMPLIANT",
    "binarySecurityToken": "",
    "secret": "",
    "errors": ["Invoice type is not covered by the CSR"],
}
TOO_LARGE: Final = "Request Entity Too Large"
VERSION: Final = "This Version is not supported or not provided in the header."
_WAIT_PAGE: Final = "<html><head><title>Please wait</title></head><body>One moment, please...</body></html>"


def _rows() -> Iterator[Named]:
    yield from _on_the_way()
    yield from _out_of_order()
    yield from _not_taken()
    yield from _about_documents()
    yield from _about_certificates()


def _on_the_way() -> Iterator[Named]:
    yield _named("latency", "The request is dealt with, and answered, `delay` seconds late.", after=True, delay=1.0)
    yield _named(
        "stall",
        "Dealt with, then silence for `delay` seconds, then the connection is reset.",
        after=True,
        reset=True,
        delay=60.0,
    )
    yield from _both("reset", "The connection is reset before the first byte of an answer.", reset=True)
    yield from _both("cut-off", "The connection ends in the middle of an answer.", drop=True)
    yield _named(
        "refused", "The connection is reset, and for `refuse` seconds no other is taken.", reset=True, refuse=1.0,
        survivable=False,
    )  # fmt: skip


def _out_of_order() -> Iterator[Named]:
    yield from _both("internal-error", "500 with category HTTP-Errors.", _fixed(500, _HTTP_ERROR))
    yield from _both("system-failed", "500 with code Invalid-Request.", _fixed(500, _SYSTEM_FAILED))
    yield from _both("bad-gateway", "502 as an HTML page of nginx.", _page(502, "Bad Gateway"))
    yield from _both("unavailable", "503 as an HTML page of nginx.", _page(503, "Service Temporarily Unavailable"))
    yield from _both("gateway-timeout", "504 as an HTML page of nginx.", _page(504, "Gateway Time-out"))
    yield from _both("list", "200 with an empty JSON list.", lambda scene: Made(200, "[]"))
    yield from _both("page", "200 with an HTML page.", lambda scene: Made(200, _WAIT_PAGE, "text/html"))
    yield from _both("empty", "200 without a body.", lambda scene: Made(200, ""))
    yield _named("cut-json", "The right answer's JSON ends after two thirds.", _cut_short, after=True)


def _not_taken() -> Iterator[Named]:
    yield _named(
        "unauthorized", "401 as the authority writes it.", lambda scene: _json(401, unauthorised(scene.now)),
        survivable=False,
    )  # fmt: skip
    yield _named(
        "unauthorized-page", "401 as an HTML page of something on the way.", _page(401, "Authorization Required"),
        survivable=False,
    )  # fmt: skip
    yield _named("forbidden-page", "403 as an HTML page of a firewall.", _page(403, "Forbidden"), survivable=False)
    yield _named(
        "not-acceptable",
        "406 as plain text.",
        lambda scene: Made(406, VERSION, "text/plain;charset=UTF-8"),
        survivable=False,
    )
    yield _named(
        "too-large", "413 without a body.", lambda scene: Made(413, "", "text/plain"), paths=_JUDGED, survivable=False
    )
    yield _named(
        "too-large-page", "413 as an HTML page of nginx.", lambda scene: page(413, TOO_LARGE), paths=_JUDGED,
        survivable=False,
    )  # fmt: skip
    yield _named("limited", "429 without Retry-After.", lambda scene: Made(429, "", "text/plain"))
    yield _named("limited-seconds", "429 with Retry-After in seconds (`retry_after`).", _in_seconds)
    yield _named("limited-date", "429 with Retry-After as a date, `retry_after` seconds from now.", _at_a_date)


def _about_documents() -> Iterator[Named]:
    reporting, clearance = frozenset({REPORTING}), frozenset({CLEARANCE})
    yield _named(
        "switched-off",
        "303 at clearance; reporting then takes this document.",
        _fixed(303, {"message": CLEARANCE_OFF}),
        paths=clearance,
    )
    yield _named("warned", "An accepted document, accepted with a warning (202).", _warned, after=True, paths=_JUDGED)
    earlier = {
        "duplicate": ("with null code and category", refused(REPORTING, message(None, None, DUPLICATE))),
        "duplicate-coded": (
            "with category Duplicate-Invoice",
            refused(REPORTING, message("Invoice-Errors", "Duplicate-Invoice", _SUBMITTED)),
        ),
        "duplicate-flat": (
            "flat, with REPORTED_SUCCESSFULLY_EARLIER",
            {"message": _SUBMITTED, "reportingStatus": "REPORTED_SUCCESSFULLY_EARLIER"},
        ),
    }
    for name, (how, body) in earlier.items():
        text = f"An accepted document, answered with a 409 {how}."
        yield _named(name, text, _reported_earlier(body), after=True, paths=reporting)
    for name, how, warning in (
        ("duplicate-cleared", "as published", None),
        ("duplicate-cleared-warned", "with the warning Duplicate-Invoice", _DUPLICATE_WARNING),
    ):
        text = f"A cleared document, answered with a 208 {how}."
        yield _named(name, text, _cleared_earlier(warning), after=True, paths=clearance)
    yield _named("foreign-cleared", "The cleared document is somebody else's.", _foreign, after=True, paths=clearance)
    text = "The base64 of the cleared document ends in the middle."
    yield _named("cut-cleared", text, _cut_cleared, after=True, paths=clearance)
    text = "CLEARED without a cleared document."
    yield _named("nothing-cleared", text, _nothing_cleared, after=True, paths=clearance)
    text = "400 whose only error is GENERAL, unable to execute: a fault of the authority that looks like a rejection."
    yield _named("machinery", text, _machinery, paths=_JUDGED)
    text = "The right answer, its codes and categories null."
    yield _named("null-codes", text, _without_codes, after=True, paths=_JUDGED)
    text = "The right answer in the flat form of older documents."
    yield _named("older-form", text, _older_form, after=True, paths=frozenset({CHECK}))


def _about_certificates() -> Iterator[Named]:
    def row(name: str, meaning: str, status: int, body: object) -> Named:
        return _named(name, meaning, _fixed(status, body), paths=_CSIDS, survivable=False)

    error = {"code": "Invalid-CSR", "message": _INVALID_CSR}
    yield row("errors-listed", "400 with a list of errors.", 400, {"errors": [error]})
    yield row("errors-as-strings", "400 with errors as plain strings.", 400, {"errors": [_INVALID_CSR]})
    flat = {"errorCode": "400", "errorCategory": "Invalid-CSR", "errorMessage": _INVALID_CSR}
    yield row("flat-error", "400 with one flat error, errorCode and errorCategory.", 400, flat)
    bare = {"code": "Invalid-CurrentCCSID", "message": "The provided currentCCSID is invalid"}
    yield row("bare-error", "400 with one error's code and message at the top.", 400, bare)
    yield row("not-compliant", "200 that grants nothing: NOT_COMPLIANT, errors as strings.", 200, _NOT_COMPLIANT)


CATALOGUE: Final[Mapping[str, Named]] = MappingProxyType({row.name: row for row in _rows()})
"""Every named fault, in the order of the reference."""

SURVIVABLE: Final = tuple(name for name, row in CATALOGUE.items() if row.is_survivable)
"""What a correct client gets over without a person: it waits, sends the same bytes again, or takes the answer."""


def named(name: str, **changed: Any) -> Fault:
    """A fault of the catalogue, with other times, delay, endpoint, ...; ValueError if there is none of that name."""
    if name not in CATALOGUE:
        raise ValueError(f"there is no fault {name!r}; GET /faults lists them")
    return replace(CATALOGUE[name].fault, **changed)
