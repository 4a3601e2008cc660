"""An archive in a folder: a file appears under its name once all of it is on the disk, and is read-only then."""

import os
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from gateway.disk import sync, write_whole
from gateway.errors import Conflict, Unavailable

_PART: Final = ".part"
"""What a file is called at its end while it is written; whoever finds an old one may delete it."""


class Folder:
    """Files in a folder of this machine, or in one that is mounted."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.name = str(root)

    def put(self, key: str, content: bytes, *, keep_until: datetime) -> None:
        """See Store. A folder knows no retention: who may write to it may delete from it."""
        file = self._file(key)
        there = self.get(key)
        if there is not None:
            if there != content:
                raise Conflict(f"{file} is not what was archived.", fix="`gateway doctor` says more.")
            return
        try:
            self._make(file.parent)
            write_whole(file, content, part=file.with_name(f".{uuid.uuid4().hex}{_PART}"), mode=0o400)
        except OSError as error:
            raise _unusable(file, "written", error) from None

    def get(self, key: str) -> bytes | None:
        """See Store."""
        file = self._file(key)
        try:
            return file.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unusable(file, "read", error) from None

    def keys(self) -> Iterator[str]:
        """See Store."""
        if self.root.exists():
            yield from _keys(self.root, "")

    def delete(self, key: str) -> None:
        """See Store."""
        file = self._file(key)
        try:
            file.unlink(missing_ok=True)
            if file.parent.exists():
                sync(file.parent)
        except OSError as error:
            raise _unusable(file, "deleted", error) from None

    def _make(self, folder: Path) -> None:
        """A folder and those above it that are missing, all of them readable by nobody else."""
        if not folder.exists():
            if folder != self.root:
                self._make(folder.parent)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync(folder.parent)

    def _file(self, key: str) -> Path:
        parts = key.split("/")
        assert all(part not in ("", ".", "..") for part in parts), "keys are made by us"
        return self.root.joinpath(*parts)


def _keys(folder: Path, prefix: str) -> Iterator[str]:
    """A folder sorts as if its name ended with a slash, so that the keys below come in their order."""
    with os.scandir(folder) as entries:
        here = sorted((f"{each.name}/" if each.is_dir() else each.name) for each in entries)
    for name in here:
        if name.endswith("/"):
            yield from _keys(folder / name, prefix + name)
        elif not name.endswith(_PART):
            yield prefix + name


def _unusable(file: Path, done: str, error: OSError) -> Unavailable:
    return Unavailable(
        f"The archive's file {file} cannot be {done}: {error.strerror}.",
        retry_after=60,
        fix="See that GATEWAY_ARCHIVE names a folder with room that may be written.",
        ar="تعذّر الوصول إلى الأرشيف. تحقق من المساحة والصلاحيات؛ وسيُعاد المحاولة تلقائياً.",
    )
