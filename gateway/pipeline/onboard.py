"""A unit is taken into operation: it gets a certificate, and with it a chain from 1."""

from gateway.csid import Certificate
from gateway.ledger import SYSTEM
from gateway.pipeline.certify import Errand, Tell, certify
from gateway.pipeline.gateway import Gateway, Lines
from gateway.pipeline.second_issuer import check_issuers_of
from gateway.unit import Unit


async def onboard(
    gateway: Gateway,
    lines: Lines,
    unit: Unit,
    otp: str | None,
    tell: Tell,
    *,
    restart: bool = False,
    unchecked_issuer: bool = False,
    actor: str = SYSTEM,
) -> Certificate:
    """Take a registered unit into operation; its certificate. Failures are those of `certify`, and BadInput while a
    shop whose sales it would issue still issues itself; `unchecked_issuer` lets one pass that cannot be asked.

    A run that broke off goes on where it stopped, without an OTP once its compliance certificate is there; `restart`
    discards it. A unit in operation is given a new certificate, and with it a new chain.
    """
    await check_issuers_of(gateway, lines, unit, actor=actor, unchecked=unchecked_issuer)
    return await certify(
        Errand(
            gateway=gateway,
            lines=lines,
            unit=unit,
            purpose="onboard",
            ask=lines.authority.compliance_csid,
            otp=otp,
            tell=tell,
            actor=actor,
            restart=restart,
        )
    )
