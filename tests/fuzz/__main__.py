"""Throws damaged documents at the rule book, guided by the code they reach: `python -m tests.fuzz [seconds]`.

Needs atheris, the extra `fuzz`. Anything but a report or UnreadableXml is a finding, and so is a document that takes
longer than ten seconds or 500 MB; libFuzzer then keeps the bytes in `crash-...` where it was started.
"""

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["gateway"]):
    from gateway.chain import FIRST_PIH
    from gateway.errors import UnreadableXml
    from gateway.finding import RuleSet
    from gateway.rules import ALL_SETS, check

HERE = Path(__file__).parent
SEEDS = [*HERE.parent.glob("golden/*.xml"), *HERE.parent.glob("rules/*.xml")]
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SECONDS = 600


def one(data: bytes) -> None:
    """By all sets, and without the schema, so that the rules see the broken ones too."""
    for sets in (ALL_SETS, ALL_SETS - {RuleSet.XSD}):
        try:
            check(data, now=NOW, sets=sets, pih=FIRST_PIH).as_json("fuzz.xml")
        except UnreadableXml:
            return


def dictionary() -> str:
    """The words a document is made of, for the fuzzer to put in."""
    from tests.rules.edits import ATTRIBUTES, TEXTS

    words = {*TEXTS, *ATTRIBUTES, *(text for texts in ATTRIBUTES.values() for text in texts)}
    return "".join(f'"{_escaped(word)}"\n' for word in sorted(words) if word)


def _escaped(word: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word.encode())


def main() -> None:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    with tempfile.TemporaryDirectory(prefix="gateway-fuzz-") as corpus:
        for seed in SEEDS:
            (Path(corpus) / seed.name).write_bytes(seed.read_bytes())
        words = Path(corpus, "words")
        words.write_text(dictionary())
        limits = [f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=500", "-max_len=50000"]
        atheris.Setup([sys.argv[0], *limits, "-seed=1", f"-dict={words}", corpus], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
