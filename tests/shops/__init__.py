"""Shops to test against: real HTTP servers with the manners of each platform, as documented and as recorded."""

from sqlalchemy import update

from gateway.ledger.shop_tables import POLL


def ask_now(gateway, connection):
    """As if the time had come to ask this shop what changed."""
    with gateway.ledger._database.writing() as transaction:
        mine = update(POLL).where(POLL.c.connection_id == connection)
        assert transaction.execute(mine.values(next_at=gateway.now())).rowcount == 1
