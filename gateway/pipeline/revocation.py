"""Whether units' certificates are on the authority's list of revoked ones (CRL).

A list counts once it is proved: signed by the issuer of the certificate, whose own certificate is in the file
GATEWAY_AUTHORITY_CA or published where the unit's certificate says, and must have signed that one. A list that is not
proved, or cannot be had, is a doubt for a person to look at, and revokes nothing: whoever sits on the line could
otherwise stop a business.
"""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import httpx2
from cryptography import x509

from gateway.crl import (
    RevocationList,
    issuer_addresses,
    issuer_among,
    list_addresses,
    read_issuers,
    read_revocation_list,
)
from gateway.csid import Certificate, read_certificate
from gateway.errors import BadInput, GatewayError, Misconfigured, Unavailable
from gateway.finding import Text
from gateway.ledger import CsidRecord, KeptList
from gateway.outbound import list_client
from gateway.pipeline.gateway import Gateway, authority_of

FRESH: Final = timedelta(hours=6)
"""How long a list is used before the next one is fetched, if that can be had."""
LONGEST: Final = timedelta(days=7)
"""How long a list is used at most, and never beyond its own next update (regulation: seven days offline)."""

_HERE: Final = ("127.0.0.1", "localhost", "::1")


class Checked(NamedTuple):
    """What was found of one certificate: it was revoked (now or before), or there is a doubt, or neither."""

    csid: CsidRecord
    is_revoked: bool
    doubt: Text | None = None


class _Known(NamedTuple):
    """The list to judge by, None if there is none, and the doubt about a newer one."""

    list: RevocationList | None
    doubt: Text | None


async def check_revocations(gateway: Gateway, csids: Sequence[CsidRecord]) -> tuple[Checked, ...]:
    """Look each certificate up; one that is on its list is revoked from now on, with an entry in the audit log."""
    checks = []
    async with AsyncExitStack() as stack:
        net = _Net(gateway, stack)
        for csid in csids:
            checks.append(await _check(gateway, net, csid))
    return tuple(checks)


async def _check(gateway: Gateway, net: "_Net", csid: CsidRecord) -> Checked:
    certificate = read_certificate(csid.certificate.encode())
    address = next(iter(list_addresses(certificate)), gateway.settings.authority_crl)
    if csid.revoked_at or not address:
        return Checked(csid, is_revoked=csid.revoked_at is not None)
    known = await _known(gateway, net, address, certificate)
    try:
        since = known.list.names(certificate) if known.list else None
    except BadInput as error:
        return Checked(csid, is_revoked=False, doubt=_doubt(address, error))
    if since is None:
        return Checked(csid, is_revoked=False, doubt=known.doubt)
    detail = {"list": address, "serial": f"{certificate.serial:x}", "since": since.isoformat()}
    await gateway.offload(gateway.ledger.revoke_csid, csid, detail=detail, now=gateway.now())
    return Checked(csid, is_revoked=True)


async def _known(gateway: Gateway, net: "_Net", url: str, certificate: Certificate) -> _Known:
    now = gateway.now()
    kept = await gateway.offload(gateway.ledger.revocation_list, url)
    held = read_revocation_list(kept.body) if kept and now < _until(kept) else None
    if held and not held.is_of_issuer(certificate):
        held = None  # it was proved for a certificate of another issuer, whose serial numbers are its own
    if held and kept and now < kept.fetched_at + FRESH:
        return _Known(held, None)
    try:
        body = await net.fetch(url)
        fresh = read_revocation_list(body)
        await _prove(gateway, net, fresh, certificate)
    except GatewayError as error:
        # What was proved goes on holding for its time, so a list that cannot be had is no matter yet.
        doubt = None if held and isinstance(error, Unavailable) else _doubt(url, error)
        return _Known(held, doubt)
    if held and fresh.this_update < held.this_update:
        return _Known(held, None)
    next_update = fresh.next_update or now + LONGEST
    await gateway.offload(gateway.ledger.keep_revocation_list, KeptList(url, now, next_update, body))
    return _Known(fresh, None if now < next_update else _doubt(url, BadInput("It should have been replaced by now.")))


def _until(kept: KeptList) -> datetime:
    return min(kept.fetched_at + LONGEST, kept.next_update)


async def _prove(gateway: Gateway, net: "_Net", found: RevocationList, certificate: Certificate) -> None:
    """BadInput unless the issuer of the certificate signed the list."""
    on_it = " It names the certificate of this unit." if found.names(certificate) else ""
    if not found.is_of_issuer(certificate):
        raise BadInput(f"It bears the name of another issuer than the certificate.{on_it}")
    issuer = issuer_among(_configured(gateway), certificate) or await _published(net, certificate)
    if issuer is None:
        raise BadInput(
            f"The issuer's certificate is not known, so its signature cannot be checked.{on_it}",
            fix="Set GATEWAY_AUTHORITY_CA to a file with the authority's issuing certificates.",
        )
    if not found.is_signed_by(issuer):
        raise BadInput(f"The issuer did not sign it.{on_it}")


def _configured(gateway: Gateway) -> tuple[x509.Certificate, ...]:
    file = gateway.settings.authority_ca
    if file is None:
        return ()
    try:
        return read_issuers(file.read_bytes())
    except (OSError, BadInput):
        raise Misconfigured(
            f"{file} does not hold certificates that can be read.",
            fix="Set GATEWAY_AUTHORITY_CA to a PEM file with the authority's issuing certificates, or leave it out.",
        ) from None


async def _published(net: "_Net", certificate: Certificate) -> x509.Certificate | None:
    for url in issuer_addresses(certificate)[:1]:
        try:
            return issuer_among(read_issuers(await net.fetch(url)), certificate)
        except BadInput:
            return None
    return None


def _doubt(url: str, error: GatewayError) -> Text:
    return Text(
        f"The list of revoked certificates at {url} cannot be relied on. {error}",
        f"تعذر الاعتماد على قائمة الشهادات الملغاة في {url}. تحقق من حالة الشهادة في بوابة فاتورة.",
    )


class _Net:
    """Where lists are fetched from: public addresses, and this machine only for an authority on this machine."""

    def __init__(self, gateway: Gateway, stack: AsyncExitStack) -> None:
        self._may_stay_here = _is_here(authority_of(gateway.settings))
        self._stack = stack
        self._clients: dict[bool, httpx2.AsyncClient] = {}
        self._fetched: dict[str, bytes] = {}

    async def fetch(self, url: str) -> bytes:
        """The body at an address, asked for once; BadInput if it is not to be called, Unavailable if it fails."""
        if url not in self._fetched:
            self._fetched[url] = await self._get(url)
        return self._fetched[url]

    async def _get(self, url: str) -> bytes:
        client = await self._client(this_machine=self._may_stay_here and _is_here(url))
        try:
            answer = await client.get(url)
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            raise Unavailable(f"{url} does not answer ({type(error).__name__}).") from error
        if answer.status_code != httpx2.codes.OK:
            raise Unavailable(f"{url} answers HTTP {answer.status_code}.")
        return answer.content

    async def _client(self, *, this_machine: bool) -> httpx2.AsyncClient:
        if this_machine not in self._clients:
            opened = await self._stack.enter_async_context(list_client(this_machine=this_machine))
            self._clients[this_machine] = opened
        return self._clients[this_machine]


def _is_here(url: str) -> bool:
    try:
        return urlsplit(url).hostname in _HERE
    except ValueError:
        return False
