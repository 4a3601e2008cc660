"""Writing so that it is on the disk, and a file is there whole or not at all, whatever happens to the machine."""

import os
from pathlib import Path


def write_all(file: int, content: bytes) -> None:
    """Every byte, to an open file; a single `os.write` may take fewer."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(file, rest) :]


def write_whole(path: Path, content: bytes, *, part: Path, mode: int = 0o600) -> None:
    """Put a file in the place of whatever is at `path`: it is written as `part`, in the same folder, and bears its name
    once it is on the disk. If that fails nothing is left of it (OSError)."""
    try:
        file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        try:
            write_all(file, content)
            os.fsync(file)
        finally:
            os.close(file)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """A file, or of a folder the names in it, on the disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
