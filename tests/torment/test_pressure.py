"""What a caller sees while the ledger cannot be worked with: 503 and when to come again, nothing half done, and all
goes on by itself. Health and metrics tell it."""

import subprocess
import time
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import make_url

from gateway.__main__ import EXIT_UNUSABLE, main
from tests.installation import order
from tests.postgres import Databases, OwnServer, connected
from tests.torment.site import Template, series, wait_for

pytestmark = pytest.mark.crash
ROUNDS = pytest.mark.parametrize(
    "rounds", [pytest.param(1, id="once"), pytest.param(15, id="15 times", marks=pytest.mark.torture)]
)
ROOM = 48 << 20


@contextmanager
def small_disk(size=ROOM):
    """A disk of its own, as small as that; skips where this user may not mount one."""
    with TemporaryDirectory(prefix="gateway-disk-") as folder:
        options = f"size={size},mode=755"
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True)
        if mounted.returncode:
            pytest.skip("no disk to fill: mounting one needs root")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk):
    """To the last byte."""
    with (disk / "filler").open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            while True:
                try:
                    if not file.write(b"x" * size):
                        break
                except OSError:
                    break


def empty(disk):
    (disk / "filler").unlink()


def metric(site, name):
    """A measure without labels, or with one."""
    lines = [line for line in site.caller.get("/metrics").text.splitlines() if line.startswith(f"gateway_{name}")]
    assert len(lines) == 1, lines
    return float(lines[0].rpartition(" ")[2])


def is_refused(site, number):
    """What a caller gets now for a new order: whether it is a refusal that says when to come again."""
    answer = site.caller.post("/v1/orders", json=order(number), headers={"Idempotency-Key": f"key-{number}"})
    if answer.status_code == 503:
        assert int(answer.headers["retry-after"]) > 0
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail_ar"], answer.text
        return True
    assert answer.status_code in (200, 201), answer.text
    site.acknowledged[answer.json()["uuid"]] = answer.json()["hash"]
    return False


def is_back(site):
    return site.is_ready() and not is_refused(site, next(site.numbers))


def serving(site, **more):
    site.start("serve", **more)
    wait_for(site.is_ready)
    for _ in range(3):
        assert not is_refused(site, next(site.numbers))


# -- a full disk


@pytest.fixture
def site_on(zygote, tmp_path, sqlite_template):
    """A site whose ledger, or whose head journal, has a small disk."""

    @contextmanager
    def made(what):
        with small_disk() as disk:
            home, other = (disk, tmp_path) if what == "ledger" else (tmp_path, disk)
            with sqlite_template.site(zygote, home, journal=other / "journal") as site:
                site.log = tmp_path / "said"
                yield site, disk

    return made


@ROUNDS
@pytest.mark.parametrize("what", ["ledger", "journal"])
def test_a_full_disk_is_told_and_passes(site_on, what, rounds):
    with site_on(what) as (site, disk):
        serving(site)
        for _ in range(rounds):
            fill(disk)
            wait_for(lambda: is_refused(site, next(site.numbers)))  # what fits in the file as it is, fits
            told = site.caller.get("/readyz")
            assert told.status_code == 503
            assert "cannot be written" in told.json()["checks"][what]
            wait_for(lambda: metric(site, f"{what}_up") == 0)
            empty(disk)
            wait_for(lambda: is_back(site))
            wait_for(lambda: metric(site, f"{what}_up") == 1)
        if what == "ledger":
            wait_for(lambda: metric(site, 'ledger_refusals{why="full"}') >= rounds)
        site.drained()


# -- PostgreSQL that is full, gone, dead


class Settled(Databases):
    """Databases on a server that dies. What a copy's sequences give before the next checkpoint, PostgreSQL 15 does not
    log: after a crash they would give it again."""

    def create(self, template="template0"):
        url = super().create(template)
        with connected(make_url(url)) as raw:
            raw.execute("CHECKPOINT")
        return url


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """An installation on a server of this file's own."""
    server = OwnServer()
    databases = Settled(server.url)
    made = Template(tmp_path_factory.mktemp("own") / "template", databases)
    yield server, made
    made.close()
    server.stop()


@pytest.fixture
def site(own, zygote, tmp_path):
    with own[1].site(zygote, tmp_path) as site:
        yield site


@pytest.mark.parametrize(
    "kills", [pytest.param(3, id="3 kills"), pytest.param(300, id="300 kills", marks=pytest.mark.torture)]
)
def test_a_server_that_is_killed_under_load(own, site, kills):
    server, _ = own
    chance = series(kills)
    serving(site)
    with site.callers():
        for _ in range(kills):
            time.sleep(chance.uniform(0.1, 0.6))
            server.kill()
            server.start()
    assert all(int(each.headers["retry-after"]) > 0 for each in site.refused if each.headers)
    site.drained()


def test_a_server_that_is_gone_is_told_and_comes_back(own, site, monkeypatch, capsys):
    server, _ = own
    serving(site)
    server.kill()
    try:
        assert is_refused(site, 99)
        told = site.caller.get("/readyz")
        assert told.status_code == 503
        assert "does not answer" in told.json()["checks"]["ledger"]
        assert "does not answer" in refusal_of_command(site, monkeypatch, capsys)
        wait_for(lambda: metric(site, "ledger_up") == 0)
        wait_for(lambda: metric(site, 'ledger_refusals{why="gone"}') > 0)
    finally:
        server.start()
    wait_for(lambda: is_back(site))
    assert not is_refused(site, 99)
    wait_for(lambda: metric(site, "ledger_up") == 1)
    site.drained()


def refusal_of_command(site, monkeypatch, capsys):
    """What an accountant reads whose command finds no ledger."""
    monkeypatch.setenv("GATEWAY_DATABASE_URL", site.settings.database_url)
    monkeypatch.setenv("GATEWAY_HOME", str(site.settings.home))
    with pytest.raises(SystemExit) as ended:
        main(["status"])
    assert ended.value.code == EXIT_UNUSABLE
    return capsys.readouterr().err


def test_a_lock_that_others_hold_too_long_is_told_and_passes(site):
    serving(site, busy_seconds=0.3)
    with connected(make_url(site.settings.database_url)) as other, other.transaction():
        other.execute("SELECT 1 FROM chain FOR UPDATE")
        assert is_refused(site, 99)
        wait_for(lambda: metric(site, 'ledger_refusals{why="busy"}') > 0)
        site.caller.get("/healthz").raise_for_status()
    assert not is_refused(site, 99)
    site.drained()


def test_a_server_that_hangs_keeps_nobody_waiting_for_ever(own, site):
    server, _ = own
    serving(site, end_seconds=1.0)
    server.freeze()
    try:
        assert is_refused(site, 99)
        assert site.caller.get("/readyz").status_code == 503
        site.caller.get("/healthz").raise_for_status()
    finally:
        server.thaw()
    wait_for(lambda: not is_refused(site, 99))
    site.drained()


@ROUNDS
def test_the_full_disk_of_a_server_is_told_and_passes(zygote, tmp_path, rounds):
    with crowded_server(tmp_path) as (disk, server, template), template.site(zygote, tmp_path) as site:
        serving(site)
        for _ in range(rounds):
            fill(disk)
            wait_for(lambda: is_refused(site, next(site.numbers)))
            told = site.caller.get("/readyz")
            assert told.status_code == 503, told.text
            wait_for(lambda: metric(site, "ledger_up") == 0)
            empty(disk)
            if not server.is_running():  # without room for its log it cannot recover, and ends
                server.start()
            wait_for(lambda: is_back(site))
            wait_for(lambda: metric(site, "ledger_up") == 1)
        site.drained()


@contextmanager
def crowded_server(folder):
    """A server whose disk is small, and an installation on it."""
    with small_disk(200 << 20) as disk:
        (disk / "server").mkdir()
        (disk / "server").chmod(0o755)
        server = OwnServer(disk=disk / "server", options=("-c", "max_wal_size=32MB", "-c", "min_wal_size=32MB"))
        try:
            with closing(Settled(server.url)) as databases:
                template = Template(folder / "template", databases)
                yield disk, server, template
                template.close()
        finally:
            server.stop()
