"""An ERPNext to test against: a real HTTP server with Frappe's manners, as documented.

Documents are drafts, submitted or cancelled (`docstatus` 0, 1, 2). Its arithmetic is Frappe's: halves are rounded to
the even digit. What it refuses comes with a traceback, and with a sentence in HTML.
"""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import ROUND_HALF_EVEN, Decimal
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from gateway.connection import Connection
from tests.erps.trouble import Cut, Troubled

KEY, SECRET, COMPANY = "0123456789abcde", "fedcba987654321", "Coffee & Co"
TRACE = 'Traceback (most recent call last):\n  File "apps/frappe/frappe/app.py", line 1, in f\nsecret of the server\n'
BANK, CASH, VAT, INCOME = "Bank - CC", "Cash - CC", "VAT 15% - CC", "Sales - CC"
_STANDARD_FIELDS = """name docstatus creation company customer customer_name tax_id account_name account_type tax_rate
    is_group is_return po_no grand_total outstanding_amount currency debit_to file_name attached_to_doctype
    attached_to_name reference_doctype reference_name content status paid_amount""".split()


class FrappeError(Exception):
    """One of its exceptions, with what it says."""

    def __init__(self, status: int, kind: str, message: str = "") -> None:
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message


def refused(message: str, kind: str = "ValidationError") -> FrappeError:
    return FrappeError(417, kind, message)


class ErpNextServer(Troubled):
    """The site behind the server. `slow` are seconds until the answer of a call, which is done at once."""

    Error = FrappeError
    MAKES_ENTRY = ("Sales Invoice", "POST")

    def __init__(self) -> None:
        super().__init__()
        self.secret, self.url = SECRET, ""
        self.apps = ["frappe", "erpnext"]
        self.tells_apps = self.may_customize = True
        self.slow: dict[tuple[str, str], float] = {}
        self.refuse: Callable[[str, str], FrappeError | None] = lambda doctype, does: None
        self.extra_tax = Decimal(0)
        self._next = 0
        self.tables: dict[str, list[dict[str, Any]]] = {name: [] for name in _DOCTYPES}
        self.tables["Company"] = [{"name": COMPANY, "default_currency": "SAR", "default_income_account": INCOME,
            "cost_center": "Main - CC", "round_off_account": "Round Off - CC"}]  # fmt: skip
        self.tables["Account"] = [
            self._account(BANK, "Bank"), self._account(CASH, "Cash"), self._account(VAT, "Tax", 15),
            self._account(INCOME, "Income Account"), self._account("Round Off - CC", "Round Off"),
        ]  # fmt: skip
        self.tables["Customer Group"] = [{"name": "All", "is_group": 1}, {"name": "Commercial", "is_group": 0}]
        self.tables["Territory"] = [{"name": "Saudi Arabia", "is_group": 0}]

    @staticmethod
    def _account(name: str, kind: str, rate: float = 0.0) -> dict[str, Any]:
        return {"name": name, "account_name": name.removesuffix(" - CC"), "account_type": kind, "tax_rate": rate,
                "is_group": 0, "company": COMPANY}  # fmt: skip

    def connection(self, name: str = "erpnext-1", *, taxpayer_id: str = "t", unit_id: str = "u", **settings: str):
        secrets = {"key": KEY, "secret": self.secret}
        return Connection(name, taxpayer_id, unit_id, "erpnext", self.url, settings=settings, secrets=secrets)

    # -- what a test looks at --

    @property
    def invoices(self) -> list[dict[str, Any]]:
        return self.tables["Sales Invoice"]

    def of(self, doctype: str, invoice: str) -> list[dict[str, Any]]:
        """Payments, comments or files of an invoice."""
        return [each for each in self.tables[doctype] if invoice in _about(each)]

    # -- calls --

    def fault(self, *, done: bool) -> FrappeError:
        return FrappeError(500, "OperationalError" if done else "QueryDeadlockError")

    def call(self, doctype: str, does: str, name: str | None, given: dict[str, Any]) -> Any:
        """The data of the answer."""
        result = self.through(doctype, does, lambda: self._do(doctype, does, name, given))
        time.sleep(self.slow.get((doctype, does), 0))
        return result

    def _do(self, doctype: str, does: str, name: str | None, given: dict[str, Any]) -> Any:
        if doctype not in self.tables:
            raise FrappeError(404, "DoesNotExistError", f"DocType {doctype} not found")
        if error := self.refuse(doctype, does):
            raise error
        if does == "GET":
            return self._list(doctype, given) if name is None else self._row(doctype, name)
        if does == "POST":
            return self._insert(doctype, given)
        row = self._row(doctype, str(name))
        return self._delete(doctype, row) if does == "DELETE" else self._update(doctype, row, given)

    def _row(self, doctype: str, name: str) -> dict[str, Any]:
        for each in self.tables[doctype]:
            if each["name"] == name:
                return each
        raise FrappeError(404, "DoesNotExistError", f"{doctype} {name} not found")

    def _fields(self, doctype: str) -> set[str]:
        ours = {each["fieldname"] for each in self.tables["Custom Field"] if each["dt"] == doctype}
        return {*_STANDARD_FIELDS, *ours}

    def _list(self, doctype: str, given: dict[str, Any]) -> list[dict[str, Any]]:
        fields, filters = (json.loads(given.get(each, "[]")) for each in ("fields", "filters"))
        either = json.loads(given.get("or_filters", "[]"))
        for name in [*fields, *(each[0] for each in [*filters, *either])]:
            if name not in self._fields(doctype):
                raise refused(f"Field not permitted in query: {name}", "DataError")
        found = [each for each in self.tables[doctype] if all(_fits(each, *term) for term in filters)
                 and (not either or any(_fits(each, *term) for term in either))]  # fmt: skip
        return [{name: each.get(name) for name in fields} for each in found[: int(given["limit_page_length"])]]

    def _insert(self, doctype: str, values: dict[str, Any]) -> dict[str, Any]:
        if doctype == "Custom Field" and not self.may_customize:
            raise FrappeError(403, "PermissionError", "No permission for Custom Field")
        self._next += 1
        row = self._known_to(doctype, {**values, "docstatus": 0, "creation": self._next})
        self._unique(doctype, row)
        row["name"] = f"{_DOCTYPES[doctype]}-{self._next:05d}"
        if check := {"Sales Invoice": self._invoice, "Payment Entry": self._payment}.get(doctype):
            check(row)
        self.tables[doctype].append(row)
        return row

    def _known_to(self, doctype: str, values: dict[str, Any]) -> dict[str, Any]:
        """Without fields that it does not have, which Frappe drops without a word."""
        return {name: value for name, value in values.items()
                if not name.startswith("custom_") or name in self._fields(doctype)}  # fmt: skip

    def _unique(self, doctype: str, row: dict[str, Any]) -> None:
        for field in (each for each in self.tables["Custom Field"] if each["dt"] == doctype and each["unique"]):
            name = field["fieldname"]
            if row.get(name) and any(each.get(name) == row[name] for each in self.tables[doctype]):
                raise refused(f"<b>{field['label']}</b> must be unique", "UniqueValidationError")

    def _update(self, doctype: str, row: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
        step = (row.get("docstatus", 0), given.get("docstatus", row.get("docstatus", 0)))
        if step not in ((0, 0), (0, 1), (1, 2)):
            raise refused("Cannot edit a document of this state", "DocstatusTransitionError")
        if doctype == "Payment Entry" and step != (0, 0):
            self._allot(row, 1 if step == (0, 1) else -1)
        if doctype == "Sales Invoice" and step == (1, 2):
            self._refuse_linked(row)
        row.update(self._known_to(doctype, given))
        return row

    def _delete(self, doctype: str, row: dict[str, Any]) -> str:
        if row.get("docstatus") == 1:
            raise refused("Submitted Record cannot be deleted. You must cancel it first.")
        self.tables[doctype].remove(row)
        return "ok"

    # -- invoices --

    def _invoice(self, row: dict[str, Any]) -> None:
        self._links(row)
        sign = -1 if row["is_return"] else 1
        for item in row["items"]:
            if not item.get("item_name") or not item.get("uom"):
                raise refused("Value missing for Sales Invoice Item: Item Name, UOM", "MandatoryError")
            if item["qty"] * sign <= 0:
                raise refused("For an item None, quantity must be of the other sign")
            if item["rate"] < 0:
                raise refused("For item None, rate must be a positive number. To Allow negative rates, enable it")
        items = [_rounded(_exact(each["qty"]) * _exact(each["rate"])) for each in row["items"]]
        net = sum(items, Decimal(0))
        taxes = [_exact(each["tax_amount"]) if each["charge_type"] == "Actual"
                 else _rounded(net * _exact(each["rate"]) / 100) for each in row["taxes"]]  # fmt: skip
        total = net + sum(taxes, Decimal(0)) + self.extra_tax
        row |= {"grand_total": float(total), "outstanding_amount": float(total), "debit_to": "Debtors - CC"}

    def _links(self, row: dict[str, Any]) -> None:
        self._link("Customer", row["customer"])
        for each in row["taxes"]:
            self._link("Account", each["account_head"])
        if against := row.get("return_against"):
            original = self._row("Sales Invoice", against)
            if original["docstatus"] != 1 or original["customer"] != row["customer"]:
                raise refused("Return Against Sales Invoice must be submitted, and of the same customer")

    def _link(self, doctype: str, name: str) -> None:
        if not any(each["name"] == name for each in self.tables[doctype]):
            raise refused(f"Could not find {doctype}: {name}", "LinkValidationError")

    def _refuse_linked(self, row: dict[str, Any]) -> None:
        for each in self.of("Payment Entry", row["name"]):
            if each["docstatus"] == 1:
                raise refused(
                    f"Cannot cancel because it is linked with Payment Entry {each['name']}", "LinkExistsError"
                )

    # -- payments --

    def _payment(self, row: dict[str, Any]) -> None:
        self._link("Account", row["paid_to"] if row["payment_type"] == "Receive" else row["paid_from"])
        if not row.get("reference_no") or not row.get("reference_date"):
            raise refused("Reference No and Reference Date is mandatory for Bank transaction")

    def _allot(self, row: dict[str, Any], sign: int) -> None:
        for each in row["references"]:
            invoice = self._row("Sales Invoice", each["reference_name"])
            rest = _exact(invoice["outstanding_amount"]) - sign * _exact(each["allocated_amount"])
            if sign == 1 and abs(rest) > abs(_exact(invoice["outstanding_amount"])):
                raise refused("Row #1: Allocated Amount cannot be greater than outstanding amount.")
            invoice["outstanding_amount"] = float(rest)

    # -- methods --

    def method(self, name: str) -> Any:
        if name == "frappe.auth.get_logged_user":
            return "gateway@company.example"
        if name == "frappe.utils.change_log.get_versions" and self.tells_apps:
            return {each: {"title": each, "version": "15.0.0"} for each in self.apps}
        raise FrappeError(403, "PermissionError", f"Function {name} is not whitelisted.")

    def upload(self, form: dict[str, str], name: str, content: bytes) -> dict[str, Any]:
        values = {"file_name": name, "content": content, "is_private": form["is_private"],
                  "attached_to_doctype": form["doctype"], "attached_to_name": form["docname"]}  # fmt: skip
        return self.through("File", "POST", lambda: self._insert("File", values))


_DOCTYPES = {"Company": "C", "Account": "A", "Customer Group": "G", "Territory": "T", "Customer": "CUST",
             "Sales Invoice": "ACC-SINV-2026", "Payment Entry": "ACC-PAY-2026", "Comment": "comment", "File": "file",
             "Custom Field": "field"}  # fmt: skip


def _about(row: dict[str, Any]) -> set[Any]:
    return {row.get("reference_name"), row.get("attached_to_name"),
            *(each["reference_name"] for each in row.get("references", ()))}  # fmt: skip


def _exact(amount: Any) -> Decimal:
    return Decimal(str(amount))


def _rounded(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_EVEN)


def _fits(row: dict[str, Any], name: str, operator: str, value: Any) -> bool:
    here = row.get(name)
    match operator:
        case "=":
            return here == value
        case "!=":
            return here != value
        case "in":
            return here in value
        case "like":
            return re.fullmatch(".*".join(map(re.escape, value.split("%"))), str(here), re.DOTALL) is not None
    raise refused(f"Operator {operator}")


class _Handler(BaseHTTPRequestHandler):
    site: ErpNextServer
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    """Headers and body leave together: apart, each answer would wait for an acknowledgement."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            if self.headers["Authorization"] != f"token {KEY}:{self.site.secret}":
                raise FrappeError(401, "AuthenticationError")
            self._json(self._answer_to(body))
        except FrappeError as error:
            self._json(_told(error), error.status)
        except Cut as cut:
            if cut.status:
                self._answer(cut.status, b"<h1>Bad Gateway</h1>", "text/html")
            self.close_connection = True

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _answer_to(self, body: bytes) -> dict[str, Any]:
        address = urlsplit(self.path)
        parts = [unquote(each) for each in address.path.split("/")]
        match parts:
            case ["", "api", "method", "upload_file"]:
                return {"message": self.site.upload(*self._form(body)) and {}}
            case ["", "api", "method", method]:
                return {"message": self.site.method(method)}
            case ["", "api", "resource", doctype, *rest]:
                given = json.loads(body) if body else dict(parse_qsl(address.query))
                return {"data": self.site.call(doctype, self.command, rest[0] if rest else None, given)}
        raise FrappeError(404, "PageDoesNotExistError")

    def _form(self, body: bytes) -> tuple[dict[str, str], str, bytes]:
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        parts = list(BytesParser(policy=HTTP).parsebytes(head + body).iter_parts())
        form = {each.get_param("name", header="content-disposition"): each.get_content().strip()
                for each in parts if not each.get_filename()}  # fmt: skip
        (file,) = [each for each in parts if each.get_filename()]
        return form, file.get_filename(), file.get_payload(decode=True)

    def _json(self, content: Any, status: int = 200) -> None:
        self._answer(status, json.dumps(content, default=str).encode(), "application/json")

    def _answer(self, status: int, body: bytes, media_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def _told(error: FrappeError) -> dict[str, Any]:
    said = json.dumps({"title": "Message", "message": error.message, "indicator": "red", "raise_exception": 1})
    return {
        "exception": f"frappe.exceptions.{error.kind}: {error.message}",
        "exc_type": error.kind,
        "exc": json.dumps([TRACE]),
        **({"_server_messages": json.dumps([said])} if error.message else {}),
    }


@contextmanager
def erpnext_server() -> Iterator[ErpNextServer]:
    """A running one; it ends with the block."""
    site = ErpNextServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"site": site}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    site.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
