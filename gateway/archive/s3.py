"""An archive in a bucket: Amazon's, or of anything that speaks S3. Where the bucket has Object Lock, a file cannot be
deleted before its time by anybody, the bucket's owner included (mode COMPLIANCE).

Credentials come as they always do for this protocol: AWS_ACCESS_KEY_ID and the other usual ways.
"""

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from gateway.errors import Conflict, Misconfigured, Unavailable

_MISSING = {"404", "NoSuchKey", "NotFound"}
_UNSURE = {"AccessDenied", "403", "RequestTimeout", "SlowDown", "Throttling"}
_THERE = {"412", "PreconditionFailed", "409", "ConditionalRequestConflict"}


class S3:
    """Files in a bucket, below a prefix."""

    def __init__(self, client: Any, bucket: str, prefix: str) -> None:
        self._client, self._bucket, self._prefix = client, bucket, prefix
        self.name = f"s3://{bucket}/{prefix}".rstrip("/")
        self._is_locked = self._has_lock()

    @classmethod
    def at(cls, place: str, *, endpoint: str) -> Self:
        """The archive at s3://bucket/prefix; Misconfigured if there is no such bucket or it may not be used."""
        bucket, _, prefix = place.removeprefix("s3://").strip("/").partition("/")
        if not bucket:
            raise Misconfigured(f"{place} names no bucket.", fix="Write it like s3://bucket/prefix.")
        patience = Config(connect_timeout=10, read_timeout=60, retries={"max_attempts": 3, "mode": "standard"})
        try:
            client = boto3.client("s3", endpoint_url=endpoint or None, config=patience)
            client.head_bucket(Bucket=bucket)
        except ClientError as error:
            raise Misconfigured(
                f"The bucket {bucket} of the archive cannot be used: {_code(error)}.",
                fix="See that it exists and that the AWS_* credentials may use it.",
            ) from None
        except (BotoCoreError, ValueError) as error:
            raise Unavailable(
                f"The archive {place} cannot be reached: {error}",
                retry_after=60,
                fix="See that GATEWAY_ARCHIVE and GATEWAY_ARCHIVE_ENDPOINT are right and the network leads there.",
            ) from None
        return cls(client, bucket, f"{prefix}/" if prefix else "")

    def put(self, key: str, content: bytes, *, keep_until: datetime) -> None:
        """See Store: written only if there is none of this name, and received as its digest says."""
        lock = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": keep_until} if self._is_locked else {}
        sha256 = base64.b64encode(hashlib.sha256(content).digest()).decode()
        try:
            self._client.put_object(
                Bucket=self._bucket,
                Key=self._prefix + key,
                Body=content,
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=sha256,
                IfNoneMatch="*",
                **lock,
            )
        except ClientError as error:
            if _code(error) not in _THERE:
                raise self._unusable(key, error) from None
            if self.get(key) != content:
                raise Conflict(
                    f"{key} in {self.name} is not what was archived.", fix="`gateway doctor` says more."
                ) from None
        except BotoCoreError as error:
            raise self._unusable(key, error) from None

    def get(self, key: str) -> bytes | None:
        """See Store."""
        with self._explained(key):
            try:
                return bytes(self._client.get_object(Bucket=self._bucket, Key=self._prefix + key)["Body"].read())
            except ClientError as error:
                if _code(error) in _MISSING:
                    return None
                raise

    def keys(self) -> Iterator[str]:
        """See Store."""
        with self._explained("its list"):
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix):
                yield from (each["Key"].removeprefix(self._prefix) for each in page.get("Contents", ()))

    def delete(self, key: str) -> None:
        """See Store: of a bucket with versions, every version, or it would be there still."""
        with self._explained(key):
            versions = self._client.list_object_versions(Bucket=self._bucket, Prefix=self._prefix + key)
            here = [*versions.get("Versions", ()), *versions.get("DeleteMarkers", ())]
            for each in here:
                if each["Key"] == self._prefix + key:
                    self._client.delete_object(Bucket=self._bucket, Key=each["Key"], VersionId=each["VersionId"])

    def _has_lock(self) -> bool:
        """Unavailable where that cannot be learnt: files that could be locked are not written without."""
        with self._explained("its Object Lock"):
            try:
                found = self._client.get_object_lock_configuration(Bucket=self._bucket)
            except ClientError as error:
                if _code(error) in _UNSURE or (_status(error) >= 500 and _status(error) != 501):
                    raise
                return False  # none, or a server that does not know of it
        return bool(found["ObjectLockConfiguration"].get("ObjectLockEnabled") == "Enabled")

    @contextmanager
    def _explained(self, key: str) -> Iterator[None]:
        try:
            yield
        except (ClientError, BotoCoreError) as error:
            raise self._unusable(key, error) from None

    def _unusable(self, key: str, error: ClientError | BotoCoreError) -> Unavailable:
        what = _code(error) if isinstance(error, ClientError) else error
        return Unavailable(
            f"The archive {self.name} cannot be used for {key}: {what}",
            retry_after=60,
            fix="See that the bucket can be reached and the AWS_* credentials may use it.",
            ar="تعذّر الوصول إلى الأرشيف. تحقق من الاتصال والصلاحيات؛ وسيُعاد المحاولة تلقائياً.",
        )


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "?"))
