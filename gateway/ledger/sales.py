"""What a sale has already: the reason why the same order, however often it comes, is one document."""

from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, insert

from gateway.errors import Conflict, Unknown
from gateway.issued import Issued, Status
from gateway.ledger import tables as t
from gateway.ledger.documents import issued, issued_rows
from gateway.ledger.rows import NewSale

_BY_SALE: Final = issued_rows(t.ORDER_SNAPSHOT.c.digest).where(
    t.SALE.c.taxpayer_id == bindparam("taxpayer"),
    t.SALE.c.connection_id == bindparam("connection"),
    t.SALE.c.thing == bindparam("thing"),
    t.SALE.c.kind == bindparam("kind"),
    t.SALE.c.document_uuid == t.DOCUMENT.c.uuid,
    t.ORDER_SNAPSHOT.c.id == t.DOCUMENT.c.snapshot_id,
)
_BY_KEY: Final = issued_rows(t.IDEMPOTENCY_KEY.c.request_digest).where(
    t.IDEMPOTENCY_KEY.c.taxpayer_id == bindparam("taxpayer"),
    t.IDEMPOTENCY_KEY.c.key == bindparam("key"),
    t.IDEMPOTENCY_KEY.c.document_uuid == t.DOCUMENT.c.uuid,
)


def standing_document(connection: Connection, sale: NewSale) -> Issued | None:
    """As `existing_document`, and the sale's Idempotency-Key is remembered if it came with a new one."""
    found = existing_document(connection, sale)
    if found and sale.idempotency_key and _by_key(connection, sale) is None:
        connection.execute(insert(t.IDEMPOTENCY_KEY), key_values(sale, found.uuid))
    return found


def existing_document(connection: Connection, sale: NewSale) -> Issued | None:
    """The document that answers the sale, None if one is to be made; Conflict if neither is right."""
    if sale.idempotency_key and (found := _by_key(connection, sale)):
        return found
    natural_key = {
        "taxpayer": sale.taxpayer_id,
        "connection": sale.connection_id,
        "thing": sale.thing,
        "kind": sale.kind.value,
    }
    row = connection.execute(_BY_SALE, natural_key).first()
    if row:
        return _judge_repeat(sale, row)
    if sale.replaces:
        raise Unknown(f"{sale.thing} of {sale.connection_id} has no document that could be corrected.")
    return None


def key_values(sale: NewSale, uuid: str) -> dict[str, Any]:
    """The row that remembers what an Idempotency-Key was answered with."""
    return {
        "taxpayer_id": sale.taxpayer_id,
        "key": sale.idempotency_key,
        "request_digest": _request_digest(sale),
        "document_uuid": uuid,
    }


def _request_digest(sale: NewSale) -> str:
    return sale.request_digest or sale.digest


def _by_key(connection: Connection, sale: NewSale) -> Issued | None:
    row = connection.execute(_BY_KEY, {"taxpayer": sale.taxpayer_id, "key": sale.idempotency_key}).first()
    if row and row.request_digest != _request_digest(sale):
        raise Conflict(
            "This Idempotency-Key was used for another request.",
            fix="Use a new key for a new request, the same key only to repeat one.",
            ar="سبق استخدام مفتاح منع التكرار (Idempotency-Key) هذا مع طلب آخر. استخدم مفتاحاً جديداً لكل طلب جديد.",
        )
    return issued(row) if row else None


def _judge_repeat(sale: NewSale, row: Row[Any]) -> Issued | None:
    """The document that answers the sale, None if a correction of it is due."""
    current = issued(row)
    if sale.replaces == current.uuid:
        if current.status is not Status.REJECTED:
            raise Conflict(
                f"{current.number} is {current.status.value}; only a rejected document is made anew.",
                fix="Correct it with a credit or debit note.",
                ar="لا يعاد إصدار إلا المستند المرفوض. صحح هذا المستند بإشعار دائن أو مدين.",
            )
        return None
    if row.digest == sale.digest and sale.replaces in (None, current.replaces):
        return current
    raise _rejected_before(sale, current) if current.status is Status.REJECTED else _other_content(sale, current)


def _other_content(sale: NewSale, current: Issued) -> Conflict:
    return Conflict(
        f"Order {sale.order_id} of {sale.connection_id} was issued with other content as {current.number} "
        f"({current.uuid}).",
        fix="An issued document does not change; only a credit or debit note corrects it.",
        ar=f"صدر هذا الطلب بمحتوى مختلف برقم {current.number}. لا يتغير المستند الصادر،"
        " ولا يصححه إلا إشعار دائن أو مدين.",
    )


def _rejected_before(sale: NewSale, current: Issued) -> Conflict:
    return Conflict(
        f"Order {sale.order_id} of {sale.connection_id} has document {current.number} ({current.uuid}), which the "
        "authority rejected.",
        fix="A rejected document is replaced by a corrected one, not changed by sending the order again.",
        ar=f"رفضت الهيئة المستند {current.number} الصادر لهذا الطلب. المستند المرفوض يُستبدل بمستند مصحح،"
        " ولا يتغير بإعادة إرسال الطلب.",
    )
