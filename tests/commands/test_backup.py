"""`gateway backup` and `gateway restore`."""

import sqlite3

import pytest

from tests.commands.conftest import complaint, run
from tests.doctor.patient import make_books


@pytest.fixture
def home(installed):
    make_books(installed.settings, 3, sent=False)
    return installed.settings.home


def lose(home):
    for file in home.glob("ledger.db*"):
        file.unlink()


def test_there_and_back(home, tmp_path):
    ended = run("backup", tmp_path / "b")
    assert ended.code == 0, ended
    assert "b: 3." in ended.out
    assert "check value" in ended.out
    assert (tmp_path / "b").stat().st_mode & 0o077 == 0
    lose(home)
    ended = run("restore", tmp_path / "b")
    assert ended.code == 0, ended
    assert "every unit may issue" in ended.out
    assert sorted(tmp_path.glob("b.*")) == sorted(home.glob("*.part")) == []


def test_no_key_is_in_a_backup(home, tmp_path):
    run("backup", tmp_path / "b")
    key = (home / "development.key").read_bytes().strip()
    assert key not in (tmp_path / "b").read_bytes()


def test_an_old_backup_says_which_unit_stands_still_and_why(home, installed, tmp_path, written):
    run("backup", tmp_path / "b")
    make_books(installed.settings, 5, sent=False)
    lose(home)
    for ended in (run("restore", tmp_path / "b"), run("restore", "--reconcile")):
        assert ended.code == 1
        assert "its chain ends at 3, the head journal says 5" in ended.out
        assert "موقوفة" in ended.out
    complaint(run("issue", written(9), "--no-wait"), "restored from a backup")


def test_what_is_refused(home, tmp_path):
    (tmp_path / "b").write_bytes(b"")
    complaint(run("backup", tmp_path / "b"), "exists already")
    complaint(run("restore", tmp_path / "b"), "There is a ledger")
    complaint(run("restore"), "Name a backup")
    complaint(run("restore", tmp_path / "b", "--reconcile"), "Name a backup")
    run("backup", tmp_path / "whole")
    lose(home)
    complaint(run("restore", tmp_path / "nowhere"), "There is no file")
    complaint(run("restore", tmp_path / "b"), "not a ledger")
    cut = (tmp_path / "whole").read_bytes()
    (tmp_path / "cut").write_bytes(cut[: len(cut) // 2])
    complaint(run("restore", tmp_path / "cut"), "damaged")
    with sqlite3.connect(tmp_path / "other") as other:
        other.execute("CREATE TABLE other (id)")
    complaint(run("restore", tmp_path / "other"), "not a ledger")
    complaint(run("restore", "--reconcile"), "There is no ledger")
    assert not list(home.glob("ledger.db*"))


def test_a_server_is_backed_up_by_its_own_tool(home, tmp_path, monkeypatch):
    monkeypatch.setenv("GATEWAY_DATABASE_URL", "postgresql+psycopg://user:secret@db.example/gateway")
    monkeypatch.setenv("PATH", str(tmp_path))
    complaint(run("backup", tmp_path / "b"), "no pg_dump")
    tool = tmp_path / "pg_dump"
    tool.write_text('#!/bin/sh\necho "$@ $PGPASSWORD" > "${2#--file=}"\n')
    tool.chmod(0o755)
    ended = run("backup", tmp_path / "b")
    assert ended.code == 0, ended
    said = (tmp_path / "b").read_text()
    assert said.split() == [
        "--format=custom", f"--file={tmp_path / 'b'}", "postgresql://user@db.example/gateway", "secret"
    ]  # fmt: skip
    assert (tmp_path / "b").stat().st_mode & 0o077 == 0
    tool.write_text("#!/bin/sh\necho no such server >&2; exit 1\n")
    complaint(run("backup", tmp_path / "c"), "no such server")
    assert not (tmp_path / "c").exists()
    complaint(run("restore", tmp_path / "b"), "pg_restore")
