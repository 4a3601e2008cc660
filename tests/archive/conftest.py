"""The two places an archive can be: a folder, and a bucket of a real S3 server."""

import logging
import threading
from collections.abc import Iterator

import pytest

from gateway.archive import Store, open_store
from gateway.settings import Settings

BUCKETS = ("plain", "locked")


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of an S3 server with two buckets, one of them with Object Lock."""
    boto3 = pytest.importorskip("boto3", reason="boto3 is not installed")
    moto = pytest.importorskip("moto.server", reason="moto is not installed")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    from werkzeug.serving import make_server

    app = moto.DomainDispatcherApplication(moto.create_backend_app)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    with pytest.MonkeyPatch.context() as patch:
        _credentials(patch)
        client = boto3.client("s3", endpoint_url=address)
        for bucket in BUCKETS:
            client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=bucket == "locked")
    yield address
    server.shutdown()
    thread.join()
    server.server_close()


def _credentials(patch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        patch.setenv(name, "test")
    patch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.fixture
def settings_of(request, tmp_path, monkeypatch):
    """Settings whose archive is of a kind: "folder", or a bucket's name."""

    def settings(kind: str) -> Settings:
        if kind == "folder":
            return Settings.given(home=tmp_path)
        _credentials(monkeypatch)
        place = f"s3://{kind}/{request.node.name[:30]}"
        return Settings.given(home=tmp_path, archive=place, archive_endpoint=request.getfixturevalue("s3_server"))

    return settings


@pytest.fixture(params=["folder", *BUCKETS])
def store(request, settings_of) -> Store:
    """An empty archive of each kind."""
    return open_store(settings_of(request.param))
