"""The issuing point (EGS unit) and its taxpayer."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.invoice.facts import Party


class Environment(StrEnum):
    """The authority's three worlds; credentials, certificates and chains never cross them."""

    SANDBOX = "sandbox"
    SIMULATION = "simulation"
    PRODUCTION = "production"


@dataclass(frozen=True, slots=True)
class Unit:
    """One issuing point: own key, own CSID, own chain, own number series.

    `seller` is the party every document of this unit names (BG-4). `serial` is `1-solution|2-model|3-serial`,
    `invoice_types` the TSCZ map of the CSR: 1000 standard, 0100 simplified, 1100 both. `location` is the short
    national address, `branch` the organisation unit (for a VAT group the member's ten-digit TIN).
    """

    id: str
    taxpayer_id: str
    seller: Party
    common_name: str
    serial: str
    branch: str
    industry: str
    location: str
    number_prefix: str
    invoice_types: str = "1100"
    environment: Environment = Environment.SANDBOX

    def key(self, csid_id: str) -> str:
        """Reference, at the Stamper port, of the private key that a CSID of this unit certifies."""
        return f"{self.taxpayer_id}/{self.id}/{csid_id}"
