"""The master key: where it comes from, and what it seals.

The key itself never leaves `MasterKey`: it is in no repr, no error, no pickle. Functions that hold raw key material
hand back a value or None and do not raise, so that no traceback has it among its locals.
"""

import base64
import binascii
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.errors import Misconfigured
from gateway.settings import Settings
from gateway.unit import Environment

KEY_BYTES: Final = 32
DEVELOPMENT_KEY: Final = "development.key"
_NONCE_BYTES: Final = 12  # 96 bits, random: safe for some four thousand million envelopes a key (SP 800-38D)
_FORMAT: Final = b"\x01"
_LONGEST_FILE: Final = 4096
_MAKE_ONE: Final = "Make one with `openssl rand -base64 32`, in a file only this user can read (chmod 600)."


class MasterKey:
    """Seals and opens envelopes (AES-256-GCM), each bound to its kind and reference; recognised by `check`."""

    __slots__ = ("_aead", "check")

    def __init__(self, key: bytes) -> None:
        assert len(key) == KEY_BYTES, "a master key has 32 bytes"
        self._aead = AESGCM(_derived(key, b"gateway envelope 1"))
        self.check = _derived(key, b"gateway check 1")[:16].hex()

    def seal(self, kind: str, ref: str, secret: bytes) -> bytes:
        """An envelope that opens only with this key, as this kind and under this reference."""
        nonce = os.urandom(_NONCE_BYTES)
        return _FORMAT + nonce + self._aead.encrypt(nonce, secret, _bound_to(kind, ref))

    def open(self, kind: str, ref: str, envelope: bytes) -> bytes | None:
        """What was sealed; None if the envelope is not this key's, or stands in another's place, or was changed."""
        form, nonce, sealed = envelope[:1], envelope[1 : 1 + _NONCE_BYTES], envelope[1 + _NONCE_BYTES :]
        if form != _FORMAT:
            return None
        try:
            return self._aead.decrypt(nonce, sealed, _bound_to(kind, ref))
        except (InvalidTag, ValueError):
            return None

    def __repr__(self) -> str:
        return "MasterKey(...)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a master key is not copied")


def master_key(settings: Settings) -> MasterKey:
    """The master key of these settings; Misconfigured says what is wrong with it or that there is none.

    Outside production a key for development is made in the home folder if none is given.
    """
    if settings.master_key_file:
        return _from_file(settings.master_key_file)
    if settings.master_key:
        return _usable(_decoded(settings.master_key.get_secret_value()), "GATEWAY_MASTER_KEY")
    if settings.environment is Environment.PRODUCTION:
        raise Misconfigured(
            "In production a master key is mandatory, and GATEWAY_MASTER_KEY_FILE is not set.",
            fix=_MAKE_ONE,
        )
    path = settings.home / DEVELOPMENT_KEY
    if not path.exists():
        _make_development_key(path)
    return _from_file(path)


def _from_file(path: Path) -> MasterKey:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            key = None if _others_may_read(mode) else _decoded(file.read(_LONGEST_FILE))
    except OSError as error:
        raise Misconfigured(f"The master key file {path} cannot be read: {error.strerror}.", fix=_MAKE_ONE) from None
    if _others_may_read(mode):
        raise Misconfigured(
            f"The master key file {path} can be read by others (mode {stat.S_IMODE(mode):o}).",
            fix=f"Forbid it: chmod 600 {path}. If others may have read it, change the key.",
        )
    return _usable(key, f"The master key file {path}")


def _others_may_read(mode: int) -> bool:
    return bool(mode & (stat.S_IRWXG | stat.S_IRWXO))


def _decoded(text: str | bytes) -> MasterKey | None:
    """The key of its base64 text, None if it is none."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    return MasterKey(key) if len(key) == KEY_BYTES else None


def _usable(key: MasterKey | None, where: str) -> MasterKey:
    if key is None:
        raise Misconfigured(f"{where} does not hold {KEY_BYTES} bytes in base64.", fix=_MAKE_ONE)
    return key


def _make_development_key(path: Path) -> None:
    """A new key under its name at once and complete; if another process was faster, its key stays."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(os.urandom(KEY_BYTES)) + b"\n")
        with suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    except OSError as error:
        raise Misconfigured(
            f"The development key {path} cannot be made: {error.strerror}.",
            fix="Let GATEWAY_HOME name a folder this user may write to.",
        ) from None


def _derived(key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose).derive(key)


def _bound_to(kind: str, ref: str) -> bytes:
    """Format, kind and reference, each with its length, so that no two of them read alike."""
    parts = (_FORMAT, kind.encode(), ref.encode())
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
