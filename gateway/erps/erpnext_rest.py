"""An ERPNext site as one user sees it: documents over Frappe's REST interface, each call a transaction of its own.

Frappe answers errors with the class of its exception (`exc_type`), a whole traceback (`exc`), and what it says to
people (`_server_messages`). Of these the class and the last are read, the traceback never.
"""

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from html import unescape
from typing import Any, Final
from urllib.parse import quote, urlencode

import httpx2

from gateway.connection import Connection
from gateway.erps.erp import File, secret
from gateway.erps.exchange import RETRY_AFTER, Reply, exchange
from gateway.errors import BadInput, GatewayError, Misconfigured, Unavailable
from gateway.exact_json import parse

Values = Mapping[str, Any]

_KIND: Final = re.compile(r"[A-Za-z0-9_.]{1,80}")
_TAG: Final = re.compile(r"<[^<>]{0,500}>")
_LONGEST_SENTENCE: Final = 200
_MOST: Final = 500
"""Records that are asked for at once."""
_FOR_A_PERSON: Final = frozenset({404, 409, 417})
_PASSING: Final = frozenset(
    {"TimestampMismatchError", "QueryDeadlockError", "QueryTimeoutError", "DocumentLockedError", "InReadOnlyMode"}
)
"""What only says that somebody else was at it."""


class Fault(Exception):
    """The site answers that a call failed. `kind` is the class of its exception, `sentence` what it says to people,
    empty where that is none of their business. Whether the call was done has to be looked at."""

    def __init__(self, status: int, kind: str, sentence: str = "") -> None:
        super().__init__(kind)
        self.status = status
        self.kind = kind
        self.sentence = sentence

    @property
    def is_of_rights(self) -> bool:
        return self.status in (401, 403)

    @property
    def is_for_a_person(self) -> bool:
        return self.status in _FOR_A_PERSON and self.kind not in _PASSING


class ErpNext:
    """A session; calls name a doctype and a record, as people see them."""

    def __init__(self, connection: Connection, client: httpx2.AsyncClient) -> None:
        """Misconfigured: the connection lacks an address or a secret."""
        if not connection.base_url:
            raise Misconfigured(f"Connection {connection.id} lacks the address of its ERPNext.", fix="Give --url.")
        self._connection = connection
        self._client = client
        self._token = f"token {secret(connection, 'key')}:{secret(connection, 'secret')}"

    async def find(
        self, doctype: str, filters: Sequence[Any], fields: Sequence[str], *, either: Sequence[Any] = ()
    ) -> list[dict[str, Any]]:
        """The records that fit all `filters` and one of `either`, the oldest first."""
        query = {"fields": ["name", *fields], "filters": list(filters), "or_filters": list(either)}
        asked = {name: json.dumps(value) for name, value in query.items() if value}
        path = _path(doctype) + "?" + urlencode({**asked, "limit_page_length": _MOST, "order_by": "creation asc"})
        found = await self._data("GET", path)
        if not (isinstance(found, list) and all(isinstance(each, dict) and "name" in each for each in found)):
            raise Unavailable(f"ERPNext does not say which records of {doctype} there are.", retry_after=RETRY_AFTER)
        return found

    async def read(self, doctype: str, name: str) -> dict[str, Any]:
        """A whole record."""
        return self._record(await self._data("GET", _path(doctype, name)))

    async def create(self, doctype: str, values: Values) -> dict[str, Any]:
        """A new record as the site made it; a draft, if it is one that can be submitted."""
        return self._record(await self._data("POST", _path(doctype), values))

    async def change(self, doctype: str, name: str, **values: Any) -> dict[str, Any]:
        """The record with other values; `docstatus=1` submits a draft, `docstatus=2` cancels what was submitted."""
        return self._record(await self._data("PUT", _path(doctype, name), values))

    async def delete(self, doctype: str, name: str) -> None:
        """Remove a record that is not submitted."""
        await self._exchange("DELETE", _path(doctype, name))

    async def method(self, name: str) -> Any:
        """What a method that only reads returns."""
        return (await self._json("GET", f"/api/method/{name}")).get("message")

    async def upload(self, doctype: str, name: str, file: File) -> None:
        """Attach a file, which only those see who may see the record."""
        form = {"doctype": doctype, "docname": name, "is_private": "1", "file_name": file.name}
        request = httpx2.Request(
            "POST", "https://form.invalid", data=form, files={"file": (file.name, file.content, file.media_type)}
        )
        body, media_type = request.read(), request.headers["Content-Type"]
        await self._exchange("POST", "/api/method/upload_file", body=body, media_type=media_type)

    @staticmethod
    def _record(data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            raise Unavailable("ERPNext answers without the record.", retry_after=RETRY_AFTER)
        return data

    async def _data(self, method: str, path: str, values: Values | None = None) -> Any:
        return (await self._json(method, path, values)).get("data")

    async def _json(self, method: str, path: str, values: Values | None = None) -> dict[str, Any]:
        body = None if values is None else json.dumps(_plain(values), ensure_ascii=False).encode()
        content = _content(await self._exchange(method, path, body=body, media_type="application/json"))
        if content is None:
            raise Unavailable("ERPNext answers with something that is not JSON.", retry_after=RETRY_AFTER)
        return content

    async def _exchange(self, method: str, path: str, *, body: bytes | None = None, media_type: str = "") -> Reply:
        headers = {"Authorization": self._token, "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = media_type
        reply = await exchange(self._connection, self._client, method, path, body=body, headers=headers)
        if reply.status >= 400:
            raise _fault(reply)
        return reply


def understood(fault: Fault, connection: Connection, what: str) -> GatewayError:
    """A fault as an error of ours: a person's, the rights', or for later."""
    if fault.status == 401:
        return Misconfigured(
            f"ERPNext refuses the credentials of connection {connection.id}.",
            fix=f"Give the API key and secret of a user of this site: `gateway connect {connection.id} --change`.",
            ar="يرفض ERPNext بيانات الربط. تحقق من مفتاح المستخدم وسره.",
        )
    if fault.is_of_rights:
        return Misconfigured(
            f"The user of connection {connection.id} may not do this in ERPNext: {what}.",
            fix="Give the user the roles Accounts User, Accounts Manager and Sales User in ERPNext.",
            ar="مستخدم الربط لا يملك الصلاحية اللازمة في ERPNext. امنحه أدوار المحاسبة والمبيعات.",
        )
    if fault.is_for_a_person:
        said = fault.sentence or f"It does not say why ({fault.kind})."
        return BadInput(
            f"ERPNext refuses {what}: {said}",
            fix="Settle it in ERPNext, then have it posted again.",
            ar=f"رفض ERPNext العملية: {said} عالج السبب في ERPNext ثم أعد الترحيل.",
        )
    return Unavailable(
        f"ERPNext fails at {what} ({fault.kind}).",
        retry_after=RETRY_AFTER,
        ar="حدث خطأ داخلي في ERPNext. ستعاد المحاولة.",
    )


def _path(doctype: str, name: str | None = None) -> str:
    return f"/api/resource/{quote(doctype)}" + (f"/{quote(name, safe='')}" if name is not None else "")


def _plain(value: Any) -> Any:
    """With money as a double, which Frappe itself computes with."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _content(reply: Reply) -> dict[str, Any] | None:
    try:
        content = parse(reply.body)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _fault(reply: Reply) -> Fault:
    content = _content(reply) or {}
    named = content.get("exc_type")
    kind = named if isinstance(named, str) and _KIND.fullmatch(named) else f"HTTP {reply.status}"
    return Fault(reply.status, kind, _sentence(content.get("_server_messages")))


def _sentence(said: Any) -> str:
    """One line of what is meant for people: a list of texts, each of them JSON with a message in HTML."""
    try:
        first = parse(parse(said.encode())[0].encode())["message"]
        text = unescape(_TAG.sub("", first))
    except (AttributeError, LookupError, TypeError, ValueError):
        return ""
    line = next((each.strip() for each in text.splitlines() if each.strip()), "")
    return "" if "Traceback" in text else line[:_LONGEST_SENTENCE]
