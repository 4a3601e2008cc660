"""`gateway onboard` is killed (SIGKILL) in the middle, and goes on when it is run again."""

import json
import os
import subprocess
import sys
import time

import pytest

from gateway.ledger import Ledger, Step
from gateway.unit import Environment
from tests.commands.test_documents import UNIT_JSON
from tests.installation import OWNER

pytestmark = pytest.mark.crash


def onboard(unit_file, home, authority, *arguments):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    environment |= {"GATEWAY_HOME": str(home), "GATEWAY_AUTHORITY_URL": authority.url(Environment.SANDBOX)}
    command = [sys.executable, "-m", "gateway", "onboard", str(unit_file), *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.parametrize(("step", "passed"), [(Step.CHECKS, 0), (Step.CHECKS, 2), (Step.PRODUCTION, 3)])
def test_a_killed_onboarding_goes_on(tmp_path, authority, step, passed):
    """Killed as soon as it has come so far, while the next answer is waited for."""
    unit_file, home, state = tmp_path / "unit.json", tmp_path / "home", authority.state
    described = json.loads(UNIT_JSON) | {"id": "KIL1", "number_prefix": "", "common_name": "KIL1"}
    unit_file.write_text(json.dumps(described | {"invoice_types": "0100", "serial": "1-gateway|2-1.0|3-kil"}))
    state.frozen_at = None
    state.faults.latency = 0.5
    before = len(state.exchanges)
    running = onboard(unit_file, home, authority, "--otp", "123456")
    wait_until(home, lambda run: run is not None and run.step is step and len(run.passed) == passed)
    running.kill()
    running.communicate()
    state.faults.latency = 0.0
    assert running.returncode != 0
    again = onboard(unit_file, home, authority)
    said, _ = again.communicate(timeout=60)
    assert again.returncode == 0, said
    assert "Unit KIL1 may issue until" in said
    calls = [each.endpoint for each in list(state.exchanges)[before:]]
    assert calls.count("compliance") == 1
    assert calls.count("compliance/invoices") <= 4


def wait_until(home, is_there):
    """Look at the run in the ledger until it is where it should be."""
    until = time.monotonic() + 60
    while not (home / "ledger.db").exists():
        assert time.monotonic() < until
        time.sleep(0.01)
    with Ledger.open(f"sqlite:///{home / 'ledger.db'}") as ledger:
        while not is_there(ledger.open_onboarding(OWNER, "KIL1")):
            assert time.monotonic() < until
            time.sleep(0.005)
