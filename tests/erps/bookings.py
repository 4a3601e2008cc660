"""Documents to be posted, an ERP module asked as the worker asks it, and a hundred postings with faults."""

import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from gateway.erps.erp import Booking, File, Paid
from gateway.errors import Unavailable
from gateway.issued import Issued, Status
from gateway.outbound import client
from gateway.settings import Settings
from tests.erps.trouble import TROUBLES, Troubled
from tests.ubl_documents import SIMPLIFIED, line

FILES = (File("a.xml", "application/xml", b"<Invoice/>"), File("a.pdf", "application/pdf", b"%PDF"))
CARD = (Paid("card", SIMPLIFIED.payable),)


def run(work):
    """Do `work` with the client that connections are called by."""

    async def main():
        async with client(Settings.given(allow_private_shops=True)) as outside:
            return await work(outside)

    return asyncio.run(main())


def asking(erp):
    """`ask(what, connection, ...)` of this ERP's module."""

    def ask(what, connection, *arguments):
        return run(lambda outside: getattr(erp, what)(connection, outside, *arguments))

    return ask


def booked(invoice=SIMPLIFIED, number=1, status=Status.REPORTED, **changes):
    issued = Issued(
        uuid=f"8e6000cf-1a98-4174-b3e7-{number:012d}", number=f"RUH1-{number:06d}", kind=invoice.kind,
        profile=invoice.profile, icv=number, hash="h", issued_at=datetime(2026, 11, 23, 9, 0, tzinfo=UTC),
        status=status, total=invoice.payable, vat=invoice.vat, rounding=invoice.rounding, currency=invoice.currency,
        connection="salla-1", order_id=f"46{number}", qr="", rule_book="R",
    )  # fmt: skip
    return Booking(issued, invoice, "salla-1", f"46{number}", **changes)


def statused(booking, status):
    return replace(booking, issued=replace(booking.issued, status=status))


def settled(erp, connection, server: Troubled, count, rate, seed):
    """Post and attach so many documents, each again and again until it is done; how often that was."""
    chance = random.Random(seed)
    server.trouble = lambda about, does: chance.choice(TROUBLES) if chance.random() < rate else None
    tries = 0

    async def one(outside, number):
        nonlocal tries
        cents = chance.choice((1, 3, 7, 11))
        invoice = replace(SIMPLIFIED, lines=(line(f"{number}.{cents:02d}", "3"), line("0.30", id="2")))
        booking = booked(invoice, number, payments=(Paid("card", invoice.payable),))
        while True:
            tries += 1
            try:
                entry = await erp.post(connection, outside, booking)
                assert entry.total == invoice.payable
                await erp.attach(connection, outside, booking, entry, FILES)
                return
            except Unavailable:
                assert tries < 100 * count, "it comes to an end"

    async def all_of_them(outside):
        for number in range(1, count + 1):
            await one(outside, number)

    run(all_of_them)
    server.trouble = lambda about, does: None
    server.come_to_rest()
    return tries


def halalas(amount):
    return Decimal(str(amount)).quantize(Decimal("0.01"))
