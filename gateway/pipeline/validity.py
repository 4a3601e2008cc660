"""How long the units' certificates still hold, told in time to renew them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

import structlog

from gateway.finding import Text
from gateway.ledger import CsidRecord
from gateway.pipeline.gateway import Gateway
from gateway.pipeline.revocation import Checked, check_revocations

log = structlog.get_logger()

LEVELS: Final = (90, 30, 7, 0)
"""Days before the end of a certificate at which it is warned of; 0 is its end."""


class CertificateWarning(NamedTuple):
    """A certificate in use that ends soon, has ended or was revoked. `level` is one of LEVELS, None for a revoked
    one; `days_left` are whole days, negative once it has ended."""

    csid: CsidRecord
    level: int | None
    days_left: int
    message: Text


class Watched(NamedTuple):
    """What a look at all certificates in use has found."""

    warnings: tuple[CertificateWarning, ...]
    doubts: tuple[Checked, ...]


def days_left(csid: CsidRecord, now: datetime) -> int:
    """Whole days until the certificate ends; negative once it has ended."""
    return (csid.not_after - now).days


def certificate_warnings(csids: Iterable[CsidRecord], now: datetime) -> tuple[CertificateWarning, ...]:
    """What is to be said of these certificates at this moment, at most one thing each."""
    return tuple(warning for csid in csids if (warning := _warning(csid, now)))


def _warning(csid: CsidRecord, now: datetime) -> CertificateWarning | None:
    left, unit = days_left(csid, now), csid.unit_id
    if csid.revoked_at:
        said = Text(
            f"The certificate of unit {unit} was revoked, so nothing is issued with it. Onboard the unit again.",
            f"أُلغيت شهادة الوحدة {unit} ولا يُصدر بها أي مستند. أعد تسجيل الوحدة.",
        )
        return CertificateWarning(csid, None, left, said)
    level = min((each for each in LEVELS if left < each or (each and left == each)), default=None)
    if level is None:
        return None
    if level == 0:
        said = Text(
            f"The certificate of unit {unit} ended on {csid.not_after:%Y-%m-%d}, so nothing is issued with it."
            " Onboard the unit again.",
            f"انتهت شهادة الوحدة {unit} في {csid.not_after:%Y-%m-%d} ولا يُصدر بها أي مستند. أعد تسجيل الوحدة.",
        )
    else:
        said = Text(
            f"The certificate of unit {unit} ends on {csid.not_after:%Y-%m-%d}, in {left} days."
            f" Renew it: `gateway renew {unit} --otp OTP`.",
            f"تنتهي شهادة الوحدة {unit} في {csid.not_after:%Y-%m-%d} بعد {left} يومًا. جدّدها برمز تحقق من بوابة فاتورة.",
        )
    return CertificateWarning(csid, level, left, said)


async def watch_certificates(gateway: Gateway) -> Watched:
    """Look all certificates in use up in their lists, warn of those that end; each warning is logged once a level.

    To be called now and then, by whatever process works; a doubt about a list is logged once a week.
    """
    checks = await check_revocations(gateway, await gateway.offload(certificates_in_use, gateway))
    current = await gateway.offload(certificates_in_use, gateway)
    found = Watched(
        certificate_warnings(current, gateway.now()), tuple(check for check in checks if check.doubt is not None)
    )
    await gateway.offload(_log, gateway, found)
    return found


def certificates_in_use(gateway: Gateway) -> tuple[CsidRecord, ...]:
    """The production certificate of every unit that has one."""
    ledger = gateway.ledger
    current = (ledger.current_csid(unit.taxpayer_id, unit.id) for unit in ledger.units())
    return tuple(csid for csid in current if csid)


def _log(gateway: Gateway, found: Watched) -> None:
    for warning in found.warnings:
        level = "revoked" if warning.level is None else str(warning.level)
        if _is_new(gateway, f"certificate/{warning.csid.id}/{level}"):
            tell = log.warning if warning.level else log.error
            tell("certificate_" + ("revoked" if warning.level is None else "ends"), **_facts(warning.csid),
                 days_left=warning.days_left, detail=warning.message.en)  # fmt: skip
    for check in found.doubts:
        year, week, _ = gateway.now().isocalendar()
        if check.doubt and _is_new(gateway, f"revocation/{check.csid.id}/{year}-W{week:02d}"):
            log.error("revocation_in_doubt", **_facts(check.csid), detail=check.doubt.en)


def _facts(csid: CsidRecord) -> dict[str, str]:
    return {"taxpayer": csid.taxpayer_id, "unit": csid.unit_id, "csid": csid.id}


def _is_new(gateway: Gateway, mark: str) -> bool:
    """Whether this is the first to say so, of all processes."""
    mine = gateway.new_id()
    return gateway.ledger.set_mark(mark, value=mine) == mine
