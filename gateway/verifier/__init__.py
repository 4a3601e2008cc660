"""The verifier of packages. It knows nothing of the gateway: an auditor runs it alone, as one file out of the package.

That file is made of these modules, one after the other; there is no second logic.
"""

import re
from importlib import resources

from gateway.verifier.alone import fingerprint, fingerprint_of
from gateway.verifier.report import CODES, Fault, Report
from gateway.verifier.verify import verify

__all__ = ["CODES", "Fault", "Report", "fingerprint", "fingerprint_of", "single_file", "verify"]

_MODULES = ("report", "container", "seal", "stamps", "books", "work", "verify", "alone")
_OWN = re.compile(r"^from gateway\.verifier\.\w+ import .*\n", re.M)
_HEAD = '''#!/usr/bin/env python3
"""Verifies a package of e-invoices: python3 verify.py PACKAGE. It needs Python 3.11 or newer with the libraries lxml
and cryptography; coincurve makes it faster. No network, no database, and nothing of the system that made the package.
"""

import sys
from importlib.util import find_spec

if missing := [name for name in ("lxml", "cryptography") if find_spec(name) is None]:
    sys.stderr.write(f"Error: this needs {' and '.join(missing)}: pip install {' '.join(missing)}\\n")
    sys.exit(2)

'''


def single_file() -> bytes:
    """The verifier as one file."""
    folder = resources.files("gateway.verifier")
    texts = (folder.joinpath(f"{name}.py").read_text(encoding="utf-8") for name in _MODULES)
    return (_HEAD + "\n\n".join(_OWN.sub("", text) for text in texts)).encode()
