"""A taxpayer's account at one shop or ERP, and what goes back to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Connection:
    """Credentials and settings for one shop or ERP account; its sales are issued by `unit_id`.

    `platform` is api or one of gateway.stores or gateway.erps; `settings` are the platform's own (its module lists
    them); `secrets` are opened from their envelope and never printed; sales before `cutover` are not issued.
    """

    id: str
    taxpayer_id: str
    unit_id: str
    platform: str
    base_url: str = ""
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    secrets: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    cutover: datetime | None = None
