"""The making of packages: the container, the seal over it, and its index for people.

It knows nothing of the ledger; what goes in is handed over. How a package is read is for gateway.verifier, which this
room shares the form of container and seal with.
"""

from gateway.package.index import index_page, index_row, index_rows_page, index_titles, spoken
from gateway.package.seal import make_seal
from gateway.package.writer import Writer

__all__ = ["Writer", "index_page", "index_row", "index_rows_page", "index_titles", "make_seal", "spoken"]
