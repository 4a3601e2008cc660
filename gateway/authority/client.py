"""The authority's API over HTTP: six calls, one connection pool, no retries.

A document's answer is always a Verdict: what goes wrong on the way is UNKNOWN, never an exception. Whether and when
to send again is not decided here.
"""

import asyncio
import base64
import hashlib
import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, NamedTuple, Self
from urllib.parse import urlsplit

import httpx2

from gateway import __version__
from gateway.authority.onboarding import Credentials, credentials_of
from gateway.authority.outcomes import Endpoint, verdict_of
from gateway.errors import BadInput, Misconfigured, Unavailable
from gateway.unit import Environment
from gateway.verdict import Outcome, Verdict

_HOST = "https://gw-fatoora.zatca.gov.sa/e-invoicing"

BASE_URLS: Final = {
    Environment.SANDBOX: f"{_HOST}/developer-portal",
    Environment.SIMULATION: f"{_HOST}/simulation",
    Environment.PRODUCTION: f"{_HOST}/core",
}
"""The official address of each environment."""

MAX_ANSWER: Final = 5_000_000
"""Bytes read of one answer; a cleared document of the largest size makes about 2.7 MB."""

MAX_CONNECTIONS: Final = 200
"""Connections to the authority at the same time; settings allow no more documents in flight."""

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Submission(NamedTuple):
    """What is sent of a document: KSA-1, its hash in base64, the stamped bytes."""

    uuid: str
    hash: str
    xml: bytes


class Dispatch(NamedTuple):
    """A submission as it will go over the line, without credentials: made first, so that it can be put on record."""

    endpoint: Endpoint
    url: str
    headers: Mapping[str, str]
    content: bytes

    @property
    def wire(self) -> dict[str, Any]:
        """The request for the record: its line, its headers, and what tells its body from any other."""
        digest = hashlib.sha256(self.content).hexdigest()
        return {"request": f"POST {self.url}", "headers": dict(self.headers), "sha256": digest}


class _Reply(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


class Authority:
    """A client of one environment, used as an async context manager.

    `timeout` is in seconds and covers a whole exchange; `language` (en or ar) is that of the authority's messages.
    """

    def __init__(self, base_url: str, *, timeout: float, language: str = "en") -> None:
        self._base_url = _checked(base_url)
        self._timeout = timeout
        self._headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Accept-Language": language,
            "Accept-Version": "V2",
            "Content-Type": "application/json",
            "User-Agent": f"gateway/{__version__}",
        }
        self._client: httpx2.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        self._client = httpx2.AsyncClient(
            timeout=self._timeout,
            follow_redirects=False,  # 303 is an answer, and credentials go nowhere else
            verify=True,
            trust_env=False,  # proxies and certificates are not taken from the environment behind our back
            limits=httpx2.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=20),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def compliance_csid(self, csr_pem: bytes, otp: str) -> Credentials:
        """The compliance CSID for a CSR; BadInput if it or the OTP is refused, Unavailable if no answer comes."""
        reply = await self._ask("POST", "compliance", _csr_body(csr_pem), otp=_checked_otp(otp))
        return credentials_of(*reply, is_compliance=True)

    async def check_compliance(self, credentials: Credentials, submission: Submission) -> Verdict:
        """What the authority thinks of a test document; it is not recorded there."""
        return await self._submit(Endpoint.COMPLIANCE_CHECK, credentials, submission)

    async def production_csid(self, credentials: Credentials) -> Credentials:
        """The production CSID, once every compliance check has passed; raises as `compliance_csid` does."""
        body = {"compliance_request_id": credentials.request_id}
        reply = await self._ask("POST", "production/csids", body, credentials=credentials)
        return credentials_of(*reply, is_compliance=False)

    async def renew(self, credentials: Credentials, csr_pem: bytes, otp: str) -> Credentials:
        """The CSID that follows a production CSID; raises as `compliance_csid` does.

        If the result `is_compliance`, the checks are done again with it and the production CSID is asked for.
        """
        reply = await self._ask(
            "PATCH", "production/csids", _csr_body(csr_pem), credentials=credentials, otp=_checked_otp(otp)
        )
        return credentials_of(*reply, is_compliance=False)

    async def report(self, credentials: Credentials, submission: Submission) -> Verdict:
        """Report a simplified document (or, while clearance is off, a standard one)."""
        return await self._submit(Endpoint.REPORTING, credentials, submission)

    async def clear(self, credentials: Credentials, submission: Submission) -> Verdict:
        """Have a standard document cleared; the verdict carries the XML to hand to the buyer."""
        return await self._submit(Endpoint.CLEARANCE, credentials, submission)

    async def _submit(self, endpoint: Endpoint, credentials: Credentials, submission: Submission) -> Verdict:
        return await self.send(self.dispatch(endpoint, submission), credentials)

    def dispatch(self, endpoint: Endpoint, submission: Submission) -> Dispatch:
        """A submission as `send` will send it; the same submission always makes the same bytes."""
        body = {
            "invoiceHash": submission.hash,
            "uuid": submission.uuid,
            "invoice": base64.b64encode(submission.xml).decode("ascii"),
        }
        headers = dict(self._headers)
        if endpoint is not Endpoint.COMPLIANCE_CHECK:
            headers["Clearance-Status"] = "1"
        return Dispatch(endpoint, f"{self._base_url}/{endpoint}", headers, json.dumps(body).encode("ascii"))

    async def send(self, dispatch: Dispatch, credentials: Credentials) -> Verdict:
        """Send it; what goes wrong on the way is UNKNOWN."""
        try:
            reply = await self._exchange("POST", dispatch.url, dispatch.content, dispatch.headers, credentials)
        except Unavailable as error:
            return Verdict(Outcome.UNKNOWN, 0, b"", detail=error.what)
        return verdict_of(dispatch.endpoint, *reply)

    async def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, str],
        *,
        credentials: Credentials | None = None,
        otp: str | None = None,
    ) -> _Reply:
        """A request for a certificate."""
        headers = {**self._headers, **({"OTP": otp} if otp else {})}
        content = json.dumps(body).encode("ascii")
        return await self._exchange(method, f"{self._base_url}/{path}", content, headers, credentials)

    async def _exchange(
        self, method: str, url: str, content: bytes, headers: Mapping[str, str], credentials: Credentials | None
    ) -> _Reply:
        """One request and its whole answer; Unavailable if none came."""
        assert self._client is not None, "the client is used inside its context"
        auth = httpx2.BasicAuth(credentials.token, credentials.secret) if credentials else None
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._client.stream(method, url, content=content, headers=headers, auth=auth) as response,
            ):
                return _Reply(response.status_code, response.headers, await _read(response))
        except (httpx2.RequestError, TimeoutError) as error:
            raise _no_answer(self._base_url, error) from error


async def _read(response: httpx2.Response) -> bytes:
    """The body up to the limit; what is beyond it is never read, and a body cut off so is not readable JSON."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_ANSWER:
            break
    return bytes(body[:MAX_ANSWER])


def _no_answer(base_url: str, error: Exception) -> Unavailable:
    said = ": ".join(part for part in (type(error).__name__, str(error)) if part)
    return Unavailable(
        f"No answer came from the authority at {base_url} ({said}).",
        fix="Nothing is lost: try again when the connection is back.",
        ar="لم تصل إجابة من الهيئة؛ حاول مرة أخرى عند عودة الاتصال.",
    )


def _csr_body(csr_pem: bytes) -> dict[str, str]:
    return {"csr": base64.b64encode(csr_pem).decode("ascii")}


def _checked_otp(otp: str) -> str:
    if len(otp) == 6 and otp.isascii() and otp.isdigit():
        return otp
    raise BadInput(
        "An OTP has six digits 0-9.",
        fix="Take it from the Fatoora portal.",
        ar="يتكون رمز التحقق من ستة أرقام؛ احصل عليه من بوابة فاتورة.",
    )


def _checked(base_url: str) -> str:
    """The URL without a slash at its end; credentials travel over TLS, or stay on this machine."""
    parts = urlsplit(base_url)
    if parts.hostname and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)):
        return base_url.rstrip("/")
    raise Misconfigured(
        "The authority's address must begin with https://.",
        fix="Correct GATEWAY_AUTHORITY_URL; plain http is for a simulator on this machine.",
    )
