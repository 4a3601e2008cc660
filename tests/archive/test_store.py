"""A file is written once, wherever the archive is."""

import errno
import os
from datetime import UTC, datetime, timedelta

import pytest

from gateway.archive import open_store
from gateway.archive.folder import Folder
from gateway.errors import Conflict, Misconfigured, Unavailable
from gateway.settings import Settings

LATER = datetime.now(UTC) + timedelta(days=2200)
KEY = "310122393500003/2026-11/name_0a.xml"


def test_what_is_put_is_there(store):
    assert store.get(KEY) is None
    store.put(KEY, b"content", keep_until=LATER)
    store.put(KEY, b"content", keep_until=LATER)  # after a crash, say
    store.put(KEY + ".json", b"", keep_until=LATER)
    assert (store.get(KEY), store.get(KEY + ".json")) == (b"content", b"")
    assert list(store.keys()) == [KEY, KEY + ".json"]


def test_nothing_is_written_over(store):
    store.put(KEY, b"content", keep_until=LATER)
    with pytest.raises(Conflict, match="not what was archived"):
        store.put(KEY, b"another", keep_until=LATER)
    assert store.get(KEY) == b"content"


@pytest.mark.parametrize("kind", ["folder", "plain"])
def test_what_may_be_deleted_is_gone(settings_of, kind):
    store = open_store(settings_of(kind))
    store.put(KEY, b"content", keep_until=LATER)
    store.delete(KEY)
    store.delete(KEY)
    assert (store.get(KEY), list(store.keys())) == (None, [])


def test_a_locked_bucket_deletes_nothing_before_its_time(settings_of):
    store = open_store(settings_of("locked"))
    store.put(KEY, b"content", keep_until=LATER)
    with pytest.raises(Unavailable, match="AccessDenied"):
        store.delete(KEY)
    assert store.get(KEY) == b"content"


def test_a_bucket_that_does_not_say_whether_it_locks_is_not_written_to():
    """Or files that the law wants kept would lie there without their lock."""
    boto3 = pytest.importorskip("boto3", reason="boto3 is not installed")
    from botocore.config import Config

    from gateway.archive.s3 import S3

    nowhere = {
        "endpoint_url": "http://127.0.0.1:9",
        "region_name": "us-east-1",
        "config": Config(retries={"total_max_attempts": 1}),
    }
    client = boto3.client("s3", aws_access_key_id="test", aws_secret_access_key="test", **nowhere)
    with pytest.raises(Unavailable, match="Object Lock"):
        S3(client, "locked", "")


def test_an_archived_file_is_its_owners_and_read_only(tmp_path):
    store = Folder(tmp_path / "archive")
    store.put(KEY, b"content", keep_until=LATER)
    assert (tmp_path / "archive" / KEY).stat().st_mode & 0o777 == 0o400
    assert (tmp_path / "archive").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("step", ["write", "fsync"])
def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch, step):
    store = Folder(tmp_path / "archive")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, step, full)
        with pytest.raises(Unavailable, match="No space left"):
            store.put(KEY, b"content", keep_until=LATER)
    assert [each for each in (tmp_path / "archive").rglob("*") if each.is_file()] == []
    store.put(KEY, b"content", keep_until=LATER)
    assert store.get(KEY) == b"content"


def test_places_that_are_none(tmp_path, settings_of):
    for place, says in {"ftp://x": "neither", "s3://": "no bucket", "s3://missing/x": "cannot be used"}.items():
        settings = settings_of("plain").model_copy(update={"archive": place})
        with pytest.raises(Misconfigured, match=says):
            open_store(settings)
    unreachable = Settings.given(home=tmp_path, archive="s3://b", archive_endpoint="http://127.0.0.1:9")
    with pytest.raises(Unavailable, match="cannot be reached"):
        open_store(unreachable)
