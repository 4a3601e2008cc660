"""Keys and secrets kept in a real ledger: they survive, and the file does not show them."""

from pathlib import Path

import pytest

from gateway.errors import Conflict, Misconfigured
from gateway.keys import EnvelopeStamper, MasterKey, Safe, rewrap
from gateway.ledger import Ledger
from tests.ledger.books import furnish

KEY, OTHER = MasterKey(bytes(32)), MasterKey(bytes(range(32)))
REF = "tp/riyadh-1"


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path):
    with Ledger.open(f"sqlite:///{path}") as opened:
        furnish(opened)
        yield opened


def test_keys_and_secrets_survive_a_restart_and_a_change_of_the_master_key(ledger, path):
    public = EnvelopeStamper(KEY, ledger).create(REF)
    Safe(KEY, ledger).seal("tp/shop", "s3cret")
    with Ledger.open(f"sqlite:///{path}") as again:
        assert EnvelopeStamper(KEY, again).public_key(REF) == public
        with pytest.raises(Misconfigured, match="not the master key"):
            Safe(OTHER, again)
        assert rewrap(KEY, OTHER, again) == 2
    assert Safe(OTHER, ledger).open("tp/shop") == "s3cret"
    assert EnvelopeStamper(OTHER, ledger).public_key(REF) == public
    with pytest.raises(Misconfigured):
        EnvelopeStamper(KEY, ledger)


def test_the_ledger_keeps_the_first_key_of_a_unit(ledger):
    ledger.save_envelope(kind="k", ref=REF, blob=b"first", replace=False)
    with pytest.raises(Conflict, match=REF):
        ledger.save_envelope(kind="k", ref=REF, blob=b"second", replace=False)
    assert ledger.load_envelope(kind="k", ref=REF) == b"first"
    ledger.save_envelope(kind="k", ref=REF, blob=b"second", replace=True)
    assert list(ledger.envelopes()) == [("k", REF, b"second")]
    assert ledger.load_envelope(kind="other", ref=REF) is None


def test_a_destroyed_key_is_wiped_from_the_file(ledger, path):
    stamper = EnvelopeStamper(KEY, ledger)
    stamper.create(REF)
    [(_, _, sealed)] = ledger.envelopes()
    stamper.destroy(REF)
    ledger.close()  # the last to close brings the log into the file and removes it
    files = [file.read_bytes() for file in path.parent.iterdir()]
    assert not [content for content in files if sealed[20:] in content]


def test_no_secret_is_in_the_file(ledger, path):
    EnvelopeStamper(KEY, ledger).create(REF)
    Safe(KEY, ledger).seal("tp/shop", "s3cret-of-the-shop")
    ledger.close()
    for file in path.parent.iterdir():
        assert b"s3cret-of-the-shop" not in file.read_bytes()
