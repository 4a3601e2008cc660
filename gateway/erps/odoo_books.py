"""What Odoo's settings say of a company's books: journals, taxes, accounts, rounding; found when it is connected."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from gateway.connection import Connection
from gateway.erps.erp import Inspection
from gateway.erps.odoo_move import Accounts, may_lack
from gateway.erps.odoo_rpc import Fault, Odoo, Protocol
from gateway.erps.pieces import Digits, tax_name
from gateway.errors import BadInput
from gateway.finding import Text
from gateway.invoice.facts import SAR, Category, Tax

STANDARD: Final = Tax(Category.STANDARD, Decimal(15))
_OTHERS: Final = tuple(Tax(each, Decimal(0)) for each in (Category.ZERO, Category.EXEMPT, Category.OUT_OF_SCOPE))
_WORDS: Final = {
    Category.ZERO: re.compile(r"zero|صفر", re.IGNORECASE),
    Category.EXEMPT: re.compile(r"exempt|معف", re.IGNORECASE),
    Category.OUT_OF_SCOPE: re.compile(r"out.?of.?scope|خارج", re.IGNORECASE),
}
"""What a tax of 0 % calls itself that is of this category: its rate does not tell."""
_NAMES: Final = {
    Category.STANDARD: Text("standard rate", "النسبة الأساسية"),
    Category.ZERO: Text("zero rated", "النسبة الصفرية"),
    Category.EXEMPT: Text("exempt", "معفى"),
    Category.OUT_OF_SCOPE: Text("out of scope", "خارج النطاق"),
}
_DIGITS: Final = {
    "Product Price": "digits.price",
    "Product Unit of Measure": "digits.quantity",
    "Product Unit": "digits.quantity",
}
PAYMENT: Final = "payment."
_FORMAT: Final = "sa_zatca"
"""The e-invoicing format that Odoo's own module gives to sales journals."""


async def look_at(odoo: Odoo, connection: Connection) -> Inspection:
    """What the connection's settings lack and Odoo knows, and what a person has to change there. BadInput: without it
    nothing can be posted."""
    company = await _company(odoo, connection)
    odoo.company = company["id"]
    found = {
        "protocol": odoo.release.protocol.value,
        "release": str(odoo.release.major),
        "company": str(company["id"]),
        "currency": _name_of(company.get("currency_id")),
        "rounding_method": str(company.get("tax_calculation_rounding_method") or ""),
    }
    journal, about_journal = await _journal(odoo, connection)
    taxes, about_taxes = await _taxes(odoo, connection)
    notes = [*_about_rounding(found["rounding_method"]), *about_journal, *about_taxes]
    for method in await _unknown_journals(odoo, connection):
        notes.append(_no_payment_journal(method))
    accounts = await _accounts(odoo, connection)
    ends = await key_ends(odoo)
    found |= journal | taxes | accounts | await _digits(odoo) | ({"key_ends": ends} if ends else {})
    return Inspection(found, tuple(notes))


def accounts_of(connection: Connection) -> Accounts:
    """Where moves are written, as the settings say it; BadInput if it was never found out."""
    said = connection.settings
    if not is_id(said.get("journal_id", "")):
        raise BadInput(
            f"Connection {connection.id} has no sales journal.",
            fix=f"Connect it again: `gateway connect {connection.id} --change`.",
            ar="لم يُحدَّد دفتر المبيعات لهذا الربط. أعد الربط.",
        )
    digits = Digits(_small(said, "digits.price", 2), _small(said, "digits.quantity", 2))
    return Accounts(
        int(said["journal_id"]), _small(said, "account_id", 0), _small(said, "rounding_account_id", 0), digits
    )


def _small(settings: Mapping[str, str], name: str, default: int) -> int:
    value = settings.get(name, "")
    return int(value) if is_id(value) else default


def is_id(value: str) -> bool:
    """Whether a setting is an id of Odoo."""
    return re.fullmatch(r"[0-9]{1,9}", value, re.ASCII) is not None


def _name_of(value: Any) -> str:
    """What a reference, [id, name], is called; empty if there is none."""
    return str(value[1]) if isinstance(value, list) and len(value) > 1 else ""


# -- the company ----------------------------------------------------------------------------------------------


async def _company(odoo: Odoo, connection: Connection) -> Mapping[str, Any]:
    domain: list[Any] = [["id", "=", odoo.company]] if odoo.company else []
    fields = ["name", "vat", "currency_id", "tax_calculation_rounding_method"]
    found = await odoo.find("res.company", domain, fields)
    if len(found) == 1:
        return dict(found[0])
    if not found:
        raise BadInput(
            f"Odoo has no company {odoo.company} that the user of connection {connection.id} may see.",
            fix="Give the setting 'company' the id of one of the user's companies.",
            ar="لا توجد شركة بهذا الرقم في أودو ضمن صلاحية المستخدم.",
        )
    names = ", ".join(f"{each['id']} ({each['name']})" for each in found[:10])
    raise BadInput(
        f"This Odoo has several companies: {names}.",
        fix='Give the setting "company" the id of the one whose books these are.',
        ar=f"في أودو أكثر من شركة: {names}. حدد رقم الشركة في الإعداد company.",
    )


def _about_rounding(method: str) -> Iterator[Text]:
    if method == "round_per_line":
        yield Text(
            "Odoo rounds VAT line by line; the law rounds it once for each rate. Invoices whose VAT differs by a halala"
            " are not posted but wait for you. In Odoo open Settings, Accounting, Taxes, and set Rounding Method to"
            " Round Globally.",
            "يقرّب أودو الضريبة لكل سطر، بينما تُحسب نظامًا مرة واحدة لكل نسبة. لن تُرحَّل الفواتير التي تختلف بهللة."
            " في أودو: الإعدادات، المحاسبة، الضرائب، واجعل طريقة التقريب «إجمالية» (Round Globally).",
        )


async def _digits(odoo: Odoo) -> dict[str, str]:
    """How many decimals prices and quantities have; what does not say so has two."""
    try:
        found = await odoo.find("decimal.precision", [["name", "in", list(_DIGITS)]], ["name", "digits"])
    except Fault:
        return {}
    return {_DIGITS[each["name"]]: str(each["digits"]) for each in found if each.get("name") in _DIGITS}


async def _accounts(odoo: Odoo, connection: Connection) -> dict[str, str]:
    """The ids of the accounts whose codes the settings give."""
    found = {}
    for name in ("account", "rounding_account"):
        code = connection.settings.get(name, "")
        if not code:
            continue
        records = await odoo.find("account.account", [["code", "=", code]], ["code"])
        if not records:
            raise BadInput(
                f"Odoo has no account {code}.",
                fix=f"Give the setting '{name}' the code of an account of this company, or leave it out.",
                ar=f"لا يوجد في أودو حساب بالرمز {code}.",
            )
        found[f"{name}_id"] = str(records[0]["id"])
    return found


# -- journals -------------------------------------------------------------------------------------------------


async def _journal(odoo: Odoo, connection: Connection) -> tuple[dict[str, str], list[Text]]:
    wanted = connection.settings.get("journal", "")
    sales = [["company_id", "=", odoo.company], ["type", "=", "sale"]]
    journals = await odoo.find("account.journal", sales, ["code", "name"])
    chosen = [each for each in journals if wanted in (each.get("code"), str(each["id"]))] if wanted else journals
    if not chosen:
        known = ", ".join(f"{each['code']} ({each['name']})" for each in journals) or "none"
        raise BadInput(
            f"Odoo has no sales journal {wanted or 'at all'}; it has: {known}.",
            fix="Make a journal of the type Sales, of its own for the gateway's numbers, and give its code as the"
            " setting 'journal'.",
            ar="لا يوجد دفتر مبيعات بهذا الرمز في أودو. أنشئ دفترًا من نوع «مبيعات» وأدخل رمزه في الإعداد journal.",
        )
    notes = [] if wanted else [_one_of_its_own(chosen[0])]
    return {"journal_id": str(chosen[0]["id"])}, notes


def _one_of_its_own(journal: Mapping[str, Any]) -> Text:
    return Text(
        f"Invoices are posted to the journal {journal['code']}, with the gateway's numbers. Odoo goes on counting from"
        " such numbers in its own invoices there: better make a sales journal of its own, and give its code as the"
        " setting 'journal'.",
        f"تُرحَّل الفواتير إلى دفتر {journal['code']} بأرقام البوابة. يفضل إنشاء دفتر مبيعات مستقل وإدخال رمزه في"
        " الإعداد journal.",
    )


async def payment_journals(odoo: Odoo) -> dict[str, int]:
    """Journals that money is received in, by code and by id."""
    domain = [["company_id", "=", odoo.company], ["type", "in", ["bank", "cash", "credit"]]]
    found = await odoo.find("account.journal", domain, ["code"])
    return {name: each["id"] for each in found for name in (str(each["id"]), str(each.get("code")))}


async def _unknown_journals(odoo: Odoo, connection: Connection) -> list[str]:
    wanted = {name: code for name, code in connection.settings.items() if name.startswith(PAYMENT)}
    known = await payment_journals(odoo) if wanted else {}
    return [f"{name}={code}" for name, code in sorted(wanted.items()) if code not in known]


def _no_payment_journal(setting: str) -> Text:
    return Text(
        f"{setting}: Odoo has no bank or cash journal of that code, so such payments are not registered.",
        f"{setting}: لا يوجد في أودو دفتر بنك أو نقد بهذا الرمز، ولن تُسجَّل هذه المدفوعات.",
    )


async def issues(odoo: Odoo) -> bool:
    """Whether a sales journal is onboarded with the authority by Odoo's own module, which is installed. Where the
    journals of this release do not tell, the module counts as at work."""
    fields = await odoo.call("account.journal", "fields_get", attributes=["type"])
    sales: list[Any] = [["type", "=", "sale"], *([["company_id", "=", odoo.company]] if odoo.company else [])]
    if "edi_format_ids" in fields:
        return await odoo.count("account.journal", [*sales, ["edi_format_ids.code", "=", _FORMAT]]) > 0
    for name in ("l10n_sa_production_csid_json", "l10n_sa_compliance_csid_json", "l10n_sa_csr"):
        if name in fields:
            return await odoo.count("account.journal", [*sales, [name, "!=", False]]) > 0
    return True


# -- taxes ----------------------------------------------------------------------------------------------------


async def _taxes(odoo: Odoo, connection: Connection) -> tuple[dict[str, str], list[Text]]:
    """Odoo's taxes by rate and category. BadInput: there is none of 15 %."""
    offered = await _offered(odoo)
    found, notes = {}, []
    for tax in (STANDARD, *_OTHERS):
        number = chosen_tax(tax, offered, connection)
        if number:
            found[tax_name(tax)] = str(number)
        elif tax is STANDARD:
            raise no_tax(tax, connection)
        elif not may_lack(tax):
            notes.append(_missing(tax))
    return found, notes


async def _offered(odoo: Odoo) -> list[dict[str, Any]]:
    domain = [["company_id", "=", odoo.company], ["type_tax_use", "=", "sale"], ["amount_type", "=", "percent"]]
    return await odoo.find("account.tax", domain, ["name", "amount", "price_include", "description"])


async def tax_in(odoo: Odoo, tax: Tax, connection: Connection) -> int | None:
    """Odoo's tax for one that was not there when it was connected."""
    return chosen_tax(tax, await _offered(odoo), connection)


def chosen_tax(tax: Tax, offered: list[dict[str, Any]], connection: Connection) -> int | None:
    """The id of the tax that the settings name, or the first that fits: prices without it, the same rate, and of the
    rates of 0 % the one whose name says the category."""
    named = connection.settings.get(tax_name(tax), "")
    for each in offered:
        if named and named in (str(each["id"]), each.get("name")):
            return int(each["id"])
    if named:
        return None
    for each in offered:
        if not each.get("price_include") and _amount(each) == tax.rate and _is_of(tax, each):
            return int(each["id"])
    return None


def _amount(offered: Mapping[str, Any]) -> Decimal:
    return Decimal(str(offered.get("amount", "-1")))


def _is_of(tax: Tax, offered: Mapping[str, Any]) -> bool:
    word = _WORDS.get(tax.category)
    return word is None or word.search(f"{offered.get('name')} {offered.get('description') or ''}") is not None


def _how_to_make(tax: Tax) -> Text:
    name, rate = _NAMES[tax.category], f"{tax.rate.normalize():f}"
    return Text(
        f"In Odoo make a tax: Accounting, Configuration, Taxes, New; type Sales, computation Percentage of Price,"
        f" amount {rate}, not included in price, and '{name.en}' in its name; or give the id of one as the setting"
        f" '{tax_name(tax)}'.",
        f"أنشئ ضريبة في أودو: المحاسبة، الإعدادات، الضرائب؛ النوع مبيعات، النسبة {rate}٪، غير مشمولة في السعر،"
        f" وفي اسمها «{name.ar}»؛ أو أدخل رقمها في الإعداد {tax_name(tax)}.",
    )


def _missing(tax: Tax) -> Text:
    made, name = _how_to_make(tax), _NAMES[tax.category]
    return Text(
        f"Odoo has no sales tax for what is {name.en} ({tax_name(tax)}); such invoices would wait for you. {made.en}",
        f"لا توجد في أودو ضريبة مبيعات لفئة «{name.ar}»، وستنتظر فواتيرها قرارك. {made.ar}",
    )


def no_tax(tax: Tax, connection: Connection) -> BadInput:
    """The error that names the tax and says how to make it."""
    made, rate = _how_to_make(tax), f"{tax.rate.normalize():f}"
    return BadInput(
        f"The Odoo of connection {connection.id} has no sales tax of {rate} % ({_NAMES[tax.category].en}).",
        fix=made.en,
        ar=f"لا توجد في أودو ضريبة مبيعات بنسبة {rate}٪ ({_NAMES[tax.category].ar}). {made.ar}",
    )


def is_domestic(currency: str, connection: Connection) -> bool:
    """Whether it is the company's own currency."""
    return currency == (connection.settings.get("currency") or SAR)


# -- the key --------------------------------------------------------------------------------------------------


async def key_ends(odoo: Odoo) -> str:
    """The day on which the first of the user's API keys ends, which may be ours: Odoo does not say which one is used.
    Empty where keys do not end or it does not say."""
    if odoo.release.protocol is not Protocol.JSON_2:
        return ""
    try:
        found = await odoo.find("res.users.apikeys", [], ["name", "expiration_date"])
    except Fault:
        return ""
    days = sorted(str(each["expiration_date"])[:10] for each in found if each.get("expiration_date"))
    return days[0] if days else ""
