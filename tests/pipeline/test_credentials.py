"""A refresh token is spent once, by one process; one that dies in between costs the shop nothing it can be spared."""

import asyncio
from datetime import timedelta

import pytest

from gateway.demo.salla import MERCHANT, salla_shop
from gateway.errors import Misconfigured, Unavailable
from gateway.pipeline import credentials
from gateway.pipeline.connect import add_connection
from gateway.pipeline.credentials import connection_with_secrets, ready
from gateway.pipeline.gateway import online, open_gateway
from gateway.pipeline.intake import take_in
from gateway.stores import salla, salla_api
from tests.installation import OWNER, UNIT
from tests.shops.shopify import shopify_shop
from tests.shops.zid import zid_shop

LIFE = timedelta(days=14)


@pytest.fixture
def shop():
    with salla_shop() as shop:
        yield shop


def entered(site, shop, ends, **secrets):
    known = shop.connection("shop", taxpayer_id=OWNER, unit_id=UNIT.id)
    secrets = {**known.secrets, "expires_at": (site.clock() + ends).isoformat(), **secrets}
    add_connection(site.gateway, known.__class__(**{**_fields(known), "secrets": secrets}), actor="tests")


def _fields(known):
    return {name: getattr(known, name) for name in known.__dataclass_fields__}


def use(site, times=1):
    """Several procedures that need the connection at the same time; what each got."""

    async def go():
        async with online(site.gateway) as lines:
            asked = (ready(site.gateway, lines, OWNER, "shop") for _ in range(times))
            return await asyncio.gather(*asked, return_exceptions=True)

    return asyncio.run(go())


def kept(site):
    return connection_with_secrets(site.gateway, OWNER, "shop").secrets


def test_tokens_are_renewed_before_they_end_and_kept_sealed(site, shop):
    entered(site, shop, timedelta(days=5))
    (before,) = use(site)
    assert shop.renewals == 0
    site.clock.move(timedelta(days=2))
    (after,) = use(site)
    assert shop.renewals == 1
    assert before.secrets["access_token"] != after.secrets["access_token"]
    assert kept(site) == after.secrets
    assert salla.ends_at(after) == site.clock() + LIFE
    use(site)
    assert shop.renewals == 1


@pytest.mark.parametrize("lives", ["1209600", None, "a while", -5, 0, 10**30])
def test_what_a_token_bought_is_kept_whatever_is_said_of_its_life(site, shop, lives):
    entered(site, shop, timedelta(days=1))
    shop.lives = lives
    (got,) = use(site)
    assert kept(site) == got.secrets
    assert (shop.renewals, salla.ends_at(got)) == (1, site.clock() + LIFE)


def test_of_many_who_need_new_tokens_one_renews_them(site, shop):
    entered(site, shop, timedelta(days=1))
    got = use(site, times=10)
    assert shop.renewals == 1
    assert not shop.revoked
    assert {each.secrets["webhook"] for each in got} == {kept(site)["webhook"]}


def test_of_several_processes_one_renews(site, shop):
    """Each has a gateway of its own on the same ledger."""
    entered(site, shop, timedelta(days=1))
    settings, now = site.gateway.settings, site.clock

    async def one(gateway):
        async with online(gateway) as lines:
            return await ready(gateway, lines, OWNER, "shop")

    async def all_of(gateways):
        return await asyncio.gather(*(one(each) for each in gateways))

    with open_gateway(settings, now=now) as first, open_gateway(settings, now=now) as second:
        asyncio.run(all_of([first, second, first, second]))
    assert (shop.renewals, shop.revoked) == (1, False)


def test_tokens_that_have_ended_are_waited_for_while_another_renews_them(site, shop):
    entered(site, shop, -timedelta(minutes=1))
    got = use(site, times=4)
    assert shop.renewals == 1
    served = [each for each in got if not isinstance(each, Unavailable)]  # one, or more that came when it was done
    assert served
    assert all(each.secrets == kept(site) for each in served)


def crash(site, monkeypatch):
    """The process dies after the token was spent and before what it bought was stored."""

    def dies(*_):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(credentials, "keep_secrets", dies)
        (got,) = _dying(site)
    return got


def _dying(site):
    async def go():
        async with online(site.gateway) as lines:
            try:
                return [await ready(site.gateway, lines, OWNER, "shop")]
            except BaseException as error:  # noqa: BLE001, the process ends here
                return [error]

    return asyncio.run(go())


def test_after_a_crash_the_old_token_is_used_on_and_the_spent_one_is_not_spent_again(site, shop, monkeypatch):
    entered(site, shop, timedelta(days=3))
    before = kept(site)
    crash(site, monkeypatch)
    assert (shop.renewals, kept(site)) == (1, before)
    site.clock.move(timedelta(hours=1))
    (used,) = use(site)
    assert used.secrets == before
    assert (shop.renewals, shop.revoked) == (1, False)


def test_when_the_old_token_has_ended_it_is_said_that_a_renewal_was_cut_off(site, shop, monkeypatch):
    entered(site, shop, timedelta(days=3))
    crash(site, monkeypatch)
    site.clock.move(timedelta(days=4))
    (error,) = use(site)
    assert isinstance(error, Misconfigured)
    assert "cut off" in error.what
    assert "Install the app" in error.fix
    assert error.ar


def test_a_refusal_costs_nothing_while_the_old_token_serves(site, shop):
    """It is not asked for at every call, and `gateway shops` tells of it."""
    entered(site, shop, timedelta(days=3), refresh_token="spent elsewhere")
    shop.outage = []
    for _ in range(3):
        (got,) = use(site)
        assert got.secrets["access_token"] == kept(site)["access_token"]
        site.clock.move(timedelta(hours=1))
    assert list(site.ledger.lost_turns(OWNER, now=site.clock())) == ["shop"]
    site.clock.move(timedelta(days=4))
    (error,) = use(site)
    assert isinstance(error, Misconfigured)


def test_after_a_crash_before_the_call_the_token_still_serves(site, shop, monkeypatch):
    """Whether it was spent cannot be known; when nothing is left to lose it is tried."""
    entered(site, shop, timedelta(days=3))

    def dies(*_):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(salla, "renew", dies)
        _dying(site)
    assert shop.renewals == 0
    site.clock.move(timedelta(days=4))
    (got,) = use(site)
    assert shop.renewals == 1
    assert kept(site) == got.secrets


def test_tokens_stored_before_a_crash_are_used(site, shop, monkeypatch):
    entered(site, shop, timedelta(days=3))

    def dies(*_):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(site.ledger.__class__, "end_turn", dies)
        _dying(site)
    renewed = kept(site)
    assert shop.renewals == 1
    site.clock.move(timedelta(days=11))
    use(site)
    assert shop.renewals == 2
    assert kept(site) != renewed


def test_a_server_that_could_not_be_reached_spends_nothing(site, shop, monkeypatch):
    entered(site, shop, timedelta(days=3))
    monkeypatch.setattr(salla_api, "OAUTH", "http://127.0.0.1:9")
    known = site.ledger.connection(OWNER, "shop")
    there = {**known.settings}
    site.ledger.change_connection(_with(known, {"merchant": str(MERCHANT)}), now=site.clock(), actor="tests")
    (error,) = use(site)
    assert isinstance(error, Unavailable)
    site.ledger.change_connection(_with(known, there), now=site.clock(), actor="tests")
    site.clock.move(timedelta(minutes=1))
    use(site)
    assert shop.renewals == 1


def _with(known, settings):
    return known.__class__(**{**_fields(known), "settings": settings})


def test_salla_delivers_new_tokens_when_the_app_is_installed_anew(site, shop):
    entered(site, shop, -timedelta(days=1), refresh_token="spent")
    bodies = []

    class Sender:
        def post(self, url, content, headers):
            bodies.append((headers, content))
            return type("Answer", (), {"status_code": 200})

    shop.sender = Sender()
    shop.install("ignored")
    ((headers, content),) = bodies
    assert take_in(site.gateway, "shop", headers, content) is False
    assert "ory_at" in kept(site)["access_token"]
    (got,) = use(site)
    assert got.secrets == kept(site)
    assert shop.renewals == 0
    # Sent again, the same delivery changes nothing, whatever was renewed meanwhile.
    site.clock.move(timedelta(days=11))
    (renewed,) = use(site)
    assert take_in(site.gateway, "shop", headers, content) is False
    assert kept(site) == renewed.secrets != got.secrets
    # The tokens are in their envelope and nowhere else.
    raw = site.gateway.settings.home.rglob("ledger.db*")
    assert all(got.secrets["refresh_token"].encode() not in file.read_bytes() for file in raw)


def test_shopify_gives_a_token_for_the_apps_own_credentials(site):
    with shopify_shop() as shop:
        known = shop.connection("shop", taxpayer_id=OWNER, unit_id=UNIT.id)
        secrets = {"client_id": "app", "client_secret": known.secrets["client_secret"]}
        add_connection(site.gateway, known.__class__(**{**_fields(known), "secrets": secrets}), actor="tests")
        (got,) = use(site)
        assert got.secrets["access_token"] == shop.token
        site.clock.move(timedelta(hours=23))
        (later,) = use(site)
        assert later.secrets["access_token"] == shop.token != got.secrets["access_token"]


def test_zid_renews_both_of_its_tokens(site):
    with zid_shop() as shop:
        entered(site, shop, timedelta(days=20))
        (got,) = use(site)
        assert {name: got.secrets[name] for name in shop.tokens} == shop.tokens
        assert shop.tokens["authorization"] == "first+"
