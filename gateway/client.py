"""The API for programs in Python: typed answers, problems as exceptions, and calls that may be repeated are.

    with Client("https://gateway.example", "gw_...") as gateway:
        document = gateway.send_order(order, wait=10)

It needs httpx2 and nothing else of this project, so the one file may be copied into an ERP's own code. What fails is
tried again only where that can do no harm: every order and document is sent with an Idempotency-Key, the same one each
time. Money is `Decimal`, moments are aware.
"""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from types import TracebackType
from typing import Any, Final, NamedTuple, Self
from urllib.parse import quote

import httpx2

PATIENCE: Final = 60.0
"""Seconds that a call which may succeed later is repeated for, unless the caller says otherwise."""
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 30.0
_ANSWER_WITHIN: Final = 30.0
_LATER: Final = frozenset({429, 503})
_MADE: Final = frozenset({"issued", "sending", "unknown", "held", "unstamped"})


class Route(NamedTuple):
    """A call: its method and path, and the names of the query parameters and headers that this module sends."""

    method: str
    path: str
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()


_SENDING: Final = ("Idempotency-Key", "Prefer")
ORDERS: Final = Route("POST", "/v1/orders", (), _SENDING)
PREVIEW: Final = Route("POST", "/v1/preview")
DOCUMENTS: Final = Route("POST", "/v1/documents", ("connection", "unit", "replaces", "dry_run"), _SENDING)
INVOICES: Final = Route(
    "GET", "/v1/invoices", ("status", "connection", "order", "number", "buyer", "from", "to", "cursor", "limit")
)
INVOICE: Final = Route("GET", "/v1/invoices/{uuid}")
OF_ORDER: Final = Route("GET", "/v1/orders/{connection}/{order_id}")
XML: Final = Route("GET", "/v1/invoices/{uuid}/xml")
PDF: Final = Route("GET", "/v1/invoices/{uuid}/pdf")
QR: Final = Route("GET", "/v1/invoices/{uuid}/qr.svg")
CREDIT_NOTES: Final = Route("POST", "/v1/invoices/{uuid}/credit-notes", (), _SENDING)
DEBIT_NOTES: Final = Route("POST", "/v1/invoices/{uuid}/debit-notes", (), _SENDING)
RECONCILIATION: Final = Route("GET", "/v1/reports/reconciliation", ("from", "to", "connection", "ask_shops"))
EVENTS: Final = Route("GET", "/v1/events", ("after", "types", "limit"))


class Problem(Exception):
    """The gateway refuses a call: `status` is the HTTP code, `detail` and `fix` say what is wrong and how to mend it,
    `detail_ar` the same in Arabic where an accountant reads it. `problems` are fields that cannot be used, `findings`
    official rules that would be broken. Nothing was consumed."""

    def __init__(self, status: int, said: Mapping[str, Any], *, retry_after: float | None = None) -> None:
        self.status = status
        self.title = str(said.get("title", ""))
        self.detail = str(said.get("detail", ""))
        self.detail_ar = str(said.get("detail_ar", ""))
        self.fix = str(said.get("fix", ""))
        self.problems: tuple[Mapping[str, str], ...] = tuple(said.get("problems", ()))
        self.findings: tuple[Mapping[str, Any], ...] = tuple(said.get("findings", ()))
        self.retry_after = retry_after
        super().__init__(f"{status} {self.title}: {self.detail} {self.fix}".strip())


class NoAnswer(Exception):
    """The gateway was not reached, or its answer was lost. The same call again is safe: it makes nothing twice."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it stands; `findings` are the authority's, `links` where its files are. `created`: this call made
    it (None where the answer does not say)."""

    uuid: str
    number: str
    kind: str
    profile: str
    icv: int
    hash: str
    issued_at: datetime
    status: str
    total: Decimal
    vat: Decimal
    rounding: Decimal
    currency: str
    order: Mapping[str, str]
    qr: str | None
    rule_book: str
    allowed: tuple[Mapping[str, Any], ...]
    findings: tuple[Mapping[str, Any], ...]
    deadline: datetime | None
    links: Mapping[str, str]
    replaces: str | None
    corrects: str | None
    shared_uncleared: bool
    created: bool | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether the authority has it."""
        return self.status in ("cleared", "reported")

    @property
    def is_final(self) -> bool:
        """Whether nothing more will be heard of it from the authority."""
        return self.status not in _MADE


class Judged(NamedTuple):
    """What would become of a document that an ERP wrote; `findings` are official rules, in both languages."""

    valid: bool
    number: str
    kind: str
    profile: str
    totals: Mapping[str, str]
    findings: tuple[Mapping[str, Any], ...]
    xml: str


class Event(NamedTuple):
    """Something that happened; `data` depends on `type`."""

    id: str
    type: str
    timestamp: datetime
    data: Mapping[str, Any]


class Events(NamedTuple):
    """Events in the order they happened; `next` is the cursor to ask for those that follow, kept by the caller."""

    events: tuple[Event, ...]
    next: int


class Client:
    """Calls to one gateway with one API key. Every method raises Problem and NoAnswer, once repeating is over.

    `patience` is how many seconds a call is repeated for after 429, 503 or no answer; `transport`, `sleep`, `clock` and
    `new_key` are for tests.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        patience: float = PATIENCE,
        transport: httpx2.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        new_key: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx2.Client(base_url=url, headers=headers, timeout=_ANSWER_WITHIN, transport=transport)
        self._patience, self._sleep, self._clock, self._new_key = patience, sleep, clock, new_key

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    # -- making

    def send_order(self, order: Mapping[str, Any], *, key: str = "", wait: int = 0) -> Document:
        """The document of an order, made now or earlier. `wait` seconds (30 at most) for the authority's verdict;
        `key` is the caller's own Idempotency-Key."""
        return self._make(ORDERS, {}, order, key=key, wait=wait)

    def send_document(
        self, xml: bytes, connection: str, *, unit: str = "", replaces: str = "", key: str = "", wait: int = 0
    ) -> Document:
        """The document that an ERP wrote itself in UBL, stamped and sent; `replaces` is the rejected one of its
        number."""
        query = {"connection": connection, "unit": unit, "replaces": replaces}
        return self._make(DOCUMENTS, {}, xml, key=key, wait=wait, query=query)

    def judge_document(self, xml: bytes, connection: str, *, unit: str = "") -> Judged:
        """What would become of such a document; nothing of it is kept."""
        query = {"connection": connection, "unit": unit, "dry_run": "true"}
        said = self._call(DOCUMENTS, {}, query=query, body=xml).json()
        return Judged(**{**said, "findings": tuple(said["findings"])})

    def preview(self, order: Mapping[str, Any]) -> Mapping[str, Any]:
        """What an order would become, and why; nothing is consumed."""
        said: Mapping[str, Any] = self._call(PREVIEW, {}, body=order).json()
        return said

    def credit(self, uuid: str, refund: Mapping[str, Any], *, key: str = "", wait: int = 0) -> Document:
        """The credit note for a refund."""
        return self._make(CREDIT_NOTES, {"uuid": uuid}, refund, key=key, wait=wait)

    def debit(self, uuid: str, addition: Mapping[str, Any], *, key: str = "", wait: int = 0) -> Document:
        """The debit note for what was added."""
        return self._make(DEBIT_NOTES, {"uuid": uuid}, addition, key=key, wait=wait)

    # -- looking

    def invoice(self, uuid: str) -> Document:
        """One document as it stands."""
        return _document(self._call(INVOICE, {"uuid": uuid}).json())

    def invoices(self, **by: str) -> Iterator[Document]:
        """Documents, newest first, page by page: by `status`, `connection`, `order`, `number`, `buyer`, and by the day
        of issue `since` and `until` (YYYY-MM-DD, Riyadh)."""
        query = {{"since": "from", "until": "to"}.get(name, name): value for name, value in by.items()}
        while True:
            said = self._call(INVOICES, {}, query=query).json()
            yield from map(_document, said["items"])
            if "next" not in said:
                return
            query["cursor"] = said["next"]

    def documents_of(self, connection: str, order_id: str) -> tuple[Document, ...]:
        """An order's documents."""
        said = self._call(OF_ORDER, {"connection": connection, "order_id": order_id}).json()
        return tuple(map(_document, said["items"]))

    def xml(self, uuid: str) -> bytes:
        """The XML to keep; of a standard document the cleared one."""
        return self._call(XML, {"uuid": uuid}).content

    def pdf(self, uuid: str) -> bytes:
        """The readable document, PDF/A-3 with its XML inside."""
        return self._call(PDF, {"uuid": uuid}).content

    def qr(self, uuid: str) -> bytes:
        """The QR as SVG."""
        return self._call(QR, {"uuid": uuid}).content

    def reconciliation(
        self, first: date, last: date, *, connection: str = "", ask_shops: bool = False
    ) -> Mapping[str, Any]:
        """What orders, invoices and ERP postings of these days (Riyadh) lack of each other."""
        query = {"from": str(first), "to": str(last), "connection": connection, "ask_shops": "true" * ask_shops}
        said: Mapping[str, Any] = self._call(RECONCILIATION, {}, query=query).json()
        return said

    def events(self, after: int = 0, *, types: str = "", limit: int = 0) -> Events:
        """What happened after a cursor, from the first event on if it is left out. `types` are those wanted, separated
        by commas."""
        query = {"after": str(after), "types": types, "limit": str(limit or "")}
        said = self._call(EVENTS, {}, query=query).json()
        found = (
            Event(each["id"], each["type"], datetime.fromisoformat(each["timestamp"]), each["data"])
            for each in said["events"]
        )
        return Events(tuple(found), int(said["next"]))

    # -- how

    def _make(
        self,
        route: Route,
        places: Mapping[str, str],
        body: Mapping[str, Any] | bytes,
        *,
        key: str,
        wait: int,
        query: Mapping[str, str] | None = None,
    ) -> Document:
        headers = {"Idempotency-Key": key or self._new_key()} | ({"Prefer": f"wait={wait}"} if wait else {})
        answer = self._call(route, places, query=query, headers=headers, body=body, wait=wait)
        return _document(answer.json(), created=answer.status_code in (201, 202))

    def _call(
        self,
        route: Route,
        places: Mapping[str, str],
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | bytes | None = None,
        wait: int = 0,
    ) -> httpx2.Response:
        """The good answer of a call, which is repeated with the same key while that may help."""
        path = route.path.format(**{name: quote(value, safe="") for name, value in places.items()})
        given = {name: value for name, value in (query or {}).items() if value}
        assert given.keys() <= set(route.query), "only what the route declares is sent"
        content: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body} if body else {}
        ends, pause = self._clock() + self._patience, _FIRST_PAUSE
        while True:
            error: Problem | NoAnswer
            try:
                answer = self._http.request(
                    route.method, path, params=given, headers=headers, timeout=_ANSWER_WITHIN + wait, **content
                )
            except httpx2.TransportError as lost:
                error, asked = NoAnswer(f"No answer to {route.method} {path}: {lost}"), 0.0
            else:
                if answer.is_success:
                    return answer
                error = _problem(answer)
                if answer.status_code not in _LATER:
                    raise error
                asked = error.retry_after or 0.0
            rest = max(pause, asked)
            if self._clock() + rest > ends:
                raise error
            self._sleep(rest)
            pause = min(pause * 2, _LONGEST_PAUSE)


def _problem(answer: httpx2.Response) -> Problem:
    try:
        said = answer.json()
    except ValueError:
        said = {}
    if not isinstance(said, dict):
        said = {}
    after = answer.headers.get("retry-after", "")
    return Problem(answer.status_code, said, retry_after=float(after) if after.isdigit() else None)


_READ: Final[Mapping[str, Callable[[Any], Any]]] = {
    "total": Decimal,
    "vat": Decimal,
    "rounding": Decimal,
    "issued_at": datetime.fromisoformat,
    "deadline": lambda text: datetime.fromisoformat(text) if text else None,
    "allowed": tuple,
    "findings": tuple,
}


def _document(said: Mapping[str, Any], created: bool | None = None) -> Document:
    """What an answer says; what a newer gateway says besides is left out."""
    named = [each.name for each in fields(Document) if each.name != "created"]
    return Document(**{name: _READ.get(name, _as_it_is)(said[name]) for name in named}, created=created)


def _as_it_is(value: Any) -> Any:
    return value
