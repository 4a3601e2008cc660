"""A shop's hint becomes an issued order: verify, keep, fetch, map, issue; or quarantine with the reason.

The hint itself is never the truth: whatever it says, the order is fetched and that is what is issued.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from gateway import stores
from gateway.connection import Connection
from gateway.errors import BadInput, Conflict, GatewayError, NotCompliant, Unavailable, Unknown
from gateway.finding import Text
from gateway.invoice.facts import Kind
from gateway.invoice.policy import Edits, read_policy
from gateway.issued import Issued, Status
from gateway.ledger import DueNotice, NoticeState
from gateway.order import Order, Reason, Refund, read_order
from gateway.pipeline.gateway import Gateway, Lines
from gateway.pipeline.issue import Request, correct, issue
from gateway.pipeline.notes import NoteRequest, amend, credit, left_of
from gateway.stores import State

# When a sale is issued, unless the connection says otherwise: when it is paid.
_ISSUE_WHEN: Final = "paid,fulfilled"
_FINDINGS_SHOWN: Final = 5
_UNDONE_WHOLLY: Final = frozenset({State.CANCELLED, State.REFUNDED, State.DELETED})
_UNDONE: Final = _UNDONE_WHOLLY | {State.REFUNDED_PART}
_CANCELLED: Final = Refund(id="cancellation", everything=True, reason=Reason(code="cancellation"))
"""What is left of a sale that was undone."""


def connection_with_secrets(gateway: Gateway, taxpayer_id: str, connection_id: str) -> Connection:
    """The connection, its secrets opened from their envelope."""
    connection = gateway.ledger.connection(taxpayer_id, connection_id)
    if connection.platform == "api":
        return connection
    secrets = json.loads(gateway.safe.open(connection_secrets(taxpayer_id, connection_id)))
    return replace(connection, secrets=secrets)


def connection_secrets(taxpayer_id: str, connection_id: str) -> str:
    """Where the secrets of a connection are sealed."""
    return f"{taxpayer_id}/connection/{connection_id}"


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
    if notice.order_id is None:
        return False
    gateway.ledger.add_notice(
        connection.taxpayer_id,
        connection.id,
        topic=notice.topic,
        order_id=notice.order_id,
        # A shop that gives its deliveries no id may send the same bytes again only as a repeat.
        delivery_id=notice.delivery_id or hashlib.sha256(body).hexdigest(),
        body=body,
        now=gateway.now(),
    )
    return True


async def follow(gateway: Gateway, lines: Lines, notice: DueNotice, again: timedelta) -> None:
    """Fetch the order a hint speaks of and issue it, if it is due; say in the ledger what became of the hint."""
    next_at: datetime | None = None
    try:
        state, reason = await _follow(gateway, lines, notice)
    except Unavailable as error:
        state, reason = NoticeState.DUE, reason_of(error)
        next_at = gateway.now() + max(again, timedelta(seconds=error.retry_after))
    except (BadInput, Conflict) as error:
        state, reason = NoticeState.QUARANTINED, reason_of(error)
    except GatewayError as error:
        state, reason = NoticeState.FAILED, reason_of(error)
    await gateway.offload(
        gateway.ledger.end_notice,
        notice.id,
        state=state,
        reason=reason._asdict(),
        next_at=next_at,
        now=gateway.now(),
    )


async def _follow(gateway: Gateway, lines: Lines, notice: DueNotice) -> tuple[NoticeState, Text]:
    connection = await gateway.offload(connection_with_secrets, gateway, notice.taxpayer_id, notice.connection_id)
    store = stores.store_of(connection.platform)
    raw = await store.fetch(connection, lines.outside, notice.order_id)
    state = store.state(connection, raw)
    invoiced = await gateway.offload(_invoice, gateway, connection, notice.order_id)
    if invoiced is None and not _is_due(connection, state):
        return _not_due(connection, state)
    order = store.map(connection, raw).order
    if connection.cutover and order.placed_at < connection.cutover:
        return NoticeState.IGNORED, Text(
            "The order is older than this connection.", "الطلب أقدم من تاريخ بدء الإصدار لهذا الربط."
        )
    return await gateway.offload(_keep_pace, gateway, connection, order, state, invoiced)


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
    numbers += [credit(gateway, request, refund).issued.number for refund in order.refunds]
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


def _not_due(connection: Connection, state: State) -> tuple[NoticeState, Text]:
    """A sale that was undone before its invoice needs none; any other may wait or lapse."""
    when = _when(connection)
    return NoticeState.IGNORED, Text(
        f"The order is {state.value}; it is issued when it is {when}.",
        f"حالة الطلب ({state.value})؛ لم يحن وقت إصدار فاتورته.",
    )


def _when(connection: Connection) -> str:
    return connection.settings.get("issue_when", _ISSUE_WHEN)


def _is_due(connection: Connection, state: State) -> bool:
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


def reason_of(error: GatewayError) -> Text:
    """Why something waits for a person, in both languages; of a document that would break rules, what is wrong."""
    found = error.findings[:_FINDINGS_SHOWN] if isinstance(error, NotCompliant) else ()
    en = " ".join([error.what, *(f"{each.where}: {each.message.en}" for each in found), error.fix]).strip()
    ar = " ".join([error.ar or str(error), *(f"{each.where}: {each.message.ar}" for each in found)])
    return Text(en, ar)
