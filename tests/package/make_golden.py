"""Makes the package that later versions have to verify still; run once for each version of the form.

python -m tests.package.make_golden tests/package/golden/version-1.zip
"""

import sys
import tempfile
from pathlib import Path

from gateway.pipeline.export import export
from gateway.pipeline.export_facts import Scope
from gateway.pipeline.gateway import open_gateway
from gateway.simulator import Running
from tests.installation import OWNER, installed
from tests.package.books import drain, fill


def make(path: Path) -> None:
    """Three documents that were answered, and one that was not."""
    with tempfile.TemporaryDirectory() as home, Running() as authority:
        settings, _ = installed(Path(home), authority)
        with open_gateway(settings) as gateway:
            fill(gateway, 3)
            drain(gateway)
            fill(gateway, 1, first=3)
            export(gateway, OWNER, Scope(), path, actor="tests")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
