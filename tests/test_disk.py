import os

import pytest

from gateway.disk import write_all, write_whole


def test_a_file_is_there_whole_and_its_owners(tmp_path):
    path = tmp_path / "file"
    write_whole(path, b"old", part=tmp_path / "part")
    write_whole(path, b"new", part=tmp_path / "part", mode=0o400)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o400)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["write", "fsync"])
def test_one_that_cannot_be_written_leaves_what_was_there(tmp_path, monkeypatch, step):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def full(*_):
        raise OSError("full")

    with monkeypatch.context() as patch:
        patch.setattr(os, step, full)
        with pytest.raises(OSError, match="full"):
            write_whole(path, b"new", part=tmp_path / "part")
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (b"old", [path])


def test_a_disk_that_takes_a_little_at_a_time_gets_all_of_it(tmp_path, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, content: real(file, bytes(content[:3])))
    with (tmp_path / "file").open("wb") as file:
        write_all(file.fileno(), b"0123456789")
    assert (tmp_path / "file").read_bytes() == b"0123456789"
