"""The JSON file that describes a unit and its taxpayer."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from gateway.codes import SELLER_ID_SCHEMES
from gateway.errors import BadInput
from gateway.invoice.facts import Address, Identifier, Party
from gateway.order import Long, Name, Short, Vat
from gateway.unit import Environment, Unit

Slug = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _known_scheme(scheme: str) -> str:
    if scheme not in SELLER_ID_SCHEMES:
        raise ValueError(f"must be one of {', '.join(SELLER_ID_SCHEMES)}")
    return scheme


class SellerId(_Model):
    """BT-29 (BR-KSA-08): the licence the seller is registered under."""

    scheme: Annotated[str, AfterValidator(_known_scheme)]
    value: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,60}$")]


class SellerAddress(_Model):
    """The national address, all of it (BR-KSA-09, BR-KSA-37, BR-KSA-66)."""

    street: Name
    building: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$")]
    district: Name
    city: Name
    postal_code: Annotated[str, StringConstraints(pattern=r"^[0-9]{5}$")]
    country: Literal["SA"] = "SA"


class TaxpayerPart(_Model):
    """Who sells."""

    name: Name
    vat: Vat
    id: SellerId
    address: SellerAddress


class UnitFile(_Model):
    """One unit of one taxpayer; field meanings as in gateway.unit.Unit."""

    id: Slug
    taxpayer: TaxpayerPart
    common_name: Short
    serial: Annotated[Long, StringConstraints(pattern=r"^1-.+\|2-.+\|3-.+$")]
    branch: Name
    industry: Name
    location: Short
    number_prefix: Annotated[str, Field(max_length=40)] = ""
    invoice_types: Literal["1000", "0100", "1100"] = "1100"


def read_unit(data: bytes, environment: Environment) -> Unit:
    """The unit that a JSON text describes; BadInput lists what is missing or wrong in it."""
    try:
        return _unit(UnitFile.model_validate_json(data), environment)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'the file'}: {each['msg']}" for each in error.errors())
        raise BadInput(f"This does not describe a unit: {wrong}.", fix="docs/guides/onboard.md shows one.") from None


def _unit(described: UnitFile, environment: Environment) -> Unit:
    taxpayer = described.taxpayer
    return Unit(
        id=described.id,
        taxpayer_id=taxpayer.vat,
        seller=Party(
            name=taxpayer.name,
            vat=taxpayer.vat,
            id=Identifier(taxpayer.id.scheme, taxpayer.id.value),
            address=Address(**taxpayer.address.model_dump()),
        ),
        common_name=described.common_name,
        serial=described.serial,
        branch=described.branch,
        industry=described.industry,
        location=described.location,
        number_prefix=described.number_prefix or f"{described.id}-",
        invoice_types=described.invoice_types,
        environment=environment,
    )
