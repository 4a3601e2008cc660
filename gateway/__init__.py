"""Shop orders in, legal Saudi e-invoices out, and their status back home."""

__version__ = "0.1.0"
