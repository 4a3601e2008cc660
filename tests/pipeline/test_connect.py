"""Who issues, where sales come from, and who may call."""

import json
from dataclasses import replace

import pytest

from gateway.connection import Connection
from gateway.errors import BadInput, Conflict, Misconfigured, Unauthorised
from gateway.pipeline.api_keys import Role, add_key, authenticate
from gateway.pipeline.connect import add_connection, register
from gateway.pipeline.credentials import connection_secrets, connection_with_secrets
from gateway.pipeline.gateway import open_gateway
from gateway.unit import Environment
from tests.installation import OWNER, UNIT

SHOP = Connection(
    "shop-2", OWNER, UNIT.id, "woocommerce", "https://shop.example", secrets={"key": "k", "secret": "s", "webhook": "w"}
)


def test_registering_twice_keeps_one_unit_with_what_is_new_of_it(site):
    register(site.gateway, UNIT, actor="tests")
    assert site.ledger.units(OWNER) == (UNIT,)
    register(site.gateway, moved := replace(UNIT, branch="elsewhere"), actor="tests")
    assert site.ledger.units(OWNER) == (moved,)


def test_a_unit_does_not_move_to_another_environment(site):
    with pytest.raises(Misconfigured, match="sandbox"):
        register(site.gateway, replace(UNIT, environment=Environment.PRODUCTION), actor="tests")


def test_secrets_are_sealed_and_come_back_only_through_the_safe(site):
    add_connection(site.gateway, SHOP, actor="tests")
    assert site.ledger.connection(OWNER, SHOP.id).secrets == {}
    assert connection_with_secrets(site.gateway, OWNER, SHOP.id).secrets == SHOP.secrets
    assert json.loads(site.gateway.safe.open(connection_secrets(OWNER, SHOP.id))) == SHOP.secrets


@pytest.mark.parametrize("more", [{"base_url": ""}, {"secrets": {}}], ids=["no address", "no secrets"])
def test_a_shop_without_address_or_credentials_is_refused(site, more):
    with pytest.raises(BadInput, match="needs its address and its credentials"):
        add_connection(site.gateway, replace(SHOP, **more), actor="tests")
    assert site.ledger.any_connection(SHOP.id) is None


@pytest.mark.parametrize(
    "url", ["http://shop.example", "https://127.0.0.1", "https://169.254.169.254", "https://a:b@shop.example", "shop"]
)
def test_an_address_that_leads_inside_is_refused(installation, url):
    with open_gateway(installation.settings.model_copy(update={"allow_private_shops": False})) as gateway:
        with pytest.raises(BadInput):
            add_connection(gateway, replace(SHOP, base_url=url), actor="tests")
        assert gateway.ledger.any_connection(SHOP.id) is None
        add_connection(gateway, SHOP, actor="tests")


def test_a_second_connection_of_the_name_is_refused_and_leaves_the_first_its_secrets(site):
    add_connection(site.gateway, SHOP, actor="tests")
    with pytest.raises(Conflict, match="shop-2"):
        add_connection(site.gateway, replace(SHOP, secrets=dict.fromkeys(SHOP.secrets, "other")), actor="tests")
    assert connection_with_secrets(site.gateway, OWNER, SHOP.id).secrets == SHOP.secrets


def test_a_key_is_kept_as_a_hash_and_stands_for_its_role(site):
    key = add_key(site.gateway, OWNER, Role.AUDITOR, "the auditor", actor="tests")
    known = authenticate(site.gateway, key)
    assert (known.taxpayer_id, known.role) == (OWNER, Role.AUDITOR)
    secret = key.split("_", 3)[3]
    assert not any(
        secret.encode() in file.read_bytes() for file in site.gateway.settings.home.rglob("*") if file.is_file()
    )


def test_keys_say_which_world_they_are_for(installation):
    assert installation.key.startswith("gw_test_")
    live = installation.settings.model_copy(
        update={
            "environment": Environment.PRODUCTION,
            "master_key_file": installation.settings.home / "development.key",
        }
    )
    with open_gateway(live) as gateway:
        assert add_key(gateway, OWNER, Role.ADMIN, "", actor="tests").startswith("gw_live_")


def test_a_key_with_an_underscore_in_its_secret_works(site, monkeypatch):
    monkeypatch.setattr("gateway.pipeline.api_keys.secrets.token_urlsafe", lambda _: "a_b_c-d_")
    assert authenticate(site.gateway, add_key(site.gateway, OWNER, Role.ADMIN, "", actor="tests")).role is Role.ADMIN


def test_every_key_that_does_not_hold_is_refused_alike(site):
    key = add_key(site.gateway, OWNER, Role.ADMIN, "", actor="tests")
    revoked = add_key(site.gateway, OWNER, Role.ADMIN, "", actor="tests")
    site.ledger.revoke_api_key(revoked.split("_")[2], taxpayer_id=OWNER, actor="tests", now=site.clock())
    wrong = [
        "",
        "x",
        "gw_test_",
        key[:-1],
        f"{key}x",
        key.replace("gw_test", "gw_live"),
        "gw_test_0000000000_x",
        revoked,
        "é" * 50,
    ]
    said = set()
    for each in wrong:
        with pytest.raises(Unauthorised) as refused:
            authenticate(site.gateway, each)
        said.add(str(refused.value))
    assert len(said) == 1
    assert authenticate(site.gateway, key)
