"""An Odoo database as one user sees it, over whichever of its protocols it speaks.

Up to release 18 these are JSON-RPC and XML-RPC; from 19 on JSON-2, where every call is a transaction of its own. The
session asks for the release and chooses; where JSON-RPC is switched off, XML-RPC is spoken.

XML-RPC may answer a fault although the call was done and committed: a Fault only says that there was no answer.
"""

import json
import re
import xmlrpc.client
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, NamedTuple
from xml.parsers.expat import ExpatError

import httpx2

from gateway.connection import Connection
from gateway.erps.erp import secret
from gateway.erps.exchange import RETRY_AFTER, Reply, exchange
from gateway.errors import BadInput, GatewayError, Misconfigured, Unavailable
from gateway.exact_json import GREATEST, parse

LANGUAGE: Final = {"lang": "en_US", "tz": "Asia/Riyadh"}

_JSON_2_SINCE: Final = 19
_KIND: Final = re.compile(r"[A-Za-z0-9_.]{1,80}")
_LAST_LINE: Final = re.compile(r"([A-Za-z0-9_.]{0,70}(?:Error|Exception|Failure|Denied|Warning))(?::|$)")
"""How a traceback ends."""
_LONGEST_SENTENCE: Final = 200
_DENIED: Final = frozenset({"AccessDenied", "AccessError", "Unauthorized", "Forbidden"})
_FOR_A_PERSON: Final = frozenset({"UserError", "ValidationError", "RedirectWarning", "MissingError"})
_XML_FAULTS: Final = {
    2: "odoo.exceptions.UserError",
    3: "odoo.exceptions.AccessDenied",
    4: "odoo.exceptions.AccessError",
}
"""What the numbers of XML-RPC's faults stand for; 1 is anything else, with its traceback."""


_NOT_XML_RPC: Final = (
    *(ExpatError, xmlrpc.client.Error, ValueError, TypeError, LookupError, AttributeError, ArithmeticError),
    RecursionError,
)
"""What the library raises for what it cannot read."""


class Protocol(StrEnum):
    """What an Odoo speaks."""

    JSON_RPC = "jsonrpc"
    XML_RPC = "xmlrpc"
    JSON_2 = "json2"


class Fault(Exception):
    """Odoo answers that a call failed. `kind` is the class of its exception, `sentence` what it says to people, empty
    where that is none of their business. Whether the call was done has to be looked at."""

    def __init__(self, kind: str, sentence: str = "") -> None:
        super().__init__(kind)
        self.kind = kind
        self.sentence = sentence

    @property
    def is_of_rights(self) -> bool:
        return self.kind.rpartition(".")[2] in _DENIED


class _NotThere(Exception):
    """Nothing answers at the address of a protocol."""


class Release(NamedTuple):
    """What was found out about an Odoo: what it speaks, and its major release (0: it does not say)."""

    protocol: Protocol
    major: int


async def find_release(connection: Connection, client: httpx2.AsyncClient) -> Release:
    """What this Odoo speaks, by its release; Misconfigured if no Odoo answers at the address."""
    reply = await exchange(connection, client, "GET", "/web/version")
    if reply.status == 200 and (major := _major(_json_of(reply))):
        return Release(Protocol.JSON_2 if major >= _JSON_2_SINCE else Protocol.JSON_RPC, major)
    for protocol, speaks in ((Protocol.JSON_RPC, _json_rpc), (Protocol.XML_RPC, _xml_rpc)):
        try:
            return Release(protocol, _major(await speaks(connection, client, "common", "version", [])))
        except (_NotThere, Fault):
            continue
    raise Misconfigured(
        f"No Odoo answers at the address of connection {connection.id}.",
        fix="Give --url as people open it, such as https://company.odoo.com, without a path.",
        ar="لا يوجد خادم أودو في هذا العنوان. أدخل عنوان أودو كما يُفتح في المتصفح.",
    )


class Odoo:
    """A session; calls name a model and a method, as they do within Odoo."""

    def __init__(self, connection: Connection, client: httpx2.AsyncClient, release: Release, user: int) -> None:
        self._connection = connection
        self._client = client
        self.release = release
        self.user = user
        self.company = int(connection.settings.get("company") or 0)

    @classmethod
    async def open(cls, connection: Connection, client: httpx2.AsyncClient) -> "Odoo":
        """Logged in. Misconfigured: address, database or credentials are not those of an Odoo."""
        _complete(connection)
        release = _known(connection)
        if release is None:
            release = await find_release(connection, client)
        try:
            return cls(connection, client, release, await _log_in(connection, client, release))
        except _NotThere:  # it spoke this when it was connected
            release = await find_release(connection, client)
            return cls(connection, client, release, await _log_in(connection, client, release))

    async def call(
        self,
        model: str,
        method: str,
        *,
        ids: Sequence[int] | None = None,
        first: Mapping[str, Any] | None = None,
        context: Mapping[str, Any] | None = None,
        **named: Any,
    ) -> Any:
        """What the method returns; Fault if Odoo says that it failed. `first` are arguments whose names changed from
        release to release, in their order."""
        companies = {"allowed_company_ids": [self.company]} if self.company else {}
        context = {**LANGUAGE, **companies, **(context or {})}
        if self.release.protocol is Protocol.JSON_2:
            given = {"ids": list(ids)} if ids is not None else {}
            return await self._json_2(model, method, {**given, **(first or {}), **named, "context": context})
        speaks = _json_rpc if self.release.protocol is Protocol.JSON_RPC else _xml_rpc
        arguments = [*([list(ids)] if ids is not None else []), *(first or {}).values()]
        who = [_database(self._connection), self.user, secret(self._connection, "key")]
        asked = [*who, model, method, arguments, {**named, "context": context}]
        try:
            return await speaks(self._connection, self._client, "object", "execute_kw", asked)
        except _NotThere:
            raise _gone(self._connection) from None

    async def find(self, model: str, domain: Sequence[Any], fields: Sequence[str], limit: int = 200) -> list[Any]:
        """The records that fit, by their ids."""
        found = await self.call(
            model, "search_read", first={"domain": list(domain)}, fields=list(fields), limit=limit, order="id"
        )
        if not (isinstance(found, list) and all(isinstance(each, dict) for each in found)):
            raise BadInput(f"Odoo does not say which records of {model} there are.")
        return found

    async def count(self, model: str, domain: Sequence[Any]) -> int:
        """How many records fit."""
        found = await self.call(model, "search_count", first={"domain": list(domain)})
        if not isinstance(found, int):
            raise BadInput(f"Odoo does not say how many records of {model} there are.")
        return found

    async def create(self, model: str, values: Mapping[str, Any], *, context: Mapping[str, Any] | None = None) -> int:
        """The id of a new record."""
        made = await self.call(model, "create", first={"vals_list": [dict(values)]}, context=context)
        found = made[0] if isinstance(made, list) and made else made
        if not isinstance(found, int):
            raise Unavailable(f"Odoo does not say which record of {model} it made.", retry_after=RETRY_AFTER)
        return found

    async def _json_2(self, model: str, method: str, named: Mapping[str, Any]) -> Any:
        key = secret(self._connection, "key")
        headers = {"Authorization": f"bearer {key}", "Content-Type": "application/json; charset=utf-8"}
        if database := self._connection.settings.get("database"):
            headers["X-Odoo-Database"] = database
        path = f"/json/2/{model}/{method}"
        reply = await exchange(self._connection, self._client, "POST", path, body=_dumped(named), headers=headers)
        if reply.status == 401:
            raise _refused(self._connection, ended=True)
        if reply.status != 200:
            raise _json_2_fault(reply)
        return _json_of(reply)


def understood(fault: Fault, connection: Connection, what: str) -> GatewayError:
    """A fault as an error of ours: a person's, the rights', or for later."""
    if fault.is_of_rights:
        return Misconfigured(
            f"The user of connection {connection.id} may not do this in Odoo: {what}.",
            fix="Give the user the role of an accountant (Billing) in Odoo.",
            ar="مستخدم الربط لا يملك الصلاحية اللازمة في أودو. امنحه صلاحية المحاسبة.",
        )
    if fault.kind.rpartition(".")[2] in _FOR_A_PERSON:
        said = fault.sentence or f"It does not say why ({fault.kind})."
        return BadInput(
            f"Odoo refuses {what}: {said}",
            fix="Settle it in Odoo, then have it posted again.",
            ar=f"رفض أودو العملية: {said} عالج السبب في أودو ثم أعد الترحيل.",
        )
    return Unavailable(
        f"Odoo fails at {what} ({fault.kind}).",
        retry_after=RETRY_AFTER,
        ar="حدث خطأ داخلي في أودو. ستعاد المحاولة.",
    )


# -- what it says of itself -----------------------------------------------------------------------------------


def _complete(connection: Connection) -> None:
    missing = [] if connection.secrets.get("key") else ["key"]
    if connection.settings.get("protocol") != Protocol.JSON_2:
        missing += [] if connection.secrets.get("login") else ["login"]
        missing += [] if connection.settings.get("database") else ["database"]
    if missing or not connection.base_url:
        raise Misconfigured(
            f"Connection {connection.id} lacks {', '.join(missing) or 'the address'} of its Odoo.",
            fix="Give --url, the setting 'database' and the secrets 'login' and 'key'.",
            ar="بيانات الربط مع أودو ناقصة: العنوان وقاعدة البيانات واسم المستخدم والمفتاح.",
        )
    company = connection.settings.get("company", "")
    if company and not re.fullmatch(r"[0-9]{1,9}", company, re.ASCII):
        raise Misconfigured(
            f"The setting 'company' of connection {connection.id} is not a number.", fix="Give the company's id."
        )


def _known(connection: Connection) -> Release | None:
    """What the connection's settings say."""
    said = connection.settings.get("protocol")
    if not said:
        return None
    try:
        major = connection.settings.get("release", "")
        return Release(Protocol(said), int(major) if re.fullmatch(r"[0-9]{1,3}", major, re.ASCII) else 0)
    except ValueError:
        raise Misconfigured(
            f"protocol of connection {connection.id} is {said!r}.",
            fix=f"Leave it out, or use one of {', '.join(Protocol)}.",
        ) from None


def _major(said: Any) -> int:
    """The major release of what an Odoo says of its version; 0 if it says none. Odoo.com's are like "saas~18"."""
    info = said.get("version_info") or said.get("server_version_info") if isinstance(said, dict) else None
    first = str(info[0]) if isinstance(info, list) and info else ""
    found = re.search(r"[0-9]{1,3}", first, re.ASCII)
    return int(found[0]) if found else 0


async def _log_in(connection: Connection, client: httpx2.AsyncClient, release: Release) -> int:
    """The user's id; of JSON-2, where the key says who it is, none."""
    if release.protocol is Protocol.JSON_2:
        return 0
    speaks = _json_rpc if release.protocol is Protocol.JSON_RPC else _xml_rpc
    who = [_database(connection), secret(connection, "login"), secret(connection, "key"), {}]
    try:
        user = await speaks(connection, client, "common", "authenticate", who)
    except Fault as fault:
        if fault.is_of_rights:
            raise _refused(connection) from None
        raise understood(fault, connection, "the login") from None
    if not isinstance(user, int) or user is False:
        raise _refused(connection)
    return user


def _database(connection: Connection) -> str:
    return connection.settings.get("database", "")


def _refused(connection: Connection, *, ended: bool = False) -> Misconfigured:
    keys = " Keys of Odoo 19 end after three months at most." if ended else ""
    return Misconfigured(
        f"Odoo refuses the credentials of connection {connection.id}.{keys}",
        fix=f"Give the login and an API key of a user of this database: `gateway connect {connection.id} --change`.",
        ar="يرفض أودو بيانات الربط. تحقق من اسم المستخدم والمفتاح وقاعدة البيانات، فقد تكون صلاحية المفتاح انتهت.",
    )


def _gone(connection: Connection) -> Misconfigured:
    return Misconfigured(
        f"The Odoo of connection {connection.id} no longer answers where it did.", fix="Connect it again with --change."
    )


# -- the protocols --------------------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    """With money as a double: none of these protocols has decimals, and Odoo itself computes so."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def _dumped(content: Any) -> bytes:
    return json.dumps(_plain(content), ensure_ascii=False).encode()


def _json_of(reply: Reply) -> Any:
    try:
        return parse(reply.body)
    except ValueError:
        raise Unavailable("Odoo answers with something that is not JSON.", retry_after=RETRY_AFTER) from None


async def _json_rpc(
    connection: Connection, client: httpx2.AsyncClient, service: str, method: str, arguments: list[Any]
) -> Any:
    parameters = {"service": service, "method": method, "args": arguments}
    body = _dumped({"jsonrpc": "2.0", "method": "call", "params": parameters, "id": 1})
    headers = {"Content-Type": "application/json"}
    reply = await exchange(connection, client, "POST", "/jsonrpc", body=body, headers=headers)
    _there(reply)
    content = _json_of(reply)
    if isinstance(content, dict) and "result" in content:
        return content["result"]
    error = content.get("error") if isinstance(content, dict) else None
    data = error.get("data") if isinstance(error, dict) else None
    if not isinstance(data, dict):
        raise Fault("it does not say why")
    raise _fault(data.get("name"), data.get("message"))


async def _xml_rpc(
    connection: Connection, client: httpx2.AsyncClient, service: str, method: str, arguments: list[Any]
) -> Any:
    body = xmlrpc.client.dumps(tuple(_plain(arguments)), method, allow_none=True).encode()
    headers = {"Content-Type": "text/xml"}
    reply = await exchange(connection, client, "POST", f"/xmlrpc/2/{service}", body=body, headers=headers)
    _there(reply)
    if b"<!" in reply.body or b"\0" in reply.body:  # a DOCTYPE, which could bring entities, or one in UTF-16
        raise Unavailable("Odoo answers with something that is not XML-RPC.", retry_after=RETRY_AFTER)
    try:
        (result,), _ = xmlrpc.client.loads(reply.body)
        return _exact(result)
    except xmlrpc.client.Fault as fault:
        raise _xml_fault(fault) from None
    except _NOT_XML_RPC:
        raise Unavailable("Odoo answers with something that is not XML-RPC.", retry_after=RETRY_AFTER) from None


def _there(reply: Reply) -> None:
    if reply.status in (404, 405, 501):
        raise _NotThere
    if reply.status != 200:
        raise Unavailable(f"Odoo answers HTTP {reply.status}.", retry_after=RETRY_AFTER)


def _exact(value: Any) -> Any:
    """With doubles as the shortest decimals that they stand for."""
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, Decimal) and value and abs(value.adjusted()) > GREATEST:
        raise ValueError("a number that is too great or too small")
    if isinstance(value, list):
        return [_exact(each) for each in value]
    if isinstance(value, dict):
        return {name: _exact(each) for name, each in value.items()}
    return value


def _xml_fault(fault: xmlrpc.client.Fault) -> Fault:
    text = str(fault.faultString)
    known = _XML_FAULTS.get(fault.faultCode) if isinstance(fault.faultCode, int) else str(fault.faultCode)
    if known and known.rpartition(".")[2] in (_DENIED | _FOR_A_PERSON):
        return _fault(known, text)
    last = _LAST_LINE.match(text.strip().rpartition("\n")[2])
    return _fault(known or (last and last[1]), None)


def _json_2_fault(reply: Reply) -> Exception:
    try:
        content = parse(reply.body)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        return Unavailable(f"Odoo answers HTTP {reply.status}.", retry_after=RETRY_AFTER)
    return _fault(content.get("name"), content.get("message"))


def _fault(kind: Any, message: Any) -> Fault:
    """By the class of its exception; only what Odoo says to people is repeated, one line of it."""
    named = kind if isinstance(kind, str) and _KIND.fullmatch(kind) else "it does not say why"
    if named.rpartition(".")[2] not in _FOR_A_PERSON or not isinstance(message, str) or "Traceback" in message:
        return Fault(named)
    line = next((each.strip() for each in message.splitlines() if each.strip()), "")
    return Fault(named, line[:_LONGEST_SENTENCE])
