"""Hands that change a package, and know what they changed."""

import random
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from gateway.verifier.container import DEFLATED, STORED, Entry, Zip, central_record, end_record, local_header

UNPACKED = ("index.csv", "files.jsonl", "manifest.json", "seal.xml")


class Tampering(NamedTuple):
    """What was done, and the parts of which at least one has to be named; `exactly`: no other file may be accused."""

    what: str
    parts: frozenset[str]
    exactly: bool


def read(package: Path) -> dict[str, bytes]:
    """The files of a package."""
    opened = Zip(package)
    return {name: opened.read(name) for name in opened.entries}


def write(package: Path, files: list[tuple[str, bytes]]) -> None:
    """A package of these files, in the right form, as whoever knows the form would write it."""
    out, entries = bytearray(), []
    for name, content in files:
        deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
        packed = deflate.compress(content) + deflate.flush()
        method, data = (STORED, content) if name in UNPACKED or len(packed) >= len(content) else (DEFLATED, packed)
        entry = Entry(name, len(out), method, zlib.crc32(content), len(data), len(content))
        out += local_header(entry) + data
        entries.append(entry)
    directory = b"".join(central_record(entry) for entry in entries)
    package.write_bytes(out + directory + end_record(len(entries), len(out), len(directory)))


def tamper(package: Path, chance: random.Random) -> Tampering:
    """Do one thing to a package."""
    deeds: list[Callable[[Path, random.Random], Tampering]] = [
        *(_flip, _flip, _flip_content, _flip_content, _missing, _added, _swapped, _truncated, _cut_out, _renamed),
        *(_appended, _shortened),
    ]
    return chance.choice(deeds)(package, chance)


def _place(package: Path, at: int) -> str:
    """The file that a byte belongs to, by its bytes, its header or its record; else the package's own name."""
    opened = Zip(package)
    for entry in opened.entries.values():
        if entry.offset <= at < entry.end:
            return entry.name
    begin = max(entry.end for entry in opened.entries.values())
    for entry in opened.entries.values():
        begin += len(central_record(entry))
        if at < begin:
            return entry.name
    return package.name


def _flip(package: Path, chance: random.Random) -> Tampering:
    """One bit, anywhere."""
    data = bytearray(package.read_bytes())
    at = chance.randrange(len(data))
    place = _place(package, at)
    data[at] ^= 1 << chance.randrange(8)
    package.write_bytes(data)
    return Tampering(f"bit of byte {at}", frozenset({place}), exactly=False)


def _flip_content(package: Path, chance: random.Random) -> Tampering:
    """One byte of a file, packed anew."""
    files = read(package)
    name = chance.choice([each for each in files if files[each]])
    content = bytearray(files[name])
    at = chance.randrange(len(content))
    content[at] ^= 1 << chance.randrange(8)
    write(package, [(each, bytes(content) if each == name else files[each]) for each in files])
    return Tampering(f"byte {at} of {name}", frozenset({name}), exactly=True)


def _missing(package: Path, chance: random.Random) -> Tampering:
    files = read(package)
    name = chance.choice(list(files))
    write(package, [(each, files[each]) for each in files if each != name])
    return Tampering(f"{name} taken out", frozenset({name}), exactly=True)


def _added(package: Path, chance: random.Random) -> Tampering:
    files = list(read(package).items())
    like = chance.choice(files)
    name = like[0].replace("0", "7", 1) + ".copy" if "0" in like[0] else f"more-{like[0]}"
    files.insert(chance.randrange(len(files)), (name, like[1]))
    write(package, files)
    return Tampering(f"{name} put in", frozenset({name}), exactly=True)


def _swapped(package: Path, chance: random.Random) -> Tampering:
    files = read(package)
    names = [each for each in files if each.startswith(chance.choice(["documents/", "answers/"]))]
    one = chance.choice(names)
    two = chance.choice([each for each in names if files[each] != files[one]])
    contents = {**files, one: files[two], two: files[one]}
    write(package, [(each, contents[each]) for each in files])
    return Tampering(f"{one} and {two} swapped", frozenset({one, two}), exactly=True)


def _truncated(package: Path, chance: random.Random) -> Tampering:
    data = package.read_bytes()
    at = chance.randrange(1, len(data))
    package.write_bytes(data[:at])
    return Tampering(f"cut off at {at}", frozenset({package.name}), exactly=False)


def _cut_out(package: Path, chance: random.Random) -> Tampering:
    """Some bytes in the middle are gone: what was there, or all from there on, is named."""
    data = package.read_bytes()
    at, size = chance.randrange(len(data) - 50), chance.randrange(1, 40)
    place = _place(package, at)
    package.write_bytes(data[:at] + data[at + size :])
    return Tampering(f"{size} bytes at {at} cut out", frozenset({place, package.name}), exactly=False)


def _renamed(package: Path, chance: random.Random) -> Tampering:
    files = read(package)
    name = chance.choice(list(files))
    write(package, [(f"{each}x" if each == name else each, files[each]) for each in files])
    return Tampering(f"{name} renamed", frozenset({name}), exactly=False)


def _appended(package: Path, chance: random.Random) -> Tampering:
    package.write_bytes(package.read_bytes() + chance.randbytes(chance.randrange(1, 100)))
    return Tampering("bytes at the end", frozenset({package.name}), exactly=False)


def _shortened(package: Path, chance: random.Random) -> Tampering:
    """A file ends early."""
    files = read(package)
    name = chance.choice([each for each in files if len(files[each]) > 1])
    content = files[name][: chance.randrange(len(files[name]))]
    write(package, [(each, content if each == name else files[each]) for each in files])
    return Tampering(f"{name} cut to {len(content)} bytes", frozenset({name}), exactly=True)
