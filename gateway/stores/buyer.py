"""The buyer and addresses, from the free text that shops keep.

A VAT number makes a buyer a business and the invoice a standard one. Of anybody else only the name is taken: a
simplified invoice needs no more, and what is not stored cannot leak. Where the goods go is kept: it tells exports.
"""

import re
from typing import Any

from gateway.stores.raw import ascii_digits, unusable
from gateway.stores.refusals import cut

_SAUDI_VAT = re.compile(r"3\d{13}3", re.ASCII)
_BUILDING = re.compile(r"(?<!\d)\d{4}(?!\d)", re.ASCII)
_COUNTRY = re.compile("[A-Z]{2}")


def somebody(name: str) -> dict[str, Any]:
    """A buyer of whom the shop says no more than a name."""
    return {"name": name}


def person(name: str) -> dict[str, Any]:
    """A buyer whom the shop itself calls a person."""
    return {"kind": "person", "name": name}


def business(*, name: str, vat: str, cr: str, address: dict[str, str]) -> dict[str, Any]:
    """A buyer with a VAT number, or one whom the shop calls a business: Saudi numbers are checked, others are named as
    another id (BT-46, scheme OTH)."""
    number = re.sub(r"[\s.-]", "", ascii_digits(vat))
    found: dict[str, Any] = {"kind": "business", "name": name, "address": address}
    registration = re.sub(r"[^A-Za-z0-9]", "", ascii_digits(cr))
    if address["country"] != "SA":
        other = re.sub(r"[^A-Za-z0-9]", "", number) or registration
        return found | ({"other_id": {"scheme": "OTH", "value": other}} if other else {})
    if number and not _SAUDI_VAT.fullmatch(number):
        raise unusable(
            "buyer.vat",
            f"{vat[:40]!r} is not a Saudi VAT number",
            fix="It has 15 digits and begins and ends with 3; correct it in the shop's order.",
            ar=f"الرقم الضريبي للمشتري {vat[:40]} غير صحيح؛ يتكون من 15 رقما ويبدأ وينتهي بالرقم 3.",
        )
    return (
        found
        | ({"vat": number} if number else {})
        | ({"other_id": {"scheme": "CRN", "value": registration}} if registration else {})
    )


def national_address(
    *, street: str, district: str, city: str, postal_code: str, country: str, building: str = ""
) -> dict[str, str]:
    """The parts of a national address; without a building number of its own, the first four-digit number in the street
    is it."""
    line = ascii_digits(street)
    found = None if building else _BUILDING.search(line)
    if found:
        line = line[: found.start()] + " " + line[found.end() :]
    return {
        "street": " ".join(line.split()).strip("،,- "),
        "building": building or (found.group() if found else ""),
        "district": district,
        "city": city,
        "postal_code": ascii_digits(postal_code),
        "country": country.upper() or "SA",
    }


def ship_to(address: dict[str, str]) -> dict[str, str] | None:
    """Where the goods go, if the shop says where; no length of what it says fails the order."""
    if not (address["street"] or address["city"]) or not _COUNTRY.fullmatch(address["country"]):
        return None
    return {part: cut(value, 1000 if part == "street" else 127) for part, value in address.items()}
