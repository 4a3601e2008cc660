"""The signature block of a document as the simulator reads it, and whether it can be read in one way only."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Final

from gateway.simulator.document import Document, reference, signed_properties_text

RIYADH: Final = timezone(timedelta(hours=3))

_BLOCK: Final = "/ubl:Invoice/ext:UBLExtensions//ds:Signature"
_INVOICE_REFERENCE: Final = f"{_BLOCK}//ds:Reference[@Id = 'invoiceSignedData']"
_PROPERTIES_REFERENCE: Final = f"{_BLOCK}//ds:Reference[@URI = '#xadesSignedProperties']"
_PROPERTIES: Final = f"{_BLOCK}//xades:SignedProperties"
_CERTIFICATE: Final = f"{_PROPERTIES}//xades:SigningCertificate/xades:Cert"

# What the hash leaves out, and what the signature is read from: of two, one could be judged and the other shown.
_ONLY_ONCE: Final = {
    "ext:UBLExtensions": "//ext:UBLExtensions",
    "cac:Signature": "//cac:Signature",
    "QR": f"//{reference('QR')}",
    "ds:Signature": "//ds:Signature",
    "ds:SignedInfo": f"{_BLOCK}//ds:SignedInfo",
    "ds:Reference of the invoice": _INVOICE_REFERENCE,
    "ds:Reference of the signed properties": _PROPERTIES_REFERENCE,
    "ds:SignatureValue": f"{_BLOCK}//ds:SignatureValue",
    "ds:X509Certificate": f"{_BLOCK}//ds:X509Certificate",
    "xades:SignedProperties": f"{_BLOCK}//xades:SignedProperties",
    "xades:SigningTime": f"{_BLOCK}//xades:SigningTime",
    "xades:Cert": f"{_BLOCK}//xades:Cert",
}


def doubled_parts(document: Document) -> Iterator[str]:
    """The names of all parts of a stamp that a document has more than once."""
    return (name for name, path in _ONLY_ONCE.items() if document.count(path) > 1)


@dataclass(frozen=True)
class Seal:
    """The signature block of a document as it was read; `signed_properties` as the authority prints it.

    `signing_time` is None if it cannot be read; it is Riyadh's unless it says otherwise.
    """

    invoice_digest: str
    properties_digest: str
    signature: str
    certificate: str
    signed_properties: str
    signing_time: datetime | None
    certificate_digest: str
    issuer: str
    serial: str

    @classmethod
    def read(cls, document: Document) -> "Seal | None":
        """The block; None if there is none."""
        if not document.count(_BLOCK):
            return None
        properties = document.first(_PROPERTIES)
        return cls(
            invoice_digest=document.text(f"{_INVOICE_REFERENCE}/ds:DigestValue"),
            properties_digest=document.text(f"{_PROPERTIES_REFERENCE}/ds:DigestValue"),
            signature=document.text(f"{_BLOCK}/ds:SignatureValue"),
            certificate=document.text(f"{_BLOCK}/ds:KeyInfo/ds:X509Data/ds:X509Certificate"),
            signed_properties="" if properties is None else signed_properties_text(properties),
            signing_time=moment_of(document.text(f"{_PROPERTIES}//xades:SigningTime")),
            certificate_digest=document.text(f"{_CERTIFICATE}/xades:CertDigest/ds:DigestValue"),
            issuer=document.text(f"{_CERTIFICATE}/xades:IssuerSerial/ds:X509IssuerName"),
            serial=document.text(f"{_CERTIFICATE}/xades:IssuerSerial/ds:X509SerialNumber"),
        )


def moment_of(text: str) -> datetime | None:
    """The moment of a date and time, in Riyadh unless it says its zone; None if it cannot be read."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=RIYADH)
