"""An Odoo to test against: a real HTTP server with the manners of releases 14 to 19, as recorded and as documented.

It speaks JSON-RPC and XML-RPC, and from release 19 on JSON-2. Its arithmetic is Odoo's: VAT is rounded for each line or
for each tax. Like Odoo 14 it answers a fault over XML-RPC to `action_post` although the move is posted.
"""

import json
import threading
import xmlrpc.client
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import ROUND_HALF_UP, Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from gateway.connection import Connection
from tests.erps.trouble import Cut, Troubled

LOGIN, KEY, DATABASE, USER, COMPANY = "gateway@company.example", "k" * 40, "books", 2, 3
HALALA = Decimal("0.01")
TRACE = 'Traceback (most recent call last):\n  File "/usr/lib/odoo/models.py", line 1, in f\nsecret of the server\n'


class OdooError(Exception):
    """One of its exceptions, with what it says."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name, self.message = name, message


def user_error(message: str) -> OdooError:
    return OdooError("odoo.exceptions.UserError", message)


class OdooServer(Troubled):
    """The database behind the server."""

    Error = OdooError
    MAKES_ENTRY = ("account.move", "create")

    def __init__(self, release: int = 14) -> None:
        super().__init__()
        self.release = release
        self.key, self.key_ends = KEY, "2027-02-20 09:00:00"
        self.json_rpc = True
        self.url = ""
        self._next = 100
        self.tables: dict[str, list[dict[str, Any]]] = {name: [] for name in _TABLES}
        self.tables["res.company"] = [{"id": COMPANY, "name": "Coffee & Co", "vat": "399999999900003",
            "currency_id": [153, "SAR"], "tax_calculation_rounding_method": "round_globally"}]  # fmt: skip
        self.tables["res.currency"] = [{"id": 153, "name": "SAR"}, {"id": 2, "name": "USD"}]
        self.tables["account.journal"] = [
            {"id": 9, "code": "GW", "name": "Gateway", "type": "sale", "company_id": COMPANY},
            {"id": 15, "code": "BNK1", "name": "Bank", "type": "bank", "company_id": COMPANY},
            {"id": 16, "code": "CSH1", "name": "Cash", "type": "cash", "company_id": COMPANY},
        ]
        self.tables["account.tax"] = [
            self._tax(1, "VAT 15%", 15.0),
            self._tax(2, "Zero rated", 0.0),
            self._tax(3, "Exempt", 0.0),
        ]
        self.tables["account.account"] = [{"id": 123, "code": "424000", "name": "Sales"}]
        self.tables["decimal.precision"] = [{"id": 1, "name": "Product Price", "digits": 2}]
        self.tables["ir.module.module"] = []

    @staticmethod
    def _tax(number: int, name: str, amount: float, *, price_include: bool = False) -> dict[str, Any]:
        return {"id": number, "name": name, "amount": amount, "price_include": price_include, "description": False,
                "amount_type": "percent", "type_tax_use": "sale", "company_id": COMPANY}  # fmt: skip

    def connection(self, name: str = "odoo-1", *, taxpayer_id: str = "t", unit_id: str = "u", **settings: str):
        secrets = {"login": LOGIN, "key": self.key}
        said = {"database": DATABASE, "journal": "GW", **settings}
        return Connection(name, taxpayer_id, unit_id, "odoo", self.url, settings=said, secrets=secrets)

    # -- what a test looks at --

    @property
    def moves(self) -> list[dict[str, Any]]:
        return [self._read(each) for each in self.tables["account.move"]]

    def posted(self, **fields: Any) -> list[dict[str, Any]]:
        wanted = {"state": "posted", **fields}
        return [each for each in self.moves if all(each[name] == value for name, value in wanted.items())]

    def of(self, model: str, move: int) -> list[dict[str, Any]]:
        return [each for each in self.tables[model] if each.get("res_id") == move]

    # -- calls --

    def call(self, model: str, method: str, ids: list[int], named: dict[str, Any]) -> Any:
        """What the method returns."""
        return self.through(model, method, lambda: self._do(model, method, ids, named))

    def fault(self, *, done: bool) -> OdooError:
        if done:
            return OdooError("builtins.TypeError", "cannot marshal")
        return OdooError("psycopg2.errors.SerializationFailure", "could not serialize access")

    def _do(self, model: str, method: str, ids: list[int], named: dict[str, Any]) -> Any:
        if isinstance(one := named.get("vals_list"), dict):
            return self._do(model, method, ids, {**named, "vals_list": [one]})[0]
        special = getattr(self, f"_{model.replace('.', '_')}_{method}", None)
        if special is not None:
            return special(ids, named)
        return getattr(self, f"_{method}")(model, ids, named)

    def _search_read(self, model: str, ids: list[int], named: dict[str, Any]) -> list[dict[str, Any]]:
        fields = named["fields"]
        found = [each for each in self.tables[model] if _fits(each, named["domain"])][: named.get("limit") or None]
        found = [self._read(each, model) for each in found]
        return [{"id": each["id"], **{name: each.get(name, False) for name in fields}} for each in found]

    def _search_count(self, model: str, ids: list[int], named: dict[str, Any]) -> int:
        return len([each for each in self.tables[model] if _fits(each, named["domain"])])

    def _fields_get(self, model: str, ids: list[int], named: dict[str, Any]) -> dict[str, Any]:
        names = {name for each in self.tables[model] for name in each}
        return {name: {} for name in names | ({"edi_format_ids"} if self.release < 19 else set())}

    def _create(self, model: str, ids: list[int], named: dict[str, Any]) -> list[int]:
        return [self._new(model, each) for each in named["vals_list"]]

    def _new(self, model: str, values: dict[str, Any]) -> int:
        self._next += 1
        self.tables[model].append({"id": self._next, **values})
        return self._next

    def _account_move_create(self, ids: list[int], named: dict[str, Any]) -> list[int]:
        made = []
        for values in named["vals_list"]:
            for name in values:
                if name not in _MOVE:
                    raise OdooError("builtins.ValueError", f"Invalid field {name!r} on model 'account.move'")
            draft = {"state": "draft", "company_id": COMPANY, "payments": [], "name": "/", **values}
            made.append(self._new("account.move", draft))
        return made

    def _read(self, row: dict[str, Any], model: str = "account.move") -> dict[str, Any]:
        if model != "account.move" or "invoice_line_ids" not in row:
            return dict(row)
        total = self._total(row)
        paid = sum((each for each in row["payments"]), Decimal(0))
        state = "not_paid" if not paid else "paid" if paid >= total else "partial"
        return {**row, "amount_total": float(total), "amount_residual": float(total - paid), "payment_state": state}

    def _total(self, row: dict[str, Any]) -> Decimal:
        rates = {each["id"]: Decimal(str(each["amount"])) for each in self.tables["account.tax"]}
        per_line = self.tables["res.company"][0]["tax_calculation_rounding_method"] == "round_per_line"
        nets: dict[Any, list[Decimal]] = {}
        for _, _, line in row["invoice_line_ids"]:
            amount = Decimal(str(line["quantity"])) * _rounded(Decimal(str(line["price_unit"])))
            ((_, _, taxes),) = line["tax_ids"]
            nets.setdefault(taxes[0] if taxes else None, []).append(amount)
        total = sum((_rounded(each) for amounts in nets.values() for each in amounts), Decimal(0))
        for tax, amounts in nets.items():
            rate = rates[tax] if tax else Decimal(0)
            parts = [_rounded(each * rate / 100) for each in amounts]
            total += sum(parts) if per_line else _rounded(sum(amounts) * rate / 100)
        return total

    def _rows(self, ids: list[int]) -> list[dict[str, Any]]:
        found = [each for each in self.tables["account.move"] if each["id"] in ids]
        if len(found) != len(ids):
            raise OdooError("odoo.exceptions.MissingError", "Record does not exist or has been deleted.")
        return found

    def _write(self, model: str, ids: list[int], named: dict[str, Any]) -> bool:
        for row in self._rows(ids):
            row.update(named["vals"])
        return True

    def _account_move_unlink(self, ids: list[int], named: dict[str, Any]) -> bool:
        if any(each["state"] == "posted" for each in self._rows(ids)):
            raise user_error("You cannot delete a posted journal entry.")
        self.tables["account.move"] = [each for each in self.tables["account.move"] if each["id"] not in ids]
        return True

    def _account_move_action_post(self, ids: list[int], named: dict[str, Any]) -> Any:
        for row in self._rows(ids):
            same = [each for each in self.tables["account.move"] if each["name"] == row["name"]]
            if any(each["state"] == "posted" for each in same if each is not row):
                raise OdooError("odoo.exceptions.ValidationError", "Posted journal entry must have an unique number.")
            row["state"] = "posted"
        return _NotXml(f"account.move({ids[0]},)")

    def _account_move_button_draft(self, ids: list[int], named: dict[str, Any]) -> Any:
        for row in self._rows(ids):
            row.update(state="draft", payments=[])
        return True

    def _account_move_button_cancel(self, ids: list[int], named: dict[str, Any]) -> Any:
        for row in self._rows(ids):
            row["state"] = "cancel"
        return True

    def _account_move_message_post(self, ids: list[int], named: dict[str, Any]) -> int:
        self._rows(ids)
        return self._new("mail.message", {"model": "account.move", "res_id": ids[0], "body": f"<p>{named['body']}</p>"})

    def _account_payment_register_create(self, ids: list[int], named: dict[str, Any]) -> list[int]:
        (move,) = named["context"]["active_ids"]
        return [self._new("account.payment.register", {"move": move, **named["vals_list"][0]})]

    def _account_payment_register_action_create_payments(self, ids: list[int], named: dict[str, Any]) -> Any:
        (wizard,) = [each for each in self.tables["account.payment.register"] if each["id"] == ids[0]]
        (row,) = self._rows([wizard["move"]])
        amount = Decimal(str(wizard.get("amount", self._read(row)["amount_residual"])))
        row["payments"].append(amount)
        values = {"res_id": row["id"], "amount": amount, "journal_id": wizard["journal_id"]}
        return {"type": "ir.actions.act_window", "res_id": self._new("account.payment", values)}

    def _res_partner_load(self, ids: list[int], named: dict[str, Any]) -> dict[str, Any]:
        (row,) = named["data"]
        values = dict(zip(named["fields"], row, strict=True))
        if values.get("vat", "3").strip("0123456789"):
            message = {"type": "error", "message": "The VAT number does not seem to be valid."}
            return {"ids": False, "messages": [message], "nextrow": 0}
        key = values.pop("id")
        known = [each for each in self.tables["res.partner"] if each["key"] == key]
        if known:
            known[0].update(values)
        number = known[0]["id"] if known else self._new("res.partner", {"key": key, **values})
        return {"ids": [number], "messages": [], "nextrow": 0}

    def _res_users_apikeys_search_read(self, ids: list[int], named: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"id": 1, "name": "gateway", "expiration_date": self.key_ends}]


_TABLES = """res.company res.currency res.partner account.journal account.tax account.account account.move
    account.payment account.payment.register decimal.precision ir.module.module ir.attachment mail.message""".split()
_MOVE = """move_type partner_id journal_id invoice_date name ref invoice_origin invoice_line_ids reversed_entry_id
    narration currency_id""".split()
_POSITIONAL = {
    "search_read": ["domain"],
    "search_count": ["domain"],
    "create": ["vals_list"],
    "load": ["fields", "data"],
}


class _NotXml(str):
    """What XML-RPC cannot write: it answers a fault, after all is done."""


def _rounded(amount: Decimal) -> Decimal:
    return amount.quantize(HALALA, ROUND_HALF_UP)


def _fits(row: dict[str, Any], domain: list[Any]) -> bool:
    """Odoo's prefix notation, as far as it is used."""
    terms = list(domain)

    def one() -> bool:
        term = terms.pop(0)
        if term == "|":
            left, right = one(), one()
            return left or right
        name, operator, value = term
        here = row.get(name.partition(".")[0]) if name == "edi_format_ids.code" else row.get(name)
        match operator:
            case "=":
                return here == value or (value is False and not here)
            case "!=":
                return here != value and not (value is False and not here)
            case "in":
                return here in value
            case "ilike":
                return str(value).lower() in str(here).lower()
        raise OdooError("builtins.ValueError", f"Invalid operator {operator}")

    found = True
    while terms:
        found = one() and found
    return found


class _Handler(BaseHTTPRequestHandler):
    odoo: OdooServer
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    """Headers and body leave together: apart, each answer would wait for an acknowledgement."""

    def do_GET(self) -> None:
        if self.path == "/web/version" and self.odoo.release >= 19:
            self._json({"version_info": [self.odoo.release, 0, 0, "final", 0, ""], "version": f"{self.odoo.release}.0"})
        else:
            self._answer(404, b"<h1>Not Found</h1>", "text/html")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            if self.path == "/jsonrpc" and self.odoo.json_rpc:
                self._json_rpc(json.loads(body)["params"])
            elif self.path.startswith("/xmlrpc/2/"):
                self._xml_rpc(self.path.rpartition("/")[2], body)
            elif self.path.startswith("/json/2/") and self.odoo.release >= 19:
                self._json_2(*self.path.split("/")[3:], json.loads(body))
            else:
                self._answer(404, b"<h1>Not Found</h1>", "text/html")
        except Cut as cut:
            if cut.status:
                self._answer(cut.status, b"<h1>Bad Gateway</h1>", "text/html")
            self.close_connection = True

    def _run(self, service: str, method: str, arguments: list[Any]) -> Any:
        if (service, method) == ("common", "version"):
            return {"server_version": f"{self.odoo.release}.0", "server_version_info": [self.odoo.release, 0, 0]}
        if (service, method) == ("common", "authenticate"):
            return USER if arguments[:3] == [DATABASE, LOGIN, self.odoo.key] else False
        database, user, key, model, name, given, named = arguments
        if (service, method, database, user, key) != ("object", "execute_kw", DATABASE, USER, self.odoo.key):
            raise OdooError("odoo.exceptions.AccessDenied", "Access Denied")
        positional = _POSITIONAL.get(name) or (["ids", "vals"] if name == "write" else ["ids"] * len(given))
        whole = {**dict(zip(positional[: len(given)], given, strict=True)), **named}
        ids = whole.pop("ids", [])
        return self.odoo.call(model, name, ids, whole)

    def _json_rpc(self, asked: dict[str, Any]) -> None:
        try:
            result = self._run(asked["service"], asked["method"], asked["args"])
        except OdooError as error:
            data = {"name": error.name, "message": error.message, "debug": TRACE, "arguments": [error.message]}
            self._json(
                {"jsonrpc": "2.0", "id": 1, "error": {"code": 200, "message": "Odoo Server Error", "data": data}}
            )
            return
        self._json({"jsonrpc": "2.0", "id": 1, "result": result})

    def _xml_rpc(self, service: str, body: bytes) -> None:
        arguments, method = xmlrpc.client.loads(body)
        try:
            result = self._run(service, method, list(arguments))
            if isinstance(result, _NotXml):
                raise OdooError("builtins.TypeError", "cannot marshal <class 'odoo.api.account.move'> objects")
            answer = xmlrpc.client.dumps((result,), methodresponse=True, allow_none=True)
        except OdooError as error:
            numbers = {"UserError": 2, "ValidationError": 2, "AccessDenied": 3, "AccessError": 4}
            code = numbers.get(error.name.rpartition(".")[2], 1)
            text = error.message if code > 1 else f"{TRACE}{error.name.rpartition('.')[2]}: {error.message}\n"
            answer = xmlrpc.client.dumps(xmlrpc.client.Fault(code, text), methodresponse=True)
        self._answer(200, answer.encode(), "text/xml")

    def _json_2(self, model: str, method: str, named: dict[str, Any]) -> None:
        if self.headers["Authorization"] != f"bearer {self.odoo.key}":
            self._json(_error("werkzeug.exceptions.Unauthorized", "Invalid apikey"), 401)
            return
        assert self.headers["X-Odoo-Database"] == DATABASE
        try:
            result = self.odoo.call(model, method, named.pop("ids", []), named)
        except OdooError as error:
            self._json(_error(error.name, error.message), 422 if "exceptions" in error.name else 500)
            return
        self._json(result)

    def _json(self, content: Any, status: int = 200) -> None:
        self._answer(status, json.dumps(content).encode(), "application/json")

    def _answer(self, status: int, body: bytes, media_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def _error(name: str, message: str) -> dict[str, Any]:
    return {"name": name, "message": message, "arguments": [message], "context": {}, "debug": TRACE}


@contextmanager
def odoo_server(release: int = 14) -> Iterator[OdooServer]:
    """A running one; it ends with the block."""
    odoo = OdooServer(release)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"odoo": odoo}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    odoo.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield odoo
    finally:
        server.shutdown()
        server.server_close()
