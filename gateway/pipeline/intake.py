"""A shop's hint becomes an issued order: verify, keep, fetch, map, issue; or quarantine with the reason.

The hint itself is never the truth: whatever it says, the order is fetched and that is what is issued.
"""

import asyncio
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from gateway import stores
from gateway.connection import Connection
from gateway.errors import (
    BadInput,
    Conflict,
    DoesNotClose,
    GatewayError,
    NotCompliant,
    Throttled,
    Unavailable,
    Unknown,
)
from gateway.finding import Text
from gateway.invoice.facts import Kind
from gateway.invoice.policy import Edits, read_policy
from gateway.issued import Issued, Status
from gateway.ledger import DueNotice, NoticeState
from gateway.order import Order, Reason, Refund, read_order
from gateway.pipeline.credentials import connection_with_secrets, keep_secrets, ready
from gateway.pipeline.gateway import Gateway, Lines
from gateway.pipeline.issue import Request, correct, issue
from gateway.pipeline.notes import NoteRequest, amend, credit, growth, left_of
from gateway.stores import State
from gateway.stores.store import Summing

log = structlog.get_logger()

# When a sale is issued, unless the connection says otherwise: when it is paid.
_ISSUE_WHEN: Final = "paid,fulfilled"
_FINDINGS_SHOWN: Final = 5
PING: Final = "ping"
"""The topic of notices that only try the address and prove nothing."""
LONGEST_FETCH: Final = 150.0
"""Seconds for all exchanges about one order: well within a worker's lease, after which another takes over."""
OLDER: Final = Text("The order is older than this connection.", "الطلب أقدم من تاريخ بدء الإصدار لهذا الربط.")
_DELETED: Final = Text("The order was deleted before it was issued.", "حُذف الطلب قبل إصدار فاتورته.")
_NAMES_NO_ORDER: Final = Text("The notice is the shop's but names no order.", "الإشعار من المتجر لكنه لا يذكر طلباً.")
_UNDONE_WHOLLY: Final = frozenset({State.CANCELLED, State.REFUNDED, State.DELETED})
_UNDONE: Final = _UNDONE_WHOLLY | {State.REFUNDED_PART}
_CANCELLED: Final = Refund(id="cancellation", everything=True, reason=Reason(code="cancellation"))
"""What is left of a sale that was undone."""


def take_in(gateway: Gateway, connection_id: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Keep a webhook delivery for the worker. True if it names an order; Unauthorised if it is not the shop's."""
    found = gateway.ledger.any_connection(connection_id)
    if found is None or found.platform not in stores.STORES:
        raise Unknown(
            f"There is no shop connection {connection_id}.",
            fix="Check the address the shop sends its webhooks to; `gateway connect` makes connections.",
        )
    connection = connection_with_secrets(gateway, found.taxpayer_id, connection_id)
    notice = stores.store_of(connection.platform).verify(connection, headers, body)
    if notice.secrets:
        keep_secrets(gateway, connection, notice.secrets)
        gateway.ledger.end_turn(connection.id)  # whatever became of the former ones
    if notice.order_id is None and notice.topic == PING:
        return False
    gateway.ledger.add_notice(
        connection.taxpayer_id,
        connection.id,
        topic=notice.topic.replace("\0", ""),
        order_id=notice.order_id or "",
        # A shop that gives its deliveries no id may send the same bytes again only as a repeat.
        delivery_id=notice.delivery_id or hashlib.sha256(body).hexdigest(),
        body=b"" if notice.secrets else body,
        now=gateway.now(),
        nothing_in_it=None if notice.order_id else _NAMES_NO_ORDER._asdict(),
    )
    return notice.order_id is not None


async def follow(gateway: Gateway, lines: Lines, notice: DueNotice, again: timedelta) -> None:
    """Fetch the order a hint speaks of and issue it, if it is due; say in the ledger what became of the hint."""
    looked_at, seen = gateway.now(), _Seen()
    next_at: datetime | None = None
    try:
        state, reason = await _follow(gateway, lines, notice, seen)
        said = reason._asdict()
    except Unavailable as error:
        state, said = NoticeState.DUE, told(error)
        next_at = gateway.now() + max(again, timedelta(seconds=error.retry_after))
        if isinstance(error, Throttled):
            await gateway.offload(gateway.ledger.leave_alone, notice.connection_id, until=next_at)
    except (BadInput, Conflict) as error:
        state, said = NoticeState.QUARANTINED, told(error)
    except GatewayError as error:
        state, said = NoticeState.FAILED, told(error)
    await gateway.offload(
        gateway.ledger.end_notice,
        notice.id,
        state=state,
        reason=said,
        next_at=next_at,
        now=gateway.now(),
        looked_at=looked_at,
        payload=seen.payload if state is NoticeState.QUARANTINED else None,
    )


class _Seen:
    """The order as the shop gave it, once it did."""

    payload: bytes | None = None


async def _follow(gateway: Gateway, lines: Lines, notice: DueNotice, seen: _Seen) -> tuple[NoticeState, Text]:
    connection = await ready(gateway, lines, notice.taxpayer_id, notice.connection_id)
    store = stores.store_of(connection.platform)
    try:
        async with asyncio.timeout(LONGEST_FETCH):
            with _quarantining(notice):
                raw = await store.fetch(connection, lines.outside, notice.order_id)
    except Unknown:
        if await gateway.offload(_invoice, gateway, connection, notice.order_id) or not notice.topic.endswith(
            "deleted"
        ):
            raise
        return NoticeState.IGNORED, _DELETED
    except TimeoutError:
        raise Unavailable(f"The shop of connection {connection.id} takes too long.", retry_after=60.0) from None
    seen.payload = dumped(raw)
    with _quarantining(notice):
        state = store.state(connection, raw)
    invoiced = await gateway.offload(_invoice, gateway, connection, notice.order_id)
    if invoiced is None and not is_due(connection, state):
        return not_due(connection, state)
    with _quarantining(notice):
        order = store.map(connection, raw).order
    if is_older(connection, order):
        return NoticeState.IGNORED, OLDER
    return await gateway.offload(_keep_pace, gateway, connection, order, state, invoiced)


@contextmanager
def _quarantining(notice: DueNotice) -> Iterator[None]:
    """What nobody thought of in a shop's order is for a person too: tried again and again, it would be seen by none."""
    try:
        yield
    except (GatewayError, TimeoutError):
        raise
    except Exception as error:
        log.exception("order_unreadable", connection=notice.connection_id, order=notice.order_id)
        raise BadInput(
            f"This order of the shop cannot be read here ({type(error).__name__}).",
            fix="Look in the shop for what is unusual about it. It can be sent through the API meanwhile; the log says"
            " more.",
            ar="تعذرت قراءة هذا الطلب. راجع ما هو غير معتاد فيه في المتجر، أو أرسله عبر الواجهة البرمجية.",
        ) from error


def is_older(connection: Connection, order: Order) -> bool:
    """Whether a sale is from before the connection issues."""
    return connection.cutover is not None and order.placed_at < connection.cutover


def dumped(raw: Mapping[str, Any]) -> bytes:
    """What a shop gave, with its numbers as exact as they came."""
    return json.dumps(raw, ensure_ascii=False, default=str).encode()


def _invoice(gateway: Gateway, connection: Connection, order_id: str) -> Issued | None:
    """The order's current invoice."""
    return gateway.ledger.sale_document(connection.taxpayer_id, connection.id, f"order:{order_id}", Kind.INVOICE)


def _keep_pace(
    gateway: Gateway, connection: Connection, order: Order, state: State, invoiced: Issued | None
) -> tuple[NoticeState, Text]:
    """The documents of an order as it stands now: its invoice, and a credit note for each refund. A sale that was
    undone is given back as far as its refunds have not."""
    actor = f"shop:{connection.id}"
    wanted = Request(connection.taxpayer_id, actor, order)
    if invoiced is None:
        invoiced = issue(gateway, wanted).issued
    elif invoiced.status is Status.REJECTED and state not in _UNDONE:
        invoiced = _mended(gateway, wanted, invoiced)
    request = NoteRequest(connection.taxpayer_id, actor, invoiced.uuid)
    numbers = [invoiced.number]
    if state not in _UNDONE_WHOLLY:
        numbers += _edits(gateway, connection, request, wanted)
    new = (_not_credited(gateway, connection, request, refund) for refund in order.refunds)
    numbers += [credit(gateway, request, refund).issued.number for refund in new if refund]
    if state in _UNDONE_WHOLLY and any(each.net for each in left_of(gateway, request).lines):
        numbers.append(credit(gateway, request, _CANCELLED).issued.number)
    elif state is State.REFUNDED_PART and not order.refunds:
        return NoticeState.QUARANTINED, Text(
            f"The order was refunded in part after {invoiced.number}, and the shop does not say what: give it back by"
            " `gateway credit`.",
            f"استُرجع جزء من الطلب بعد إصدار {invoiced.number} دون تفاصيل؛ أصدر الإشعار الدائن يدوياً.",
        )
    named = ", ".join(numbers)
    return NoticeState.DONE, Text(f"Documents {named}.", f"المستندات {named}.")


def _not_credited(gateway: Gateway, connection: Connection, request: NoteRequest, refund: Refund) -> Refund | None:
    """A refund; of the one sum that some shops tell, what it grew by."""
    store = stores.STORES[connection.platform]
    return growth(gateway, request, refund) if isinstance(store, Summing) and refund.id == store.SUM else refund


def _mended(gateway: Gateway, wanted: Request, rejected: Issued) -> Issued:
    """A rejected invoice is made anew once its order was corrected in the shop; the same content stays rejected."""
    former = read_order(gateway.ledger.snapshot(wanted.taxpayer_id, rejected.uuid).order_json)
    if former.digest == wanted.order.digest:
        return issue(gateway, wanted).issued
    return correct(gateway, rejected.uuid, wanted).issued


def _edits(gateway: Gateway, connection: Connection, request: NoteRequest, wanted: Request) -> list[str]:
    """The notes of an order that was edited after its invoice, unless its connection leaves that to a person."""
    if read_policy(connection.settings).edits is Edits.PERSON:
        issue(gateway, wanted)  # which refuses other content
        return []
    return [each.issued.number for each in amend(gateway, request, wanted.order)]


def not_due(connection: Connection, state: State) -> tuple[NoticeState, Text]:
    """A sale that was undone before its invoice needs none; any other may wait or lapse."""
    when = _when(connection)
    return NoticeState.IGNORED, Text(
        f"The order is {state.value}; it is issued when it is {when}.",
        f"حالة الطلب ({state.value})؛ لم يحن وقت إصدار فاتورته.",
    )


def _when(connection: Connection) -> str:
    return connection.settings.get("issue_when", _ISSUE_WHEN)


def is_due(connection: Connection, state: State) -> bool:
    """A sale refunded in part before its invoice is invoiced whole and given back in part."""
    return state in issue_when(connection) or state is State.REFUNDED_PART


def issue_when(connection: Connection) -> frozenset[State]:
    """The states in which a connection's sales are issued; BadInput if its setting names another."""
    words = [each.strip() for each in _when(connection).split(",")]
    try:
        return frozenset(State(word) for word in words)
    except ValueError:
        raise BadInput(
            f"issue_when of connection {connection.id} is {_when(connection)!r}.",
            fix=f"Use one or more of {', '.join(State)}, with commas.",
        ) from None


def told(error: GatewayError) -> dict[str, str]:
    """The same as it is kept, with both sums where they differ."""
    sums = error.sums if isinstance(error, DoesNotClose) else None
    both = {"declared": f"{sums[0]:.2f}", "computed": f"{sums[1]:.2f}"} if sums else {}
    return {**reason_of(error)._asdict(), **both}


def reason_of(error: GatewayError) -> Text:
    """Why something waits for a person, in both languages; of a document that would break rules, what is wrong."""
    found = error.findings[:_FINDINGS_SHOWN] if isinstance(error, NotCompliant) else ()
    en = " ".join([error.what, *(f"{each.where}: {each.message.en}" for each in found), error.fix]).strip()
    ar = " ".join([error.ar or str(error), *(f"{each.where}: {each.message.ar}" for each in found)])
    return Text(en, ar)
