"""Figures on this machine, next to those of a peer in the same run: `python -m tests.bench`. They are no thresholds.

The peer is fatoority, a compiled implementation of the same official rules. Rounds of both alternate, so that whatever
else the machine does meets both alike; shown is the median round, with the fastest and the slowest.
"""

import argparse
import atexit
import itertools
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import fatoora
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from gateway import pdf, rules, ubl
from gateway.chain import FIRST_PIH
from gateway.finding import RuleSet
from gateway.keys.curve import fast_signer, has_libsecp256k1, signer
from gateway.order import read_order
from gateway.pipeline.gateway import Gateway, open_gateway
from gateway.pipeline.issue import Request, issue
from gateway.rules.r3_4_8 import BOOK
from gateway.simulator import Running
from gateway.stamp import stamp
from gateway.xml import MAX_XML_BYTES
from tests.bench import serving
from tests.installation import OWNER, UNIT, installed, order
from tests.rules.test_agreement import compare
from tests.stamp_documents import CERTIFICATE, CERTS, KEY
from tests.torment.load import loads, told
from tests.torment.site import Template, Zygote
from tests.ubl_documents import HEADING, LINK, SIMPLIFIED, line

ROUNDS = 7
CROWD = 800
"""How many documents sixteen workers make of one unit."""
AGREEMENT = 1000
"""How many edited documents both judge."""
SECONDS = 0.25
"""How long one round takes."""
NOW = HEADING.issued_at + timedelta(hours=1)
SIGN = fast_signer(KEY) if has_libsecp256k1() else signer(KEY)

Work = Callable[[], Any]


class Figure(NamedTuple):
    """What is measured, and the same done by the peer where it can."""

    what: str
    ours: Work
    peer: Work | None = None


class Measured(NamedTuple):
    """Seconds an operation took, round by round."""

    rounds: list[float]

    def __str__(self) -> str:
        rates = sorted(1 / each for each in self.rounds)
        median = statistics.median(self.rounds)
        return f"{1 / median:,.0f}/s  {median * 1000:.2f} ms  ({rates[0]:,.0f} to {rates[-1]:,.0f})"


def document(lines: int) -> bytes:
    """The unsigned document of so many lines."""
    sold = tuple(line(f"{10 + number}.99", str(number), id=str(number)) for number in range(1, lines + 1))
    return ubl.render(replace(SIMPLIFIED, lines=sold), HEADING, LINK)


def stamped(body: bytes) -> bytes:
    return stamp(body, sign=SIGN, certificate=CERTIFICATE, signing_time=HEADING.issued_at).xml


def validation(config: Any) -> Figure:
    xml = stamped(document(5))
    text, moment = xml.decode(), NOW.isoformat()

    def theirs() -> None:
        report = fatoora.validate_zatca_invoice_from_str(
            config, text, previous_invoice_hash=FIRST_PIH, evaluated_at=moment
        )
        assert report["is_valid"], report

    def ours() -> None:
        assert rules.check(xml, now=NOW, pih=FIRST_PIH).valid

    return Figure("validate 5 lines", ours, theirs)


def judging(config: Any) -> Figure:
    """Reading and the rules alone. The peer has no such half; it stands there with its whole judgement."""
    xml = stamped(document(5))
    text, moment = xml.decode(), NOW.isoformat()
    sets = frozenset({RuleSet.EN16931, RuleSet.KSA})

    def ours() -> None:
        assert rules.check(xml, now=NOW, sets=sets).valid

    def theirs() -> None:
        fatoora.validate_zatca_invoice_from_str(config, text, evaluated_at=moment)

    return Figure("of that: reading and all rules", ours, theirs)


def growth(lines: int) -> Figure:
    xml = document(lines)
    limit = max(len(xml), MAX_XML_BYTES)
    sets = frozenset({RuleSet.XSD, RuleSet.EN16931, RuleSet.KSA})

    def ours() -> None:
        assert rules.check(xml, now=NOW, sets=sets, limit=limit).valid

    return Figure(f"schema and rules of {lines:,} lines ({len(xml) / 1000:,.0f} kB)", ours)


def starting() -> Figure:
    """Import included: what someone waits for who judges a single file."""
    with tempfile.NamedTemporaryFile(prefix="gateway-bench-", suffix=".xml", delete=False) as file:
        file.write(stamped(document(5)))
    atexit.register(Path(file.name).unlink)
    command = [sys.executable, "-m", "gateway", "validate", "--as-of", NOW.isoformat(timespec="seconds"), file.name]
    return Figure(
        "gateway validate one.xml, from the start", lambda: subprocess.run(command, check=True, capture_output=True)
    )


def stamping() -> Figure:
    body = document(3)
    text = body.decode()
    key = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    theirs = fatoora.Signer.from_pem((CERTS / "unit.pem").read_text(), key)
    return Figure("hash, sign and QR of 3 lines", lambda: stamped(body), lambda: theirs.sign_xml(text))


def signing() -> Figure:
    digest, openssl = bytes(32), signer(KEY)
    return Figure("sign a hash (instead of the peer: OpenSSL)", lambda: SIGN(digest), lambda: openssl(digest))


def rendering() -> Figure:
    content = ubl.read(document(3))
    return Figure("render 3 lines", lambda: ubl.render(*content))


def printing(lines: int) -> Figure:
    """The PDF with its QR, of another document each time, for typst remembers; the peer makes none."""
    xml, numbers = stamped(document(lines)), itertools.count(100_000)

    def ours() -> None:
        pdf.render(xml.replace(HEADING.number.encode(), f"RUH1-{next(numbers)}".encode()))

    return Figure(f"PDF/A-3 of {lines} lines", ours)


def issuing(gateway: Gateway) -> Figure:
    numbers = itertools.count(1)

    def ours() -> None:
        assert issue(gateway, Request(OWNER, "bench", read_order(order(next(numbers))))).created

    return Figure("issue an order, on disk (SQLite, synchronous FULL)", ours)


@contextmanager
def onboarded() -> Iterator[Gateway]:
    """A gateway on this machine's disk, onboarded with the simulator."""
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as home, Running() as authority:
        settings, _ = installed(Path(home), authority)
        with open_gateway(settings) as gateway:
            yield gateway


def measure(figure: Figure) -> tuple[Measured, Measured | None]:
    works = [work for work in (figure.ours, figure.peer) if work]
    times = [_times(work) for work in works]
    rounds: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS):
        for work, repeats, seen in zip(works, times, rounds, strict=True):
            seen.append(_round(work, repeats))
    ours, *peer = map(Measured, rounds)
    return ours, peer[0] if peer else None


def _times(work: Work) -> int:
    """How often it is done in one round; the first time, which is slower, is not counted."""
    work()
    return max(1, int(SECONDS / _round(work, 3)))


def _round(work: Work, repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - start) / repeats


def crowd() -> str:
    """What sixteen workers in four processes wait for one chain, on disk."""
    zygote = Zygote()
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
        template = Template(Path(folder) / "template")
        with template.site(zygote, Path(folder)) as site:
            waits = loads(site, [UNIT.id] * 16, CROWD)
        template.close()
    zygote.close()
    return told(waits)


def machine() -> str:
    """What the figures depend on."""
    info = Path("/proc/cpuinfo")
    names = [row.partition(":")[2].strip() for row in info.read_text().splitlines() if "model name" in row]
    library = "libsecp256k1" if has_libsecp256k1() else "OpenSSL"
    return (
        f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, signatures by {library}; "
        f"peer fatoority {version('fatoority')}; our rule book has {len(BOOK.rules)} rules besides schema and stamp"
    )


def times(ours: Measured, peer: Measured | None) -> str:
    """How much faster the gateway is, by the medians."""
    return f"{statistics.median(peer.rounds) / statistics.median(ours.rounds):.1f}" if peer else ""


def main() -> None:
    given = arguments()
    console = Console(width=None if os.isatty(1) else 150, highlight=False)
    console.print(machine(), soft_wrap=True)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("", "gateway", "peer", "times"):
        table.add_column(column)
    with fatoora.Config() as config, onboarded() as gateway:
        figures = (
            validation(config),
            judging(config),
            *(growth(lines) for lines in (50, 1000, 10_000)),
            starting(),
            stamping(),
            signing(),
            rendering(),
            *(printing(lines) for lines in (5, 50)),
            issuing(gateway),
        )
        for figure in figures:
            ours, peer = measure(figure)
            table.add_row(figure.what, str(ours), str(peer) if peer else "", times(ours, peer))
    console.print(table)
    console.print(f"16 workers on one unit {crowd()}.")
    unexplained, explained = compare(AGREEMENT, seed=3)
    console.print(
        f"{AGREEMENT - len(unexplained):,} of {AGREEMENT:,} edited documents have the same verdict by the peer: "
        f"schema, ids, severities, stops. Differences explained in tests/rules/test_agreement.py: {len(explained)}."
    )
    serving.show(console, orders=given.orders, grown=given.documents)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Figures of this machine.")
    parser.add_argument("--orders", type=int, default=5000, help="Orders a row by HTTP.")
    parser.add_argument("--documents", type=int, default=100_000, help="Documents in the ledger that has grown.")
    return parser.parse_args()


if __name__ == "__main__":
    main()
