"""Signatures as the Standard Webhooks specification has them, and its schedule."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.errors import BadInput
from gateway.webhook import headers, new_secret, signature, wait_after

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE = "msg_p5jXN8AQM9LWM0D4loKWxJek"
BODY = b'{"test": 2432232314}'
SIGNED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_specifications_vector():
    assert signature(SECRET, MESSAGE, 1614265330, BODY) == SIGNED


def test_every_secret_that_counts_signs():
    other = new_secret(bytes(32))
    sent = headers([other, SECRET], MESSAGE, datetime.fromtimestamp(1614265330.9, UTC), BODY)
    assert (sent["webhook-id"], sent["webhook-timestamp"]) == (MESSAGE, "1614265330")
    assert sent["webhook-signature"] == f"{signature(other, MESSAGE, 1614265330, BODY)} {SIGNED}"


@pytest.mark.parametrize("size", [24, 32, 64])
def test_secrets_that_are_made_can_be_used(size):
    assert signature(new_secret(bytes(size)), "a", 1, b"").startswith("v1,")


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!", "whsec_AAAA", SECRET[6:], new_secret(bytes(64)) + "AAAA"])
def test_what_is_no_secret_is_refused(secret):
    with pytest.raises(BadInput):
        signature(secret, "a", 1, b"")


def test_a_delivery_is_tried_ten_times_in_three_days():
    waits = [wait_after(attempts) for attempts in range(1, 11)]
    assert waits[0] == timedelta(seconds=5)
    assert waits[-1] is None
    assert sum(waits[:-1], timedelta()) == timedelta(hours=75, minutes=35, seconds=5)
