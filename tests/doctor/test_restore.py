"""A backup put back issues nothing until it is known to be the newest, and uses no counter twice."""

import asyncio
import json
import random
import shutil

import pytest

from gateway.errors import Unavailable
from gateway.ledger import Ledger, back_up, put_back, read_heads
from gateway.order import read_order
from gateway.pipeline.gateway import online, open_gateway
from gateway.pipeline.issue import Request, issue
from gateway.pipeline.onboard import onboard
from tests.doctor.patient import DOCUMENTS, copy_home, found, make_books
from tests.installation import OWNER, UNIT, order

SHORT, LONG = 3, 50


def places(gateway):
    """Every place that is taken in a chain, with the hash that took it."""
    chains = gateway.ledger.chains(OWNER, UNIT.id)
    return {
        (chain.id, each.link.icv): each.hash for chain in chains for each in gateway.ledger.chain_links(OWNER, chain.id)
    }


def sell(gateway, number):
    return issue(gateway, Request(OWNER, "tests", read_order(json.dumps(order(number))))).issued


def onboard_anew(gateway):
    async def run():
        async with online(gateway) as lines:
            await onboard(gateway, lines, UNIT, "123456", tell=lambda step: None)

    asyncio.run(run())


def lose_and_restore(books, home, *, lost, same_home):
    """Back the books up, issue `lost` more, lose the disk and restore; the new settings, and all places once taken."""
    backup = home.parent / f"{home.name}.backup"
    back_up(books.home / "ledger.db", backup)
    make_books(books, DOCUMENTS + lost, sent=False)
    with open_gateway(books) as gateway:
        taken = places(gateway)
    settings = books if same_home else copy_home(books, home)
    for file in settings.home.glob("ledger.db*"):
        file.unlink()
    if not same_home:
        (settings.home / "heads.journal").unlink()
    assert put_back(backup, settings.home / "ledger.db").documents == DOCUMENTS
    return settings, taken


@pytest.mark.parametrize("same_home", [True, False], ids=["same home", "another home"])
@pytest.mark.parametrize("lost", [1, 4])
def test_what_is_restored_issues_nothing_and_then_in_another_chain(books, tmp_path, lost, same_home):
    settings, taken = lose_and_restore(books, tmp_path / "other", lost=lost, same_home=same_home)
    with open_gateway(settings) as gateway:
        with pytest.raises(Unavailable) as refused:
            sell(gateway, "new")
        assert refused.value.ar
        assert len(gateway.ledger.reconcile()) == 1
        onboard_anew(gateway)
        made = [sell(gateway, f"new-{number}") for number in range(3)]
        now = places(gateway)
    assert [each.icv for each in made] == [1, 2, 3]
    assert not {place for place in now if place in taken and taken[place] != now[place]}
    if same_home:  # only the journal knows how many numbers were given
        assert made[0].number > f"RUH1-{DOCUMENTS + lost:06d}"
    assert {each.code for each in found(settings)} == {"checkpoint.restored"} | (
        {"chain.fenced"} if same_home else set()
    )


def test_the_newest_backup_goes_on_at_once(books, tmp_path):
    settings, taken = lose_and_restore(books, tmp_path / "other", lost=0, same_home=True)
    with open_gateway(settings) as gateway:
        assert gateway.ledger.reconcile() == ()
        assert sell(gateway, "new").icv == DOCUMENTS + 1
        assert places(gateway).items() >= taken.items()
    assert found(settings) == []


def test_a_ledger_file_copied_by_hand_is_fenced_as_well(books, tmp_path):
    old = tmp_path / "old.db"
    back_up(books.home / "ledger.db", old)
    make_books(books, DOCUMENTS + 1, sent=False)
    for file in books.home.glob("ledger.db*"):
        file.unlink()
    shutil.copy(old, books.home / "ledger.db")
    with open_gateway(books) as gateway, pytest.raises(Unavailable):
        sell(gateway, "new")


def restores(books, tmp_path, seeds):
    for seed in seeds:
        chance = random.Random(seed)
        home = copy_home(books, tmp_path / f"run-{seed}")
        settings, taken = lose_and_restore(
            home, tmp_path / f"to-{seed}", lost=chance.randint(1, 12), same_home=chance.random() < 0.5
        )
        with open_gateway(settings) as gateway:
            with pytest.raises(Unavailable):
                sell(gateway, "new")
            onboard_anew(gateway)
            sell(gateway, "new")
            now = places(gateway)
        assert not {place for place in now if place in taken and taken[place] != now[place]}, seed


def test_restores_of_backups_of_any_age(books, tmp_path):
    restores(books, tmp_path, range(SHORT))


@pytest.mark.torture
def test_many_restores_of_backups_of_any_age(books, tmp_path):
    restores(books, tmp_path, range(SHORT, SHORT + LONG))


def test_a_backup_taken_while_documents_are_made_is_whole(books, tmp_path):
    with open_gateway(books) as gateway:
        for number in range(5):
            sell(gateway, f"meanwhile-{number}")
            back_up(books.home / "ledger.db", tmp_path / f"{number}.backup")
    for number in range(5):
        with Ledger.open(f"sqlite:///{tmp_path / f'{number}.backup'}") as copy:
            [chain] = copy.every_chain()
            assert chain.head_icv == copy.count_documents() == DOCUMENTS + 1 + number
    assert read_heads(books.journal_file)[chain.id].icv == DOCUMENTS + 5
