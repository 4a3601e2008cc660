"""The archive: files that are written once, under names that carry the digest of what is in them.

A folder, or a bucket of anything that speaks S3. It knows nothing of documents: keys and bytes come from outside, and
which of them may ever be deleted is for the ledger.
"""

from gateway.archive.names import MAX_NAME, archive_key, digest, keep_until, legal_name
from gateway.archive.store import Store, open_store

__all__ = ["MAX_NAME", "Store", "archive_key", "digest", "keep_until", "legal_name", "open_store"]
