"""What an ERPNext site says of a company's books: accounts, taxes, our own fields; found when it is connected."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from gateway.connection import Connection
from gateway.erps.erp import Inspection
from gateway.erps.erpnext_invoice import KEY_FIELD, NUMBER_FIELD, UUID_FIELD, Accounts
from gateway.erps.erpnext_rest import ErpNext, Fault
from gateway.erps.pieces import tax_name
from gateway.errors import BadInput
from gateway.finding import Text
from gateway.invoice.facts import SAR, Category, Tax

STANDARD: Final = Tax(Category.STANDARD, Decimal(15))
PAYMENT: Final = "payment."
APPS: Final = ("ksa_compliance", "zatca_erpgulf")
"""Apps that issue to the authority from within ERPNext."""
_ACCOUNTS: Final = {
    "income_account": ("default_income_account", "Default Income Account"),
    "cost_center": ("cost_center", "Default Cost Center"),
    "rounding_account": ("round_off_account", "Round Off Account"),
}
"""Settings, the fields of a company that they follow from, and what people call those."""
_VAT: Final = re.compile(r"\bvat\b|ضريبة", re.IGNORECASE)
_UNIT: Final = "Nos"


class _Field(NamedTuple):
    """A field of ours: `unique` makes a second record of the same impossible."""

    doctype: str
    name: str
    label: str
    unique: bool = True


_FIELDS: Final = (
    _Field("Sales Invoice", UUID_FIELD, "Gateway UUID"),
    _Field("Sales Invoice", NUMBER_FIELD, "Gateway Number", unique=False),
    _Field("Customer", KEY_FIELD, "Gateway Key"),
    _Field("Payment Entry", KEY_FIELD, "Gateway Key"),
)


async def look_at(site: ErpNext, connection: Connection) -> Inspection:
    """What the connection's settings lack and the site knows, and what a person has to change there; our own fields
    are made. BadInput: without it nothing can be posted."""
    company = await _company(site, connection)
    found = {"company": str(company["name"]), "currency": str(company.get("default_currency") or SAR)}
    for name, (field, label) in _ACCOUNTS.items():
        found[name] = connection.settings.get(name) or str(company.get(field) or "") or _lacks(company, name, label)
    found |= await _groups(site, connection)
    found["tax.S15"] = await _vat_account(site, connection, found["company"])
    await _make_fields(site, connection)
    unknown = await _unknown_accounts(site, connection, found["company"])
    return Inspection(found, tuple(_no_account(each) for each in unknown))


def accounts_of(connection: Connection) -> Accounts:
    """Where invoices are written, as the settings say it; BadInput if it was never found out."""
    said = connection.settings
    if not all(said.get(name) for name in ("company", "tax.S15", *_ACCOUNTS)):
        raise BadInput(
            f"Connection {connection.id} has no accounts yet.",
            fix=f"Connect it again: `gateway connect {connection.id} --change`.",
            ar="لم تُحدَّد حسابات هذا الربط. أعد الربط.",
        )
    income = said["income_account"]
    return Accounts(
        company=said["company"],
        income=income,
        cost_center=said["cost_center"],
        discount=said.get("discount_account") or income,
        rounding=said["rounding_account"],
        unit=said.get("unit") or _UNIT,
        tax=lambda tax: said.get(tax_name(tax)) or said["tax.S15"],
    )


# -- who issues -----------------------------------------------------------------------------------------------


async def issues(site: ErpNext, connection: Connection) -> bool | None:
    """Whether an app on the site issues to the authority. Where an app is installed that does not tell whether it is at
    work for the company, it counts as at work; None if the site does not tell its apps."""
    installed = await site.method("frappe.utils.change_log.get_versions")
    if not isinstance(installed, dict) or not installed:
        return None
    at_work = [await _is_at_work(site, connection, each) for each in APPS if each in installed]
    return any(at_work)


async def _is_at_work(site: ErpNext, connection: Connection, app: str) -> bool:
    try:
        company = str((await _company(site, connection))["name"])
        if app == "ksa_compliance":
            here = [["company", "=", company], ["status", "=", "Active"]]
            return bool(await site.find("ZATCA Business Settings", here, []))
        return bool((await site.read("Company", company)).get("custom_zatca_invoice_enabled", 1))
    except (Fault, BadInput):
        return True


# -- the company ----------------------------------------------------------------------------------------------


async def _company(site: ErpNext, connection: Connection) -> Mapping[str, Any]:
    wanted = connection.settings.get("company", "")
    names = [str(each["name"]) for each in await site.find("Company", [], [])]
    chosen = [each for each in names if each == wanted] if wanted else names
    if len(chosen) == 1:
        return await site.read("Company", chosen[0])
    known = ", ".join(names[:10]) or "none that the user may see"
    raise BadInput(
        f"This ERPNext has no company {wanted}; it has: {known}." if wanted else f"Its companies are: {known}.",
        fix='Give the setting "company" the name of the one whose books these are.',
        ar=f"الشركات في ERPNext: {known}. أدخل اسم الشركة في الإعداد company.",
    )


def _lacks(company: Mapping[str, Any], setting: str, label: str) -> str:
    raise BadInput(
        f"The company {company['name']} has no {label} in ERPNext.",
        fix=f"Open the company in ERPNext, tab Accounts, and choose its {label}; or give the setting '{setting}'.",
        ar=f"لا يوجد للشركة في ERPNext «{label}». حدده في صفحة الشركة أو في الإعداد {setting}.",
    )


async def _groups(site: ErpNext, connection: Connection) -> dict[str, str]:
    """The customer group and the territory of new customers: the first that are no groups of others."""
    found: dict[str, str] = {}
    for setting, doctype in (("customer_group", "Customer Group"), ("territory", "Territory")):
        chosen = connection.settings.get(setting)
        if not chosen:
            records = await site.find(doctype, [["is_group", "=", 0]], [])
            chosen = str(records[0]["name"]) if records else ""
        found |= {setting: chosen} if chosen else {}
    return found


# -- accounts -------------------------------------------------------------------------------------------------


async def _vat_account(site: ErpNext, connection: Connection, company: str) -> str:
    """The account of output VAT: that of the settings, the only one of the type Tax, or the only one of 15 %."""
    here = [["company", "=", company], ["account_type", "=", "Tax"], ["is_group", "=", 0]]
    offered = await site.find("Account", here, ["account_name", "tax_rate"])
    wanted = connection.settings.get("tax.S15", "")
    named = [each for each in offered if wanted in (each["name"], each.get("account_name"))] if wanted else offered
    vat = [each for each in named if _VAT.search(str(each.get("account_name")))]
    of_rate = [each for each in named if Decimal(str(each.get("tax_rate") or 0)) == STANDARD.rate]
    for chosen in (named, of_rate, vat):
        if len(chosen) == 1:
            return str(chosen[0]["name"])
    raise _no_vat_account(wanted, [str(each["name"]) for each in offered])


def _no_vat_account(wanted: str, offered: list[str]) -> BadInput:
    known = ", ".join(offered[:10]) or "none"
    return BadInput(
        f"ERPNext has no account {wanted} of the type Tax; it has: {known}."
        if wanted
        else f"Which account takes the VAT of sales does not follow from ERPNext's accounts of the type Tax: {known}.",
        fix="In ERPNext open Accounting, Chart of Accounts, Duties and Taxes, add an account of the type Tax with the"
        " rate 15; or give the name of one as the setting 'tax.S15'.",
        ar=f"حساب ضريبة المبيعات غير محدد في ERPNext. حسابات الضرائب: {known}. أضف حسابًا من نوع Tax بنسبة 15 أو أدخل"
        " اسمه في الإعداد tax.S15.",
    )


async def money_accounts(site: ErpNext, company: str) -> set[str]:
    """Accounts that money is received in."""
    here = [["company", "=", company], ["account_type", "in", ["Bank", "Cash"]], ["is_group", "=", 0]]
    return {str(each["name"]) for each in await site.find("Account", here, [])}


async def _unknown_accounts(site: ErpNext, connection: Connection, company: str) -> list[str]:
    wanted = {name: said for name, said in connection.settings.items() if name.startswith(PAYMENT)}
    known = await money_accounts(site, company) if wanted else set()
    return [f"{name}={said}" for name, said in sorted(wanted.items()) if said not in known]


def _no_account(setting: str) -> Text:
    return Text(
        f"{setting}: ERPNext has no bank or cash account of that name, so such payments are not registered.",
        f"{setting}: لا يوجد في ERPNext حساب بنك أو نقد بهذا الاسم، ولن تُسجَّل هذه المدفوعات.",
    )


# -- fields ---------------------------------------------------------------------------------------------------


async def _make_fields(site: ErpNext, connection: Connection) -> None:
    """Make the fields of ours that are not there. BadInput says how, where the user may not."""
    missing = [each for each in _FIELDS if not await _has(site, each)]
    for field in missing:
        try:
            await site.create("Custom Field", _field_values(field))
        except Fault as fault:
            if not fault.is_of_rights:
                raise
            raise _may_not_make(missing, connection) from None


async def _has(site: ErpNext, field: _Field) -> bool:
    """Whether records can be searched by it; where fields themselves may not be looked at, that is what tells."""
    try:
        await site.find(field.doctype, [[field.name, "=", "none"]], [field.name])
    except Fault as fault:
        if fault.status == 401:
            raise
        return False
    return True


def _field_values(field: _Field) -> dict[str, Any]:
    return {
        "dt": field.doctype,
        "fieldname": field.name,
        "label": field.label,
        "fieldtype": "Data",
        "unique": int(field.unique),
        "search_index": 1,
        "no_copy": 1,
        "read_only": 1,
        "print_hide": 1,
    }


def _may_not_make(missing: list[_Field], connection: Connection) -> BadInput:
    names = "; ".join(
        f"{each.doctype}: {each.name} ({'Data, Unique, No Copy' if each.unique else 'Data, No Copy'})"
        for each in missing
    )
    return BadInput(
        f"ERPNext lacks fields that keep documents from being posted twice, and the user of connection {connection.id}"
        " may not make them.",
        fix=f"Give the user the role System Manager while connecting, or make them under Customize Form: {names}.",
        ar=f"تنقص ERPNext حقول تمنع ترحيل المستند مرتين ولا يملك المستخدم صلاحية إنشائها. أنشئها: {names}.",
    )
