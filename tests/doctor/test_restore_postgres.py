"""A dump of a ledger on PostgreSQL, made by `gateway backup` in the midst of work, and put back as the manual says."""

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.__main__ import main
from gateway.errors import Unavailable
from gateway.pipeline.gateway import open_gateway
from gateway.simulator import Running
from tests.doctor.patient import found
from tests.doctor.test_restore import onboard_anew, places, sell
from tests.installation import installed
from tests.postgres import Databases, server

DOCUMENTS = 3


@pytest.fixture
def databases():
    for tool in ("pg_dump", "pg_restore"):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool} here")
    with server() as url:
        made = Databases(url)
        yield made
        made.close()


@pytest.fixture
def settings(databases, tmp_path, monkeypatch):
    """An installation with some documents, which commands find as well."""
    with Running() as authority:
        found, _ = installed(tmp_path / "home", authority, database_url=databases.create())
        monkeypatch.setenv("GATEWAY_HOME", str(found.home))
        monkeypatch.setenv("GATEWAY_AUTHORITY_URL", found.authority_url)
        monkeypatch.setenv("GATEWAY_DATABASE_URL", found.database_url)
        with open_gateway(found) as gateway:
            for number in range(DOCUMENTS):
                sell(gateway, f"before-{number}")
        yield found


def run(*arguments):
    """Its exit status."""
    with pytest.raises(SystemExit) as ended:
        main([str(each) for each in arguments])
    return ended.value.code or 0


def restored(settings, databases, dump, monkeypatch):
    """The dump in an empty database, and settings that name it."""
    url = databases.create()
    done = subprocess.run(["pg_restore", "--no-owner", f"--dbname={url}", dump], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    monkeypatch.setenv("GATEWAY_DATABASE_URL", url)
    return settings.model_copy(update={"database_url": url})


def test_an_old_dump_is_fenced_and_no_counter_is_used_twice(settings, databases, tmp_path, monkeypatch, capsys):
    assert run("backup", tmp_path / "dump") == 0
    with open_gateway(settings) as gateway:
        lost = [sell(gateway, f"after-{number}") for number in range(2)]
        taken = places(gateway)
    old = restored(settings, databases, tmp_path / "dump", monkeypatch)
    with open_gateway(old) as gateway, pytest.raises(Unavailable):
        sell(gateway, "new")
    assert run("restore", "--reconcile") == 1
    assert f"its chain ends at {DOCUMENTS}, the head journal says {DOCUMENTS + 2}" in capsys.readouterr().out
    with open_gateway(old) as gateway:
        onboard_anew(gateway)
        made = sell(gateway, "new")
        now = places(gateway)
    assert made.icv == 1
    assert made.number > max(each.number for each in lost)
    assert not {place for place in now if place in taken and taken[place] != now[place]}
    assert {each.code for each in found(old)} == {"chain.fenced", "checkpoint.restored"}


def test_the_newest_dump_goes_on_at_once(settings, databases, tmp_path, monkeypatch):
    assert run("backup", tmp_path / "dump") == 0
    same = restored(settings, databases, tmp_path / "dump", monkeypatch)
    assert run("restore", "--reconcile") == 0
    with open_gateway(same) as gateway:
        assert sell(gateway, "new").icv == DOCUMENTS + 1
    assert found(same) == []


def test_a_dump_taken_while_documents_are_made_is_whole(settings, databases, tmp_path, monkeypatch):
    """It shows one moment: chain and documents agree, and what came after is known to be missing."""
    with open_gateway(settings) as gateway, ThreadPoolExecutor(1) as pool:
        selling = pool.submit(lambda: [sell(gateway, f"meanwhile-{number}") for number in range(20)])
        assert run("backup", tmp_path / "dump") == 0
        assert len(selling.result()) == 20
    old = restored(settings, databases, tmp_path / "dump", monkeypatch)
    with open_gateway(old) as gateway:
        [chain] = gateway.ledger.every_chain()
        assert DOCUMENTS <= chain.head_icv == gateway.ledger.count_documents() <= DOCUMENTS + 20
        assert bool(gateway.ledger.fenced()) == (chain.head_icv < DOCUMENTS + 20)
