"""What an examination of the books can find, in words: what is wrong, how bad it is, and what to do about it."""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from gateway.finding import Severity, Text

_KEEP: Final = Text(
    "The ledger was changed past its guards, or its disk is damaged. Stop the gateway, keep this file as it is for"
    " whoever looks into it, and restore the newest backup that is found sound.",
    "تغيّر السجل خارج ضوابطه أو تلف القرص. أوقف النظام، واحتفظ بالملف كما هو للفحص، ثم استعد أحدث نسخة احتياطية سليمة.",
)
_LOOK: Final = Text(
    "Look at the answers of the authority (GET /v1/invoices/{uuid}/attempts) and report this with them.",
    "راجع ردود الهيئة على هذا المستند ثم أبلغ الدعم الفني بها.",
)
_RESTORED: Final = Text(
    "If an older backup was restored, see `gateway restore --reconcile`; else the end of the chain was cut off: keep"
    " the file as it is and restore the newest backup.",
    "إذا استُعيدت نسخة احتياطية قديمة فراجع دليل الاستعادة، وإلا فقد حُذف آخر السلسلة: احتفظ بالملف واستعد أحدث نسخة.",
)
_FENCED: Final = Text(
    "Onboard the unit anew if it was not yet; buyers and the authority have the missing documents.",
    "سجّل الوحدة من جديد إن لم يحدث ذلك؛ والمستندات الناقصة لدى المشترين والهيئة.",
)
_WORKER: Final = Text(
    "See that `gateway serve` or `gateway work` is running; it takes the row up again by itself.",
    "تأكد من تشغيل النظام؛ فهو يستأنف الإرسال من تلقاء نفسه.",
)
_LINES: Final = Text(
    "The files of GATEWAY_CHECKPOINTS were changed, or are another installation's. Compare them with a copy from"
    " elsewhere, and the certificate with the one you have on paper.",
    "تغيّرت ملفات نقاط التحقق أو هي لنظام آخر. قارنها بنسخة محفوظة في مكان آخر وقارن الشهادة بالنسخة الورقية.",
)
_ROOM: Final = Text(
    "See that `gateway serve` or `gateway work` is running, and that the folder of GATEWAY_CHECKPOINTS has room and may"
    " be written; its log says `checkpoint_failed` otherwise.",
    "تأكد من تشغيل النظام ومن وجود مساحة وصلاحية كتابة في مجلد نقاط التحقق؛ فهو يكتبها من تلقاء نفسه.",
)
_SEALER: Final = Text(
    "See that `gateway serve` or `gateway work` is running, and look into its log for `seal_failed`; entries are sealed"
    " as soon as it works again.",
    "تأكد من تشغيل النظام وراجع سجله؛ فهو يختم القيود من تلقاء نفسه.",
)
_BOOKS: Final = Text(
    "Have an accountant look at these documents; a debit note gives back what was credited too much.",
    "ليراجع المحاسب هذه المستندات؛ ويُصحَّح ما زاد في الإشعارات الدائنة بإشعار مدين.",
)
_MODE: Final = Text("Make it readable by its owner only: chmod 600.", "اجعل الملف مقروءاً لمالكه وحده: chmod 600.")
_NEWER: Final = Text(
    "Processes of gateway take turns, so that they cannot; let no other program write to it. Mended in 3.51.3.",
    "عمليات gateway تتناوب على الكتابة فلا يحدث ذلك منها؛ لا تكتب في السجل ببرنامج آخر. أُصلح الخلل في 3.51.3.",
)
_ARCHIVE: Final = Text(
    "Restore the archive from its copy. The ledger has documents and answers too: delete what is left of the file and"
    " `gateway archive again UUID` writes it anew.",
    "استعد الأرشيف من نسخته. المستند محفوظ في السجل أيضاً، ويمكن أرشفته من جديد بعد حذف الملف التالف.",
)
_PURGE: Final = Text("Finish it: `gateway archive purge resume`.", "أكمل الحذف بالأمر gateway archive purge resume.")
_STRANGER: Final = Text(
    "Nothing here wrote it, or a crash came between file and record; look where it is from, and remove it.",
    "لم يكتبه النظام أو انقطع قبل قيده؛ تحقق من مصدره ثم أزله.",
)


class _Form(NamedTuple):
    en: str
    ar: str
    fix: Text = _KEEP
    severity: Severity = Severity.ERROR


_FORMS: Final = {
    "chain.break": _Form("The chain does not hold: {what}.", "انقطعت سلسلة المستندات عند العداد {icv}."),
    "chain.head": _Form(
        "The chain ends at {last}, but its head says {head}: documents at its end are missing or were put there.",
        "تنتهي السلسلة عند {last} بينما يشير رأسها إلى {head}: مستندات في آخرها ناقصة أو دخيلة.",
    ),
    "chain.journal": _Form(
        "The head journal knows document {there} of this chain with another hash than the ledger, or it is not there.",
        "يذكر سجل رؤوس السلاسل المستند {there} ولا يوجد في السجل أو يخالفه.",
        _RESTORED,
    ),
    "chain.fenced": _Form(
        "Documents up to {there} were made in this chain and are not in this ledger, which was restored from a backup;"
        " no more are made in it.",
        "صدرت في هذه السلسلة مستندات حتى {there} ليست في هذا السجل المستعاد من نسخة احتياطية، ولا يصدر فيها غيرها.",
        _FENCED,
        Severity.WARNING,
    ),
    "chain.missing": _Form("The document is in a chain that does not exist.", "المستند في سلسلة غير موجودة."),
    "chain.time": _Form(
        "The document was made at {made_at}, before the one before it.", "أُنشئ المستند قبل المستند السابق له."
    ),
    "document.bytes": _Form("The stored bytes are not a document: {what}", "البيانات المحفوظة ليست مستنداً مقروءاً."),
    "document.hash": _Form(
        "The stored bytes hash to {found}, the ledger says {kept}.", "بصمة المستند المحفوظ لا تطابق البصمة المسجلة."
    ),
    "document.stamp": _Form("The stamp does not hold: {what}.", "ختم المستند غير صحيح: {what}."),
    "document.spelling": _Form(
        "Bytes of the stamp that nothing signs are not as they were made.", "تغيّرت بيانات في ختم المستند."
    ),
    "document.certificate": _Form(
        "The certificate of the stamp {what}.", "شهادة الختم غير مسجلة أو غير مقروءة أو لسلسلة أخرى."
    ),
    "document.window": _Form(
        "It was stamped at {at}, outside the time of its certificate ({start} to {end}).",
        "خُتم المستند خارج مدة صلاحية شهادته.",
    ),
    "document.facts": _Form(
        "The ledger's row and the document differ in {what}.", "بيانات السجل تخالف المستند نفسه في: {what}."
    ),
    "document.qr": _Form("The QR on record is not the one in the document.", "رمز الاستجابة المسجل يخالف رمز المستند."),
    "document.unstamped": _Form("The document has no stamp and no bytes.", "المستند بلا ختم ولا محتوى."),
    "document.unstampable": _Form(
        "The document waits for its stamp, and what is to be stamped is not there: it would never be sent.",
        "المستند بانتظار الختم ولا يوجد ما يُختم، فلن يُرسل أبداً.",
    ),
    "document.unsubmitted": _Form(
        "The document has no submission: it would never be sent.", "لا يوجد سجل إرسال لهذا المستند فلن يُرسل أبداً."
    ),
    "document.unsold": _Form("The sale that the document is of is not there.", "لا توجد عملية البيع لهذا المستند."),
    "document.refers": _Form("What the document {what} does not fit it.", "المستند المشار إليه لا يوافق هذا المستند."),
    "document.unaudited": _Form(
        "The audit log does not know that the document was issued.", "لا يذكر سجل التدقيق إصدار هذا المستند."
    ),
    "clearance.other": _Form(
        "The cleared document on record {what}.", "المستند المعتمد المسجل ليس ما أُرسل أو ما أعادته الهيئة."
    ),
    "clearance.qr": _Form(
        "The QR on record is not that of the cleared document.", "رمز الاستجابة المسجل يخالف رمز المستند المعتمد."
    ),
    "status.unproved": _Form(
        "It stands as {status}, but no answer of the authority says so.",
        "حالته {status} ولا يوجد رد من الهيئة بذلك.",
        _LOOK,
    ),
    "status.ignored": _Form(
        "The authority accepted it, but it stands as {status}.", "قبلته الهيئة وحالته {status}.", _LOOK
    ),
    "status.attempts": _Form(
        "{counted} attempts are counted, {begun} are on record.", "عدد محاولات الإرسال المسجلة لا يوافق العدد المحفوظ."
    ),
    "audit.break": _Form("The audit log does not hold: {what}.", "انقطع سجل التدقيق: {what}."),
    "audit.batch": _Form(
        "Batch {number} of the audit log {what}.", "الدفعة المختومة {number} من سجل التدقيق غير صحيحة أو ناقصة."
    ),
    "audit.unsealed": _Form(
        "{count} entries of the audit log were not sealed within ten minutes.",
        "لم تُختم قيود من سجل التدقيق خلال عشر دقائق، وعددها {count}.",
        _SEALER,
        Severity.WARNING,
    ),
    "audit.document": _Form(
        "Entry {seq} of the audit log and the document differ in {what}.", "سجل التدقيق يخالف المستند في: {what}."
    ),
    "audit.gone": _Form(
        "Entry {seq} of the audit log speaks of a document that is not there.", "يذكر سجل التدقيق مستنداً غير موجود."
    ),
    "checkpoint.log": _Form(
        "A checkpoint of {at} has {there} entries of the audit log; now it ends at {here}, or is another: its end was"
        " cut off or made anew.",
        "في نقطة تحقق ({at}) كان في سجل التدقيق {there} قيداً، وينتهي الآن عند {here} أو تغيّر: حُذف آخره أو كُتب ثانيةً.",
        _RESTORED,
    ),
    "checkpoint.restored": _Form(
        "A checkpoint of {at} has {there} entries of the audit log; this ledger, restored from a backup, has {here} of"
        " them.",
        "في نقطة تحقق بتاريخ {at} كان في سجل التدقيق {there} قيداً، وفي السجل المستعاد من نسخة احتياطية {here}.",
        _FENCED,
        Severity.WARNING,
    ),
    "checkpoint.chain": _Form(
        "A checkpoint of {at} has document {there} of this chain with another hash than the ledger, or it is gone.",
        "تذكر نقطة تحقق بتاريخ {at} المستند {there} ولا يوجد في السجل أو يخالفه.",
        _RESTORED,
    ),
    "checkpoint.line": _Form("A line of the checkpoints {what}.", "سطر من نقاط التحقق غير صحيح أو ناقص.", _LINES),
    "checkpoint.certificate": _Form(
        "The sealing certificate on record is not the one beside the checkpoints, or no certificate.",
        "شهادة الختم المسجلة تخالف الشهادة المحفوظة مع نقاط التحقق.",
        _LINES,
    ),
    "checkpoint.late": _Form(
        "What was sealed of the audit log at {at} has no checkpoint outside the database.",
        "ما خُتم من سجل التدقيق بتاريخ {at} ليس له نقطة تحقق خارج قاعدة البيانات.",
        _ROOM,
        Severity.WARNING,
    ),
    "sale.nowhere": _Form("A sale points to no document of its own.", "عملية بيع لا تشير إلى مستند."),
    "sale.twice": _Form("Two documents of one sale were accepted.", "قُبل مستندان لعملية بيع واحدة.", _BOOKS),
    "lease.overdue": _Form(
        "A worker took it over ten minutes ago and nobody has taken it up since.",
        "بدأ إرساله منذ أكثر من عشر دقائق ولم يُستأنف.",
        _WORKER,
        Severity.WARNING,
    ),
    "deduction.beyond": _Form(
        "Documents take {taken} off of a prepayment of {worth}.",
        "خُصم {taken} من دفعة مقدمة قدرها {worth}.",
        _BOOKS,
    ),
    "note.beyond": _Form(
        "Credit notes give back {taken} of a document of {worth}.",
        "إشعارات دائنة بمبلغ {taken} لمستند قدره {worth}.",
        _BOOKS,
    ),
    "bookmark.lost": _Form(
        "The last look ended at {icv}, where another document stands now.", "تغيّر المستند الذي انتهى عنده الفحص السابق."
    ),
    "archive.missing": _Form("The archived file is not there.", "الملف المؤرشف غير موجود.", _ARCHIVE),
    "archive.changed": _Form("The archived file is not what was archived.", "تغيّر محتوى الملف المؤرشف.", _ARCHIVE),
    "archive.extra": _Form(
        "The file is in the archive and on no record.", "ملف في الأرشيف لا قيد له.", _STRANGER, Severity.WARNING
    ),
    "archive.undeleted": _Form(
        "The file was deleted by two people, and its bytes are there still.",
        "حُذف الملف بقرار شخصين وما زال محتواه موجوداً.",
        _PURGE,
        Severity.WARNING,
    ),
    "archive.nothing": _Form(
        "The authority answered days ago, and nothing of the document is in the archive.",
        "أجابت الهيئة منذ أيام ولم يُؤرشف المستند.",
        _WORKER,
    ),
    "file.open": _Form("Others may read the file {file}.", "يستطيع آخرون قراءة الملف {file}.", _MODE),
    "sqlite.version": _Form(
        "SQLite {version} can damage a ledger that several programs write to at once (its WAL-reset bug).",
        "إصدار SQLite {version} قد يُتلف السجل إذا كتبت فيه عدة برامج معاً.",
        _NEWER,
        Severity.WARNING,
    ),
} | {
    f"loose.{table}": _Form(
        f"A row of {table} belongs to a document that is not there.", "سجل تابع لمستند غير موجود."
    )
    for table in ("stamp", "stamping", "submission", "clearance", "attempt", "idempotency_key")
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Symptom:
    """One thing that is wrong. `where` names the place from the outside in: taxpayer, chain, icv, uuid, number,
    entry, row or file, as far as they are known."""

    code: str
    where: dict[str, str | int]
    message: Text
    fix: Text
    severity: Severity

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return ", ".join(f"{name} {value}" for name, value in self.where.items())

    def as_json(self) -> dict[str, Any]:
        """As programs read it."""
        texts = {"message": self.message._asdict(), "fix": self.fix._asdict()}
        return {"code": self.code, "severity": self.severity.value, "where": self.where, **texts}


def symptom(code: str, where: dict[str, str | int], **values: object) -> Symptom:
    """The symptom with this code, its sentences filled in."""
    form = _FORMS[code]
    message = Text(form.en.format(**values), form.ar.format(**values))
    return Symptom(code, where, message, form.fix, form.severity)


CODES: Final = tuple(_FORMS)
"""Every code there is."""
