"""Key custody: the `Stamper` port with its envelope adapter, and the `Safe` for all other secrets.

It knows where envelopes are kept only through a protocol, and nothing of documents: bytes in, signatures out.
"""

from gateway.keys.curve import throw_away_signer
from gateway.keys.envelopes import EnvelopeStamper, EnvelopeStore, Safe, rewrap
from gateway.keys.master import MasterKey, master_key
from gateway.keys.pem import key_file, signer_of_pem
from gateway.keys.seal import CERTIFICATE, SealingKey, fingerprint, sealing_key, verifies
from gateway.keys.stamper import Stamper
from gateway.settings import Settings

__all__ = [
    "CERTIFICATE",
    "EnvelopeStamper",
    "EnvelopeStore",
    "MasterKey",
    "Safe",
    "SealingKey",
    "Stamper",
    "fingerprint",
    "key_file",
    "master_key",
    "open_keys",
    "rewrap",
    "sealing_key",
    "signer_of_pem",
    "throw_away_signer",
    "verifies",
]


def open_keys(settings: Settings, store: EnvelopeStore) -> tuple[Stamper, Safe]:
    """Stamper and safe of these settings; Misconfigured if the master key is missing, unusable or not the store's."""
    master = master_key(settings)
    return EnvelopeStamper(master, store), Safe(master, store)
