"""Keys in PEM files, for trying things out by hand. A unit's own key never takes this way."""

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from gateway.errors import BadInput, Misconfigured
from gateway.keys.curve import PrivateKey, Sign, new_key

_BEGIN = b"-----BEGIN"


def signer_of_pem(pem: bytes, public_key: bytes) -> Sign:
    """Signs with the key of a PEM file; BadInput if it is none, or not the one of `public_key` (DER)."""
    found = _read(pem)
    del pem  # so that no traceback has it among its locals
    key = _usable(found)
    if key.public_key != public_key:
        raise BadInput("Private key and certificate do not belong together.", fix="Give the certificate's own key.")
    return key.sign


def key_file(path: Path) -> tuple[Sign, bytes]:
    """Signer and public key (DER) of a PEM file, which is made, for this user only, if it does not exist."""
    try:
        if not path.exists():
            _write_new(path)
        key = _read(path.read_bytes())
    except OSError as error:
        raise Misconfigured(f"Key file {path} cannot be used: {error.strerror}.", fix="Name another file.") from None
    usable = _usable(key)
    return usable.sign, usable.public_key


def _usable(key: PrivateKey | None) -> PrivateKey:
    if key is None:
        raise BadInput("This is not a private key on secp256k1 in PEM.", fix="`gateway csr` makes one.")
    return key


def _read(pem: bytes) -> PrivateKey | None:
    """The key; None if this is none. The bare base64 of the authority's samples is read too."""
    if _BEGIN not in pem:
        pem = b"-----BEGIN EC PRIVATE KEY-----\n" + pem.strip() + b"\n-----END EC PRIVATE KEY-----\n"
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256K1):
        return None
    return PrivateKey(key)


def _write_new(path: Path) -> None:
    pem = new_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
