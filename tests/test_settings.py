"""Settings come from the environment, once; what cannot be used is refused by name."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.settings import Settings
from gateway.unit import Environment


@pytest.fixture(autouse=True)
def _bare(monkeypatch):
    import os

    for name in [name for name in os.environ if name.startswith("GATEWAY_")]:
        monkeypatch.delenv(name)


def test_the_embedded_defaults_are_safe():
    settings = Settings()
    assert settings.environment is Environment.SANDBOX
    assert (settings.host, settings.allow_private_shops, settings.master_key) == ("127.0.0.1", False, None)
    assert settings.ledger_url == f"sqlite:///{Path.cwd() / '.gateway' / 'ledger.db'}"


def test_each_setting_is_read_from_its_variable(monkeypatch, tmp_path):
    given = {
        "HOME": str(tmp_path),
        "DATABASE_URL": "postgresql://db/gateway",
        "MASTER_KEY_FILE": str(tmp_path / "key"),
        "MASTER_KEY": "c2VjcmV0",
        "ENVIRONMENT": "simulation",
        "AUTHORITY_URL": "https://authority.example",
        "HOST": "0.0.0.0",  # noqa: S104
        "PORT": "9000",
        "PUBLIC_URL": "https://gateway.example",
        "LINK_DAYS": "30",
        "LINK_DAYS_MOST": "60",
        "MAX_BODY": "1000",
        "AUTHORITY_TIMEOUT": "5.5",
        "SUBMISSIONS_IN_FLIGHT": "3",
        "SUBMISSIONS_OF_TAXPAYER": "2",
        "ALLOW_PRIVATE_SHOPS": "true",
        "CHAIN_AFTER_RENEWAL": "continue",
        "AUTHORITY_CA": str(tmp_path / "ca.pem"),
        "AUTHORITY_CRL": "http://lists.example/authority.crl",
        "JOURNAL": str(tmp_path / "heads"),
        "POLL_SECONDS": "60",
        "ARCHIVE": "s3://bucket/prefix",
        "ARCHIVE_ENDPOINT": "https://s3.example.sa",
        "RETENTION_YEARS": "10",
        "RAW_PAYLOADS_DAYS": "90",
        "CHECKPOINTS": str(tmp_path / "checkpoints"),
        "DOCTOR_HOUR": "4",
        "JUDGES": "3",
        "ORDERS_AT_ONCE": "7",
        "LOG_FORMAT": "json",
    }
    assert {name.lower() for name in given} == set(Settings.model_fields), "a new setting belongs in here"
    for name, value in given.items():
        monkeypatch.setenv(f"GATEWAY_{name}", value)
    settings = Settings()
    for name in given:
        assert getattr(settings, name.lower()) != Settings.model_fields[name.lower()].default, name
    assert settings.ledger_url == "postgresql://db/gateway"


def test_every_setting_has_its_meaning():
    assert all(field.description and field.description.endswith(".") for field in Settings.model_fields.values())


def test_given_settings_do_not_look_at_the_environment(monkeypatch):
    monkeypatch.setenv("GATEWAY_PORT", "9000")
    monkeypatch.setenv("GATEWAY_ENVIRONMENT", "production")
    settings = Settings.given(max_body=5)
    assert (settings.port, settings.environment, settings.max_body) == (8000, Environment.SANDBOX, 5)


def test_a_home_is_absolute_whatever_was_written(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    for written, meant in [("a/b", tmp_path / "a" / "b"), ("~/c", tmp_path / "user" / "c")]:
        monkeypatch.setenv("GATEWAY_HOME", written)
        assert Settings().home == meant


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "70000"),
        ("MAX_BODY", "0"),
        ("AUTHORITY_TIMEOUT", "0"),
        ("SUBMISSIONS_IN_FLIGHT", "201"),
        ("ENVIRONMENT", "test"),
        ("LOG_FORMAT", "yaml"),
    ],
)
def test_what_cannot_be_used_is_named(monkeypatch, name, value):
    monkeypatch.setenv(f"GATEWAY_{name}", value)
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert [each["loc"] for each in refused.value.errors()] == [(name.lower(),)]


def test_settings_do_not_change_and_do_not_show_the_key(monkeypatch):
    monkeypatch.setenv("GATEWAY_MASTER_KEY", "c2VjcmV0")
    settings = Settings()
    assert "c2VjcmV0" not in f"{settings} {settings!r} {settings.model_dump()}"
    with pytest.raises(ValidationError):
        settings.port = 1


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ({}, ""),
        ({"allow_private_shops": True}, ""),
        ({"public_url": "http://pay.example.sa"}, ""),
        ({"public_url": "http://pay.example.sa", "allow_private_shops": True}, "http://pay.example.sa"),
        ({"public_url": "https://pay.example.sa/"}, "https://pay.example.sa"),
    ],
)
def test_buyers_are_led_only_where_they_can_go(given, address):
    assert Settings.given(**given).buyers_address == address


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ({"port": 8392}, "http://127.0.0.1:8392"),
        ({"host": "0.0.0.0"}, "http://127.0.0.1:8000"),  # noqa: S104, nothing is bound
        ({"public_url": "https://invoices.example/", "port": 8392}, "https://invoices.example"),
    ],
)
def test_links_lead_to_where_it_listens_if_nothing_else_is_said(given, address):
    assert Settings.given(**given).address == address
