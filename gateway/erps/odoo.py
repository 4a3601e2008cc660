"""Odoo: customer invoices and refunds over XML-RPC, JSON-RPC (releases up to 18) or JSON-2 (from 19 on).

Settings: `database`; `company` (id) where it holds several; `journal` (code of the sales journal, best one of its own);
`account` and `rounding_account` (codes) where the journal's own do not serve; `tax.S15`, `tax.S5`, `tax.Z0`, `tax.E0`,
`tax.O0` (id or name) where the names of Odoo's taxes do not tell; `customer` (id) where all is sold to one partner;
`payment.<method>` (code of a bank or cash journal) for each way of paying that is to be registered, such as
`payment.card`; `post_when` (issued or final); `protocol` (jsonrpc, xmlrpc or json2) where the one chosen by itself is
not wanted. What connecting finds out is added to them.

Secrets: `login`, and `key` (an API key or the password) of a user who may bill; of Odoo 19 the key alone.

A move is ours if it bears the document's UUID as its reference; its number makes a second posted one impossible. Fields
of Odoo's own e-invoicing (l10n_sa_...) are never written. Odoo's faults carry whole tracebacks, so only their kind is
repeated, and what it says to people.
"""

import base64
from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import httpx2

from gateway.connection import Connection
from gateway.erps import odoo_books as books
from gateway.erps.erp import Booking, Entered, Entry, File, Inspection, totals_differ
from gateway.erps.odoo_move import may_lack, move_type, move_values, partner_of
from gateway.erps.odoo_rpc import Fault, Odoo, understood
from gateway.erps.pieces import tax_name
from gateway.errors import BadInput, Conflict, GatewayError, Unavailable
from gateway.finding import Text
from gateway.invoice.facts import HALALA, RIYADH, ZERO, Tax
from gateway.issued import Status

MODULE: Final = "l10n_sa_edi"
"""Odoo's own e-invoicing for Saudi Arabia."""
SECRETS: Final = MappingProxyType(
    {"login": "gateway@company.example", "key": "0123456789abcdef0123456789abcdef01234567"}
)
SWITCH: Final = Text(
    f"In Odoo take the ZATCA format off the sales journals, or uninstall the module {MODULE}.",
    f"في أودو أزل صيغة الفوترة الإلكترونية (ZATCA) من دفاتر المبيعات أو ألغِ تثبيت الوحدة {MODULE}.",
)

_FIELDS: Final = ("name", "ref", "state", "move_type", "amount_total", "amount_residual", "payment_state")
_FIELDS_OF_MODULE: Final = ("l10n_sa_chain_index", "l10n_sa_edi_document_id", "l10n_sa_edi_log_ids")
"""Of the releases up to 18, and of those after."""
_STEPS: Final = 6
"""Making, posting, and looking again after faults; a move that is not posted then will not be."""
_NO_ENTRY_YET: Final = 300.0
"""Seconds until a document that Odoo ordered itself is looked for again."""
_PAID: Final = frozenset({"paid", "in_payment", "reversed"})
_ROUND_GLOBALLY: Final = Text(
    "Look at Odoo's taxes, and set the company's Rounding Method to Round Globally.",
    "راجع الضرائب في أودو واجعل طريقة التقريب في الشركة «إجمالية» (Round Globally).",
)


async def issues_itself(connection: Connection, client: httpx2.AsyncClient) -> bool:
    """Whether any sales journal issues by Odoo's own module; Misconfigured (credentials), Unavailable, or BadInput if
    Odoo does not tell."""
    odoo = await Odoo.open(connection, client)
    try:
        return await _is_installed(odoo) and await books.issues(odoo)
    except Fault as fault:
        raise BadInput(f"Odoo refuses the question ({fault.kind}).") from None


async def _is_installed(odoo: Odoo) -> bool:
    """By the list of modules, or for users who may not see it by the fields that the module gives to invoices."""
    installed = [["name", "=", MODULE], ["state", "in", ["installed", "to upgrade"]]]
    try:
        return await odoo.count("ir.module.module", installed) > 0
    except Fault as fault:
        if not fault.is_of_rights:
            raise
    fields = await odoo.call("account.move", "fields_get", attributes=["type"])
    return any(name in fields for name in _FIELDS_OF_MODULE)


async def inspect(connection: Connection, client: httpx2.AsyncClient) -> Inspection:
    """What its settings say of the company's books; BadInput names what is missing there."""
    odoo = await Odoo.open(connection, client)
    try:
        return await books.look_at(odoo, connection)
    except Fault as fault:
        raise understood(fault, connection, "the look at its settings") from None


async def state(connection: Connection, client: httpx2.AsyncClient, booking: Booking) -> Entry | None:
    """The move of this document."""
    desk = await _desk(connection, client, booking)
    found = await desk.look()
    return desk.entry(found.move) if found.move else None


async def post(connection: Connection, client: httpx2.AsyncClient, booking: Booking) -> Entry:
    """The posted move, made if there is none, its payments registered."""
    desk = await _desk(connection, client, booking)
    if booking.ordered_here:
        return await desk.own_entry()
    move = await desk.posted()
    return desk.entry(await desk.paid(move))


async def attach(
    connection: Connection, client: httpx2.AsyncClient, booking: Booking, entry: Entry, files: tuple[File, ...]
) -> str:
    """Files and a note in the chatter; the move of a document that was replaced is cancelled."""
    desk = await _desk(connection, client, booking)
    added = [each.name for each in files if await desk.attached(entry, each)]
    noted = await desk.noted(entry)
    if not booking.ordered_here:
        await desk.tidied()
    if booking.issued.status is Status.REPLACED and not booking.ordered_here:
        await desk.cancelled()
    return f"move {entry.id} {entry.number}: {len(added)} files, {'one note' if noted else 'no note'}"


async def _desk(connection: Connection, client: httpx2.AsyncClient, booking: Booking) -> "_Desk":
    return _Desk(connection, await Odoo.open(connection, client), booking)


class _Found(NamedTuple):
    """The move of a document, drafts of the same that came of answers that were lost, and one that is posted under its
    number without being ours."""

    move: dict[str, Any] | None
    stray: tuple[int, ...] = ()
    other: int | None = None


class _Desk:
    """One document and its move. Every fault is followed by a look: what it says did not happen may have happened."""

    def __init__(self, connection: Connection, odoo: Odoo, booking: Booking) -> None:
        self._connection = connection
        self._odoo = odoo
        self._booking = booking
        self._issued = booking.issued

    def entry(self, move: Mapping[str, Any]) -> Entry:
        """What is told of a move."""
        number = str(move["id"])
        base = self._connection.base_url.rstrip("/")
        return Entry(
            id=number,
            number=str(move["name"] or ""),
            state={"posted": Entered.POSTED, "cancel": Entered.CANCELLED}.get(str(move["state"]), Entered.DRAFT),
            total=_money(move["amount_total"]),
            paid=move.get("payment_state") in _PAID,
            url=f"{base}/web#id={number}&model=account.move&view_type=form",
        )

    # -- finding it --

    async def look(self) -> _Found:
        """What there is that bears the document's UUID, or its number."""
        number, uuid = self._issued.number, self._issued.uuid
        moves = await self._moves([*self._kinds(), "|", ["ref", "=", uuid], ["name", "=", number]])
        if self._booking.ordered_here:
            return _Found(next((each for each in moves if each["state"] != "cancel"), None))
        ours = [each for each in moves if each["ref"] == uuid]
        other = next((each["id"] for each in moves if each["ref"] != uuid and each["state"] == "posted"), None)
        ours.sort(key=lambda each: (["posted", "draft", "cancel"].index(each["state"]), each["id"]))
        stray = tuple(each["id"] for each in ours[1:] if each["state"] == "draft")
        return _Found(ours[0] if ours else None, stray, other)

    async def _moves(self, domain: Sequence[Any]) -> list[dict[str, Any]]:
        company = [["company_id", "=", self._odoo.company]] if self._odoo.company else []
        found: list[dict[str, Any]] = await self._asked(
            "the search for its entry", self._odoo.find("account.move", [*company, *domain], _FIELDS)
        )
        return found

    def _kinds(self) -> list[Any]:
        return [["move_type", "=", move_type(self._issued.kind)]]

    def _taken(self, other: int) -> Conflict:
        number = self._issued.number
        return Conflict(
            f"Odoo has another invoice of the number {number} (id {other}), which is not the gateway's.",
            fix="Give that one another number, or set the posting aside if it is the same sale entered by hand.",
            ar=f"توجد في أودو فاتورة أخرى بالرقم {number}. غيّر رقمها، أو استبعد القيد إن كانت الفاتورة نفسها أُدخلت"
            " يدويًا.",
        )

    async def own_entry(self) -> Entry:
        """The invoice that Odoo made of its own order: by the number that it gave, else by the order's name."""
        found = (await self.look()).move
        if found is None:
            names = sorted({self._booking.order_name, self._issued.order_id})
            domain = [
                *self._kinds(),
                ["state", "!=", "cancel"],
                "|",
                ["name", "in", names],
                ["invoice_origin", "in", names],
            ]
            moves = await self._moves(domain)
            found = moves[0] if len(moves) == 1 else None
        if found is None:
            raise Unavailable(
                f"Odoo has no invoice yet of {self._issued.number} (order {self._booking.order_name}).",
                retry_after=_NO_ENTRY_YET,
                ar=f"لا توجد في أودو بعد فاتورة للطلب {self._booking.order_name}.",
            )
        return self.entry(found)

    # -- posting it --

    async def posted(self) -> dict[str, Any]:
        """The posted move, step by step, each begun by a look."""
        trouble: GatewayError | None = None
        before: str | None = None
        for _ in range(_STEPS):
            found = await self.look()
            if found.stray:
                await self._removed(found.stray)
            move = found.move
            if move and move["state"] == "posted":
                return self._equal(move)
            now = move["state"] if move else "none"
            if found.other is not None:
                raise self._taken(found.other)
            if trouble and now == before:
                raise trouble
            if now == "cancel":
                raise self._was_cancelled()
            before, trouble = now, await self._tried(self._create() if move is None else self._post(move))
        raise trouble or Unavailable(f"Odoo does not post {self._issued.number}.")

    async def _tried(self, step: Any) -> GatewayError | None:
        """What Odoo says went wrong, which may not be so."""
        try:
            await step
        except Fault as fault:
            return understood(fault, self._connection, f"the entry of {self._issued.number}")
        return None

    async def _create(self) -> None:
        partner = await self._partner()
        accounts = books.accounts_of(self._connection)
        taxes = await self._taxes()
        values = move_values(self._booking, accounts, lambda tax: taxes[tax], partner)
        currency = await self._currency()
        await self._odoo.create("account.move", values | ({"currency_id": currency} if currency else {}))

    async def _post(self, move: Mapping[str, Any]) -> None:
        total = _money(move["amount_total"])
        if total != self._issued.total:
            await self._removed((move["id"],))
            raise totals_differ(self._booking, total, why=_ROUND_GLOBALLY)
        if move["name"] != self._issued.number:
            await self._odoo.call(
                "account.move", "write", ids=[move["id"]], first={"vals": {"name": self._issued.number}}
            )
        await self._odoo.call("account.move", "action_post", ids=[move["id"]])

    def _equal(self, move: dict[str, Any]) -> dict[str, Any]:
        """A posted move can be changed in Odoo: what it says now has to be what the document says."""
        total = _money(move["amount_total"])
        if total != self._issued.total:
            number = self._issued.number
            raise BadInput(
                f"{number} comes to {self._issued.total:.2f}, its posted entry in Odoo to {total:.2f}: somebody has"
                " changed it there.",
                fix="Correct the entry in Odoo, then have it looked at again.",
                ar=f"إجمالي المستند {number} هو {self._issued.total:.2f} بينما قيده المرحّل في أودو {total:.2f}."
                " صحح القيد في أودو ثم أعد المحاولة.",
            )
        return move

    async def tidied(self) -> None:
        """A draft that a lost call made later than it was waited for is removed; there may be none by now."""
        if stray := (await self.look()).stray:
            await self._removed(stray)

    async def _removed(self, drafts: Sequence[int]) -> None:
        """Drafts of ours that are not to be posted."""
        await self._asked("the removal of a draft", self._odoo.call("account.move", "unlink", ids=drafts))

    def _was_cancelled(self) -> BadInput:
        number = self._issued.number
        return BadInput(
            f"The entry of {number} was cancelled in Odoo.",
            fix="Set it to draft again there, or set the posting aside.",
            ar=f"أُلغي قيد المستند {number} في أودو. أعده إلى مسودة أو استبعد الترحيل.",
        )

    async def _partner(self) -> int:
        """The buyer's record: found by our key and brought up to date, or made."""
        if books.is_id(chosen := self._connection.settings.get("customer", "")):
            return int(chosen)
        key, values = partner_of(self._booking)
        fields = ["id", *values]
        loaded = await self._odoo.call("res.partner", "load", fields=fields, data=[[key, *values.values()]])
        ids = loaded.get("ids") if isinstance(loaded, dict) else None
        if not (isinstance(ids, list) and ids and isinstance(ids[0], int)):
            raise BadInput(
                f"Odoo does not take the buyer {values['name']}.",
                fix="Look at the buyer's VAT number and address, which Odoo checks by its own rules, and whether the"
                " connection's user may create contacts (Extra Rights, Contact Creation).",
                ar=f"رفض أودو بيانات المشتري {values['name']}. راجع رقمه الضريبي وعنوانه، وصلاحية مستخدم الربط في"
                " إنشاء جهات الاتصال.",
            )
        return ids[0]

    async def _taxes(self) -> dict[Tax, list[int]]:
        """Odoo's taxes for those of the document; BadInput names one that is missing."""
        invoice = self._booking.invoice
        found = {}
        for tax in dict.fromkeys([*(each.tax for each in invoice.vat_groups), *(d.tax for d in invoice.deductions)]):
            known = self._connection.settings.get(tax_name(tax), "")
            number = int(known) if known.isdecimal() else await books.tax_in(self._odoo, tax, self._connection)
            if number is None and not may_lack(tax):
                raise books.no_tax(tax, self._connection)
            found[tax] = [number] if number is not None else []
        return found

    async def _currency(self) -> int:
        """The id of a foreign currency, 0 of the company's own; BadInput if it is not switched on."""
        name = self._issued.currency
        if books.is_domestic(name, self._connection):
            return 0
        found = await self._odoo.find("res.currency", [["name", "=", name]], ["name"])
        if not found:
            raise BadInput(
                f"The currency {name} is not active in Odoo.",
                fix="Activate it: Accounting, Configuration, Currencies.",
                ar=f"العملة {name} غير مفعلة في أودو. فعّلها من إعدادات المحاسبة.",
            )
        return int(found[0]["id"])

    # -- what was paid --

    async def paid(self, move: dict[str, Any]) -> dict[str, Any]:
        """Register the payments that the move does not show yet, each in the journal of its method. What is still open
        says how many those are: an answer that was lost is not repeated."""
        settings, due = self._connection.settings, self._issued.total
        wanted = [(each, settings[f"{books.PAYMENT}{each.method}"]) for each in self._booking.payments
                  if settings.get(f"{books.PAYMENT}{each.method}")]  # fmt: skip
        if not wanted:
            return move
        journals = await self._asked("the search for journals", books.payment_journals(self._odoo))
        for payment, code in wanted:
            if code not in journals:
                raise _no_journal(payment.method, code)
            if _money(move["amount_residual"]) == due and payment.amount <= due:
                trouble = await self._tried(self._register(move["id"], journals[code], payment.amount))
                move = (await self._moves([["id", "=", move["id"]]]))[0]
                if trouble and _money(move["amount_residual"]) == due:
                    raise trouble
            due -= payment.amount
        return move

    async def _register(self, move: int, journal: int, amount: Decimal) -> None:
        context = {"active_model": "account.move", "active_ids": [move]}
        day = self._issued.issued_at.astimezone(RIYADH).date().isoformat()
        values = {"journal_id": journal, "payment_date": day, "amount": amount}
        wizard = await self._odoo.create("account.payment.register", values, context=context)
        await self._odoo.call("account.payment.register", "action_create_payments", ids=[wizard], context=context)

    # -- what belongs to it --

    async def attached(self, entry: Entry, file: File) -> bool:
        """Whether the file had to be attached: it is not there yet."""
        here = [["res_model", "=", "account.move"], ["res_id", "=", int(entry.id)], ["name", "=", file.name]]
        there = await self._asked("the list of attachments", self._odoo.find("ir.attachment", here, ["name"]))
        if there:
            return False
        values = {
            "name": file.name,
            "type": "binary",
            "datas": base64.b64encode(file.content).decode(),
            "mimetype": file.media_type,
            "res_model": "account.move",
            "res_id": int(entry.id),
        }
        await self._asked("an attachment", self._odoo.create("ir.attachment", values))
        return True

    async def noted(self, entry: Entry) -> bool:
        """Whether the status had to be written: no note says it yet."""
        issued = self._issued
        mark = f"{issued.uuid}/{issued.status.value}"
        here = [["model", "=", "account.move"], ["res_id", "=", int(entry.id)], ["body", "ilike", mark]]
        if await self._asked("the list of notes", self._odoo.find("mail.message", here, ["date"])):
            return False
        body = f"ZATCA: {issued.number} is {issued.status.value}. {_MEANS.get(issued.status, '')} ({mark})"
        post = self._odoo.call(
            "account.move",
            "message_post",
            ids=[int(entry.id)],
            body=body,
            message_type="comment",
            subtype_xmlid="mail.mt_note",
        )
        await self._asked("a note", post)
        return True

    async def cancelled(self) -> None:
        """Take our move out of the books, step by step as Odoo does."""
        for _ in range(_STEPS):
            move = (await self.look()).move
            if move is None or move["state"] == "cancel":
                return
            step = "button_draft" if move["state"] == "posted" else "button_cancel"
            trouble = await self._tried(self._odoo.call("account.move", step, ids=[move["id"]]))
            if trouble and (await self.look()).move == move:
                raise trouble

    async def _asked(self, what: str, call: Any) -> Any:
        try:
            return await call
        except Fault as fault:
            raise understood(fault, self._connection, f"{what} of {self._issued.number}") from None


_MEANS: Final = {
    Status.REJECTED: "The authority rejected it: it is no invoice until it is corrected. | رفضته الهيئة حتى يُصحَّح.",
    Status.REPLACED: "Another document has taken its place, so this entry is cancelled. | استُبدل بمستند آخر.",
    Status.CLEARED: "The authority cleared it. | اعتمدته الهيئة.",
    Status.REPORTED: "It was reported to the authority. | أُبلغت به الهيئة.",
}


def _no_journal(method: str, code: str) -> BadInput:
    return BadInput(
        f"Odoo has no bank or cash journal {code} for payments by {method}.",
        fix=f"Give the setting '{books.PAYMENT}{method}' the code of one, or leave it out.",
        ar=f"لا يوجد في أودو دفتر بنك أو نقد بالرمز {code} لطريقة الدفع {method}.",
    )


def _money(amount: Any) -> Decimal:
    """An amount as Odoo gives it: a double of two decimals."""
    return Decimal(str(amount or ZERO)).quantize(HALALA)
