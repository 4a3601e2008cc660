"""What the authority's Failure Notification service is told, made ready: who, since when, why, how much, what is done.

A failure of one's own is notified, and so is a simplified document that missed its 24 hours (regulation R16). The
notice names no buyer. It is sent by a person: that service is a form, not an interface.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from gateway.finding import Text
from gateway.invoice.facts import RIYADH, Profile
from gateway.issued import Status
from gateway.ledger import Backlog, BrokenLine, LastAnswer, Taxpayer
from gateway.pipeline.deadlines import LATE, backlog
from gateway.pipeline.gateway import Gateway
from gateway.verdict import Outcome

_ANSWERS: Final[Mapping[str, Text]] = {
    Outcome.UNKNOWN: Text("not usable", "غير صالح"),
    Outcome.LIMITED: Text("send more slowly", "طلب إبطاء الإرسال"),
    Outcome.CREDENTIALS: Text("the unit's credentials are refused", "رُفضت بيانات اعتماد الوحدة"),
    Outcome.PROTOCOL: Text("the form of the request is refused", "رُفضت صيغة الطلب"),
    Outcome.CLEARANCE_OFF: Text("clearance is switched off", "الاعتماد متوقف"),
    Outcome.REJECTED: Text("rejected", "رُفض المستند"),
    Outcome.TOO_LARGE: Text("too large", "حجم المستند أكبر من المسموح به"),
}
"""What an answer meant, in words for the authority's form."""


@dataclass(frozen=True, slots=True)
class FailureNotice:
    """The facts of a notice. `began` is when the first of the documents was issued, or what the caller said; `late` are
    simplified documents past their 24 hours, `reported_late` those that came to the authority after them."""

    taxpayer: Taxpayer
    began: datetime | None
    until: datetime
    units: tuple[Backlog, ...]
    reported_late: int
    causes: tuple[Text, ...]

    @property
    def late(self) -> int:
        return sum(each.from_level(LATE) for each in self.of(Profile.SIMPLIFIED))

    @property
    def is_due(self) -> bool:
        """Whether the law asks for it: a simplified document has missed its time."""
        return self.late + self.reported_late > 0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to tell."""
        return not self.units and not self.reported_late

    def of(self, profile: Profile) -> list[Backlog]:
        """The units' documents of this profile."""
        return [each for each in self.units if each.profile is profile]

    def count(self, profile: Profile) -> int:
        """How many documents of this profile the authority does not have."""
        return sum(each.count for each in self.of(profile))

    @property
    def text(self) -> Text:
        """The notice in both languages."""
        if self.is_empty:
            return Text(
                "Every document is with the authority: there is nothing to notify.",
                "جميع المستندات لدى الهيئة، ولا يوجد ما يستدعي الإشعار.",
            )
        return Text("\n".join(_english(self)), "\n".join(_arabic(self)))

    def as_json(self) -> dict[str, Any]:
        """As programs read it."""
        return {
            "due": self.is_due,
            "taxpayer": self.taxpayer.name,
            "vat": self.taxpayer.vat,
            "from": self.began.astimezone(RIYADH).isoformat() if self.began else None,
            "to": self.until.astimezone(RIYADH).isoformat(),
            "units": sorted({each.unit_id for each in self.units}),
            "unreported": self.count(Profile.SIMPLIFIED),
            "late": self.late,
            "reported_late": self.reported_late,
            "uncleared": self.count(Profile.STANDARD),
            "rejected": sum(each.with_status(Status.REJECTED) for each in self.units),
            "causes": [cause._asdict() for cause in self.causes],
            "text": self.text._asdict(),
        }


def failure_notice(gateway: Gateway, taxpayer_id: str, *, since: datetime | None = None) -> FailureNotice:
    """The notice as of now. `since` is when the failure began, if that is known: documents issued before are left out,
    and those that were reported too late since then are counted."""
    now = gateway.now()
    units = backlog(gateway, taxpayer_id, since=since)
    late = gateway.ledger.reported_late(taxpayer_id, since=since, now=now) if since else 0
    return FailureNotice(
        taxpayer=gateway.ledger.taxpayer(taxpayer_id),
        began=since or min((each.first_at for each in units), default=None),
        until=now,
        units=units,
        reported_late=late,
        causes=tuple(_causes(gateway, taxpayer_id, units)),
    )


def _causes(gateway: Gateway, taxpayer_id: str, units: Sequence[Backlog]) -> Iterator[Text]:
    """What is known of why; nothing if nothing is open."""
    if not units:
        return
    for line in gateway.ledger.broken_lines():
        if line.is_authoritys or line.scope.startswith(f"{taxpayer_id}/"):
            yield _of_line(line)
    for held in gateway.ledger.held_units(taxpayer_id):
        yield Text(
            f"Unit {held.unit_id} has sent nothing since {_moment(held.since)}: {held.reason}.",
            f"الوحدة {held.unit_id} موقوفة عن الإرسال منذ {_moment(held.since)}: {held.reason}.",
        )
    yield from map(_of_answer, gateway.ledger.last_answers(taxpayer_id))
    waiting = sum(part.documents for each in units for part in each.parts if part.held_for == "original")
    if waiting:
        yield Text(
            f"Until their original is accepted, not sent: {_so_many(waiting, 'note')}.",
            f"عدد الإشعارات التي تنتظر قبول الفاتورة الأصلية: {waiting}.",
        )


def _of_line(line: BrokenLine) -> Text:
    since, tried = _moment(line.since), f"{_moment(line.tried_at)}: {line.reason}"
    if line.is_authoritys:
        return Text(
            f"The authority's service has not answered since {since}; last failure {tried}.",
            f"خدمة الهيئة لا تستجيب منذ {since}؛ آخر محاولة متعثرة {tried}.",
        )
    unit = line.scope.rpartition("/")[2]
    return Text(
        f"Unit {unit} has not reached the authority since {since}; last failure {tried}.",
        f"تعذّر اتصال الوحدة {unit} بخدمة الهيئة منذ {since}؛ آخر محاولة متعثرة {tried}.",
    )


def _of_answer(answer: LastAnswer) -> Text:
    said = _ANSWERS.get(answer.outcome, Text(answer.outcome, answer.outcome))
    if not answer.http_status:
        said = Text("none", "لا رد")
    status = f" (HTTP {answer.http_status})" if answer.http_status else ""
    return Text(
        f"The last answer about {_so_many(answer.documents, 'document')}: {said.en}{status}.",
        f"آخر رد على {answer.documents} من المستندات: {said.ar}{status}.",
    )


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(RIYADH):%Y-%m-%d %H:%M}"


def _so_many(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _english(notice: FailureNotice) -> Iterator[str]:
    taxpayer = notice.taxpayer
    yield "Failure notification"
    yield ""
    yield f"Taxpayer: {taxpayer.name}"
    yield f"VAT number: {taxpayer.vat}"
    yield f"Period (Riyadh): {_moment(notice.began or notice.until)} to {_moment(notice.until)}"
    for each in notice.units:
        what = "not reported" if each.profile is Profile.SIMPLIFIED else "not cleared"
        numbers = each.first if each.count == 1 else f"{each.first} to {each.last}"
        yield f"Unit {each.unit_id}: {_so_many(each.count, f'{each.profile.word} document')} {what} ({numbers})"
    yield f"Simplified documents past their 24 hours: {notice.late}"
    if notice.reported_late:
        yield f"Simplified documents reported after their 24 hours: {notice.reported_late}"
    yield "Cause, as far as it is known:"
    yield from (f"- {cause.en}" for cause in notice.causes or (Text("not known yet", ""),))
    yield "What is being done:"
    yield "- Sales go on: their documents are issued, stamped and kept in their chain."
    yield "- Documents without a final answer are sent again by themselves, byte for byte, until there is one."
    if any(each.with_status(Status.REJECTED) for each in notice.units):
        yield "- Rejected documents are corrected, and reported anew."
    yield "- All are reported as soon as the failure is over, late ones included."


def _arabic(notice: FailureNotice) -> Iterator[str]:
    taxpayer = notice.taxpayer
    yield "إشعار بعطل"
    yield ""
    yield f"المكلف: {taxpayer.name}"
    yield f"رقم التسجيل الضريبي: {taxpayer.vat}"
    yield f"الفترة (بتوقيت الرياض): من {_moment(notice.began or notice.until)} إلى {_moment(notice.until)}"
    for each in notice.units:
        what = "مبسطة لم تُبلَّغ" if each.profile is Profile.SIMPLIFIED else "ضريبية لم تُعتمد"
        numbers = each.first if each.count == 1 else f"من {each.first} إلى {each.last}"
        yield f"الوحدة {each.unit_id}: عدد المستندات {each.count}، {what} ({numbers})"
    yield f"مستندات مبسطة تجاوزت 24 ساعة: {notice.late}"
    if notice.reported_late:
        yield f"مستندات مبسطة أُبلغ عنها بعد 24 ساعة: {notice.reported_late}"
    yield "السبب بحسب المعلوم حتى الآن:"
    yield from (f"- {cause.ar}" for cause in notice.causes or (Text("", "غير معلوم بعد"),))
    yield "الإجراءات المتخذة:"
    yield "- يستمر البيع، وتُصدر المستندات وتُختم وتُحفظ في تسلسلها."
    yield "- يُعاد إرسال كل مستند لم يصل بشأنه رد نهائي تلقائياً، كما هو دون تغيير، حتى يصل الرد."
    if any(each.with_status(Status.REJECTED) for each in notice.units):
        yield "- تُصحَّح المستندات المرفوضة ويُبلَّغ عنها من جديد."
    yield "- يُبلَّغ عن جميع المستندات فور انتهاء العطل، بما فيها المتأخرة."
