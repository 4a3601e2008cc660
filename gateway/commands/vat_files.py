"""The VAT report as files: CSV of the documents behind it, and a workbook of all of it.

Amounts are numbers. Texts come from orders, so that what a spreadsheet would take for a formula is kept a text.
"""

import csv
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from gateway.commands.verdicts import Language, spoken
from gateway.finding import Text
from gateway.invoice.vat_return import BOXES, Box, Entry, Figure, Standing
from gateway.pipeline.vat_json import figures_json, report_json
from gateway.pipeline.vat_report import VatReport
from gateway.spreadsheet import harmless

if TYPE_CHECKING:
    from xlsxwriter.worksheet import Worksheet

COLUMNS: Final[dict[str, Text]] = {
    "number": Text("Number", "الرقم"),
    "uuid": Text("UUID", "المعرّف"),
    "kind": Text("Kind", "النوع"),
    "profile": Text("Profile", "التصنيف"),
    "unit": Text("Unit", "الوحدة"),
    "issued_at": Text("Issued (Riyadh)", "وقت الإصدار (الرياض)"),
    "day": Text("Day that counts", "التاريخ المعتمد"),
    "standing": Text("Standing", "الحالة"),
    "buyer": Text("Buyer", "المشتري"),
    "buyer_vat": Text("Buyer's VAT number", "الرقم الضريبي للمشتري"),
    "box": Text("Field", "الحقل"),
    "column": Text("Column", "العمود"),
    "part": Text("Part", "البند"),
    "category": Text("Category", "الفئة"),
    "rate": Text("Rate %", "النسبة %"),
    "reason_code": Text("Reason", "رمز السبب"),
    "currency": Text("Currency", "العملة"),
    "taxable": Text("Taxable, SAR", "المبلغ الخاضع بالريال"),
    "vat": Text("VAT, SAR", "الضريبة بالريال"),
    "taxable_in_currency": Text("Taxable, in its currency", "المبلغ الخاضع بعملة المستند"),
    "vat_in_currency": Text("VAT, in its currency", "الضريبة بعملة المستند"),
    "name": Text("Field", "الحقل"),
    "amount": Text("Amount, SAR", "المبلغ بالريال"),
    "adjustment": Text("Adjustment, SAR", "مبلغ التعديل بالريال"),
    "documents": Text("Documents", "المستندات"),
    "adjusts_earlier_period": Text("Corrects an earlier period", "تصحيح لفترة سابقة"),
    "export": Text("Export flag", "علامة التصدير"),
    "why": Text("Why", "السبب"),
}

WORDS: Final[dict[str, Text]] = {
    "invoice": Text("invoice", "فاتورة"),
    "credit_note": Text("credit note", "إشعار دائن"),
    "debit_note": Text("debit note", "إشعار مدين"),
    "prepayment": Text("prepayment", "فاتورة دفعة مقدمة"),
    "standard": Text("standard", "ضريبية"),
    "simplified": Text("simplified", "مبسطة"),
    "counted": Text("counted", "محتسب"),
    "open": Text("not reported yet", "لم يُبلّغ بعد"),
    "rejected": Text("rejected", "مرفوض"),
    "replaced": Text("replaced", "مستبدل"),
    "supply": Text("supply", "توريد"),
    "prepayment deducted": Text("prepayment deducted", "دفعة مقدمة مخصومة"),
    "amount": Text("amount", "المبلغ"),
    "adjustment": Text("adjustment", "التعديل"),
    "cannot be read": Text("cannot be read", "تعذرت قراءته"),
    "no exchange rate": Text("no exchange rate", "سعر الصرف غير معروف"),
}
"""The words of the report's values that have others in Arabic."""

TITLE: Final = Text("VAT return, sales", "الإقرار الضريبي: المبيعات")
TOTAL: Final = Text("All fields", "إجمالي الحقول")
_NUMBERS: Final = frozenset("rate taxable vat taxable_in_currency vat_in_currency amount adjustment documents".split())
_DOCUMENT: Final = tuple(list(COLUMNS)[: list(COLUMNS).index("name")])
_GROUP: Final = (
    "standing box part kind profile category rate reason_code currency adjusts_earlier_period export documents taxable"
    " vat taxable_in_currency vat_in_currency"
).split()
_BOX: Final = "name rate amount adjustment vat documents".split()
_WIDE: Final = 60
"""Of the return's first column, in characters: the names of its fields, and sentences."""
_MOST_ROWS: Final = 1_000_000
"""Of one sheet; the form of a workbook holds 1,048,576."""


def word(name: str, value: Any, language: Language) -> Any:
    """A value of the report as people read it."""
    if name in ("box", "name"):
        return spoken(BOXES[Box(value)], language)
    if name == "why" and value not in WORDS:
        return str(value)
    if isinstance(value, bool):
        return spoken(Text("yes", "نعم") if value else Text("no", "لا"), language)
    return spoken(WORDS[value], language) if value in WORDS else value


class DocumentsCsv:
    """Every figure of every document that counts or is open, a row each, as it is heard."""

    def __init__(self, path: str, language: Language) -> None:
        self._language = language
        # With its byte order mark, or Excel garbles Arabic.
        self._file = Path(path).open("w", encoding="utf-8-sig", newline="")  # noqa: SIM115, it is open as long as this
        self._writer = csv.writer(self._file)
        self._writer.writerow(spoken(COLUMNS[name], language) for name in _DOCUMENT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def hear(self, entry: Entry, figures: tuple[Figure, ...]) -> None:
        """One document more."""
        for row in figures_json(entry, figures):
            self._writer.writerow(self._cell(name, row[name]) for name in _DOCUMENT)

    def _cell(self, name: str, value: Any) -> str:
        if name in _NUMBERS:
            return str(value)
        return harmless(str(word(name, value, self._language) or ""))


class Workbook:
    """The whole report: fields, groups, documents, what to look at. Documents are written as they are heard."""

    def __init__(self, path: str, language: Language) -> None:
        import xlsxwriter

        Path(path).touch()  # where it cannot be written, that is said before anything is added up
        options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        self._language = language
        self._book = xlsxwriter.Workbook(path, options)
        self._money = self._book.add_format({"num_format": "#,##0.00;[Red]-#,##0.00"})
        self._bold = self._book.add_format({"bold": True})
        self._wrapped = self._book.add_format({"text_wrap": True, "valign": "top"})
        self._return = self._sheet(Text("Return", "الإقرار"))
        self._return.set_column(0, 0, _WIDE)
        self._groups = self._sheet(Text("Groups", "التفصيل"), _GROUP)
        self._look_at = self._sheet(Text("To look at", "للمراجعة"), ("number", "uuid", "why"))
        self._documents = self._sheet(Text("Documents", "المستندات"), _DOCUMENT)
        self._row = 0
        self._sheets = 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._book.close()

    def hear(self, entry: Entry, figures: tuple[Figure, ...]) -> None:
        """One document more."""
        for row in figures_json(entry, figures):
            if self._row == _MOST_ROWS:
                self._sheets += 1
                self._documents = self._sheet(Text(f"Documents {self._sheets}", f"المستندات {self._sheets}"), _DOCUMENT)
                self._row = 0
            self._row += 1
            self._write(self._documents, self._row, _DOCUMENT, row)

    def conclude(self, report: VatReport) -> None:
        """What all documents come to."""
        shown = report_json(report)
        rows = [{**each, "name": each["box"]} for each in shown["boxes"]]
        title = f"{spoken(TITLE, self._language)}  {shown['taxpayer']}  {shown['from']} .. {shown['to']}"
        row = self._fields(0, title, rows)
        row = self._total(row, shown["total"])
        if shown["open"]:
            rows = [{**each, "name": each["box"]} for each in shown["open"]]
            row = self._fields(row + 1, spoken(WORDS[Standing.OPEN.value], self._language), rows)
        for text in sentences(report, self._language):
            self._return.write_string(row + 1, 0, text, self._wrapped)
            row += 1
        for place, group in enumerate(shown["groups"], 1):
            self._write(self._groups, place, _GROUP, group)
        for place, named in enumerate(shown["look_at"], 1):
            self._write(self._look_at, place, ("number", "uuid", "why"), named)

    def _fields(self, row: int, title: str, rows: Iterable[dict[str, Any]]) -> int:
        """A table of fields below a title; the row behind it."""
        self._return.write_string(row, 0, title, self._bold)
        self._head(self._return, row + 1, _BOX)
        row += 2
        for each in rows:
            self._write(self._return, row, _BOX, each)
            row += 1
        return row

    def _total(self, row: int, total: dict[str, str]) -> int:
        self._return.write_string(row, 0, spoken(TOTAL, self._language), self._bold)
        for name, amount in total.items():
            self._return.write_number(row, _BOX.index(name), float(Decimal(amount)), self._money)
        return row + 1

    def _sheet(self, name: Text, columns: Sequence[str] = ()) -> "Worksheet":
        sheet: Worksheet = self._book.add_worksheet(spoken(name, self._language))
        if self._language == "ar":
            sheet.right_to_left()
        sheet.set_column(0, len(columns) or len(_BOX), 18)
        if columns:
            self._head(sheet, 0, columns)
            sheet.freeze_panes(1, 0)
        return sheet

    def _head(self, sheet: "Worksheet", row: int, columns: Sequence[str]) -> None:
        for place, name in enumerate(columns):
            sheet.write_string(row, place, spoken(COLUMNS[name], self._language), self._bold)

    def _write(self, sheet: "Worksheet", row: int, columns: Sequence[str], values: dict[str, Any]) -> None:
        for place, name in enumerate(columns):
            value = values[name]
            if name in ("rate", "documents"):
                sheet.write_number(row, place, float(value))
            elif name in _NUMBERS:
                sheet.write_number(row, place, float(Decimal(value)), self._money)
            else:
                sheet.write_string(row, place, str(word(name, value, self._language) or ""))


def sentences(report: VatReport, language: Language) -> list[str]:
    """What a reader has to know besides the figures."""
    shown = report_json(report)
    counts = shown["documents"]
    found = [spoken(Text(shown["law"]["en"], shown["law"]["ar"]), language)]
    for name, text in _COUNTS.items():
        if counts[name]:
            found.append(spoken(text, language).format(counts[name]))
    found.append(spoken(_agreement(report), language))
    return [*found, spoken(Text(shown["not_in_here"]["en"], shown["not_in_here"]["ar"]), language)]


_COUNTS: Final[dict[str, Text]] = {
    "open": Text(
        "Not reported yet: {} documents, in no field above; their VAT is due all the same. Report them and ask again.",
        "لم يُبلّغ بعد: {} مستندات لا تدخل في الحقول أعلاه وضريبتها مستحقة. أبلغ عنها ثم أعد التقرير.",
    ),
    "rejected": Text(
        "Rejected, in no field: {} documents. Correct them; the document in their place counts.",
        "مرفوضة ولا تدخل في أي حقل: {} مستندات. صححها ليُحتسب المستند البديل.",
    ),
    "replaced": Text(
        "Replaced, in no field: {} documents; those in their place count.",
        "مستبدلة ولا تدخل في أي حقل: {} مستندات، ويُحتسب البديل.",
    ),
    "issued_after_the_period": Text(
        "Issued after the period for a supply in it: {} documents.", "صدرت بعد الفترة عن توريد تم فيها: {} مستندات."
    ),
    "unreadable": Text(
        "Changed so that they cannot be read, in no field: {} documents.",
        "تغيّرت فلا تُقرأ ولا تدخل في أي حقل: {} مستندات.",
    ),
    "without_exchange_rate": Text(
        "Without a known exchange rate, in no field: {} documents.", "بلا سعر صرف معروف ولا تدخل في أي حقل: {} مستندات."
    ),
}


def _agreement(report: VatReport) -> Text:
    proof = report.proof
    if proof is None:
        return Text("Not compared with the XML.", "لم يُقارن التقرير بملفات XML.")
    if proof.agrees:
        return Text(
            f"Agrees with the XML of {proof.documents} documents, to the halala.",
            f"يطابق ملفات XML لعدد {proof.documents} من المستندات حتى الهللة.",
        )
    return Text(
        f"Does not agree with the XML: {proof.differing} of {proof.documents} documents differ. `gateway doctor`"
        " examines the books.",
        f"لا يطابق ملفات XML: اختلف {proof.differing} من {proof.documents} مستندات."
        " افحص الدفاتر بالأمر gateway doctor.",
    )
