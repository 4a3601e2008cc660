"""One exchange with a shop's API: JSON out, JSON back with exact numbers, and every failure under its own name.

It knows no platform. Shops' words are never repeated in messages beyond their short error code.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import httpx2

from gateway.connection import Connection
from gateway.errors import BadInput, GatewayError, Misconfigured, Throttled, Unavailable, Unknown, Unreached
from gateway.exact_json import parse

RETRY_AFTER: Final = 30.0
"""Seconds to wait where a shop does not say how long."""

MAX_RETRY_AFTER: Final = 3600.0


MOST_PAGES: Final = 100
"""More than any order, or what belongs to the orders of one page, has; a shop that has more of them never ends."""


def pages() -> Iterator[int]:
    """The numbers of a list's pages, for those who break off at the last one; BadInput if it never comes."""
    yield from range(1, MOST_PAGES + 1)
    raise BadInput(
        f"The shop's list does not end after {MOST_PAGES} pages.",
        fix="Look in the shop whether the order really has so many entries; if so, send it through the API.",
        ar=f"قائمة المتجر لا تنتهي بعد {MOST_PAGES} صفحة. راجع الطلب في المتجر أو أرسله عبر الواجهة البرمجية.",
    )


class Answer(NamedTuple):
    """The status, the parsed body and the headers of an answer."""

    status: int
    content: Any
    headers: Mapping[str, str]


class Api:
    """A shop's API as one connection may use it."""

    def __init__(
        self,
        connection: Connection,
        client: httpx2.AsyncClient,
        *,
        base: str,
        auth: httpx2.Auth | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._connection = connection
        self._client = client
        self._base = base.rstrip("/")
        self._auth = auth
        self._headers = {"Accept": "application/json", **(headers or {})}

    async def get(self, path: str, **params: str) -> Any:
        """The content at `path`."""
        return (await self._ask("GET", path, params=params)).content

    async def page(self, path: str, params: Mapping[str, str]) -> Answer:
        """The answer at `path`, where its headers say something too."""
        return await self._ask("GET", path, params=params)

    async def send(self, method: str, path: str, content: Any, *, refusals: frozenset[int] = frozenset()) -> Answer:
        """The answer to `content` as JSON; statuses in `refusals` are answers, not failures."""
        return await self._ask(method, path, content=content, refusals=refusals)

    async def post_form(self, path: str, fields: Mapping[str, str]) -> Any:
        """The content of the answer to a form, as OAuth servers take it."""
        return (await self._ask("POST", path, form=fields)).content

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        content: Any = None,
        form: Mapping[str, str] | None = None,
        refusals: frozenset[int] = frozenset(),
    ) -> Answer:
        try:
            response = await self._client.request(
                method,
                f"{self._base}{path}",
                params=params or None,
                json=content,
                data=form,
                headers=self._headers,
                auth=self._auth if self._auth is not None else httpx2.USE_CLIENT_DEFAULT,
            )
        except httpx2.InvalidURL:
            raise Misconfigured(f"The address of the {self._shop} is not a URL.", fix="Correct base_url.") from None
        except httpx2.RequestError as error:
            raise self._unreachable(error) from error
        if not response.is_success and response.status_code not in refusals:
            raise self._failure(response, path)
        return Answer(response.status_code, self._content(response), response.headers)

    def _content(self, response: httpx2.Response) -> Any:
        if response.status_code == 204:
            return None
        try:
            return parse(response.content)
        except ValueError:
            raise Unavailable(
                f"The {self._shop} answers with something that is not JSON.",
                retry_after=RETRY_AFTER,
                fix="Look whether the shop is in maintenance or a plugin prints into its answers.",
            ) from None

    def _failure(self, response: httpx2.Response, path: str) -> GatewayError:
        status = response.status_code
        if status == 404:
            return Unknown(f"The {self._shop} has nothing at {path}.", fix="It may have been deleted for good.")
        if status in (401, 403):
            return Misconfigured(
                f"The {self._shop} refuses the credentials of this connection (status {status}{_code(response)}).",
                fix="Give the connection a key that may read and write orders.",
                ar="المتجر يرفض بيانات الربط. أعد إدخال مفتاح يملك صلاحية قراءة الطلبات وتعديلها.",
            )
        if status == 429 or (status == 503 and "Retry-After" in response.headers):
            return Throttled(
                f"The {self._shop} asks to be left alone for a while (status {status}).",
                retry_after=_retry_after(response),
            )
        if status in (408, 425) or status >= 500:
            return Unavailable(
                f"The {self._shop} cannot answer at present (status {status}).", retry_after=_retry_after(response)
            )
        if status < 400:
            return Misconfigured(
                f"The {self._shop} sends us elsewhere (status {status}).", fix="Give its final https address."
            )
        return BadInput(f"The {self._shop} refuses the request at {path} (status {status}{_code(response)}).")

    def _unreachable(self, error: Exception) -> Unavailable:
        unsent = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)
        kind = Unreached if unsent else Unavailable
        return kind(f"The {self._shop} cannot be reached ({type(error).__name__}).", retry_after=RETRY_AFTER)

    @property
    def _shop(self) -> str:
        return f"{self._connection.platform} shop of connection {self._connection.id}"


def _code(response: httpx2.Response) -> str:
    """The short word a shop gives for a refusal, such as woocommerce_rest_cannot_view."""
    try:
        content = parse(response.content)
        code = content.get("error", content)["code"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    return f", {code}" if isinstance(code, str) and re.fullmatch(r"[A-Za-z0-9_.-]{1,60}", code) else ""


def _retry_after(response: httpx2.Response) -> float:
    said = response.headers.get("Retry-After", "")
    return min(float(said), MAX_RETRY_AFTER) if re.fullmatch(r"\d{1,6}(\.\d{1,3})?", said, re.ASCII) else RETRY_AFTER
