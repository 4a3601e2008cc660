"""Who calls, and what they may: API keys with a role; no key works by default."""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Annotated, Final, NamedTuple

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from gateway.errors import Forbidden, Unauthorised
from gateway.ledger import is_to_be_touched
from gateway.pipeline.api_keys import KnownKey, Role, authenticate, known, recognise
from gateway.pipeline.gateway import Gateway


class Caller(NamedTuple):
    """Who an API key stands for; `actor` is how the audit log names it."""

    taxpayer_id: str
    role: Role
    actor: str


class May(StrEnum):
    """What a caller wants to do."""

    SEND_ORDERS = "send orders"
    CORRECT = "correct documents"
    READ_INVOICES = "read invoices"
    READ_EXCHANGES = "read the exchanges with the authority"
    READ_REPORTS = "read reports"
    VALIDATE = "have documents judged"
    SEE_UNITS = "see units"
    RUN_UNITS = "onboard, renew and release units"


RIGHTS: Final[dict[May, frozenset[Role]]] = {
    May.SEND_ORDERS: frozenset({Role.INTEGRATOR, Role.ADMIN}),
    May.CORRECT: frozenset({Role.INTEGRATOR, Role.ACCOUNTANT, Role.ADMIN}),
    May.READ_INVOICES: frozenset(Role),
    May.VALIDATE: frozenset(Role),
    May.READ_EXCHANGES: frozenset({Role.ACCOUNTANT, Role.AUDITOR, Role.ADMIN}),
    May.READ_REPORTS: frozenset({Role.ACCOUNTANT, Role.AUDITOR, Role.ADMIN}),
    May.SEE_UNITS: frozenset({Role.ACCOUNTANT, Role.AUDITOR, Role.ADMIN}),
    May.RUN_UNITS: frozenset({Role.ADMIN}),
}


def gateway_of(request: Request) -> Gateway:
    """The gateway this app serves."""
    gateway: Gateway = request.app.state.gateway
    return gateway


Served = Annotated[Gateway, Depends(gateway_of)]


_BEARER = HTTPBearer(
    auto_error=False, scheme_name="key", description="An API key, gw_...; `gateway keys add` makes one."
)


async def caller(gateway: Served, shown: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]) -> Caller:
    """The caller, by `Authorization: Bearer gw_...`; Unauthorised otherwise."""
    if shown is None:
        raise Unauthorised(
            "This call needs an API key.",
            fix="Send it as 'Authorization: Bearer gw_...'; `gateway keys add` makes one.",
        )
    key = shown.credentials.strip()
    who = _at_once(gateway, key)
    if who is None:
        who = await gateway.offload(authenticate, gateway, key)
    return Caller(who.taxpayer_id, who.role, f"key:{who.id}")


def _at_once(gateway: Gateway, key: str) -> KnownKey | None:
    """Who a key stands for, where the ledger is a file and nothing is to be noted: looking then takes less time than
    handing it to a thread, and waits for nobody."""
    if not gateway.settings.is_embedded:
        return None
    found = recognise(gateway, key)
    return None if is_to_be_touched(found, gateway.now()) else known(found)


def requires(right: May) -> Callable[[Caller], Awaitable[Caller]]:
    """A dependency: the caller, if their role has the right."""

    async def check(who: Annotated[Caller, Depends(caller)]) -> Caller:
        demand(who, right)
        return who

    return check


def demand(who: Caller, right: May) -> None:
    """Forbidden if the caller's role does not have the right."""
    if who.role not in RIGHTS[right]:
        roles = ", ".join(sorted(role.value for role in RIGHTS[right]))
        raise Forbidden(f"A key of role {who.role.value} may not {right.value}.", fix=f"Use a key of role {roles}.")


Sender = Annotated[Caller, Depends(requires(May.SEND_ORDERS))]
Corrector = Annotated[Caller, Depends(requires(May.CORRECT))]
Reader = Annotated[Caller, Depends(requires(May.READ_INVOICES))]
ReportReader = Annotated[Caller, Depends(requires(May.READ_REPORTS))]
Overseer = Annotated[Caller, Depends(requires(May.SEE_UNITS))]
Operator = Annotated[Caller, Depends(requires(May.RUN_UNITS))]
Examiner = Annotated[Caller, Depends(requires(May.READ_EXCHANGES))]
