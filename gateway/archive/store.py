"""What the archive asks of a place to keep files, and which place it is by the setting."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Protocol

from gateway.errors import Misconfigured
from gateway.settings import Settings


class Store(Protocol):
    """Files by key, each written once. Unavailable: it cannot be reached or has no room, and nothing is half there."""

    name: str
    """Where it is, for people."""

    def put(self, key: str, content: bytes, *, keep_until: datetime) -> None:
        """Keep a file, safe on return; nothing happens if it is there. Conflict if something else is there."""

    def get(self, key: str) -> bytes | None:
        """A file's bytes; None if there is none."""

    def keys(self) -> Iterator[str]:
        """The keys of all files, sorted."""

    def delete(self, key: str) -> None:
        """Remove a file, if it is there. Unavailable where the place itself still keeps it."""


def open_store(settings: Settings) -> Store:
    """The store that the settings name: a folder, or s3://bucket/prefix."""
    place = settings.archive
    if place.startswith("s3://"):
        try:
            from gateway.archive.s3 import S3
        except ImportError:
            raise Misconfigured(
                "An archive in S3 needs the library boto3, which is not installed.",
                fix='Install it with the gateway: pip install "gateway[s3]".',
            ) from None
        return S3.at(place, endpoint=settings.archive_endpoint)
    if "://" in place:
        raise Misconfigured(
            f"GATEWAY_ARCHIVE {place} is neither a folder nor s3://bucket/prefix.", fix="Write it as one of the two."
        )
    from gateway.archive.folder import Folder

    return Folder(Path(place).expanduser().absolute() if place else settings.home / "archive")
