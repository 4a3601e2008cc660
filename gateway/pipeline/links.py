"""Links to a document's files for those without a key: signed, for a time, taken back all at once.

A link names taxpayer, document, file, its end and the version of the key that signed it. The signature (HMAC-SHA256)
is over all of them, each on a line of its own. The key lies in the safe; another one in its place makes every link
that was given out worthless. Whatever is wrong with a link, the answer is the same.

The link that is written to a shop's order is a shorter one, for some shops take a hundred letters: the same facts in
binary, of the signature 128 bits, and not the taxpayer, who is found by the document.
"""

import base64
import hmac
import re
import secrets
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final, NamedTuple
from uuid import UUID

import structlog

from gateway.errors import BadInput, NotCleared, Unknown
from gateway.issued import Issued
from gateway.ledger import SYSTEM
from gateway.pipeline.gateway import Gateway
from gateway.pipeline.readable import Readable, as_xml, readable
from gateway.pipeline.share import buyers_copy

log = structlog.get_logger()

_KEY_BYTES: Final = 32
_CONTEXT: Final = "gateway link 1"
_TICKET: Final = re.compile(
    r"([A-Za-z0-9][A-Za-z0-9._-]{0,63})\.([1-9][0-9]{0,8})\.([1-9][0-9]{0,11})\.([A-Za-z0-9_-]{43})"
)
_FILE: Final = re.compile(r"([0-9A-Za-z-]{1,64})\.(pdf|xml)")
_NOBODYS: Final = bytes(_KEY_BYTES)

_SHORT_CONTEXT: Final = "gateway short link 1"
_SHORT: Final = struct.Struct(">II16s16s")
"""Version of the key, end, document, signature."""
_SHORT_CODE: Final = re.compile(r"[A-Za-z0-9_-]{54}")


class File(StrEnum):
    """Which file of a document a link gives."""

    PDF = "pdf"
    XML = "xml"


_FILES: Final[dict[File, Callable[..., Readable]]] = {File.PDF: readable, File.XML: as_xml}


@dataclass(frozen=True, slots=True)
class Link:
    """A link as it is given out, and the moment at which it ends."""

    url: str
    file: File
    expires_at: datetime


class Named(NamedTuple):
    """What a link names, and what is signed; `until` are seconds since 1970."""

    taxpayer_id: str
    uuid: str
    file: File
    until: int
    version: int

    def signature(self, key: bytes) -> str:
        """By this key, in base64 as addresses have it."""
        return _text_of(self._digest(key, _CONTEXT))

    def short_signature(self, key: bytes) -> bytes:
        """By this key, as long as it has to be."""
        return self._digest(key, _SHORT_CONTEXT)[:16]

    def _digest(self, key: bytes, context: str) -> bytes:
        said = "\n".join((context, self.taxpayer_id, self.uuid, self.file, str(self.until), str(self.version)))
        return hmac.digest(key, said.encode(), sha256)


class _Key(NamedTuple):
    """A signing key and which one it is, counted from 1."""

    version: int
    key: bytes

    def __repr__(self) -> str:
        return f"_Key(version={self.version})"


def make_link(
    gateway: Gateway, taxpayer_id: str, uuid: str, *, file: File, days: int | None = None, actor: str
) -> Link:
    """A link to a document that a buyer may have. BadInput: too long a time. NotCleared: see share.buyers_copy."""
    settings = gateway.settings
    days = min(settings.link_days, settings.link_days_most) if days is None else days
    if not 0 < days <= settings.link_days_most:
        raise BadInput(
            f"A link works for 1 to {settings.link_days_most} days; {days} were asked for.",
            fix="Ask for fewer, or let GATEWAY_LINK_DAYS_MOST allow more.",
        )
    buyers_copy(gateway, taxpayer_id, uuid, actor=actor)
    now, key = gateway.now(), _key(gateway, taxpayer_id)
    expires_at = (now + timedelta(days=days)).replace(microsecond=0)
    named = Named(taxpayer_id, uuid, file, int(expires_at.timestamp()), key.version)
    ticket = f"{taxpayer_id}.{named.version}.{named.until}.{named.signature(key.key)}"
    until = expires_at.isoformat()
    gateway.note(taxpayer_id, actor, "link.made", uuid, file=file.value, until=until, key=key.version)
    return Link(f"{settings.address}/v1/shared/{ticket}/{uuid}.{file}", file, expires_at)


def shops_link(gateway: Gateway, taxpayer_id: str, issued: Issued) -> str:
    """The link to the PDF that is written to a shop's order: the same one whenever it is asked for, so that a repeat
    finds it there. It works as long as a link may, from the moment of issue on. Empty for what a buyer may not have,
    and where it would lead nowhere (settings.buyers_address)."""
    settings = gateway.settings
    until = int((issued.issued_at + timedelta(days=settings.link_days_most)).timestamp())
    if not (settings.buyers_address and issued.status.is_accepted and gateway.now().timestamp() < until):
        return ""
    key = _key(gateway, taxpayer_id)
    named = Named(taxpayer_id, issued.uuid, File.PDF, until, key.version)
    packed = _SHORT.pack(key.version, until, UUID(issued.uuid).bytes, named.short_signature(key.key))
    return f"{settings.buyers_address}/v1/shared/{_text_of(packed)}"


def note_shops_link(gateway: Gateway, taxpayer_id: str, issued: Issued) -> None:
    """That a shop was given it."""
    gateway.note(taxpayer_id, f"shop:{issued.connection}", "link.made", issued.uuid, file=File.PDF.value)


def genuine_short(gateway: Gateway, code: str) -> Named:
    """What a shop's link names; Unknown as with `genuine`."""
    version, until, uuid, shown = _read_short(code)
    owner = gateway.ledger.any_owner(uuid) if uuid else None
    key = _known_key(gateway, owner) if owner else None
    named = Named(owner or "", uuid, File.PDF, until, version)
    is_signed = hmac.compare_digest(named.short_signature(key.key if key else _NOBODYS), shown)
    if not (key and is_signed and version == key.version and gateway.now().timestamp() < until):
        raise _no_such()
    return named


def genuine(gateway: Gateway, ticket: str, name: str) -> Named:
    """What a link of ours names; the same Unknown whether it was never made, has ended, or its key was changed."""
    named, shown = _read(ticket, name)
    key = _known_key(gateway, named.taxpayer_id) if named else None
    # Compared even when nothing was found, so that the time taken does not tell.
    expected = (named or Named("", "", File.PDF, 0, 0)).signature(key.key if key else _NOBODYS)
    is_signed = hmac.compare_digest(expected, shown)
    if not (named and key and is_signed and named.version == key.version and gateway.now().timestamp() < named.until):
        raise _no_such()
    return named


def follow(gateway: Gateway, named: Named) -> Readable:
    """The file of a genuine link; the same Unknown if a buyer may not have it now."""
    try:
        given = _FILES[named.file](gateway, named.taxpayer_id, named.uuid, actor=SYSTEM)
    except (Unknown, NotCleared):
        raise _no_such() from None
    log.info("link_followed", taxpayer=named.taxpayer_id, uuid=named.uuid, file=named.file.value)
    return given


def revoke_links(gateway: Gateway, taxpayer_id: str, *, actor: str) -> None:
    """Make every link that was given out worthless, at once and for good."""
    version = _key(gateway, taxpayer_id).version + 1
    gateway.safe.seal(_ref(taxpayer_id), _sealed(_new(version)))
    gateway.note(taxpayer_id, actor, "link.revoked", taxpayer_id, key=version)


def _read(ticket: str, name: str) -> tuple[Named | None, str]:
    """What a link claims, and the signature it shows; None if it is none of ours."""
    parts, file = _TICKET.fullmatch(ticket), _FILE.fullmatch(name)
    if not (parts and file):
        return None, ""
    taxpayer_id, version, until, signature = parts.groups()
    return Named(taxpayer_id, file[1], File(file[2]), int(until), int(version)), signature


def _read_short(code: str) -> tuple[int, int, str, bytes]:
    """What a shop's link claims: key, end and document, and the signature it shows."""
    packed = base64.urlsafe_b64decode(f"{code}==") if _SHORT_CODE.fullmatch(code) else b""
    if _text_of(packed) != code or not packed:
        return 0, 0, "", b""
    version, until, uuid, shown = _SHORT.unpack(packed)
    return version, until, str(UUID(bytes=uuid)), shown


def _text_of(data: bytes) -> str:
    """In base64 as addresses have it."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _no_such() -> Unknown:
    return Unknown(
        "There is no such document here, or its link has ended.",
        fix="Ask the seller for another link.",
        ar="لا يوجد مستند بهذا الرابط أو انتهت صلاحيته. اطلب من البائع رابطًا جديدًا.",
    )


# -- the key -----------------------------------------------------------------------------------------------------------


def _ref(taxpayer_id: str) -> str:
    """A place that no connection's secret can have: their ids have no spaces."""
    return f"{taxpayer_id}/links to documents"


def _new(version: int) -> _Key:
    return _Key(version, secrets.token_bytes(_KEY_BYTES))


def _sealed(key: _Key) -> str:
    return f"{key.version}:{key.key.hex()}"


def _opened(secret: str) -> _Key:
    version, _, key = secret.partition(":")
    return _Key(int(version), bytes.fromhex(key))


def _key(gateway: Gateway, taxpayer_id: str) -> _Key:
    """The taxpayer's key; the first link makes it."""
    return _known_key(gateway, taxpayer_id) or _opened(gateway.safe.seal_first(_ref(taxpayer_id), _sealed(_new(1))))


def _known_key(gateway: Gateway, taxpayer_id: str) -> _Key | None:
    try:
        return _opened(gateway.safe.open(_ref(taxpayer_id)))
    except Unknown:
        return None
