"""A unit in operation gets the certificate that follows its own; the old one is used until the new one is there."""

from gateway.authority import Credentials
from gateway.csid import Certificate
from gateway.errors import BadInput
from gateway.ledger import SYSTEM
from gateway.pipeline.certify import Errand, Tell, certify, credentials_of_csid
from gateway.pipeline.gateway import Gateway, Lines


async def renew(
    gateway: Gateway,
    lines: Lines,
    taxpayer_id: str,
    unit_id: str,
    otp: str | None,
    tell: Tell,
    *,
    restart: bool = False,
    actor: str = SYSTEM,
) -> Certificate:
    """Renew a unit's certificate; the new one. Failures are those of `certify`, and BadInput if the unit has no
    certificate that can be renewed.

    Whether the new certificate begins a chain or serves the one before is the setting `chain_after_renewal`; a chain
    that is sealed is drained with the old certificate.
    """
    unit = await gateway.offload(gateway.ledger.unit, taxpayer_id, unit_id)
    current = await gateway.offload(_current, gateway, taxpayer_id, unit_id)

    async def ask(request: bytes, otp: str) -> Credentials:
        return await lines.authority.renew(current, request, otp)

    return await certify(
        Errand(
            gateway=gateway,
            lines=lines,
            unit=unit,
            purpose="renew",
            ask=ask,
            otp=otp,
            tell=tell,
            actor=actor,
            continues=gateway.settings.chain_after_renewal == "continue",
            restart=restart,
        )
    )


def _current(gateway: Gateway, taxpayer_id: str, unit_id: str) -> Credentials:
    csid = gateway.ledger.current_csid(taxpayer_id, unit_id)
    if csid is None or csid.revoked_at is not None:
        state = "was revoked" if csid else "does not exist yet"
        raise BadInput(
            f"The certificate of unit {unit_id} {state}, so it cannot be renewed.",
            fix="Onboard the unit: `gateway onboard UNIT.json --otp OTP`.",
            ar=f"لا توجد للوحدة {unit_id} شهادة سارية يمكن تجديدها. سجّل الوحدة لدى الهيئة برمز تحقق (OTP) جديد.",
        )
    return credentials_of_csid(gateway, csid)
