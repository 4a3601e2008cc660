"""An account as a CSV and as a page, which is in both languages and needs nothing from elsewhere."""

import csv
import io
from collections.abc import Iterable
from html import escape
from typing import Any, Final

from gateway.finding import Text
from gateway.spreadsheet import harmless

TITLE: Final = Text("Orders, invoices and books", "الطلبات والفواتير والقيود")
_AGREES: Final = Text("They agree.", "لا فروق.")
_COLUMNS: Final[dict[str, Text]] = {
    "gap": Text("Gap", "الفرق"),
    "connection": Text("Connection", "الربط"),
    "order": Text("Order", "الطلب"),
    "number": Text("Number", "رقم المستند"),
    "erp": Text("ERP", "نظام المحاسبة"),
    "currency": Text("Currency", "العملة"),
    "ordered": Text("Ordered", "مبلغ الطلب"),
    "invoiced": Text("Invoiced", "مبلغ المستند"),
    "posted": Text("Posted", "مبلغ القيد"),
}
_SUMS: Final[dict[str, Text]] = {
    "connection": Text("Connection", "الربط"),
    "currency": Text("Currency", "العملة"),
    "orders_without_invoice": Text("Orders without invoice", "طلبات بلا فاتورة"),
    "ordered_without_invoice": Text("Their sum", "مجموعها"),
    "documents": Text("Documents", "المستندات"),
    "invoiced": Text("Invoiced", "المفوتر"),
    "accepted": Text("Accepted", "المقبول لدى الهيئة"),
    "erp": Text("ERP", "نظام المحاسبة"),
    "due": Text("To be posted", "الواجب قيده"),
    "posted": Text("Posted", "المقيد"),
}
_MONEY: Final = frozenset({"ordered", "invoiced", "posted"})
_STYLE: Final = (
    "body{font-family:sans-serif;margin:2em;color:#222}table{border-collapse:collapse;margin:1em 0}"
    "th,td{border:1px solid #bbb;padding:.3em .6em;text-align:start;vertical-align:top}"
    "th span{display:block;font-weight:normal}"
)
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{style}</style></head>
<body><h1>{en}</h1><h1 lang="ar" dir="rtl">{ar}</h1><p>{days}</p>{parts}</body></html>
"""


def account_csv(shown: dict[str, Any]) -> str:
    """The gaps, one a line; texts are such that no spreadsheet runs them, amounts are numbers."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([*_COLUMNS, "uuid", "meaning_en", "meaning_ar", "why_en", "why_ar"])
    for gap in shown["gaps"]:
        why = gap["why"] or {"en": "", "ar": ""}
        said = [gap["uuid"] or "", gap["meaning"]["en"], gap["meaning"]["ar"], why["en"], why["ar"]]
        cells = [gap[name] or "" if name in _MONEY else harmless(gap[name] or "") for name in _COLUMNS]
        writer.writerow([*cells, *map(harmless, said)])
    return text.getvalue()


def account_page(shown: dict[str, Any]) -> str:
    """The account in HTML."""
    sums = _table(_SUMS, _sums(shown["sides"]))
    gaps = [{**each, "gap": _both(Text(**each["meaning"]), each["why"])} for each in shown["gaps"]]
    parts = sums + (_table(_COLUMNS, gaps, plain=frozenset({"gap"})) if gaps else f"<p>{_both(_AGREES, None)}</p>")
    days = f"{shown['from']} – {shown['to']}"
    return _PAGE.format(title=escape(TITLE.en), style=_STYLE, en=TITLE.en, ar=TITLE.ar, days=escape(days), parts=parts)


def _sums(sides: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """A line for each connection and ERP."""
    for side in sides:
        first, *others = side["erps"] or [{"erp": "", "due": "", "posted": ""}]
        yield {**side, **first}
        for each in others:
            yield {"connection": side["connection"], "currency": side["currency"], **each}


def _both(text: Text, why: dict[str, str] | None) -> str:
    """A sentence in both languages, and the reason."""
    en, ar = (f"{one} {why[name]}" if why else one for name, one in zip(("en", "ar"), text, strict=True))
    return f'{escape(en)}<div lang="ar" dir="rtl">{escape(ar)}</div>'


def _table(columns: dict[str, Text], rows: Iterable[dict[str, Any]], plain: frozenset[str] = frozenset()) -> str:
    """`plain` are the columns whose cells are HTML already."""
    heads = "".join(f'<th>{escape(each.en)}<span lang="ar">{escape(each.ar)}</span></th>' for each in columns.values())
    lines = (
        "".join(f"<td>{row[name] if name in plain else escape(_cell(row.get(name)))}</td>" for name in columns)
        for row in rows
    )
    return f"<table><tr>{heads}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def _cell(value: Any) -> str:
    return "" if value is None else str(value)
