"""Throws damaged documents at the rule book, guided by the code they reach: `python -m tests.fuzz [seconds]`.

Half of the damage is done to bytes, half to the tree, so that much of it gets past the parser and the schema. Needs
atheris, the dependency group `fuzz`: `make fuzz` installs it. Anything but a report or UnreadableXml is a finding, and
so is a document that takes longer than ten seconds or 500 MB; libFuzzer then keeps the bytes in `crash-...` where it
was started.
"""

import random
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
    from gateway.xml import parse

from lxml import etree

from tests.rules.broken import apply, violations
from tests.rules.edits import ATTRIBUTES, TEXTS, edit_of

HERE = Path(__file__).parent
SEEDS = [*HERE.parent.glob("golden/*.xml"), *HERE.parent.glob("rules/*.xml")]
KNOWN = [edit for violation in violations().values() for edit in violation.edits]
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SECONDS = 600


def one(data: bytes) -> None:
    """By all sets, and without the schema, so that the rules see the broken ones too."""
    for sets in (ALL_SETS, ALL_SETS - {RuleSet.XSD}):
        try:
            check(data, now=NOW, sets=sets, pih=FIRST_PIH).as_json("fuzz.xml")
        except UnreadableXml:
            return


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Another document like this one: an edit of its tree where it has one, else of its bytes."""
    chance = random.Random(seed)
    edited = _edited(data, chance) if chance.random() < 0.5 else b""
    return edited if 0 < len(edited) <= max_size else bytes(atheris.Mutate(data, max_size))


def _edited(data: bytes, chance: random.Random) -> bytes:
    """Empty where the tree cannot be edited: no XML, nothing to choose from, or a path of foreign names."""
    try:
        root = parse(data)
        edit = edit_of(root, chance, KNOWN)
        if edit is None:
            return b""
        apply(root, edit)
    except (UnreadableXml, IndexError, KeyError, AssertionError):
        return b""
    return bytes(etree.tostring(root))


def dictionary() -> str:
    """The words a document is made of, for the fuzzer to put in."""
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
        atheris.Setup([sys.argv[0], *limits, "-seed=1", f"-dict={words}", corpus], one, custom_mutator=mutate)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
