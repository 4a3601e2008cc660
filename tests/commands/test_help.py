"""Every command says what it does, and nothing unknown is taken for one."""

import re

import click
import pytest

from gateway import __version__
from gateway.__main__ import _COMMANDS, gateway
from tests.commands.conftest import complaint, run

PROMISED = """demo serve work simulate validate hash qr stamp csr map preview onboard units issue status connect keys
settings""".split()


def commands(group=gateway, words=()):
    """Every command there is, groups and what is in them, by the words that call it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*words, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))


ALL = dict(commands())


def test_what_is_promised_is_there():
    assert set(PROMISED) <= set(_COMMANDS)


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_the_command_explains_itself(words):
    ended = run(*words, "--help")
    assert ended.code == 0
    sentence = ALL[words].help.splitlines()[0]
    assert len(sentence.split()) >= 3, "a command says what it does"
    assert sentence.split(".")[0][:30] in " ".join(ended.out.split())
    assert run(*words, "-h").out == ended.out
    for option in ALL[words].params:
        if isinstance(option, click.Option) and option.name not in ("help", "host"):
            assert option.help, f"{option.name} says what it is for"


@pytest.mark.parametrize("words", [(), *(each for each in ALL if isinstance(ALL[each], click.Group))], ids=" ".join)
def test_an_overview_cuts_no_sentence_short(words):
    overview = run(*words, "--help").out
    assert not re.search(r"\.\.\.$", overview.split("\nOptions:")[1], re.M)


def test_the_overview_names_every_command():
    overview = run("--help").out
    for name in _COMMANDS:
        assert f"\n  {name} " in overview
    assert "Exit codes" in overview
    assert __version__ in run("--version").out


@pytest.mark.parametrize(
    "arguments", [["nothing"], ["validate"], ["hash", "--wrong"], ["keys", "add", "--role", "king"]]
)
def test_what_cannot_be_meant_is_exit_2(arguments):
    complaint(run(*arguments), "Usage: ")
