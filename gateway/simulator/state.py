"""All the simulator remembers: one-time passwords, certificates, chains, accepted documents. In memory only."""

import base64
import hmac
import re
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.simulator.ca import CertificateAuthority, Request, canned_request
from gateway.simulator.faults import Faults
from gateway.simulator.overnight import Switch
from gateway.unit import Environment

OTP_LIFE: Final = timedelta(hours=1)
DUPLICATE_MEMORY: Final = timedelta(hours=24)
"""How long a hash is remembered; the same document sent later is taken in again."""
YEARS: Final = range(2000, 2200)
"""Where the clock may be set to."""
MAX_EXCHANGES: Final = 100_000


class World(StrEnum):
    """The three environments by their names in URLs; nothing is shared between them."""

    DEVELOPER = "developer-portal"
    SIMULATION = "simulation"
    CORE = "core"

    @classmethod
    def of(cls, environment: Environment) -> "World":
        """The world that answers for an environment of ours."""
        return _WORLD_OF[environment]

    @property
    def templates(self) -> frozenset[str]:
        """Template names a CSR may carry here."""
        return _TEMPLATES[self]


_WORLD_OF: Final = {
    Environment.SANDBOX: World.DEVELOPER,
    Environment.SIMULATION: World.SIMULATION,
    Environment.PRODUCTION: World.CORE,
}
_TEMPLATES: Final = {
    World.DEVELOPER: frozenset({"TSTZATCA-Code-Signing", "PREZATCA-Code-Signing"}),
    World.SIMULATION: frozenset({"PREZATCA-Code-Signing"}),
    World.CORE: frozenset({"ZATCA-Code-Signing"}),
}

# In the developer portal every OTP of six digits holds but these two, for a renewal only the third (API definition).
_OTP_INVALID: Final = "111111"
_OTP_EXPIRED: Final = "222222"
_OTP_OF_RENEWAL: Final = "123456"


class OtpState(StrEnum):
    """What becomes of a one-time password that is presented."""

    GOOD = "good"
    INVALID = "invalid"
    EXPIRED = "expired"


class Seen(NamedTuple):
    """A link as it was received: the document's hash and the hash it names as the one before."""

    hash: str
    pih: str


@dataclass
class Csid:
    """A certificate with its password, and what was done with it."""

    world: World
    request_id: int
    token: str
    secret: str = field(repr=False)
    certificate: x509.Certificate
    request: Request
    is_compliance: bool
    revoked_at: datetime | None = None
    production: "Csid | None" = None
    passed: set[str] = field(default_factory=set)
    chain: dict[int, Seen] = field(default_factory=dict)


@dataclass(frozen=True)
class Accepted:
    """A document that was taken in; `xml` as it was sent, `cleared` as it went back."""

    world: World
    uuid: str
    hash: str
    icv: int | None
    csid: int
    endpoint: str
    status: str
    xml: bytes
    cleared: bytes | None
    at: datetime


class Exchange(NamedTuple):
    """One call and how it was answered; status 0 if the connection was broken off.

    `fault` is what went wrong, `sent` the SHA-256 of the request's body in hex: the same for the same bytes only.
    """

    endpoint: str
    status: int
    uuid: str
    world: str = ""
    fault: str = ""
    at: datetime | None = None
    sent: str = ""


class State:
    """Everything that changes. `clock` gives an aware moment; the certification authority outlives a reset.

    `names` are those the management port answers to besides addresses; `on_shut` is what shuts the API's port.
    """

    def __init__(self, clock: Callable[[], datetime], faults: Faults) -> None:
        self._real_clock = clock
        self.ca = CertificateAuthority(clock())
        self.faults = faults
        self.on_shut: Callable[[float], None] | None = None
        self.names: set[str] = set()
        self.reset()

    def reset(self) -> None:
        """Forget everything but the certification authority and the latency; all switches are as at the start."""
        self.faults.reset()
        self.clearance_on = True
        self.renewal_is_direct = False
        self.is_canned = False
        self.rules: dict[str, Switch] = {}
        self.frozen_at: datetime | None = None
        self.offset = timedelta(0)
        self.otps: dict[tuple[World, str], datetime] = {}
        self.csids: dict[tuple[World, str], Csid] = {}
        self.used_requests: set[bytes] = set()
        self.accepted: list[Accepted] = []
        self.by_hash: dict[tuple[World, str], Accepted] = {}
        self.sent_away: set[tuple[World, str]] = set()
        self._canned: dict[bool, Csid] = {}
        self.uuids: dict[tuple[World, str], str] = {}
        self.exchanges: deque[Exchange] = deque(maxlen=MAX_EXCHANGES)
        self._next_request_id = 1_000_000_000_001

    def now(self) -> datetime:
        """The simulator's time: real, or as it was set."""
        return self.frozen_at or self._real_clock() + self.offset

    def set_clock(self, frozen_at: datetime | None, offset: timedelta) -> None:
        """Stop the clock at a moment, or let it run as far from the real one. ValueError or OverflowError unless it
        then shows one of the years in which certificates and dates of HTTP can be written."""
        if (frozen_at or self._real_clock() + offset).astimezone(UTC).year not in YEARS:
            raise ValueError("no such moment")
        self.frozen_at, self.offset = frozen_at, offset

    def send_away(self, world: str, document_hash: str) -> None:
        """Let reporting take a standard document that clearance answered with a 303."""
        if world in list(World) and len(self.sent_away) < MAX_EXCHANGES:
            self.sent_away.add((World(world), document_hash))

    def shut(self, seconds: float) -> None:
        """Take no connection for a while; nothing happens where no server listens."""
        if self.on_shut is not None:
            self.on_shut(seconds)

    def add_otp(self, world: World, otp: str) -> None:
        """Let an OTP be used once within the hour, as the portal does."""
        self.otps[world, otp] = self.now() + OTP_LIFE

    def use_otp(self, world: World, otp: str, *, for_renewal: bool = False) -> OtpState:
        """Spend an OTP."""
        until = self.otps.pop((world, otp), None)
        if until is not None:
            return OtpState.GOOD if self.now() < until else OtpState.EXPIRED
        if world is not World.DEVELOPER or otp == _OTP_INVALID or not re.fullmatch("[0-9]{6}", otp):
            return OtpState.INVALID
        if otp == _OTP_EXPIRED:
            return OtpState.EXPIRED
        return OtpState.INVALID if for_renewal and otp != _OTP_OF_RENEWAL else OtpState.GOOD

    def enrol(self, world: World, request: Request, *, is_compliance: bool) -> Csid:
        """Issue a certificate and its password; while certificates are canned, the developer portal's one for all."""
        if not (self.is_canned and world is World.DEVELOPER):
            return self._issue(world, request, is_compliance=is_compliance)
        if is_compliance not in self._canned:
            self._canned[is_compliance] = self._issue(
                world, canned_request(request.template), is_compliance=is_compliance
            )
        return self._canned[is_compliance]

    def _issue(self, world: World, request: Request, *, is_compliance: bool) -> Csid:
        certificate = self.ca.issue(request, self.now(), is_compliance=is_compliance)
        body = base64.b64encode(certificate.public_bytes(Encoding.DER))
        csid = Csid(
            world=world,
            request_id=self._next_request_id,
            token=base64.b64encode(body).decode("ascii"),
            secret=base64.b64encode(secrets.token_bytes(32)).decode("ascii"),
            certificate=certificate,
            request=request,
            is_compliance=is_compliance,
        )
        self._next_request_id += 1
        self.csids[world, csid.token] = csid
        return csid

    def authenticate(self, world: World, token: str, secret: str) -> Csid | None:
        """Whose credentials these are; None if nobody's, or if the certificate has expired or was revoked."""
        csid = self.csids.get((world, token))
        if csid is None or not hmac.compare_digest(csid.secret.encode(), secret.encode()):
            return None
        return csid if csid.revoked_at is None and self.now() <= csid.certificate.not_valid_after_utc else None

    def revoke(self, request_id: str) -> bool:
        """Put a certificate on the revocation list, as its owner does in the portal; False if there is none such."""
        found = [csid for csid in self.csids.values() if str(csid.request_id) == request_id]
        for csid in found:
            csid.revoked_at = csid.revoked_at or self.now()
        return bool(found)

    def revocation_list(self) -> bytes:
        """The CRL as of now, in DER."""
        revoked = [(c.certificate.serial_number, c.revoked_at) for c in self.csids.values() if c.revoked_at]
        return self.ca.revocation_list(revoked, self.now())

    def duplicate(self, world: World, document_hash: str) -> Accepted | None:
        """The same document, if it was accepted within the time the authority remembers."""
        known = self.by_hash.get((world, document_hash))
        return known if known and self.now() - known.at < DUPLICATE_MEMORY else None

    def accept(self, document: Accepted) -> None:
        """Take a document in; sent again after a day it is remembered anew but counted once."""
        key = (document.world, document.hash)
        if key not in self.by_hash:
            self.accepted.append(document)
        self.by_hash[key] = document
        self.uuids[document.world, document.uuid] = document.hash
