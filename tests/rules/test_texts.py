"""Every rule has words in both languages, and they are our own."""

import re
import string
from pathlib import Path

import pytest

from gateway.rules.r3_4_8 import EN16931, KSA
from gateway.rules.words import MAX_QUOTED, read, wordings

FILES = ("en16931", "ksa", "xsd", "stamped")


@pytest.mark.parametrize("file", FILES)
def test_texts_are_complete_and_each_in_its_language(file: str) -> None:
    for key, wording in wordings(file).items():
        for english in (wording.message.en, wording.fix.en):
            assert english.strip(), key
            assert not re.search("[\u0600-\u06ff]", english), key
        for arabic in (wording.message.ar, wording.fix.ar):
            assert re.search("[\u0600-\u06ff]", arabic), key


@pytest.mark.parametrize("file", FILES)
def test_both_languages_name_the_same_facts(file: str) -> None:
    def facts(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    for key, wording in wordings(file).items():
        assert facts(wording.message.en) == facts(wording.message.ar), key


def test_the_rules_of_the_book_and_the_texts_are_the_same() -> None:
    assert wordings("en16931").keys() == {rule.id for rule in EN16931}
    assert wordings("ksa").keys() == {rule.id for rule in KSA}


def test_every_file_is_found() -> None:
    assert read("en16931")
    assert read("xsd")


def test_long_values_are_cut() -> None:
    message, _ = wordings("en16931")["BR-CL-04"].about(value="x" * 5000, expected="")
    assert len(message.en) < MAX_QUOTED + 100


def test_no_text_repeats_the_official_one(shared: Path) -> None:
    rows = [line.split("\t") for line in (shared / "spec" / "rules.tsv").read_text("utf-8").splitlines()[1:]]
    official = {_bare(re.sub(r"^\s*\[[^\]]*\]\s*-?", "", row[7])) for row in rows}
    assert len(official) > 100
    for file in FILES:
        for key, wording in wordings(file).items():
            for text in (*wording.message, *wording.fix):
                bare = _bare(text)
                assert not any(sentence and (sentence in bare or bare in sentence) for sentence in official), key


def _bare(text: str) -> str:
    return re.sub(r"\W+", " ", text).strip().lower()
