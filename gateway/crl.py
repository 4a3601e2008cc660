"""A list of revoked certificates (CRL, RFC 5280) as the authority publishes it: what it says, and whose it is.

A certificate names where its list and its issuer's certificate are published. Both come over plain http, so neither is
believed before it is proved: the issuer by having signed the unit's certificate, the list by the issuer's signature.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID

from gateway.csid import Certificate
from gateway.errors import BadInput

_UNREADABLE: Final = (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion)
_SIGNING_KEYS: Final = (
    rsa.RSAPublicKey,
    ec.EllipticCurvePublicKey,
    dsa.DSAPublicKey,
    ed25519.Ed25519PublicKey,
    ed448.Ed448PublicKey,
)


@dataclass(frozen=True)
class RevocationList:
    """A list that could be read; `next_update` is None where it promises no other."""

    this_update: datetime
    next_update: datetime | None
    _crl: x509.CertificateRevocationList = field(repr=False)

    def names(self, certificate: Certificate) -> datetime | None:
        """Since when the certificate is revoked by this list; None if it is not. BadInput if its entries cannot be
        read; of an entry that only gives no reason that can be read, the revocation counts."""
        try:
            entry = self._crl.get_revoked_certificate_by_serial_number(certificate.serial)
        except _UNREADABLE:
            raise _no_list() from None
        if entry is None:
            return None
        try:
            reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
        except (x509.ExtensionNotFound, *_UNREADABLE):
            return entry.revocation_date_utc
        return None if reason is x509.ReasonFlags.remove_from_crl else entry.revocation_date_utc

    def is_of_issuer(self, certificate: Certificate) -> bool:
        """Whether it bears the name of the certificate's issuer, which proves nothing yet."""
        try:
            return self._crl.issuer == _x509(certificate).issuer
        except _UNREADABLE:
            return False

    def is_signed_by(self, issuer: x509.Certificate) -> bool:
        """Whether this issuer signed it."""
        key = issuer.public_key()
        if not isinstance(key, _SIGNING_KEYS):
            return False
        try:
            return self._crl.is_signature_valid(key)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            return False


def read_revocation_list(data: bytes) -> RevocationList:
    """A list from its DER; BadInput if it is none."""
    try:
        crl = x509.load_der_x509_crl(data)
        return RevocationList(crl.last_update_utc, crl.next_update_utc, crl)
    except _UNREADABLE:
        raise _no_list() from None


def _no_list() -> BadInput:
    return BadInput("This is not a list of revoked certificates that can be read.")


def list_addresses(certificate: Certificate) -> tuple[str, ...]:
    """Where the certificate says that its list is published (CRL distribution points), http and https only."""
    try:
        points = _x509(certificate).extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except (x509.ExtensionNotFound, *_UNREADABLE):
        return ()
    return _addresses(name for point in points for name in point.full_name or ())


def issuer_addresses(certificate: Certificate) -> tuple[str, ...]:
    """Where the certificate says that its issuer's certificate is published."""
    try:
        access = _x509(certificate).extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, *_UNREADABLE):
        return ()
    of_issuers = AuthorityInformationAccessOID.CA_ISSUERS
    return _addresses(each.access_location for each in access if each.access_method == of_issuers)


def issuer_among(candidates: Iterable[x509.Certificate], certificate: Certificate) -> x509.Certificate | None:
    """The one that signed the certificate; None if none of them did."""
    issued = _x509(certificate)
    for candidate in candidates:
        try:
            issued.verify_directly_issued_by(candidate)
        except (InvalidSignature, *_UNREADABLE):
            continue
        return candidate
    return None


def read_issuers(data: bytes) -> tuple[x509.Certificate, ...]:
    """The certificates in a PEM text, or the one in DER; BadInput if there is none that can be read."""
    try:
        if data[:1] == b"\x30":
            return (x509.load_der_x509_certificate(data),)
        return tuple(x509.load_pem_x509_certificates(data))
    except _UNREADABLE:
        raise BadInput("These are not certificates that can be read.", fix="Give them in PEM or DER.") from None


def _x509(certificate: Certificate) -> x509.Certificate:
    return x509.load_der_x509_certificate(certificate.der)


def _addresses(names: Iterable[x509.GeneralName]) -> tuple[str, ...]:
    found = (name.value for name in names if isinstance(name, x509.UniformResourceIdentifier))
    return tuple(url for url in found if url.startswith(("http://", "https://")))
