"""Sealing while a worker runs and when a process ends, and the checkpoints it writes."""

import subprocess
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from gateway.keys import verifies
from gateway.ledger import MOST, CheckpointFiles
from gateway.ledger.audit import note
from gateway.pipeline.gateway import open_gateway
from gateway.pipeline.seal import AGAIN, CHECKPOINTS_EVERY, SOON, Sealer
from tests.installation import OWNER


class Time:
    def __init__(self, gateway):
        self.at = gateway.now()

    def __call__(self):
        return self.at


@pytest.fixture
def opened(installation):
    """A gateway whose clock the test moves."""
    with open_gateway(installation.settings) as first:
        time = Time(first)
    with open_gateway(installation.settings, now=time) as gateway:
        yield gateway, time


def do(gateway):
    gateway.ledger.audit(taxpayer_id=OWNER, actor="a", action="b", target="c", detail={}, now=gateway.now())


def lines(gateway):
    key = gateway.sealing_key()
    files = CheckpointFiles(gateway.settings.checkpoints_folder)
    found = list(files.lines(lambda body, signed: verifies(key.certificate, body, signed), key=key.fingerprint))
    assert not any(line.wrong for line in found)
    assert [line.previous for line in found] == ["", *(line.digest for line in found[:-1])]
    return [line.checkpoint for line in found]


def test_what_was_done_is_sealed_soon_and_its_checkpoint_follows(opened):
    gateway, time = opened
    sealer = Sealer(gateway)
    sealer.look()
    before = len(lines(gateway))
    do(gateway)
    sealer.look()
    assert gateway.ledger.audit_waiting().entries == 1
    time.at += SOON
    sealer.look()
    assert gateway.ledger.audit_waiting().entries == 0
    *_, last = lines(gateway)
    batch = gateway.ledger.last_audit_batch(OWNER)
    assert (last.taxpayer, last.entries, last.batch, last.hash) == (OWNER, batch.last_seq, batch.number, batch.hash)
    chain = gateway.ledger.every_chain()[0]
    assert last.chains == ((chain.id, chain.head_icv, chain.head_hash),)
    assert len(lines(gateway)) == before + 1


def test_many_entries_do_not_wait(opened):
    gateway, _ = opened
    facts = {"taxpayer_id": OWNER, "actor": "a", "action": "b", "target": "c", "now": gateway.now()}
    with gateway.ledger._database.writing() as connection:
        for _ in range(MOST):
            note(connection, **facts)
    Sealer(gateway).look()
    assert gateway.ledger.audit_waiting().entries == 0


def test_a_checkpoint_is_written_every_hour_though_nothing_was_done(opened):
    gateway, time = opened
    sealer = Sealer(gateway)
    sealer.look()
    before = len(lines(gateway))
    time.at += CHECKPOINTS_EVERY - timedelta(seconds=1)
    sealer.look()
    assert len(lines(gateway)) == before
    time.at += timedelta(seconds=1)
    sealer.look()
    assert len(lines(gateway)) == before + 1


def test_a_process_that_ends_leaves_nothing_unsealed(installation):
    with open_gateway(installation.settings) as gateway:
        do(gateway)
    with open_gateway(installation.settings) as gateway:
        assert gateway.ledger.audit_waiting().entries == 0
        assert lines(gateway)[-1].batch == gateway.ledger.last_audit_batch(OWNER).number


def test_where_no_checkpoint_can_be_written_all_goes_on_and_it_follows(installation):
    folder = installation.settings.home / "full"
    folder.write_text("no folder")
    settings = installation.settings.model_copy(update={"checkpoints": folder})
    with open_gateway(settings) as first:
        time = Time(first)
    with open_gateway(settings, now=time) as gateway:
        sealer = Sealer(gateway)
        do(gateway)
        time.at += SOON
        with capture_logs() as logged:
            sealer.look()
            sealer.look()
        assert [each["event"] for each in logged] == ["checkpoint_failed"]
        assert gateway.ledger.audit_waiting().entries == 0
        folder.unlink()
        sealer.look()
        assert not folder.exists()
        time.at += AGAIN
        sealer.look()
        assert lines(gateway)[-1].batch == gateway.ledger.last_audit_batch(OWNER).number


def test_what_a_crash_left_of_a_line_is_taken_away(opened):
    gateway, time = opened
    sealer = Sealer(gateway)
    sealer.look()
    [file] = gateway.settings.checkpoints_folder.glob("*.checkpoints")
    with file.open("ab") as torn:
        torn.write(b'{"at":"2026')
    before = len(lines(gateway))
    do(gateway)
    time.at += SOON
    sealer.look()
    assert len(lines(gateway)) == before + 1


def test_a_month_is_a_file_and_the_next_one_goes_on_from_it(opened):
    gateway, time = opened
    sealer = Sealer(gateway)
    sealer.look()
    time.at += timedelta(days=32)
    sealer.look()
    time.at -= timedelta(days=32)
    Sealer(gateway).look()
    files = sorted(gateway.settings.checkpoints_folder.glob("*.checkpoints"))
    assert len(files) == 2
    assert [len(file.read_bytes().splitlines()) for file in files][1] == 2
    assert lines(gateway)


def test_openssl_verifies_a_line(opened, tmp_path):
    gateway, _ = opened
    Sealer(gateway).look()
    [file] = gateway.settings.checkpoints_folder.glob("*.checkpoints")
    script = f"""
        tail -n 1 {file} > line
        printf %s "$(cut -d' ' -f1 line)" > body
        cut -d' ' -f2 line | base64 -d > signature
        openssl x509 -in {gateway.settings.checkpoints_folder}/seal.pem -pubkey -noout > public.pem
        openssl dgst -sha256 -verify public.pem -signature signature body
    """
    said = subprocess.run(["sh", "-ec", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert said.stdout == "Verified OK\n"
