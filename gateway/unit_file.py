"""The JSON file that describes a unit and its taxpayer, and the table (CSV) that describes many."""

import csv
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError

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
    number_prefix: Annotated[str, StringConstraints(max_length=40, pattern=r"^[^\p{C}\p{Zl}\p{Zp}]*$")] = ""
    invoice_types: Literal["1000", "0100", "1100"] = "1100"


def read_unit(data: bytes, environment: Environment) -> Unit:
    """The unit that a JSON text describes; BadInput lists what is missing or wrong in it."""
    with _explained():
        return unit_of(UnitFile.model_validate_json(data), environment)


def _read(described: Mapping[str, Any], environment: Environment) -> Unit:
    with _explained():
        return unit_of(UnitFile.model_validate(described), environment)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'the file'}: {each['msg']}" for each in error.errors())
        raise BadInput(f"This does not describe a unit: {wrong}.", fix="docs/guides/onboard.md shows one.") from None


def unit_of(described: UnitFile, environment: Environment) -> Unit:
    """The unit that a unit file describes."""
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


# -- many units in a table ---------------------------------------------------------------------------------------------

_OPTIONAL: Final = frozenset({"taxpayer.address.country", "number_prefix", "invoice_types", "otp"})


def _flattened(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        part = field.annotation
        if isinstance(part, type) and issubclass(part, BaseModel):
            yield from _flattened(part, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


CSV_COLUMNS: Final = (*_flattened(UnitFile), "otp")
"""The fields of a unit file by their full names, and the unit's one-time password."""

MAX_UNITS: Final = 10_000


class UnitRow(NamedTuple):
    """One row of the table: `line` in the file, the unit or why there is none. The OTP is not part of its repr."""

    line: int
    id: str
    unit: Unit | None
    otp: str | None
    error: BadInput | None

    def __repr__(self) -> str:
        return f"UnitRow(line={self.line}, id={self.id!r})"


def csv_template() -> str:
    """The first line of such a table."""
    return ",".join(CSV_COLUMNS) + "\n"


def read_units(data: bytes, environment: Environment) -> tuple[UnitRow, ...]:
    """The units of a table in UTF-8, divided by commas or semicolons; BadInput if it is not one. A row that cannot be
    used carries its error, and the others are none the worse."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput("The table of units is not UTF-8.", fix="Save it as CSV in UTF-8.") from None
    head = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text), delimiter=";" if head.count(";") > head.count(",") else ",")
    try:
        _check_columns([name.strip() for name in reader.fieldnames or ()])
        rows = [(reader.line_num, row) for row in reader if any(_cells(row).values())]
    except csv.Error as error:
        raise BadInput(f"The table of units cannot be read: {error}.", fix="Save it as CSV in UTF-8.") from None
    if not rows or len(rows) > MAX_UNITS:
        raise BadInput(f"The table has {len(rows)} units; 1 to {MAX_UNITS} can be onboarded at once.")
    return tuple(_without_repeats(_unit_row(line, _cells(row), environment) for line, row in rows))


def _check_columns(names: list[str]) -> None:
    missing = [name for name in CSV_COLUMNS if name not in names and name not in _OPTIONAL]
    unknown = [name for name in names if name not in CSV_COLUMNS]
    if missing or unknown or len(set(names)) < len(names):
        wrong = [f"{', '.join(missing)} missing"] * bool(missing) + [f"{', '.join(unknown)} unknown"] * bool(unknown)
        raise BadInput(
            f"The columns of the table are not those of a unit file: {'; '.join(wrong) or 'one is there twice'}.",
            fix="`gateway onboard --csv-template` prints them.",
        )


def _cells(row: Mapping[str | None, Any]) -> dict[str, str]:
    """The filled cells; what is beyond the last column stands under the name "more columns"."""
    cells = {(name or "more columns").strip(): value for name, value in row.items() if value}
    return {name: value.strip() if isinstance(value, str) else "x" for name, value in cells.items()}


def _unit_row(line: int, cells: dict[str, str], environment: Environment) -> UnitRow:
    otp = cells.pop("otp", "") or None
    described: dict[str, Any] = {}
    for name, value in cells.items():
        *parents, last = name.split(".")
        place = described
        for parent in parents:
            place = place.setdefault(parent, {})
        if value:
            place[last] = value
    try:
        return UnitRow(line, cells.get("id", ""), _read(described, environment), otp, None)
    except BadInput as error:
        return UnitRow(line, cells.get("id", ""), None, otp, error)


def _without_repeats(rows: Iterator[UnitRow]) -> Iterator[UnitRow]:
    seen: dict[tuple[str, str], int] = {}
    for row in rows:
        first = seen.setdefault((row.unit.taxpayer_id, row.id), row.line) if row.unit else row.line
        if first == row.line:
            yield row
        else:
            yield row._replace(unit=None, error=BadInput(f"Unit {row.id} stands in line {first} already."))
