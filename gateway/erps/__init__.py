"""ERPs as this gateway calls them. None knows a ledger."""

from gateway.erps import odoo

__all__ = ["odoo"]
