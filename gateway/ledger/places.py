"""The place that a document takes in its chain, and why there may be none."""

from datetime import UTC, datetime, timedelta
from typing import Final

from gateway.chain import Link
from gateway.errors import Conflict, Unavailable
from gateway.issued import Issued
from gateway.ledger.rows import CsidRecord, NewSale, Slot
from gateway.ledger.statements import Head

MAX_CLOCK_STEP: Final = timedelta(seconds=60)
"""How far the clock may lie behind a chain's last document. Threads that waited for their turn come a moment late,
and get the last document's moment; a clock that was set back must not make documents at all."""


def slot_at(head: Head, number: str, now: datetime, replaced: Issued | None = None) -> Slot:
    """The place after the head; Unavailable if the clock runs back or the certificate may not be used."""
    at = _moment(head, now)
    return Slot(Link(head.icv + 1, head.hash), number, _valid(head.csid, at), at, replaced)


def series(head: Head, drawn: int) -> str:
    """A number of the unit's own series."""
    return f"{head.prefix}{drawn:06d}"


def not_onboarded(sale: NewSale) -> Unavailable:
    """The refusal where no certificate is in use."""
    return Unavailable(
        f"Unit {sale.unit_id} has no certificate in use.",
        retry_after=3600,
        fix="Onboard it first: `gateway onboard`.",
        ar="لا توجد شهادة سارية لوحدة الإصدار. سجّل الوحدة لدى الهيئة أولاً.",
    )


def number_taken(number: str) -> Conflict:
    """The refusal where the caller's number is another document's."""
    return Conflict(
        f"Invoice number {number} is taken by another document.",
        fix="Numbers never repeat within a taxpayer: give the next one, or none.",
        ar=f"رقم الفاتورة {number} مستخدم في مستند آخر. لا تتكرر الأرقام لدى المكلف الواحد.",
    )


def _moment(head: Head, now: datetime) -> datetime:
    last = head.at
    if last - now > MAX_CLOCK_STEP:
        raise Unavailable(
            f"The clock says {now.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, but the chain has reached"
            f" {last:%Y-%m-%d %H:%M:%S} already.",
            retry_after=60,
            fix="Set the clock right (NTP).",
            ar="وقت الخادم أسبق من وقت آخر مستند صادر. اضبط ساعة الخادم (NTP).",
        )
    return max(now, last)


def _valid(csid: CsidRecord, at: datetime) -> CsidRecord:
    if csid.revoked_at is not None:
        raise Unavailable(
            f"The certificate of unit {csid.unit_id} was revoked; it was found so on {csid.revoked_at:%Y-%m-%d}.",
            retry_after=3600,
            fix="Onboard the unit again: `gateway onboard` with a new OTP.",
            ar="أُلغيت شهادة وحدة الإصدار ولا يجوز الختم بها. أعد تسجيل الوحدة برمز تحقق (OTP) جديد.",
        )
    if not csid.not_before <= at <= csid.not_after:
        raise Unavailable(
            f"The certificate of unit {csid.unit_id} is valid only from {csid.not_before:%Y-%m-%d}"
            f" to {csid.not_after:%Y-%m-%d}.",
            retry_after=3600,
            fix="Onboard the unit again: `gateway onboard` with a new OTP.",
            ar="شهادة وحدة الإصدار خارج مدة صلاحيتها. أعد تسجيل الوحدة برمز تحقق (OTP) جديد.",
        )
    return csid
