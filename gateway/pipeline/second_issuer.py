"""Two issuers for one sale is the worst that can happen: nothing goes live while the shop still issues itself.

Shops that tell whether they issue themselves are asked, when they are connected and again when their unit is
onboarded. An ERP that sends orders is asked if it is an Odoo that may be called; of others nothing is seen here, and
a person is told what to look at.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gateway.connection import Connection
from gateway.erps import ERPS, odoo
from gateway.errors import BadInput, GatewayError
from gateway.finding import Text
from gateway.pipeline.credentials import connection_secrets
from gateway.pipeline.gateway import Gateway, Lines
from gateway.stores import STORES
from gateway.stores.store import Issuing
from gateway.unit import Unit


def _asked(connection: Connection) -> Issuing | None:
    """What can be asked whether it issues itself; None where nothing can."""
    if _name_of(connection) == "odoo":
        return odoo
    store = STORES.get(connection.platform) or ERPS.get(connection.platform)
    return store if isinstance(store, Issuing) else None


TO_LOOK_AT: Final = Text(
    "Make sure that the ERP does not issue to the authority itself. Odoo: no sales journal uses the module l10n_sa_edi."
    " ERPNext: no ZATCA app is installed.",
    "تأكد أن نظام ERP لا يرسل الفواتير إلى الهيئة بنفسه. أودو: لا يستخدم أي دفتر مبيعات الوحدة l10n_sa_edi."
    " ERPNext: لا يوجد تطبيق ZATCA مثبت.",
)


async def check_issuer(
    gateway: Gateway, lines: Lines, connection: Connection, *, actor: str, unchecked: bool = False
) -> Text | None:
    """Make sure that nobody else issues what this connection sells; what is left for a person to look at.

    BadInput: the shop issues itself, or cannot be asked. `unchecked` lets the second pass, and leaves an audit entry.
    """
    platform = _asked(connection)
    if platform is None:
        if connection.platform != "api":
            return None
        await _note(gateway, connection, actor, "issuer.left_to_check", {"look_at": TO_LOOK_AT.en})
        return TO_LOOK_AT
    answer, why = await _ask(platform, connection, lines)
    if answer:
        raise BadInput(
            f"What connection {connection.id} connects ({_name_of(connection)}) issues to the authority itself, and two"
            " issuers for one sale must never be.",
            fix=f"{platform.SWITCH.en} Then repeat the command.",
            ar=f"النظام المربوط يصدر الفواتير للهيئة بنفسه، ولا يجوز أن يصدر البيع الواحد جهتان. {platform.SWITCH.ar}",
        )
    if answer is None and not unchecked:
        raise _cannot_tell(connection, platform, why)
    action = "issuer.checked" if answer is False else "issuer.unchecked"
    await _note(gateway, connection, actor, action, {"why": why} if why else {})
    return platform.SWITCH if answer is None else None


async def check_issuers_of(gateway: Gateway, lines: Lines, unit: Unit, *, actor: str, unchecked: bool = False) -> None:
    """`check_issuer` for every shop whose sales the unit issues, before it goes live."""
    connections = await gateway.offload(gateway.ledger.connections, unit.taxpayer_id)
    for each in connections:
        if each.unit_id == unit.id and _asked(each):
            secrets = await gateway.offload(gateway.safe.open, connection_secrets(each.taxpayer_id, each.id))
            whole = replace(each, secrets=json.loads(secrets))
            await check_issuer(gateway, lines, whole, actor=actor, unchecked=unchecked)


def _name_of(connection: Connection) -> str:
    """Of an ERP that sends orders, the setting `erp` says that it is an Odoo."""
    # However it is spelled: an Odoo that is not recognised would not be asked.
    is_odoo = connection.platform == "api" and str(connection.settings.get("erp")).strip().lower() == "odoo"
    return "odoo" if is_odoo else connection.platform


async def _ask(platform: Issuing, connection: Connection, lines: Lines) -> tuple[bool | None, str]:
    """The shop's answer, None with the reason if it gives none."""
    try:
        answer = await platform.issues_itself(replace(connection, platform=_name_of(connection)), lines.outside)
    except GatewayError as error:
        return None, str(error)
    return answer, "" if answer is not None else "Its answer does not say who issues."


def _cannot_tell(connection: Connection, platform: Issuing, why: str) -> BadInput:
    return BadInput(
        f"Whether what connection {connection.id} connects ({_name_of(connection)}) issues to the authority itself"
        f" cannot be told. {why}",
        fix=f"{platform.SWITCH.en} If you have seen to it yourself, repeat the command with --unchecked-issuer.",
        ar=f"تعذر التحقق مما إذا كان النظام المربوط يصدر الفواتير للهيئة بنفسه. {platform.SWITCH.ar}"
        " بعد التأكد من ذلك بنفسك، أعد الأمر مع ‎--unchecked-issuer.",
    )


async def _note(gateway: Gateway, connection: Connection, actor: str, action: str, detail: Mapping[str, Any]) -> None:
    await gateway.offload(
        gateway.ledger.audit,
        taxpayer_id=connection.taxpayer_id,
        actor=actor,
        action=action,
        target=connection.id,
        detail={"platform": connection.platform, **detail},
        now=gateway.now(),
    )
