"""Private keys and other secrets in sealed envelopes, kept wherever an `EnvelopeStore` keeps them.

What the store sees is useless without the master key, and an envelope moved to another place does not open.
"""

import hmac
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Final, Protocol

from gateway.errors import Conflict, Misconfigured, Unknown
from gateway.keys.curve import PrivateKey, new_key, of_scalar, scalar
from gateway.keys.master import MasterKey

STAMPING_KEY: Final = "stamping key"
SECRET: Final = "secret"  # noqa: S105, a kind of envelope
_CHECK: Final = "master_key_check"


class EnvelopeStore(Protocol):
    """Where envelopes and the installation's marks are kept; the ledger is one."""

    def save_envelope(self, *, kind: str, ref: str, blob: bytes, replace: bool) -> None:
        """Keep an envelope; Conflict if one stands there and is not to be replaced. `ref` begins with a taxpayer's id
        and a slash, or has none: then it is the installation's own."""

    def load_envelope(self, *, kind: str, ref: str) -> bytes | None:
        """The envelope, None if there is none."""

    def delete_envelope(self, *, kind: str, ref: str) -> None:
        """Forget it."""

    def envelopes(self) -> Iterable[tuple[str, str, bytes]]:
        """Kind, reference and bytes of all."""

    def swap_envelopes(self, blobs: Mapping[tuple[str, str], bytes], *, marks: Mapping[str, str]) -> None:
        """Put other bytes into these envelopes and other values into these marks, all or none."""

    def set_mark(self, name: str, *, value: str) -> str:
        """Remember a value unless there is one; the value that stands then."""


class EnvelopeStamper:
    """A `Stamper` whose keys lie in envelopes. Opened keys are held in memory while the process lives."""

    is_slow = False

    def __init__(self, master: MasterKey, store: EnvelopeStore) -> None:
        recognise(master, store)
        self._master = master
        self._store = store
        self._opened: dict[str, PrivateKey] = {}

    def create(self, ref: str) -> bytes:
        """See Stamper. When two create the same key at once, both get the one that was first."""
        if self._store.load_envelope(kind=STAMPING_KEY, ref=ref) is None:
            sealed = self._master.seal(STAMPING_KEY, ref, scalar(new_key()))
            try:
                self._store.save_envelope(kind=STAMPING_KEY, ref=ref, blob=sealed, replace=False)
            except Conflict:
                return self.public_key(ref)
        return self.public_key(ref)

    def public_key(self, ref: str) -> bytes:
        """See Stamper."""
        return self._key(ref).public_key

    def sign(self, ref: str, message: bytes) -> bytes:
        """See Stamper."""
        return self._key(ref).sign(message)

    def destroy(self, ref: str) -> None:
        """See Stamper. Another process that has the key open can use it until it ends."""
        self._opened.pop(ref, None)
        self._store.delete_envelope(kind=STAMPING_KEY, ref=ref)

    def health(self) -> str:
        """See Stamper: a key is made, sealed, opened and used, and kept nowhere."""
        sealed = self._master.seal(STAMPING_KEY, "health", scalar(new_key()))
        opened = _opened_key(self._master, "health", sealed)
        return "ok" if opened and opened.sign(b"health") else "A key that was just sealed does not open."

    def _key(self, ref: str) -> PrivateKey:
        if ref not in self._opened:
            sealed = self._store.load_envelope(kind=STAMPING_KEY, ref=ref)
            if sealed is None:
                raise Unknown(f"There is no stamping key for {ref}.", fix="Onboard the unit: `gateway onboard`.")
            key = _opened_key(self._master, ref, sealed)
            if key is None:
                raise does_not_open(STAMPING_KEY, ref)
            self._opened[ref] = key
        return self._opened[ref]


class Safe:
    """API secrets, webhook secrets and tokens in envelopes. References begin with the taxpayer's id and a slash."""

    def __init__(self, master: MasterKey, store: EnvelopeStore) -> None:
        recognise(master, store)
        self._master = master
        self._store = store

    def seal(self, ref: str, secret: str) -> None:
        """Keep a secret in place of the one that may lie there."""
        sealed = self._master.seal(SECRET, ref, secret.encode())
        self._store.save_envelope(kind=SECRET, ref=ref, blob=sealed, replace=True)

    def seal_first(self, ref: str, secret: str) -> str:
        """Keep a secret unless one lies there; the one that does then, also when two come at once."""
        sealed = self._master.seal(SECRET, ref, secret.encode())
        with suppress(Conflict):
            self._store.save_envelope(kind=SECRET, ref=ref, blob=sealed, replace=False)
        return self.open(ref)

    def open(self, ref: str) -> str:
        """The secret; Unknown if there is none."""
        sealed = self._store.load_envelope(kind=SECRET, ref=ref)
        if sealed is None:
            raise Unknown(f"There is no secret for {ref}.", fix="Enter it again.")
        secret = self._master.open(SECRET, ref, sealed)
        if secret is None:
            raise does_not_open(SECRET, ref)
        return secret.decode()

    def forget(self, ref: str) -> None:
        """Delete a secret; nothing happens if there is none."""
        self._store.delete_envelope(kind=SECRET, ref=ref)


def recognise(master: MasterKey, store: EnvelopeStore) -> None:
    """Misconfigured if the store's envelopes were sealed with another master key; the first key is remembered."""
    known = store.set_mark(_CHECK, value=master.check)
    if not hmac.compare_digest(known, master.check):
        raise Misconfigured(
            "This is not the master key that the ledger's secrets are sealed with.",
            fix="Set GATEWAY_MASTER_KEY_FILE to the former key; without it the units must be onboarded anew.",
        )


def rewrap(old: MasterKey, new: MasterKey, store: EnvelopeStore) -> int:
    """Seal every envelope with another master key, all at once or not at all; how many there were.

    The secrets stay what they are. Processes that run with the old key must be started again with the new one.
    """
    recognise(old, store)
    blobs: dict[tuple[str, str], bytes] = {}
    for kind, ref, sealed in store.envelopes():
        wrapped = _rewrapped(old, new, kind, ref, sealed)
        if wrapped is None:
            raise does_not_open(kind, ref)
        blobs[kind, ref] = wrapped
    store.swap_envelopes(blobs, marks={_CHECK: new.check})
    return len(blobs)


def _rewrapped(old: MasterKey, new: MasterKey, kind: str, ref: str, sealed: bytes) -> bytes | None:
    secret = old.open(kind, ref, sealed)
    return None if secret is None else new.seal(kind, ref, secret)


def _opened_key(master: MasterKey, ref: str, sealed: bytes) -> PrivateKey | None:
    value = master.open(STAMPING_KEY, ref, sealed)
    return None if value is None else PrivateKey(of_scalar(value))


def does_not_open(kind: str, ref: str) -> Misconfigured:
    """What to say of an envelope that is there and is no use."""
    return Misconfigured(
        f"The envelope of the {kind} for {ref} does not open: it was changed or moved.",
        fix="Restore the ledger from a backup.",
    )
