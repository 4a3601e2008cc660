"""ERPNext: Sales Invoices and returns over Frappe's REST interface (releases 13 to 16).

Settings: `company` (its name) where the site holds several; `income_account`, `rounding_account` and `cost_center`
where the company's own do not serve; `discount_account` for what is taken off a whole document (the income account if
left out); `tax.S15` (name of an account of the type Tax), others such as `tax.S5` where they have accounts of their
own; `payment.<method>` (name of a bank or cash account) for each way of paying that is to be registered; `customer`
(name) where all is sold to one; `customer_group` and `territory` of new ones; `unit` (Nos); `post_when` (issued or
final). What connecting finds out is added to them.

Secrets: `key` and `secret`, those of a user with the roles of accounts and sales.

A Sales Invoice is ours if it bears the document's UUID in a field that is unique, and so is a payment: an answer that
was lost makes no second one, however late it is done. Errors carry whole tracebacks, of which nothing is repeated.
"""

from collections.abc import Awaitable, Mapping
from decimal import Decimal
from functools import partial
from itertools import count
from types import MappingProxyType
from typing import Any, Final

import httpx2

from gateway.connection import Connection
from gateway.erps import erpnext_books as books
from gateway.erps.erp import Booking, Entered, Entry, File, Inspection, Paid, totals_differ
from gateway.erps.erpnext_invoice import (
    KEY_FIELD,
    NUMBER_FIELD,
    UUID_FIELD,
    customer_values,
    invoice_values,
    payment_key,
    payment_values,
    turned,
)
from gateway.erps.erpnext_rest import ErpNext, Fault, understood
from gateway.errors import BadInput, Conflict, GatewayError, Misconfigured, Unavailable
from gateway.finding import Text
from gateway.invoice.facts import HALALA, SAR, Kind
from gateway.issued import Status

SECRETS: Final = MappingProxyType({"key": "0123456789abcde", "secret": "fedcba987654321"})
SWITCH: Final = Text(
    "In ERPNext disable the ZATCA settings of the company, or uninstall the apps"
    f" {' and '.join(books.APPS)} from the site.",
    f"في ERPNext عطّل إعدادات ZATCA للشركة أو ألغِ تثبيت التطبيقات {' و '.join(books.APPS)} من الموقع.",
)

_INVOICE: Final = "Sales Invoice"
_FIELDS: Final = (
    "docstatus", "grand_total", "outstanding_amount", "company", "customer", "currency", "debit_to", UUID_FIELD,
    NUMBER_FIELD,
)  # fmt: skip
_STATES: Final = (Entered.DRAFT, Entered.POSTED, Entered.CANCELLED)
"""What `docstatus` 0, 1 and 2 stand for."""
_DRAFT, _SUBMITTED, _CANCELLED = range(3)
_STEPS: Final = 6
"""Making, submitting, and looking again after faults."""
_NO_ENTRY_YET: Final = 300.0
"""Seconds until a document that ERPNext ordered itself is looked for again."""
_EXACT_ROWS: Final = Text(
    "Look whether a customization of the site changes its invoices, such as a tax or a rule that is added to each.",
    "تحقق مما إذا كان تخصيص في الموقع يغيّر الفواتير، مثل ضريبة أو قاعدة تضاف إلى كل فاتورة.",
)
_MEANS: Final = {
    Status.REJECTED: "The authority rejected it: it is no invoice until it is corrected. | رفضته الهيئة حتى يُصحَّح.",
    Status.REPLACED: "Another document has taken its place, so this entry is cancelled. | استُبدل بمستند آخر.",
    Status.CLEARED: "The authority cleared it. | اعتمدته الهيئة.",
    Status.REPORTED: "It was reported to the authority. | أُبلغت به الهيئة.",
}


async def issues_itself(connection: Connection, client: httpx2.AsyncClient) -> bool | None:
    """Whether an app of its own issues for the company; Misconfigured (credentials), Unavailable, or BadInput if it
    does not tell."""
    try:
        return await books.issues(ErpNext(connection, client), connection)
    except Fault as fault:
        raise understood(fault, connection, "the question for its apps") from None


async def inspect(connection: Connection, client: httpx2.AsyncClient) -> Inspection:
    """What its settings say of the company's books; BadInput names what is missing there."""
    site = ErpNext(connection, client)
    try:
        await site.method("frappe.auth.get_logged_user")
    except Fault as fault:
        if fault.status == 404:
            raise _no_site(connection) from None
        raise understood(fault, connection, "the login") from None
    try:
        return await books.look_at(site, connection)
    except Fault as fault:
        raise understood(fault, connection, "the look at its settings") from None


async def state(connection: Connection, client: httpx2.AsyncClient, booking: Booking) -> Entry | None:
    """The Sales Invoice of this document."""
    desk = _Desk(connection, ErpNext(connection, client), booking)
    found = await desk.look()
    return desk.entry(found) if found else None


async def post(connection: Connection, client: httpx2.AsyncClient, booking: Booking) -> Entry:
    """The submitted Sales Invoice, made if there is none, its payments registered."""
    desk = _Desk(connection, ErpNext(connection, client), booking)
    if booking.ordered_here:
        return desk.entry(await desk.own_entry())
    return desk.entry(await desk.paid(await desk.posted()))


async def attach(
    connection: Connection, client: httpx2.AsyncClient, booking: Booking, entry: Entry, files: tuple[File, ...]
) -> str:
    """Private files and a comment; the invoice of a document that was replaced is cancelled, its payments first."""
    desk = _Desk(connection, ErpNext(connection, client), booking)
    added = [each.name for each in files if await desk.attached(entry, each)]
    noted = await desk.noted(entry)
    if booking.issued.status is Status.REPLACED and not booking.ordered_here:
        await desk.cancelled()
    return f"invoice {entry.id}: {len(added)} files, {'one comment' if noted else 'no comment'}"


class _Desk:
    """One document and its Sales Invoice. Every fault is followed by a look: what it says did not happen may have."""

    def __init__(self, connection: Connection, site: ErpNext, booking: Booking) -> None:
        self._connection = connection
        self._site = site
        self._booking = booking
        self._issued = booking.issued

    def entry(self, found: Mapping[str, Any]) -> Entry:
        """What is told of a Sales Invoice."""
        name = str(found["name"])
        submitted = found["docstatus"] == _SUBMITTED
        return Entry(
            id=name,
            number=str(found.get(NUMBER_FIELD) or name),
            state=_STATES[int(found["docstatus"])],
            total=self._total(found),
            paid=submitted and not _money(found["outstanding_amount"]),
            url=f"{self._connection.base_url.rstrip('/')}/app/sales-invoice/{name}",
        )

    def _total(self, found: Mapping[str, Any]) -> Decimal:
        return turned(self._booking, _money(found["grand_total"]))

    # -- finding it --

    async def look(self) -> dict[str, Any] | None:
        """The one that bears the document's UUID; of what was ordered here the one that is named as it is."""
        if self._booking.ordered_here:
            found = [each for each in await self._own() if each["docstatus"] != _CANCELLED]
            return found[0] if len(found) == 1 else None
        mine = await self._invoices([[UUID_FIELD, "=", self._issued.uuid]])
        return mine[0] if mine else None

    async def _own(self) -> list[dict[str, Any]]:
        names = sorted({self._booking.order_name, self._issued.order_id, self._issued.number} - {""})
        kind = int(self._issued.kind is Kind.CREDIT_NOTE)
        either = [[field, "in", names] for field in ("name", "po_no")]
        here = [["company", "=", self._connection.settings.get("company", "")], ["is_return", "=", kind]]
        return await self._invoices(here, either)

    async def _invoices(self, filters: list[Any], either: list[Any] | None = None) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self._asked(
            "the search for its entry", self._site.find(_INVOICE, filters, _FIELDS, either=either or ())
        )
        return found

    async def own_entry(self) -> dict[str, Any]:
        """The invoice that ERPNext made of its own order, by its name or the order's."""
        found = await self.look()
        if found is None:
            raise Unavailable(
                f"ERPNext has no invoice yet of {self._issued.number} (order {self._booking.order_name}).",
                retry_after=_NO_ENTRY_YET,
                ar=f"لا توجد في ERPNext بعد فاتورة للطلب {self._booking.order_name}.",
            )
        return found

    # -- posting it --

    async def posted(self) -> dict[str, Any]:
        """The submitted Sales Invoice, step by step, each begun by a look."""
        trouble: GatewayError | None = None
        before: int | None = -1
        for _ in range(_STEPS):
            found = await self.look()
            now = None if found is None else int(found["docstatus"])
            if found and now == _SUBMITTED:
                return self._equal(found)
            if trouble and now == before:
                raise trouble
            if now == _CANCELLED:
                raise self._was_cancelled()
            before = now
            trouble = await self._tried(self._create() if found is None else self._submit(found))
        raise trouble or Unavailable(f"ERPNext does not submit {self._issued.number}.")

    async def _tried(self, step: Awaitable[Any]) -> GatewayError | None:
        """What ERPNext says went wrong, which may not be so."""
        try:
            await step
        except Fault as fault:
            return understood(fault, self._connection, f"the entry of {self._issued.number}")
        return None

    async def _create(self) -> None:
        await self._refuse_taken_number()
        accounts = books.accounts_of(self._connection)
        await self._site.create(_INVOICE, invoice_values(self._booking, accounts, await self._customer()))

    async def _refuse_taken_number(self) -> None:
        """A cancelled one may have borne the number, for its document was replaced."""
        number = self._issued.number
        same = await self._invoices([[NUMBER_FIELD, "=", number], ["docstatus", "!=", _CANCELLED]])
        if others := [str(each["name"]) for each in same if each[UUID_FIELD] != self._issued.uuid]:
            raise Conflict(
                f"ERPNext has another invoice of the number {number} ({others[0]}), which is of another document.",
                fix="Give that one another number, or set the posting aside if it is the same sale.",
                ar=f"توجد في ERPNext فاتورة أخرى بالرقم {number} ({others[0]}). غيّر رقمها أو استبعد الترحيل.",
            )

    async def _submit(self, found: Mapping[str, Any]) -> None:
        name, total = str(found["name"]), self._total(found)
        if total != self._issued.total:
            await self._asked("the removal of a draft", self._site.delete(_INVOICE, name))
            raise totals_differ(self._booking, total, why=_EXACT_ROWS)
        await self._site.change(_INVOICE, name, docstatus=_SUBMITTED)

    def _equal(self, found: dict[str, Any]) -> dict[str, Any]:
        if (total := self._total(found)) != self._issued.total:
            number = self._issued.number
            raise BadInput(
                f"{number} comes to {self._issued.total:.2f}, its submitted entry in ERPNext to {total:.2f}: somebody"
                " has changed it there.",
                fix="Correct the entry in ERPNext, then have it looked at again.",
                ar=f"إجمالي المستند {number} هو {self._issued.total:.2f} بينما قيده في ERPNext {total:.2f}. صحح"
                " القيد ثم أعد المحاولة.",
            )
        return found

    def _was_cancelled(self) -> BadInput:
        number = self._issued.number
        return BadInput(
            f"The entry of {number} was cancelled in ERPNext.",
            fix="Set the posting aside; if it was amended there, the amended invoice stands in its place.",
            ar=f"أُلغي قيد المستند {number} في ERPNext. استبعد الترحيل إن حلّ محله قيد معدّل.",
        )

    async def _customer(self) -> str:
        """The buyer's record: found by our key and brought up to date, or made."""
        settings = self._connection.settings
        if chosen := settings.get("customer"):
            return chosen
        values = customer_values(self._booking)
        known = await self._site.find("Customer", [[KEY_FIELD, "=", values[KEY_FIELD]]], list(values))
        if not known:
            kind = "Company" if "tax_id" in values else "Individual"
            groups = {name: settings[name] for name in ("customer_group", "territory") if settings.get(name)}
            return str((await self._site.create("Customer", {**values, "customer_type": kind, **groups}))["name"])
        name = str(known[0]["name"])
        if any(known[0].get(field) != value for field, value in values.items()):
            await self._site.change("Customer", name, **values)
        return name

    # -- what was paid --

    async def paid(self, found: dict[str, Any]) -> dict[str, Any]:
        """Register the payments that are not there yet, each in the account of its method. Where people registered
        some themselves, or the money is foreign, that is left to them."""
        settings = self._connection.settings
        accounts = (settings.get(f"{books.PAYMENT}{each.method}", "") for each in self._booking.payments)
        wanted = [each for each in zip(count(1), self._booking.payments, accounts, strict=False) if each[2]]
        is_open = _money(found["outstanding_amount"]) != 0
        if not wanted or not is_open or found["currency"] != settings.get("currency", SAR):
            return found
        known = await self._asked("the search for accounts", books.money_accounts(self._site, found["company"]))
        for number, payment, account in wanted:
            if account not in known:
                raise _no_account(payment.method, account)
            await self._registered(found, number, payment, account)
        return (await self._invoices([["name", "=", found["name"]]]))[0]

    async def _registered(self, found: Mapping[str, Any], number: int, paid: Paid, account: str) -> None:
        """One payment, step by step as the invoice."""
        trouble: GatewayError | None = None
        before: int | None = -1
        for _ in range(_STEPS):
            entry = await self._payment(number)
            now = None if entry is None else int(entry["docstatus"])
            if now in (_SUBMITTED, _CANCELLED):
                return
            if trouble and now == before:
                raise trouble
            if entry is None and not await self._is_open(found, number):
                return
            before = now
            trouble = await self._tried(
                self._site.change("Payment Entry", str(entry["name"]), docstatus=_SUBMITTED)
                if entry
                else self._site.create("Payment Entry", payment_values(self._booking, number, paid, account, found))
            )
        if trouble:
            raise trouble

    async def _payment(self, number: int) -> dict[str, Any] | None:
        mark = [[KEY_FIELD, "=", payment_key(self._booking, number)]]
        asked = self._site.find("Payment Entry", mark, ["docstatus", "paid_amount"])
        entries = await self._asked("the search for a payment", asked)
        return dict(entries[0]) if entries else None

    async def _is_open(self, found: Mapping[str, Any], number: int) -> bool:
        """Whether nothing but our own earlier payments is paid, and this one is not more than the rest."""
        ours = [await self._payment(earlier) for earlier in range(1, number)]
        before = sum(
            (_money(each["paid_amount"]) for each in ours if each and each["docstatus"] == _SUBMITTED), Decimal()
        )
        (now,) = await self._invoices([["name", "=", found["name"]]])
        due, rest = turned(self._booking, _money(now["outstanding_amount"])), self._issued.total - before
        return due == rest and self._booking.payments[number - 1].amount <= rest

    # -- what belongs to it --

    async def attached(self, entry: Entry, file: File) -> bool:
        """Whether the file had to be attached: it is not there yet. A site may add letters to a name that it has."""
        here = [["attached_to_doctype", "=", _INVOICE], ["attached_to_name", "=", entry.id]]
        stem, _, ending = file.name.rpartition(".")
        for each in await self._asked("the list of files", self._site.find("File", here, ["file_name"])):
            there = str(each.get("file_name"))
            if there.startswith(stem) and there.endswith(f".{ending}"):
                return False
        await self._asked("a file", self._site.upload(_INVOICE, entry.id, file))
        return True

    async def noted(self, entry: Entry) -> bool:
        """Whether the status had to be written: no comment says it yet."""
        issued = self._issued
        mark = f"{issued.uuid}/{issued.status.value}"
        where = {"reference_doctype": _INVOICE, "reference_name": entry.id}
        here = [*([name, "=", value] for name, value in where.items()), ["content", "like", f"%{mark}%"]]
        if await self._asked("the list of comments", self._site.find("Comment", here, [])):
            return False
        content = f"ZATCA: {issued.number} is {issued.status.value}. {_MEANS.get(issued.status, '')} ({mark})"
        values = {"comment_type": "Comment", **where, "content": content}
        await self._asked("a comment", self._site.create("Comment", values))
        return True

    async def cancelled(self) -> None:
        """Take our invoice out of the books, after the payments that are allotted to it."""
        for number in range(1, len(self._booking.payments) + 1):
            await self._out("Payment Entry", partial(self._payment, number))
        await self._out(_INVOICE, self.look)

    async def _out(self, doctype: str, look: Any) -> None:
        """A draft is removed, what was submitted is cancelled."""
        for _ in range(_STEPS):
            found = await look()
            if found is None or found["docstatus"] == _CANCELLED:
                return
            name, is_draft = str(found["name"]), found["docstatus"] == _DRAFT
            trouble = await self._tried(
                self._site.delete(doctype, name) if is_draft else self._site.change(doctype, name, docstatus=_CANCELLED)
            )
            if trouble and await look() == found:
                raise trouble

    async def _asked(self, what: str, call: Awaitable[Any]) -> Any:
        try:
            return await call
        except Fault as fault:
            raise understood(fault, self._connection, f"{what} of {self._issued.number}") from None


def _money(amount: Any) -> Decimal:
    """An amount as ERPNext gives it: a double of two decimals."""
    return Decimal(str(amount or 0)).quantize(HALALA)


def _no_site(connection: Connection) -> Misconfigured:
    return Misconfigured(
        f"No ERPNext answers at the address of connection {connection.id}.",
        fix="Give --url as people open it, such as https://company.erpnext.com, without a path.",
        ar="لا يوجد خادم ERPNext في هذا العنوان. أدخل العنوان كما يُفتح في المتصفح.",
    )


def _no_account(method: str, account: str) -> BadInput:
    return BadInput(
        f"ERPNext has no bank or cash account {account} for payments by {method}.",
        fix=f"Give the setting '{books.PAYMENT}{method}' the name of one, or leave it out.",
        ar=f"لا يوجد في ERPNext حساب بنك أو نقد بالاسم {account} لطريقة الدفع {method}.",
    )
