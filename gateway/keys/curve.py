"""Signatures on secp256k1: deterministic (RFC 6979), low-S, DER; the same bytes from either library.

libsecp256k1 (coincurve) is some ten times faster than OpenSSL and is used where it is installed.
"""

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

Sign = Callable[[bytes], bytes]
"""A message in, its signature out."""

ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Order of the curve (SEC 2, section 2.4.1)."""
SCALAR_BYTES: Final = 32


class PrivateKey:
    """A private key that signs and does not show itself."""

    __slots__ = ("public_key", "sign")

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self.public_key: bytes = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.sign: Sign = fast_signer(key) if has_libsecp256k1() else signer(key)

    def __repr__(self) -> str:
        return "PrivateKey(...)"


@cache
def has_libsecp256k1() -> bool:
    """Whether the faster library is installed."""
    return find_spec("coincurve") is not None


def throw_away_signer() -> Sign:
    """Signs with a key that nobody keeps: for what only has to look signed."""
    return PrivateKey(new_key()).sign


def new_key() -> ec.EllipticCurvePrivateKey:
    """A fresh key from the operating system's randomness."""
    return ec.generate_private_key(ec.SECP256K1())


def scalar(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The private number, 32 bytes, for sealing only."""
    return key.private_numbers().private_value.to_bytes(SCALAR_BYTES, "big")


def of_scalar(value: bytes) -> ec.EllipticCurvePrivateKey:
    """The way back from `scalar`."""
    return ec.derive_private_key(int.from_bytes(value, "big"), ec.SECP256K1())


def signer(key: ec.EllipticCurvePrivateKey) -> Sign:
    """Signs with OpenSSL."""
    algorithm = ec.ECDSA(SHA256(), deterministic_signing=True)

    def sign(message: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(message, algorithm))
        return encode_dss_signature(r, min(s, ORDER - s))

    return sign


def fast_signer(key: ec.EllipticCurvePrivateKey) -> Sign:
    """Signs with libsecp256k1, which gives low-S by itself."""
    import coincurve

    fast = coincurve.PrivateKey(scalar(key))

    def sign(message: bytes) -> bytes:
        return bytes(fast.sign(message))

    return sign
