"""Reading what the authority sends back, in every shape it was seen in; nothing here decides what it means.

The same facts arrive as JSON objects or lists, as bare strings or under flat names; gateways in front of it
answer in HTML. Whatever cannot be read comes out as an unreadable Answer, never as an exception.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple

from gateway import xml
from gateway.errors import UnreadableXml
from gateway.finding import Severity

MAX_MESSAGES: Final = 500
"""Messages kept of one answer."""
MAX_TEXT: Final = 2000
"""Characters kept of one message."""
MAX_HEADERS: Final = 40
"""Headers kept of one answer, each of at most 300 characters."""
MAX_RETRY_AFTER: Final = 86_400.0
"""Longest wait, in seconds, that an answer may ask for."""


class Message(NamedTuple):
    """One remark of the authority; `code` and `category` are empty where it left them out."""

    severity: Severity
    code: str
    category: str
    text: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.code or self.category, self.text) if part)


class Answer(NamedTuple):
    """`fields` is the JSON object, None if the body is anything else."""

    fields: Mapping[str, Any] | None
    messages: tuple[Message, ...] = ()

    def word(self, name: str) -> str:
        """A status word such as reportingStatus, in capitals; empty if it is absent or null."""
        value = (self.fields or {}).get(name)
        return value.strip().upper() if isinstance(value, str) else ""

    @property
    def validation_status(self) -> str:
        """PASS, WARNING or ERROR, from validationResults or from the older flat form."""
        status = _results(self.fields or {}).get("status")
        return status.strip().upper() if isinstance(status, str) else ""

    @property
    def errors(self) -> tuple[Message, ...]:
        return tuple(message for message in self.messages if message.severity is Severity.ERROR)

    @property
    def text(self) -> str:
        """All messages in one line, for a person."""
        return "; ".join(str(message) for message in self.messages)


def read(body: bytes) -> Answer:
    """The answer in a body of JSON; unreadable if it is empty, cut off, HTML or no object."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return Answer(None)
    if not isinstance(fields, dict):
        return Answer(None)
    # The published example of 428 has the answer inside a "value".
    inner = fields.get("value")
    if len(fields) == 1 and isinstance(inner, dict):
        fields = inner
    return Answer(fields, tuple(_messages(fields))[:MAX_MESSAGES])


def _results(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where the results stand: in validationResults, or (older form) at the top."""
    results = fields.get("validationResults")
    return results if isinstance(results, dict) else fields


def _messages(fields: Mapping[str, Any]) -> Iterator[Message]:
    results = _results(fields)
    for holder, name, severity in (
        (results, "errorMessages", Severity.ERROR),
        (results, "warningMessages", Severity.WARNING),
        (fields, "errors", Severity.ERROR),
        (fields, "warnings", Severity.WARNING),
    ):
        for entry in _entries(holder.get(name)):
            yield _message(entry, severity)
    if any(fields.get(name) for name in ("message", "errorMessage")):
        yield _message(fields, Severity.ERROR)


def _entries(value: object) -> list[Any]:
    """Messages come as a list, as one object, as one string, or as null."""
    if isinstance(value, list):
        return [entry for entry in value if isinstance(entry, dict | str)]
    return [value] if isinstance(value, dict | str) and value else []


def _message(entry: Mapping[str, Any] | str, severity: Severity) -> Message:
    if isinstance(entry, str):
        return Message(severity, "", "", _text(entry))

    def first(*names: str) -> str:
        return next((_text(str(entry[name])) for name in names if entry.get(name)), "")

    # The flat form has the telling word in errorCategory and a bare HTTP status in errorCode.
    code, category = first("code"), first("category", "errorCategory")
    if not code and not category:
        code = first("errorCode")
    return Message(severity, code, category, first("message", "errorMessage"))


def _text(raw: str) -> str:
    """What may be kept of a text: no more than its limit, and nothing that no database takes."""
    return raw[:MAX_TEXT].encode("utf-8", "replace").decode().replace("\0", "")


def cleared_xml(answer: Answer) -> bytes | None:
    """The XML in clearedInvoice; None unless it is base64 of well-formed XML."""
    encoded = (answer.fields or {}).get("clearedInvoice")
    if not isinstance(encoded, str) or not encoded:
        return None
    try:
        document = base64.b64decode(encoded, validate=True)
        xml.parse(document)
    except (ValueError, UnreadableXml):
        return None
    return document


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from Retry-After as seconds or as a date measured against the answer's own Date."""
    by_name = {name.lower(): value.strip() for name, value in headers.items()}
    asked = by_name.get("retry-after", "")
    if asked.isascii() and asked.isdigit():
        return min(float(asked[:12]), MAX_RETRY_AFTER)
    then, now = _moment(asked), _moment(by_name.get("date", ""))
    if then is None or now is None:
        return None
    return min(max((then - now).total_seconds(), 0.0), MAX_RETRY_AFTER)


def date(headers: Mapping[str, str]) -> datetime | None:
    """When the answer was made, by the clock of whoever made it; None if it does not say."""
    return _moment(next((value for name, value in headers.items() if name.lower() == "date"), ""))


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers to keep with an answer, names in small letters, without cookies."""
    kept = [(name.lower(), _text(value)[:300]) for name, value in headers.items() if "cookie" not in name.lower()]
    return dict(kept[:MAX_HEADERS])


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
