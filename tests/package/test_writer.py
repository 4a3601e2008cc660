"""A package is written in little memory, however many files are in it, and the form for many of them holds."""

import tracemalloc
import zipfile

import pytest

from gateway.package import Writer
from gateway.verifier.container import Zip


def write_many(path, count, mark=lambda number: None):
    with Writer(path, {"what": count}) as writer:
        for number in range(count):
            writer.add(f"documents/{number:08}.xml", b"<x>%d</x>" % number)
            if number % 500 == 0:
                writer.mark({"number": number})
                mark(number)
        writer.mark({"number": count})
        writer.add_list()
        writer.finish()


def test_memory_does_not_grow_with_the_files(tmp_path):
    seen = {}
    tracemalloc.start()
    try:
        write_many(tmp_path / "p.zip", 4000, lambda number: seen.update({number: tracemalloc.get_traced_memory()[0]}))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert seen[3500] - seen[500] < 20_000  # 3,000 names alone would take ten times as much
    assert peak < 5_000_000


@pytest.mark.torture
def test_more_files_than_a_zip_of_old_can_count(tmp_path):
    write_many(tmp_path / "p.zip", 66_000)
    with zipfile.ZipFile(tmp_path / "p.zip") as zipped:
        assert len(zipped.namelist()) == 66_001
        assert zipped.read("documents/00065999.xml") == b"<x>65999</x>"
    opened = Zip(tmp_path / "p.zip")
    assert (len(opened.entries), opened.faults) == (66_001, [])
    data = bytearray((tmp_path / "p.zip").read_bytes())
    data[-60] ^= 1  # in the record for large numbers
    (tmp_path / "p.zip").write_bytes(data)
    assert [each.code for each in Zip(tmp_path / "p.zip").faults] == ["container.directory"]
