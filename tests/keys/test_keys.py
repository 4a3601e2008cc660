"""Key custody: the same signatures from either library, envelopes that open only in their place, no secret shown."""

import base64
import pickle
import stat
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from hypothesis import given, settings
from hypothesis import strategies as st

import gateway
from gateway.errors import BadInput, Conflict, GatewayError, Misconfigured, Unknown
from gateway.keys import (
    EnvelopeStamper,
    MasterKey,
    Safe,
    curve,
    envelopes,
    key_file,
    master_key,
    open_keys,
    rewrap,
    signer_of_pem,
)
from gateway.settings import Settings

PACKAGE = Path(gateway.__file__).parent
RAW = bytes(range(32))
OTHER = bytes(range(1, 33))
REF = "tp/riyadh-1"


class Store:
    """An EnvelopeStore in memory."""

    def __init__(self):
        self.blobs = {}
        self.marks = {}

    def save_envelope(self, *, kind, ref, blob, replace):
        if (kind, ref) in self.blobs and not replace:
            raise Conflict("stands already")
        self.blobs[kind, ref] = blob

    def load_envelope(self, *, kind, ref):
        return self.blobs.get((kind, ref))

    def delete_envelope(self, *, kind, ref):
        self.blobs.pop((kind, ref), None)

    def envelopes(self):
        return [(kind, ref, blob) for (kind, ref), blob in self.blobs.items()]

    def swap_envelopes(self, blobs, *, marks):
        self.blobs |= blobs
        self.marks |= marks

    def set_mark(self, name, *, value):
        return self.marks.setdefault(name, value)


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def stamper(store):
    return EnvelopeStamper(MasterKey(RAW), store)


@pytest.fixture
def safe(store):
    return Safe(MasterKey(RAW), store)


def settings_of(tmp_path, **given):
    return Settings(_env_file=None, home=tmp_path / "home", **given)


def key_text(raw=RAW):
    return base64.b64encode(raw).decode()


def written(path, content, mode=0o600):
    path.write_text(content)
    path.chmod(mode)
    return path


# Signing.


@settings(max_examples=60, deadline=None)
@given(st.integers(1, curve.ORDER - 1), st.binary(max_size=200))
def test_both_libraries_give_the_same_bytes(scalar, message):
    pytest.importorskip("coincurve")
    key = ec.derive_private_key(scalar, ec.SECP256K1())
    slow, fast = curve.signer(key)(message), curve.fast_signer(key)(message)
    assert slow == fast
    key.public_key().verify(slow, message, ec.ECDSA(SHA256()))
    assert decode_dss_signature(slow)[1] <= curve.ORDER // 2


def test_the_nonce_is_that_of_rfc_6979():
    """A widely published vector for secp256k1 and SHA-256: key 1, message "Satoshi Nakamoto"."""
    sign = curve.signer(ec.derive_private_key(1, ec.SECP256K1()))
    r, s = decode_dss_signature(sign(b"Satoshi Nakamoto"))
    assert f"{r:064x}" == "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8"
    assert f"{s:064x}" == "2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5"


def test_a_key_signs_the_same_without_the_faster_library(stamper, store, monkeypatch):
    stamper.create(REF)
    fast = stamper.sign(REF, b"hash")
    monkeypatch.setattr(curve, "has_libsecp256k1", lambda: False)
    assert EnvelopeStamper(MasterKey(RAW), store).sign(REF, b"hash") == fast


def test_a_made_key_signs_for_its_public_key(stamper):
    public = load_der_public_key(stamper.create(REF))
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert isinstance(public.curve, ec.SECP256K1)
    public.verify(stamper.sign(REF, b"hash"), b"hash", ec.ECDSA(SHA256()))
    with pytest.raises(InvalidSignature):
        public.verify(stamper.sign(REF, b"hash"), b"other", ec.ECDSA(SHA256()))


def test_a_key_is_made_once(stamper, store):
    first = stamper.create(REF)
    assert stamper.create(REF) == stamper.public_key(REF) == first
    assert EnvelopeStamper(MasterKey(RAW), store).public_key(REF) == first
    assert stamper.create("tp/other") != first


def test_two_that_create_one_key_at_once_get_the_same(store):
    stampers = [EnvelopeStamper(MasterKey(RAW), store) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda stamper: stamper.create(REF), stampers))) == 1


def test_a_race_lost_in_the_store_gives_the_winners_key(stamper, store, monkeypatch):
    winner = EnvelopeStamper(MasterKey(RAW), store).create(REF)
    load, blind = store.load_envelope, iter([None])
    monkeypatch.setattr(store, "load_envelope", lambda **key: next(blind, load(**key)))
    assert stamper.create(REF) == winner


def test_a_destroyed_key_is_gone(stamper, store):
    stamper.create(REF)
    stamper.destroy(REF)
    stamper.destroy(REF)
    assert store.blobs == {}
    for ask in (stamper.public_key, lambda ref: stamper.sign(ref, b"x")):
        with pytest.raises(Unknown, match=REF):
            ask(REF)


def test_health_tries_a_key_and_keeps_none(stamper, store):
    assert stamper.health() == "ok"
    assert store.blobs == {}


def test_there_is_no_way_to_take_a_key_out(stamper):
    names = {name for name in dir(stamper) if not name.startswith("_")}
    assert names == {"create", "public_key", "sign", "destroy", "health", "is_slow"}


# Envelopes.


@given(st.binary(max_size=100), st.text(max_size=20), st.text(max_size=20))
def test_an_envelope_opens_as_what_it_was_sealed(secret, kind, ref):
    key = MasterKey(RAW)
    sealed = key.seal(kind, ref, secret)
    assert key.open(kind, ref, sealed) == secret
    assert MasterKey(OTHER).open(kind, ref, sealed) is None
    assert key.open(kind + "x", ref, sealed) is None
    assert key.open(kind, ref + "x", sealed) is None
    if ref:  # moving a letter over the border makes another place
        assert key.open(kind + ref[0], ref[1:], sealed) is None


def test_any_changed_byte_closes_an_envelope():
    key = MasterKey(RAW)
    sealed = key.seal("secret", REF, b"s3cret")
    for at in range(len(sealed)):
        changed = bytearray(sealed)
        changed[at] ^= 1
        assert key.open("secret", REF, bytes(changed)) is None
    for length in range(len(sealed)):
        assert key.open("secret", REF, sealed[:length]) is None


def test_no_two_envelopes_are_alike():
    key = MasterKey(RAW)
    assert len({key.seal("secret", REF, b"s3cret") for _ in range(100)}) == 100


def test_a_secret_comes_back_and_can_be_replaced_and_forgotten(safe, store):
    safe.seal("tp/shop", "سر s3cret")
    assert safe.open("tp/shop") == "سر s3cret"
    assert b"s3cret" not in b"".join(store.blobs.values())
    safe.seal("tp/shop", "other")
    assert safe.open("tp/shop") == "other"
    safe.forget("tp/shop")
    with pytest.raises(Unknown, match="tp/shop"):
        safe.open("tp/shop")


@pytest.mark.parametrize("kind", [envelopes.SECRET, envelopes.STAMPING_KEY])
def test_an_envelope_moved_to_another_taxpayer_does_not_open(stamper, safe, store, kind):
    stamper.create(REF)
    safe.seal(REF, "s3cret")
    store.blobs[kind, "thief/unit"] = store.blobs[kind, REF]
    with pytest.raises(Misconfigured, match="thief/unit does not open"):
        safe.open("thief/unit") if kind == envelopes.SECRET else stamper.sign("thief/unit", b"x")


def test_another_master_key_is_recognised_before_anything_is_done(stamper, store):
    before = dict(store.blobs)
    for make in (EnvelopeStamper, Safe):
        with pytest.raises(Misconfigured, match="not the master key") as caught:
            make(MasterKey(OTHER), store)
        assert "GATEWAY_MASTER_KEY_FILE" in caught.value.fix
    assert store.blobs == before


def test_rewrapping_keeps_the_secrets_and_changes_the_key(stamper, safe, store):
    public = stamper.create(REF)
    safe.seal("tp/shop", "s3cret")
    assert rewrap(MasterKey(RAW), MasterKey(OTHER), store) == 2
    assert EnvelopeStamper(MasterKey(OTHER), store).public_key(REF) == public
    assert Safe(MasterKey(OTHER), store).open("tp/shop") == "s3cret"
    with pytest.raises(Misconfigured):
        Safe(MasterKey(RAW), store)
    with pytest.raises(Misconfigured):
        rewrap(MasterKey(RAW), MasterKey(OTHER), store)


def test_rewrapping_does_nothing_if_one_envelope_is_damaged(safe, store):
    safe.seal("tp/a", "a")
    safe.seal("tp/b", "b")
    store.blobs[envelopes.SECRET, "tp/b"] = b"\x01damaged"
    before = dict(store.blobs)
    with pytest.raises(Misconfigured, match="tp/b"):
        rewrap(MasterKey(RAW), MasterKey(OTHER), store)
    assert store.blobs == before
    assert safe.open("tp/a") == "a"


# Where the master key comes from.


def test_the_key_comes_from_a_file_only_we_can_read(tmp_path):
    path = written(tmp_path / "key", key_text() + "\n")
    assert master_key(settings_of(tmp_path, master_key_file=path)).check == MasterKey(RAW).check


def test_the_key_comes_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("GATEWAY_MASTER_KEY", key_text())
    assert master_key(settings_of(tmp_path)).check == MasterKey(RAW).check


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o700 | 0o010])
def test_a_file_that_others_can_read_is_refused(tmp_path, mode):
    path = written(tmp_path / "key", key_text(), mode)
    with pytest.raises(Misconfigured, match=f"read by others .mode {mode:o}") as caught:
        master_key(settings_of(tmp_path, master_key_file=path))
    assert "chmod 600" in caught.value.fix


@pytest.mark.parametrize(
    "content", ["", "short", key_text(RAW[:31]), key_text(RAW + b"x"), "!" * 44, "مفتاح", "\x00" * 44]
)
def test_a_key_that_is_none_is_refused(tmp_path, content):
    path = written(tmp_path / "key", content)
    for given_ in ({"master_key_file": path}, {"master_key": content or " "}):
        with pytest.raises(Misconfigured, match="does not hold 32 bytes") as caught:
            master_key(settings_of(tmp_path, **given_))
        assert "openssl rand" in caught.value.fix


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(Misconfigured, match=r"nowhere.*No such file"):
        master_key(settings_of(tmp_path, master_key_file=tmp_path / "nowhere"))
    with pytest.raises(Misconfigured, match="directory"):
        master_key(settings_of(tmp_path, master_key_file=tmp_path))


@pytest.mark.parametrize("environment", ["sandbox", "simulation"])
def test_outside_production_a_key_is_made_once(tmp_path, environment):
    mine = settings_of(tmp_path, environment=environment)
    first = master_key(mine)
    path = tmp_path / "home" / "development.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert master_key(mine).check == first.check
    assert [each.name for each in path.parent.iterdir()] == ["development.key"]


def test_processes_that_start_at_once_share_the_development_key(tmp_path):
    mine = settings_of(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda _: master_key(mine), range(8)))
    assert len({key.check for key in keys}) == 1
    assert len(list((tmp_path / "home").iterdir())) == 1


def test_in_production_a_key_is_mandatory(tmp_path):
    with pytest.raises(Misconfigured, match="mandatory"):
        master_key(settings_of(tmp_path, environment="production"))
    assert not (tmp_path / "home").exists()
    given_ = settings_of(tmp_path, environment="production", master_key=key_text())
    assert master_key(given_).check == MasterKey(RAW).check


def test_a_home_that_cannot_be_written_is_named(tmp_path):
    written(tmp_path / "home", "a file, not a folder")
    with pytest.raises(Misconfigured, match="cannot be"):
        master_key(settings_of(tmp_path))


def test_the_rooms_open_together(tmp_path, store):
    stamper, safe = open_keys(settings_of(tmp_path), store)
    assert stamper.health() == "ok"
    safe.seal("tp/x", "s3cret")
    assert open_keys(settings_of(tmp_path), store)[1].open("tp/x") == "s3cret"


# Keys in PEM files.


def test_a_key_file_is_made_and_read_again(tmp_path):
    path = tmp_path / "unit.key.pem"
    sign, public = key_file(path)
    again, same = key_file(path)
    assert (public, sign(b"x")) == (same, again(b"x"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert signer_of_pem(path.read_bytes(), public)(b"x") == sign(b"x")
    with pytest.raises(BadInput, match="do not belong together"):
        signer_of_pem(path.read_bytes(), key_file(tmp_path / "other.pem")[1])
    with pytest.raises(Misconfigured, match="cannot be used"):
        key_file(tmp_path / "nowhere" / "key.pem")


@pytest.mark.parametrize("content", ["", "x", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_file_without_a_key_is_refused(tmp_path, content):
    with pytest.raises(BadInput, match="not a private key on secp256k1"):
        key_file(written(tmp_path / "key.pem", content))


def test_the_authoritys_sample_key_is_read(shared):
    sample = (shared / "vectors" / "ec-secp256k1-priv-key.pem").read_bytes()
    with pytest.raises(BadInput, match="do not belong together"):
        signer_of_pem(sample, b"another public key")


# Nothing secret is shown.


def spellings(secret):
    return (secret.decode("latin-1"), secret.hex(), base64.b64encode(secret).decode(), repr(secret)[2:-1])


def test_no_secret_is_in_what_objects_say_of_themselves(tmp_path, stamper, safe, store):
    stamper.create(REF)
    safe.seal("tp/shop", "s3cret-of-the-shop")
    scalar = MasterKey(RAW).open(envelopes.STAMPING_KEY, REF, store.blobs[envelopes.STAMPING_KEY, REF])
    stamper.sign(REF, b"x")
    key = MasterKey(RAW)
    given_ = settings_of(tmp_path, master_key=key_text())
    shown = [
        f"{each!r} {each} {vars(each) if hasattr(each, '__dict__') else ''}" for each in (key, stamper, safe, given_)
    ]
    shown.append(repr(stamper._opened))
    for secret in (*spellings(RAW), *spellings(scalar), "s3cret-of-the-shop"):
        assert not [text for text in shown if secret in text]


def test_a_master_key_is_not_pickled():
    with pytest.raises(TypeError):
        pickle.dumps(MasterKey(RAW))


def failures(tmp_path, store):
    """Everything that can go wrong with a key at hand."""
    safe = Safe(MasterKey(RAW), store)
    safe.seal("tp/shop", "s3cret")
    yield lambda: master_key(settings_of(tmp_path, master_key_file=written(tmp_path / "open", key_text(), 0o644)))
    yield lambda: master_key(settings_of(tmp_path, master_key_file=written(tmp_path / "long", key_text(RAW + b"x"))))
    yield lambda: EnvelopeStamper(MasterKey(OTHER), store)
    yield lambda: rewrap(MasterKey(OTHER), MasterKey(RAW), store)
    store.blobs[envelopes.STAMPING_KEY, REF] = store.blobs[envelopes.SECRET, "tp/shop"]
    stamper = EnvelopeStamper(MasterKey(RAW), store)
    yield lambda: stamper.sign(REF, b"x")
    yield lambda: rewrap(MasterKey(RAW), MasterKey(OTHER), store)


def test_no_secret_is_in_an_error_or_the_locals_of_its_traceback(tmp_path, store):
    for fail in failures(tmp_path, store):
        with pytest.raises(GatewayError) as caught:
            fail()
        told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        inner = [frame for frame in told.stack if Path(frame.filename).is_relative_to(PACKAGE)]
        text = f"{caught.value!r} {caught.value}" + "".join(str(frame.locals) for frame in inner)
        for secret in (*spellings(RAW), *spellings(OTHER), key_text(RAW + b"x"), "s3cret"):
            assert secret not in text
        assert inner
