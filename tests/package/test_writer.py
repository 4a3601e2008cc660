"""A package is written in little memory, however many files are in it, and the form for many of them holds."""

import random
import resource
import tracemalloc
import zipfile
from contextlib import contextmanager

import pytest

from gateway.errors import Unavailable
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


@pytest.fixture
def small_disk():
    """No file of this process may become larger than it says, as on a disk that is full; a context."""

    @contextmanager
    def limited(size):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limited


def write_some(path):
    chance = random.Random(1)
    with Writer(path, {"what": 1}) as writer:
        for number in range(20):
            content = chance.randbytes(9_000)
            if number >= writer.state.get("next", 0):
                writer.add(f"{number}", content)
                writer.add_row(b"row\n")
                writer.mark({"next": number + 1})
        writer.add_rows("rows")
        writer.add_list()
        writer.finish()


@pytest.mark.parametrize("size", [300, 5_000, 60_000, 181_500])
def test_on_a_disk_that_is_full_nothing_is_lost(tmp_path, small_disk, size):
    with small_disk(size), pytest.raises(Unavailable, match="goes on where it stopped"):
        write_some(tmp_path / "p.zip")
    assert not (tmp_path / "p.zip").exists()
    write_some(tmp_path / "p.zip")
    write_some(tmp_path / "whole.zip")
    assert (tmp_path / "p.zip").read_bytes() == (tmp_path / "whole.zip").read_bytes()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["p.zip", "whole.zip"]


def test_a_log_whose_package_is_gone_is_worth_nothing(tmp_path):
    with Writer(tmp_path / "p.zip", {"what": 1}) as writer:
        writer.add("a", b"content")
        writer.mark({"next": 1})
    (tmp_path / "p.zip.part").unlink()
    write_some(tmp_path / "p.zip")
    assert len(Zip(tmp_path / "p.zip").entries) == 22


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
