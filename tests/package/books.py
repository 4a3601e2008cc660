"""Books with documents of every kind, and a sealing key, to make packages of."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from gateway.order import Addition, Refund, read_order
from gateway.pipeline.gateway import online
from gateway.pipeline.issue import Request, correct, issue
from gateway.pipeline.notes import NoteRequest, credit, debit
from gateway.simulator import Fault
from gateway.worker import Worker
from tests.installation import BUSINESS, OWNER, order
from tests.pipeline.test_submit import REFUSAL


def fill(gateway, count: int, first: int = 0) -> list[str]:
    """Standard and simplified invoices."""
    uuids = []
    for number in range(first, first + count):
        more = {"buyer": BUSINESS} if number % 2 else {}
        request = Request(OWNER, "tests", read_order(json.dumps(order(number, **more))))
        uuids.append(issue(gateway, request).issued.uuid)
    return uuids


def fill_with_all_kinds(gateway, authority, count: int) -> None:
    """At least so many documents: invoices, notes, prepayments and what they are taken off, standard and simplified;
    some rejected and corrected; at the end some that the authority has not."""
    made = rounds = 0
    while made < count:
        rounds += 1
        made += _round(gateway, rounds)
        if rounds % 12 == 1:
            drain(gateway)
            made += _rejected_and_corrected(gateway, authority, f"{rounds}-r")
    drain(gateway)
    _round(gateway, rounds + 1)


def _round(gateway, number: int) -> int:
    simple = _issue(gateway, f"{number}-a")
    standard = _issue(gateway, f"{number}-b", buyer=BUSINESS)
    advance = _issue(gateway, f"{number}-c", buyer=BUSINESS, kind="prepayment")
    lines = [order(1)["lines"][0] | {"quantity": "10"}]
    rest = {"buyer": BUSINESS, "lines": lines, "declared": {}, "prepayments": [{"number": advance.number}]}
    _issue(gateway, f"{number}-d", **rest)
    for one in (simple, standard):
        request = NoteRequest(OWNER, "tests", one.uuid)
        credit(gateway, request, Refund.model_validate({"id": f"R-{number}", "money": "10.00"}))
        debit(gateway, request, Addition.model_validate({"id": f"A-{number}", "lines": order(1)["lines"]}))
    return 8


def _rejected_and_corrected(gateway, authority, key: str) -> int:
    rejected = _issue(gateway, key, buyer=BUSINESS)
    authority.faults.add(Fault(status=400, body=REFUSAL))
    drain(gateway)
    better = read_order(json.dumps({**order(1, buyer=BUSINESS | {"name": "شركة أخرى"}), "id": f"SO-{key}"}))
    correct(gateway, rejected.uuid, Request(OWNER, "tests", better))
    return 2


def _issue(gateway, key: str, **more):
    content = json.dumps({**order(1, **more), "id": f"SO-{key}"})
    return issue(gateway, Request(OWNER, "tests", read_order(content))).issued


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
