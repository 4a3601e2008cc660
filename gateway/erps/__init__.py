"""The ERPs, one module each. `ERPS[platform]` is the module; its docstring lists the settings and secrets that a
connection of that platform takes.
"""

from typing import Final

from gateway.erps import erpnext, odoo
from gateway.erps.erp import Erp
from gateway.errors import Misconfigured

ERPS: Final[dict[str, Erp]] = {"erpnext": erpnext, "odoo": odoo}
"""Every ERP whose books are written, by its name."""


def erp_of(platform: str) -> Erp:
    """The ERP of a connection's platform; Misconfigured if there is none."""
    try:
        return ERPS[platform]
    except KeyError:
        raise Misconfigured(f"There is no ERP {platform!r}.", fix=f"Use one of {', '.join(sorted(ERPS))}.") from None


__all__ = ["ERPS", "Erp", "erp_of", "erpnext", "odoo"]
