"""A shop is connected once it is sure that it can be used: its credentials, its taxes, its issuer and its webhooks."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.demo.salla import salla_shop
from gateway.demo.woocommerce import woocommerce_shop
from gateway.errors import BadInput, Conflict, GatewayError, Unavailable, Unknown
from gateway.pipeline.connect import _with_former
from gateway.pipeline.credentials import connection_with_secrets
from gateway.pipeline.poll import hook_address
from tests.installation import OWNER, UNIT
from tests.pipeline.conftest import opened
from tests.pipeline.test_shops import enter
from tests.shops.magento import magento_shop
from tests.shops.shopify import shopify_shop
from tests.shops.zid import zid_shop

ALL = {
    "salla": salla_shop,
    "woocommerce": woocommerce_shop,
    "zid": zid_shop,
    "shopify": shopify_shop,
    "magento": magento_shop,
}


@pytest.fixture(params=ALL)
def any_shop(request):
    with ALL[request.param]() as shop:
        yield shop


def known(shop, **settings):
    return shop.connection("shop", taxpayer_id=OWNER, unit_id=UNIT.id, **settings)


def nobody(site):
    with pytest.raises(Unknown):
        site.ledger.connection(OWNER, "shop")


def texts(made):
    return " ".join(each.en for each in made.look_at)


def test_a_shop_is_entered_and_asked_from_now_on(site, any_shop):
    enter(site, known(any_shop))
    (poll,) = site.ledger.polls(OWNER)
    assert (poll.since, poll.next_at > site.clock()) == (site.clock(), True)
    assert site.ledger.connection(OWNER, "shop").secrets == {}


def test_refused_credentials_are_said_before_anything_is_entered(site, any_shop):
    wrong = replace(known(any_shop), secrets=dict.fromkeys(known(any_shop).secrets, "wr0ng"))
    wrong = replace(wrong, secrets={**wrong.secrets, "expires_at": ""})
    with pytest.raises(BadInput, match=r"401|cannot be told") as refused:
        enter(site, wrong)
    assert "wr0ng" not in str(refused.value)
    nobody(site)


def test_a_shop_that_is_down_is_connected_on_somebodys_word(site, any_shop):
    any_shop.outage = [503] * 9
    with pytest.raises((BadInput, Unavailable)):
        enter(site, known(any_shop))
    nobody(site)
    any_shop.outage = [503] * 9
    made = enter(site, known(any_shop), unchecked_issuer=True)
    assert made.look_at
    assert all("none:" in each for each in made.webhooks)
    assert len(site.ledger.polls(OWNER)) == 1


def test_a_name_that_is_taken_is_said_before_the_shop_is_asked(site, any_shop):
    enter(site, known(any_shop))
    before = [*getattr(any_shop, "requests", [])]
    with pytest.raises(Conflict, match="exists already"):
        enter(site, known(any_shop))
    assert [*getattr(any_shop, "requests", [])] == before
    with pytest.raises(Unknown):
        enter(site, replace(known(any_shop), id="another"), change=True)


def test_a_change_without_secrets_keeps_the_former_ones(site, any_shop):
    enter(site, known(any_shop))
    before = connection_with_secrets(site.gateway, OWNER, "shop").secrets
    enter(site, replace(known(any_shop, issue_when="paid"), secrets={}), change=True)
    assert connection_with_secrets(site.gateway, OWNER, "shop").secrets == before
    assert site.ledger.connection(OWNER, "shop").settings["issue_when"] == "paid"


def test_what_is_sealed_is_not_shown_to_another_address(site, any_shop):
    enter(site, known(any_shop))
    with pytest.raises(GatewayError):
        enter(site, replace(known(any_shop), base_url="http://127.0.0.1:9", secrets={}), change=True)
    moved = _with_former(site.gateway, None, replace(known(any_shop), base_url="https://x.example", secrets={}))
    assert moved.secrets == {}


def test_a_file_of_the_first_day_does_not_bring_spent_tokens_back(site):
    with salla_shop() as shop:
        ends = {"expires_at": (site.clock() + timedelta(days=14)).isoformat()}
        first = replace(known(shop), secrets={**known(shop).secrets, **ends})
        enter(site, first)
        site.clock.move(timedelta(days=11))
        site.work()
        renewed = connection_with_secrets(site.gateway, OWNER, "shop").secrets
        assert (shop.renewals, renewed["refresh_token"] != first.secrets["refresh_token"]) == (1, True)
        enter(site, first, change=True)
        assert connection_with_secrets(site.gateway, OWNER, "shop").secrets == renewed


def test_what_was_sold_since_the_cutover_is_asked_for(site):
    with zid_shop() as shop:
        begun = site.clock()
        shop.sell(1, begun + timedelta(seconds=1))
        site.clock.move(timedelta(days=2))
        enter(site, replace(known(shop), cutover=begun))
        assert site.ledger.polls(OWNER)[0].since == begun
        site.clock.move(timedelta(minutes=6))
        site.work()
        assert [each.order_id for each in site.documents()] == ["1"]


# -- WooCommerce ----------------------------------------------------------------------------------------------


@pytest.fixture
def woo():
    with woocommerce_shop() as shop:
        yield shop


def test_a_webhook_secret_is_thought_up_and_kept_when_the_connection_changes(site, woo):
    given = {name: value for name, value in known(woo).secrets.items() if name != "webhook"}
    enter(site, replace(known(woo), secrets=given))
    made = connection_with_secrets(site.gateway, OWNER, "shop").secrets["webhook"]
    assert len(made) > 30
    assert {each["secret"] for each in woo.webhooks} == {made}
    enter(site, replace(known(woo), secrets=given), change=True)
    assert connection_with_secrets(site.gateway, OWNER, "shop").secrets["webhook"] == made
    assert len(woo.webhooks) == 3


def test_a_plugin_that_issues_is_seen_by_its_name(site, woo):
    woo.plugins.append("zatca-e-invoicing/zatca.php")
    with pytest.raises(BadInput, match="issues to the authority itself") as refused:
        enter(site, known(woo))
    assert "plugin" in refused.value.fix
    nobody(site)


def test_what_the_shop_says_of_vat_and_currency(site, woo):
    woo.settings = {
        "woocommerce_calc_taxes": "no", "woocommerce_currency": "USD", "woocommerce_tax_based_on": "base",
    }  # fmt: skip
    said = texts(enter(site, known(woo)))
    assert "charges no VAT" in said
    assert "does not sell in SAR" in said
    assert "by its own address" in said


def test_a_key_that_may_only_use_orders_is_good_enough(site, woo):
    """What it may not see is told; the shop is asked for its changes though it cannot be told to send webhooks."""
    woo.hidden = ("settings", "webhooks")
    made = enter(site, known(woo))
    assert "may not see the shop's settings" in texts(made)
    assert len(made.webhooks) == 1
    assert "refuses the credentials" in made.webhooks[0]
    woo.touch("46", site.clock())
    site.clock.move(timedelta(minutes=6))
    site.work()
    assert [each.order_id for each in site.documents()] == ["46"]


# -- the others -----------------------------------------------------------------------------------------------


def test_zid_says_whether_its_prices_are_with_vat(site):
    with zid_shop() as shop:
        shop.prices_with_vat = False
        enter(site, known(shop))
        assert site.ledger.connection(OWNER, "shop").settings["prices_include_tax"] == "no"
        shop.prices_with_vat = None
        made = enter(site, replace(known(shop), id="other"))
        assert "does not say" in texts(made)


def test_shopifys_app_needs_its_scopes(site):
    with shopify_shop() as shop:
        shop.scopes = ["read_orders"]
        with pytest.raises(BadInput, match="lacks the scopes write_orders"):
            enter(site, known(shop))
        nobody(site)
        shop.scopes = ["read_orders", "write_orders"]
        assert "60 days" in texts(enter(site, known(shop)))


def test_a_magento_module_that_issues_is_seen_by_its_name(site):
    with magento_shop() as shop:
        shop.modules.append("Vendor_ZatcaInvoice")
        with pytest.raises(BadInput, match="issues to the authority itself"):
            enter(site, known(shop))
        shop.modules.pop()
        assert "prices_include_tax" in texts(enter(site, known(shop)))


def test_salla_says_by_its_newest_order_whether_it_charges_vat(site):
    with salla_shop() as shop:
        newest = "710000002"
        shop.touch(newest, site.clock())
        shop.orders[newest]["amounts"]["tax"]["percent"] = "0.00"
        assert "no VAT" in texts(enter(site, known(shop)))
        assert {each["event"] for each in shop.webhooks} >= {"order.created", "order.refunded"}


@pytest.mark.parametrize(
    ("public", "private", "reached"),
    [
        ("https://gateway.example", False, "https://gateway.example/v1/hooks/shop"),
        ("http://127.0.0.1:8000", False, ""),
        ("http://127.0.0.1:8000", True, "http://127.0.0.1:8000/v1/hooks/shop"),
    ],
)
def test_no_shop_is_told_an_address_that_it_cannot_reach(installation, public, private, reached):
    with opened(installation, public_url=public, allow_private_shops=private) as site, zid_shop() as shop:
        assert hook_address(site.gateway, known(shop)) == reached
