"""Who calls, and what they may: API keys with a role; no key works by default.

An auditor's looks are logged here, once for all routes, and a key that sees only a part is held to it here: a route has
to be named in NARROWED before such a key may call it.
"""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Annotated, Final, NamedTuple

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from gateway.errors import Forbidden, Unauthorised, Unknown
from gateway.ledger import is_to_be_touched
from gateway.pipeline.api_keys import EVERYTHING, KnownKey, Role, Scope, authenticate, known, recognise
from gateway.pipeline.auditor import log_look
from gateway.pipeline.gateway import Gateway


class Caller(NamedTuple):
    """Who an API key stands for; `actor` is how the audit log names it."""

    taxpayer_id: str
    role: Role
    actor: str
    scope: Scope = EVERYTHING

    @property
    def only_looks(self) -> bool:
        """Whether nothing may change by its calls, and each of them is logged."""
        return self.role is Role.AUDITOR


class May(StrEnum):
    """What a caller wants to do."""

    SEND_ORDERS = "send orders"
    CORRECT = "correct documents"
    READ_INVOICES = "read invoices"
    READ_EXCHANGES = "read the exchanges with the authority"
    REMOVE_PACKAGES = "remove packages"
    READ_REPORTS = "read reports"
    READ_AUDIT = "read the audit log"
    SHARE = "give out links"
    REVOKE_LINKS = "take links back"
    VALIDATE = "have documents judged"
    SEE_UNITS = "see units"
    KEEP_WEBHOOKS = "keep webhooks"
    RUN_UNITS = "onboard, renew and release units"


RIGHTS: Final[dict[May, frozenset[Role]]] = {
    May.SEND_ORDERS: frozenset({Role.INTEGRATOR, Role.ADMIN}),
    May.CORRECT: frozenset({Role.INTEGRATOR, Role.ACCOUNTANT, Role.ADMIN}),
    May.READ_INVOICES: frozenset(Role),
    May.SHARE: frozenset({Role.INTEGRATOR, Role.ACCOUNTANT, Role.ADMIN}),
    May.REVOKE_LINKS: frozenset({Role.ADMIN}),
    May.VALIDATE: frozenset(Role),
    May.READ_EXCHANGES: frozenset({Role.ACCOUNTANT, Role.AUDITOR, Role.ADMIN}),
    May.REMOVE_PACKAGES: frozenset({Role.ACCOUNTANT, Role.ADMIN}),
    May.READ_REPORTS: frozenset({Role.ACCOUNTANT, Role.AUDITOR, Role.ADMIN}),
    May.READ_AUDIT: frozenset({Role.AUDITOR, Role.ADMIN}),
    May.SEE_UNITS: frozenset({Role.ACCOUNTANT, Role.AUDITOR, Role.ADMIN}),
    May.KEEP_WEBHOOKS: frozenset({Role.ADMIN}),
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


async def caller(
    request: Request, gateway: Served, shown: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
) -> Caller:
    """The caller, by `Authorization: Bearer gw_...`; Unauthorised otherwise. What an auditor looks at is logged first;
    Unavailable if it cannot be."""
    if shown is None:
        raise Unauthorised(
            "This call needs an API key.",
            fix="Send it as 'Authorization: Bearer gw_...'; `gateway keys add` makes one.",
        )
    key = shown.credentials.strip()
    found = _at_once(gateway, key)
    if found is None:
        found = await gateway.offload(authenticate, gateway, key)
    who = Caller(found.taxpayer_id, found.role, f"key:{found.id}", found.scope)
    if who.only_looks:
        path, query = request.url.path, dict(request.query_params)
        await gateway.offload(
            log_look, gateway, who.taxpayer_id, who.actor, method=request.method, path=path, query=query
        )
    return who


def _at_once(gateway: Gateway, key: str) -> KnownKey | None:
    """Who a key stands for, where the ledger is a file and nothing is to be noted: looking then takes less time than
    handing it to a thread, and waits for nobody."""
    if not gateway.settings.is_embedded:
        return None
    found = recognise(gateway, key)
    return None if is_to_be_touched(found, gateway.now()) else known(found)


def requires(right: May) -> Callable[[Request, Gateway, Caller], Awaitable[Caller]]:
    """A dependency: the caller, if their role has the right, and their key sees what the route shows."""

    async def check(request: Request, gateway: Served, who: Annotated[Caller, Depends(caller)]) -> Caller:
        demand(who, right)
        if who.scope.is_narrow:
            await _hold_to_scope(request, gateway, who)
        return who

    return check


NARROWED: Final = frozenset(
    {
        "/v1/invoices",
        "/v1/invoices/{uuid}",
        "/v1/invoices/{uuid}/xml",
        "/v1/invoices/{uuid}/pdf",
        "/v1/invoices/{uuid}/qr.svg",
        "/v1/invoices/{uuid}/qr.png",
        "/v1/invoices/{uuid}/attempts",
        "/v1/reports/vat",
        "/v1/reports/vat/documents",
        "/v1/validate",
    }
)
"""Routes that show a key no more than its scope; all others are closed to a key that sees only a part."""


async def _hold_to_scope(request: Request, gateway: Gateway, who: Caller) -> None:
    """Forbidden where the route shows more than the key's scope, Unknown for a document beyond it."""
    if request.scope["route"].path_format not in NARROWED:
        raise Forbidden(
            "This key sees the documents of a unit or of a time only, and this call shows more.",
            fix="Use a key without limits, or GET /v1/invoices and GET /v1/reports/vat.",
        )
    if uuid := request.path_params.get("uuid"):
        issued = await gateway.offload(gateway.ledger.invoice, who.taxpayer_id, uuid)
        unit = await gateway.offload(gateway.ledger.unit_of, who.taxpayer_id, uuid)
        if not who.scope.has(unit, issued.issued_at):
            raise Unknown(f"There is no document {uuid}.", ar=f"لا يوجد مستند بالمعرّف {uuid}.")


def demand(who: Caller, right: May) -> None:
    """Forbidden if the caller's role does not have the right."""
    if who.role not in RIGHTS[right]:
        roles = ", ".join(sorted(role.value for role in RIGHTS[right]))
        raise Forbidden(f"A key of role {who.role.value} may not {right.value}.", fix=f"Use a key of role {roles}.")


Sender = Annotated[Caller, Depends(requires(May.SEND_ORDERS))]
Corrector = Annotated[Caller, Depends(requires(May.CORRECT))]
Sharer = Annotated[Caller, Depends(requires(May.SHARE))]
Reader = Annotated[Caller, Depends(requires(May.READ_INVOICES))]
ReportReader = Annotated[Caller, Depends(requires(May.READ_REPORTS))]
AuditReader = Annotated[Caller, Depends(requires(May.READ_AUDIT))]
Overseer = Annotated[Caller, Depends(requires(May.SEE_UNITS))]
WebhookKeeper = Annotated[Caller, Depends(requires(May.KEEP_WEBHOOKS))]
Operator = Annotated[Caller, Depends(requires(May.RUN_UNITS))]
Examiner = Annotated[Caller, Depends(requires(May.READ_EXCHANGES))]
Remover = Annotated[Caller, Depends(requires(May.REMOVE_PACKAGES))]
