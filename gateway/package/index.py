"""The index of a package, for people: a table as CSV, and pages in Arabic and English."""

import csv
import html
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from gateway.spreadsheet import harmless

_COLUMNS: Final = {
    "number": ("Number", "الرقم"),
    "issued_at": ("Issued", "تاريخ الإصدار"),
    "kind": ("Kind", "النوع"),
    "profile": ("Profile", "الفئة"),
    "buyer_name": ("Buyer", "المشتري"),
    "buyer_vat": ("Buyer's VAT number", "الرقم الضريبي للمشتري"),
    "total": ("Total", "الإجمالي"),
    "vat": ("VAT", "الضريبة"),
    "currency": ("Currency", "العملة"),
    "status": ("Status", "الحالة"),
    "icv": ("ICV", "العداد"),
    "uuid": ("UUID", "المعرّف"),
    "file": ("File", "الملف"),
}
_SPOKEN: Final = {
    "kind": {
        "388": "فاتورة / invoice",
        "381": "إشعار دائن / credit note",
        "383": "إشعار مدين / debit note",
        "386": "دفعة مقدمة / prepayment",
    },
    "profile": {"01": "ضريبية / standard", "02": "مبسطة / simplified"},
    "status": {
        "issued": "صادرة / issued",
        "sending": "قيد الإرسال / sending",
        "unknown": "بلا رد / unknown",
        "held": "موقوفة / held",
        "cleared": "معتمدة / cleared",
        "reported": "مُبلّغ عنها / reported",
        "rejected": "مرفوضة / rejected",
        "replaced": "مستبدلة / replaced",
    },
}
"""What people read instead of a code; the CSV has the code."""
_PAGE: Final = """<!DOCTYPE html>
<html lang="ar" dir="rtl"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 15px/1.5 "Segoe UI", Tahoma, sans-serif; margin: 2rem; color: #222 }}
table {{ border-collapse: collapse }}
th, td {{ border: 1px solid #ccc; padding: .2rem .5rem; text-align: start; vertical-align: top }}
th {{ background: #f3f3f3 }}
.documents {{ font-size: 13px }}
.number, .issued_at {{ white-space: nowrap }}
.documents .uuid {{ font-size: 10px }}
</style></head><body>
{body}
</body></html>
"""

_ABOUT: Final = (
    '<p>حزمة فواتير إلكترونية من سجلات مُصدرها. طريقة التحقق منها في <a href="README.txt">README.txt</a>.</p>\n'
    '<p dir="ltr">A package of e-invoices, as their issuer has them on record. <a href="README.txt">README.txt</a>'
    " says how it is proved.</p>"
)


def index_titles() -> bytes:
    """The first line of the CSV, after the mark by which spreadsheets know UTF-8."""
    return b"\xef\xbb\xbf" + _csv([english for english, _ in _COLUMNS.values()])


def index_row(document: Mapping[str, object]) -> bytes:
    """A document's line. Nothing in it is a formula to a spreadsheet."""
    return _csv([harmless(str(document[name])) for name in _COLUMNS])


def _csv(cells: Sequence[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue().encode("utf-8", "replace")


def index_rows_page(title: str, documents: Iterable[Mapping[str, object]]) -> bytes:
    """A page with some documents, each linked to its file."""
    heads = "".join(f"<th>{arabic}<br>{english}</th>" for english, arabic in _COLUMNS.values())
    rows = "\n".join(f"<tr>{''.join(_cells(each))}</tr>" for each in documents)
    table = f'<table class="documents"><tr>{heads}</tr>\n{rows}\n</table>'
    return _page(title, f'<p><a href="../index.html">الفهرس / Index</a></p>\n{table}')


def _cells(document: Mapping[str, object]) -> Iterable[str]:
    for name in _COLUMNS:
        text = html.escape(spoken(name, str(document[name])))
        shown = f'<a href="../{text}">XML</a>' if name == "file" and text else text
        yield f'<td class="{name}"><bdi>{shown}</bdi></td>'


def spoken(name: str, code: str) -> str:
    """What people read, Arabic and English, for the code in a column."""
    return _SPOKEN.get(name, {}).get(code, code)


def index_page(
    title: str, facts: Iterable[tuple[str, str, object]], pages: Iterable[tuple[str, str, str, int]]
) -> bytes:
    """The page to begin with: facts (English, Arabic, value), and the pages there are: name, first and last number,
    how many documents."""
    told = "\n".join(
        f"<tr><th>{html.escape(arabic)}<br>{html.escape(english)}</th><td><bdi>{html.escape(str(value))}</bdi></td></tr>"
        for english, arabic, value in facts
    )
    links = "\n".join(
        f'<li><a href="{name}"><bdi dir="ltr">{html.escape(first)} – {html.escape(last)}</bdi></a> ({count})</li>'
        for name, first, last, count in pages
    )
    return _page(title, f"<h1>{html.escape(title)}</h1>\n{_ABOUT}\n<table>{told}</table>\n<ul>\n{links}\n</ul>")


def _page(title: str, body: str) -> bytes:
    return _PAGE.format(title=html.escape(title), body=body).encode("utf-8", "replace")
