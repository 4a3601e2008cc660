"""Odoo over JSON-RPC (releases up to 18): whether it issues to the authority itself.

Settings: `database`; `company` (id) where the database holds several. Secrets: `login`, and `key` (an API key or the
password) of a user who may see installed modules and journals.

Odoo's faults carry whole tracebacks, so only their kind is repeated.
"""

import re
from typing import Any, Final

import httpx2

from gateway.connection import Connection
from gateway.errors import BadInput, Misconfigured, Unavailable
from gateway.finding import Text

MODULE: Final = "l10n_sa_edi"
"""Odoo's own e-invoicing for Saudi Arabia."""
SWITCH: Final = Text(
    f"In Odoo take the ZATCA format off the sales journals, or uninstall the module {MODULE}.",
    f"في أودو أزل صيغة الفوترة الإلكترونية (ZATCA) من دفاتر المبيعات أو ألغِ تثبيت الوحدة {MODULE}.",
)
_FORMAT: Final = "sa_zatca"
"""The e-invoicing format that it gives to sales journals."""
_KIND: Final = re.compile(r"[A-Za-z0-9_.]{1,80}")


async def issues_itself(connection: Connection, client: httpx2.AsyncClient) -> bool:
    """Whether any sales journal issues by Odoo's own module; Misconfigured (credentials), Unavailable, or BadInput if
    Odoo does not tell."""
    odoo = _Odoo(connection, client)
    await odoo.log_in()
    installed = [["name", "=", MODULE], ["state", "in", ["installed", "to upgrade"]]]
    if not await odoo.count("ir.module.module", installed):
        return False
    journals: list[Any] = [["type", "=", "sale"], ["edi_format_ids.code", "=", _FORMAT]]
    if company := connection.settings.get("company"):
        journals.append(["company_id", "=", _number(connection, company)])
    return await odoo.count("account.journal", journals) > 0


class _Odoo:
    """One database as one user sees it."""

    def __init__(self, connection: Connection, client: httpx2.AsyncClient) -> None:
        missing = [name for name in ("login", "key") if not connection.secrets.get(name)]
        missing += [] if connection.settings.get("database") else ["database"]
        if missing or not connection.base_url:
            raise Misconfigured(
                f"Connection {connection.id} lacks {', '.join(missing) or 'the address'} of its Odoo.",
                fix="Give --url, the setting 'database' and the secrets 'login' and 'key'.",
            )
        self._connection = connection
        self._client = client
        self._user = 0

    async def log_in(self) -> None:
        secrets = self._connection.secrets
        who = [self._database, secrets["login"], secrets["key"], {}]
        user = await self._call("common", "authenticate", who)
        if not isinstance(user, int) or user is False:
            raise Misconfigured(
                f"Odoo refuses the credentials of connection {self._connection.id}.",
                fix="Give the login and an API key of a user of this database.",
                ar="يرفض أودو بيانات الربط. تحقق من اسم المستخدم والمفتاح وقاعدة البيانات.",
            )
        self._user = user

    async def count(self, model: str, domain: list[Any]) -> int:
        """How many records of a model there are that fit."""
        arguments = [self._database, self._user, self._connection.secrets["key"], model, "search_count", [domain]]
        found = await self._call("object", "execute_kw", arguments)
        if not isinstance(found, int):
            raise BadInput(f"Odoo does not say how many records of {model} there are.")
        return found

    @property
    def _database(self) -> str:
        return self._connection.settings["database"]

    async def _call(self, service: str, method: str, arguments: list[Any]) -> Any:
        parameters = {"service": service, "method": method, "args": arguments}
        body = {"jsonrpc": "2.0", "method": "call", "params": parameters, "id": 1}
        try:
            answer = await self._client.post(f"{self._connection.base_url.rstrip('/')}/jsonrpc", json=body)
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            raise Unavailable(f"Odoo cannot be reached ({type(error).__name__}).") from None
        if not answer.is_success:
            raise Unavailable(f"Odoo answers HTTP {answer.status_code}.")
        try:
            content = answer.json()
        except ValueError:
            raise Unavailable("Odoo answers with something that is not JSON.") from None
        if not isinstance(content, dict) or "result" not in content:
            raise BadInput(f"Odoo refuses the question ({_kind(content)}).")
        return content["result"]


def _kind(content: Any) -> str:
    """The class of a fault, such as odoo.exceptions.AccessError; nothing of its text."""
    try:
        name = content["error"]["data"]["name"]
    except (KeyError, TypeError):
        return "it does not say why"
    return name if isinstance(name, str) and _KIND.fullmatch(name) else "it does not say why"


def _number(connection: Connection, company: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", company):
        raise Misconfigured(f"The setting 'company' of connection {connection.id} is not a number.")
    return int(company)
