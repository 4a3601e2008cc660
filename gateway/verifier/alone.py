"""The command line of the verifier alone, as an auditor has it: one file out of the package."""

import argparse
import io
import json
import os
import re
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from gateway.verifier.verify import verify


def fingerprint_of(file: Path) -> str:
    """The fingerprint of a certificate in a file, PEM or DER; ValueError if there is none."""
    data = file.read_bytes()
    is_pem = data.lstrip().startswith(b"-----")
    certificate = x509.load_pem_x509_certificate(data) if is_pem else x509.load_der_x509_certificate(data)
    return certificate.fingerprint(SHA256()).hex()


def fingerprint(text: str) -> str:
    """A fingerprint as it is compared; ValueError if it is none, for an empty one would be compared with nothing."""
    plain = text.replace(":", "").strip().lower()
    if not re.fullmatch("[0-9a-f]{64}", plain):
        raise ValueError("a SHA-256 fingerprint has 64 hexadecimal digits")
    return plain


def main(arguments: list[str] | None = None) -> int:
    """The command line of the verifier alone: exit 0 if nothing is wrong, 1 if something is, 2 if it cannot be read."""
    parser = argparse.ArgumentParser(description="Verify a package of e-invoices; it needs no network and no database.")
    parser.add_argument("package", type=Path, help="the package, a ZIP or the folder it was unpacked to")
    parser.add_argument(
        "--fingerprint", type=fingerprint, help="SHA-256 fingerprint of the sealing certificate you trust"
    )
    parser.add_argument("--certificate", type=Path, help="file with the sealing certificate you trust")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at work (all cores)")
    parser.add_argument("--json", action="store_true", help="the report as JSON")
    asked = parser.parse_args(arguments)
    try:
        trusted = fingerprint_of(asked.certificate) if asked.certificate else asked.fingerprint or ""
        report = verify(asked.package, jobs=max(asked.jobs, 1), trusted=trusted)
    except (OSError, ValueError) as error:
        said = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else error
        sys.stderr.write(f"Error: {said}\n")
        return 2
    said = json.dumps(report.as_json()) if asked.json else "\n".join(report.lines())
    if isinstance(sys.stdout, io.TextIOWrapper):  # names are in Arabic, and not every terminal has the letters
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.stdout.write(said + "\n")
    return 0 if report.is_sound else 1


if __name__ == "__main__":
    sys.exit(main())
