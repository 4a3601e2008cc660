"""Books with documents of every kind, and a sealing key, to make packages of."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from gateway.order import read_order
from gateway.pipeline.gateway import online
from gateway.pipeline.issue import Request, issue
from gateway.worker import Worker
from tests.installation import BUSINESS, OWNER, order


def fill(gateway, count: int, first: int = 0) -> list[str]:
    """Standard and simplified invoices."""
    uuids = []
    for number in range(first, first + count):
        more = {"buyer": BUSINESS} if number % 2 else {}
        request = Request(OWNER, "tests", read_order(json.dumps(order(number, **more))))
        uuids.append(issue(gateway, request).issued.uuid)
    return uuids


def drain(gateway) -> None:
    """Let the authority have what is due, and archive."""

    async def run():
        async with online(gateway) as lines:
            await Worker(gateway, lines, name="tests").drain()

    asyncio.run(run())


def new_seal(name: str) -> tuple[ec.EllipticCurvePrivateKey, list[x509.Certificate]]:
    """A sealing key of one's own."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(now - timedelta(hours=1))
    return key, [builder.not_valid_after(now + timedelta(days=7300)).sign(key, SHA256())]
