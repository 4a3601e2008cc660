"""The buyer and the national address, from the free text that shops keep.

A VAT number makes a buyer a business and the invoice a standard one. Of a person only the name is taken: a simplified
invoice needs no more, and what is not stored cannot leak.
"""

import re
from typing import Any

from gateway.stores.raw import ascii_digits, unusable

_SAUDI_VAT = re.compile(r"3\d{13}3", re.ASCII)
_BUILDING = re.compile(r"(?<!\d)\d{4}(?!\d)", re.ASCII)


def person(name: str) -> dict[str, Any]:
    """A buyer without a VAT number."""
    return {"kind": "person", "name": name}


def business(*, name: str, vat: str, cr: str, address: dict[str, str]) -> dict[str, Any]:
    """A buyer with a VAT number: Saudi ones are checked, others are named as another id (BT-46, scheme OTH)."""
    number = re.sub(r"[\s.-]", "", ascii_digits(vat))
    found: dict[str, Any] = {"kind": "business", "name": name, "address": address}
    if address["country"] != "SA":
        return found | {"other_id": {"scheme": "OTH", "value": re.sub(r"[^A-Za-z0-9]", "", number)}}
    if not _SAUDI_VAT.fullmatch(number):
        raise unusable(
            "buyer.vat",
            f"{vat[:40]!r} is not a Saudi VAT number",
            fix="It has 15 digits and begins and ends with 3; correct it in the shop's order.",
            ar=f"الرقم الضريبي للمشتري {vat[:40]} غير صحيح؛ يتكون من 15 رقما ويبدأ وينتهي بالرقم 3.",
        )
    registration = re.sub(r"[^A-Za-z0-9]", "", ascii_digits(cr))
    return found | {"vat": number} | ({"other_id": {"scheme": "CRN", "value": registration}} if registration else {})


def national_address(*, street: str, district: str, city: str, postal_code: str, country: str) -> dict[str, str]:
    """The parts of a national address; the first four-digit number in the street is the building number."""
    line = ascii_digits(street)
    building = _BUILDING.search(line)
    if building:
        line = line[: building.start()] + " " + line[building.end() :]
    return {
        "street": " ".join(line.split()).strip("،,- "),
        "building": building.group() if building else "",
        "district": district,
        "city": city,
        "postal_code": ascii_digits(postal_code),
        "country": country.upper() or "SA",
    }
