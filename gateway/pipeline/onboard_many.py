"""Many units are taken into operation, one after another; what is wrong with one is no matter for the others."""

from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from gateway.errors import GatewayError
from gateway.pipeline.certify import request_digest
from gateway.pipeline.connect import register
from gateway.pipeline.gateway import Gateway, Lines
from gateway.pipeline.onboard import onboard
from gateway.unit import Unit
from gateway.unit_file import UnitRow


class RowState(StrEnum):
    """What became of a row."""

    ONBOARDED = "onboarded"
    IN_OPERATION = "in operation"  # it was before: nothing was asked for
    FAILED = "failed"


class RowResult(NamedTuple):
    """A row, what became of it, and until when its certificate is valid."""

    row: UnitRow
    state: RowState
    not_after: datetime | None = None
    error: GatewayError | None = None


async def onboard_many(
    gateway: Gateway,
    lines: Lines,
    rows: Iterable[UnitRow],
    tell: Callable[[UnitRow, str], None],
    *,
    actor: str,
    unchecked_issuer: bool = False,
) -> AsyncIterator[RowResult]:
    """Each row's result as soon as there is one. Repeated with the same rows it goes on with what is left: units in
    operation are left alone, and runs that broke off are taken up where they stopped."""
    for row in rows:
        if row.unit is None:
            yield RowResult(row, RowState.FAILED, error=row.error)
            continue
        try:
            yield await _row(gateway, lines, row, row.unit, tell, actor=actor, unchecked_issuer=unchecked_issuer)
        except GatewayError as error:
            yield RowResult(row, RowState.FAILED, error=error)


async def _row(
    gateway: Gateway,
    lines: Lines,
    row: UnitRow,
    unit: Unit,
    tell: Callable[[UnitRow, str], None],
    *,
    actor: str,
    unchecked_issuer: bool,
) -> RowResult:
    until = await gateway.offload(_in_operation_until, gateway, unit)
    await gateway.offload(register, gateway, unit, actor=actor)
    if until:
        return RowResult(row, RowState.IN_OPERATION, until)
    certificate = await onboard(
        gateway, lines, unit, row.otp, lambda step: tell(row, step), unchecked_issuer=unchecked_issuer, actor=actor
    )
    return RowResult(row, RowState.ONBOARDED, certificate.not_after)


def _in_operation_until(gateway: Gateway, unit: Unit) -> datetime | None:
    """When the certificate ends that the unit has already, if it says what a new one would say."""
    ledger = gateway.ledger
    known = {each.id: each for each in ledger.units(unit.taxpayer_id)}.get(unit.id)
    csid = ledger.current_csid(unit.taxpayer_id, unit.id)
    if known is None or csid is None or csid.revoked_at or ledger.open_onboarding(unit.taxpayer_id, unit.id):
        return None
    is_the_same = request_digest(known) == request_digest(unit)
    return csid.not_after if is_the_same and gateway.now() <= csid.not_after else None
