"""The port through which documents are stamped: keys are made, used and destroyed behind it and never come out."""

from typing import Protocol


class Stamper(Protocol):
    """Holds the units' private keys (secp256k1). `ref` is `Unit.key`: taxpayer/unit. There is no export.

    One that `is_slow`, for its keys are far away, may take longer to sign than a chain can wait: then the stamp follows
    the document's link.
    """

    is_slow: bool

    def create(self, ref: str) -> bytes:
        """Make the key unless there is one; its public key (DER SubjectPublicKeyInfo)."""

    def public_key(self, ref: str) -> bytes:
        """DER SubjectPublicKeyInfo; Unknown if there is no such key."""

    def sign(self, ref: str, message: bytes) -> bytes:
        """ECDSA over SHA-256 of the message: DER, deterministic (RFC 6979), low-S. Unknown if there is no such key."""

    def destroy(self, ref: str) -> None:
        """Make the key unusable for good; nothing happens if there is none."""

    def health(self) -> str:
        """ "ok" if keys can be made and used, else why not."""
