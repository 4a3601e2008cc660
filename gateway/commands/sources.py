"""The documents that paths on the command line stand for, in a fixed order and without keeping them.

A folder stands for its *.xml files. What only this process can read, such as standard input, is read here.
"""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from gateway.commands.streams import read_input
from gateway.errors import BadInput


class Source(NamedTuple):
    """One document; its bytes, or why there are none, if they were read already."""

    path: str
    read: bytes | BadInput | None = None


def sources(
    paths: Sequence[str], *, recursive: bool, limit: int, refuse: Callable[[BadInput], None]
) -> Iterator[Source]:
    """Every document; folders that hold none or cannot be read go to `refuse`, and the others go on."""
    for path in paths:
        if path != "-" and Path(path).is_dir():
            yield from _in_folder(path, recursive=recursive, refuse=refuse)
        elif path == "-" or _is_stream(path):
            yield Source(path, _read(path, limit))
        else:
            yield Source(path)


def count(paths: Sequence[str], *, recursive: bool) -> int:
    """How many documents these paths stand for; nothing is read."""
    folders = [path for path in paths if path != "-" and Path(path).is_dir()]
    inside = sum(1 for each in folders for _ in _in_folder(each, recursive=recursive, refuse=lambda _: None))
    return inside + len(paths) - len(folders)


def _in_folder(folder: str, *, recursive: bool, refuse: Callable[[BadInput], None]) -> Iterator[Source]:
    """Its documents by name, then with `recursive` those of its folders; links to folders are not followed."""
    waiting, is_empty = [folder], True
    while waiting:
        here = waiting.pop()
        try:
            files, folders = _listed(here)
        except OSError as error:
            is_empty = False
            refuse(_unreadable(here, error))
            continue
        for name in files:
            is_empty = False
            yield Source(str(Path(here, name)))
        if recursive:
            waiting += [str(Path(here, name)) for name in reversed(folders)]
    if is_empty:
        refuse(_without_documents(folder, recursive=recursive))


def _listed(folder: str) -> tuple[list[str], list[str]]:
    """The names of the documents and of the folders in a folder, each sorted; of many files only names are kept."""
    files, folders = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            elif entry.name.lower().endswith(".xml") and (entry.is_file() or _leads_nowhere(entry)):
                files.append(entry.name)
    return sorted(files), sorted(folders)


def _leads_nowhere(entry: "os.DirEntry[str]") -> bool:
    """A broken link is a document that cannot be read, rather than none."""
    return entry.is_symlink() and not Path(entry.path).exists()


def _is_stream(path: str) -> bool:
    """A pipe or a device, which cannot be read twice and may be open in this process only."""
    try:
        return not stat.S_ISREG(Path(path).stat().st_mode)
    except (OSError, ValueError):
        return False


def _read(path: str, limit: int) -> bytes | BadInput:
    try:
        return read_input(path, limit=limit)
    except BadInput as error:
        return error


def _unreadable(folder: str, error: OSError) -> BadInput:
    return BadInput(
        f"{folder} cannot be read: {error.strerror}.",
        fix="Check its permissions.",
        ar=f"تعذّرت قراءة المجلد {folder}. تحقق من صلاحياته.",
    )


def _without_documents(folder: str, *, recursive: bool) -> BadInput:
    return BadInput(
        f"{folder} has no *.xml files.",
        fix="Name the files, or the folder they are in" + ("." if recursive else "; --recursive also looks below it."),
        ar=f"لا يحتوي المجلد {folder} على ملفات ‎*.xml. اذكر الملفات أو المجلد الذي يحتويها.",
    )
