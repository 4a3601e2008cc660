"""Runs tests/erps/test_any_odoo.py against a real Odoo 14: python -m tests.erps.real_odoo (`make test-odoo`).

Debian's bullseye has the last Odoo that any release of Debian has. It is installed into a folder of its own by
debootstrap, from the mirror and by the proxy of this machine's apt, once; each run makes a database in PostgreSQL with
the Saudi chart of accounts, serves it, and drops it. Debian's l10n_sa has no taxes, so these are made.
"""

import os
import secrets
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
import xmlrpc.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from psycopg import sql
from sqlalchemy import URL

from tests.erps.odoo_server import KEY, LOGIN
from tests.postgres import connected, free_port, server

SUITE = "tests/erps/test_any_odoo.py"
RELEASE, PACKAGE = "bullseye", "odoo-14"
HOME = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gateway" / PACKAGE
PATIENCE = 120.0
"""Seconds for the server to start."""
GROUPS = ("base.group_user", "base.group_partner_manager", "account.group_account_invoice")
TAXES = (("VAT 15%", 15), ("VAT 5%", 5), ("Zero rated", 0), ("Exempt", 0), ("Out of scope", 0))


class Refused(Exception):
    """Why there is no real Odoo here, in one sentence."""


class Database(NamedTuple):
    """An empty database, and the role that owns it: Odoo does not work as the superuser."""

    url: URL
    name: str
    role: str
    password: str


def main() -> int:
    """The suite's exit status; 2 if no Odoo is to be had."""
    try:
        installed()
        with database() as made, served(made) as address:
            print(f"{PACKAGE} answers at {address}, database {made.name}.")
            return subprocess.run(
                [sys.executable, "-m", "pytest", SUITE],
                env={**os.environ, "GATEWAY_TEST_ODOO": f"{address}/{made.name}"},
            ).returncode
    except (Refused, pytest.skip.Exception) as error:
        print(f"make test-odoo: {error}", file=sys.stderr)
        return 2


# -- installing -----------------------------------------------------------------------------------------------


def installed() -> None:
    """See to it that Odoo lies in HOME; Refused if it cannot be had."""
    ready = HOME / ".installed"
    if os.geteuid() != 0:
        raise Refused("a system in a folder is made by root alone; run it as root, in a container.")
    if ready.exists():
        return
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.parent.mkdir(parents=True, exist_ok=True)
    if not shutil.which("debootstrap"):
        timed("apt-get install debootstrap", "apt-get", "install", "-y", "--no-install-recommends", "debootstrap")
    proxy = proxy_of_apt()
    environment = {**os.environ, **({"http_proxy": proxy} if proxy else {})}
    mirror = mirror_of_apt()
    timed(f"debootstrap {RELEASE}", "debootstrap", "--variant=minbase", RELEASE, str(HOME), mirror, env=environment)
    write("etc/apt/sources.list", f"deb {mirror} {RELEASE} main\n")
    write("etc/apt/apt.conf.d/99proxy", f'Acquire::http::Proxy "{proxy}";\n' if proxy else "")
    write("usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n").chmod(0o755)  # nothing is started by installing it
    inside("apt-get update", "apt-get", "-o", "Acquire::Check-Valid-Until=false", "update")
    inside(f"apt-get install {PACKAGE}", "apt-get", "install", "-y", "--no-install-recommends", PACKAGE)
    inside("apt-get clean", "apt-get", "clean")
    ready.touch()


def mirror_of_apt() -> str:
    """Where this machine's apt has Debian from."""
    asked = ["apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI) $(COMPONENT)", "Created-By: Packages"]
    for line in output(asked).splitlines():
        origin, address, component = [*line.split(), "", "", ""][:3]
        if origin == "Debian" and component == "main" and "security" not in address:
            return address
    raise Refused("this machine's apt knows no mirror of Debian; run apt-get update on a Debian.")


def proxy_of_apt() -> str:
    """The proxy that apt goes by, empty if none."""
    return output(["sh", "-c", 'eval "$(apt-config shell P Acquire::http::Proxy)"; printf %s "$P"'])


def output(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        raise Refused(f"{command[0]} does not answer; it takes a Debian or one of its kin.") from None


def write(path: str, text: str) -> Path:
    where = HOME / path
    where.write_text(text, encoding="ascii")
    return where


def inside(what: str, *command: str) -> None:
    """Run it within the folder."""
    timed(what, "chroot", str(HOME), *command, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


def timed(what: str, *command: str, env: dict[str, str] | None = None) -> None:
    """Run it and say how long it took; Refused with its last line if it fails."""
    began = time.monotonic()
    ran = subprocess.run(command, env=env, capture_output=True, text=True)
    if ran.returncode:
        said = (ran.stderr.strip() or ran.stdout.strip()).splitlines()
        raise Refused(f"{what} failed: {said[-1] if said else f'exit status {ran.returncode}'}")
    print(f"{what}: {time.monotonic() - began:.0f} s", flush=True)


# -- serving --------------------------------------------------------------------------------------------------


@contextmanager
def database() -> Iterator[Database]:
    """A new one, dropped in the end."""
    name = f"gateway_odoo_{os.getpid()}"
    named, password = sql.Identifier(name), secrets.token_hex(16)
    with server() as url, connected(url) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(named, password))
        try:
            admin.execute(
                sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8'").format(named, named)
            )
            yield Database(url, name, name, password)
        finally:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(named))
            admin.execute(sql.SQL("DROP ROLE {}").format(named))


@contextmanager
def served(made: Database) -> Iterator[str]:
    """The address of an Odoo with books; it ends with the block."""
    environment = {**os.environ, "PGPASSWORD": made.password}
    first = odoo(made, "-i", "l10n_sa", "--without-demo=all", "--stop-after-init", "--no-http")
    timed("a database with l10n_sa", *first, env=environment)
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    log = HOME / "var" / "log" / "odoo-test.log"
    web = ("--http-port", str(port), "--http-interface", "127.0.0.1", "--workers", "0", "--max-cron-threads", "0")
    with (
        log.open("wb") as sink,
        subprocess.Popen(odoo(made, *web), env=environment, stdout=sink, stderr=sink) as process,
    ):
        try:
            await_answer(address, process)
            furnish(address, made.name)
            yield address
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()


def odoo(made: Database, *arguments: str) -> list[str]:
    """The command that runs Odoo in the folder, with a /proc that is gone when it ends."""
    where = ["--db_host", made.url.host or "127.0.0.1", "--db_port", str(made.url.port or 5432)]
    who = ["--db_user", made.role, "-d", made.name]
    run = ["odoo", *where, *who, "--data-dir", "/tmp/odoo", *arguments]  # noqa: S108 (a folder within HOME)
    mounted = 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"'
    return ["unshare", "--mount", "sh", "-c", mounted, str(HOME), *run]


def await_answer(address: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(f"{address}/web/login", timeout=30).close()  # noqa: S310 (our own server)
            return
        except (OSError, urllib.error.URLError):
            time.sleep(0.2)
    raise Refused(f"Odoo does not answer at {address}; its log is {HOME}/var/log/odoo-test.log.")


# -- books ----------------------------------------------------------------------------------------------------


def furnish(address: str, name: str) -> None:
    """A Saudi company that rounds globally, its taxes, a journal for the gateway, and a user who may bill, no more."""
    do = session(address, name, "admin", "admin")
    (company,) = do("res.company", "search", [])
    (saudi,) = do("res.country", "search", [["code", "=", "SA"]])
    values = {"country_id": saudi, "vat": "399999999900003", "tax_calculation_rounding_method": "round_globally"}
    do("res.company", "write", [company], values)
    for title, rate in TAXES:
        do("account.tax", "create", {"name": title, "amount": rate, "type_tax_use": "sale"})
    (income,) = do("account.account", "search", [["code", "=", "479100"]])
    do("account.journal", "create", {"name": "Gateway", "code": "GW", "type": "sale", "default_account_id": income})
    groups = [group(do, each) for each in GROUPS]
    user = {"name": "Gateway", "login": LOGIN, "password": KEY, "email": LOGIN, "groups_id": [[6, 0, groups]]}
    do("res.users", "create", user)


def group(do: Callable[..., Any], name: str) -> int:
    """The id of a group by its external name."""
    module, _, short = name.partition(".")
    (found,) = do("ir.model.data", "search_read", [["module", "=", module], ["name", "=", short]], ["res_id"])
    return int(found["res_id"])


def session(address: str, name: str, login: str, password: str) -> Callable[..., Any]:
    """Calls by model, method and arguments, as one user."""
    user = xmlrpc.client.ServerProxy(f"{address}/xmlrpc/2/common").authenticate(name, login, password, {})
    models = xmlrpc.client.ServerProxy(f"{address}/xmlrpc/2/object", allow_none=True)
    return lambda model, method, *given: models.execute_kw(name, user, password, model, method, list(given))


if __name__ == "__main__":
    sys.exit(main())
