"""Where no real Odoo is to be had, `make test-odoo` says why in one sentence."""

import pytest

from tests.erps import real_odoo


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """A machine whose programs are these."""
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/bin")
    monkeypatch.setattr(real_odoo, "HOME", tmp_path / "odoo")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    (tmp_path / "bin").mkdir()

    def add(name, script):
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bin" / name).chmod(0o700)

    add("apt-config", "")
    return add


@pytest.mark.parametrize(
    ("targets", "bootstrap", "says"),
    [
        ("echo Ubuntu http://u main", "true", "this machine's apt knows no mirror of Debian"),
        ("exit 1", "true", "apt-get does not answer"),
        ("echo Debian http://d main", "echo one >&2; echo E: no Release file >&2; exit 1", "E: no Release file"),
    ],
)
def test_what_is_refused_is_one_sentence(tools, capfd, targets, bootstrap, says):
    tools("apt-get", targets)
    tools("debootstrap", bootstrap)
    assert real_odoo.main() == 2
    said = capfd.readouterr().err.strip()
    assert said.startswith("make test-odoo: ")
    assert says in said
    assert "\n" not in said


def test_nobody_but_root_is_asked_to_be_root(tools, capfd, monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert real_odoo.main() == 2
    assert "run it as root" in capfd.readouterr().err
