"""Many documents of all kinds, exported and verified."""

import json
import resource
import time

import pytest

from gateway.pipeline.export import export
from gateway.pipeline.export_facts import Scope
from gateway.verifier import verify
from gateway.verifier.container import Zip
from tests.installation import OWNER
from tests.package.books import fill_with_all_kinds

SHORT, LONG = 300, 10_000
KINDS = {"388", "381", "383", "386"}


def links_of(package):
    opened = Zip(package)
    for name in sorted(each for each in opened.entries if each.startswith("chains/")):
        yield from map(json.loads, opened.read(name).splitlines())


def exported_and_verified(gateway, authority, count, path, jobs):
    fill_with_all_kinds(gateway, authority, count)
    done = export(gateway, OWNER, Scope(), path, actor="tests")
    assert done.documents >= count
    links = list(links_of(path))
    assert {(each["kind"], each["profile"]) for each in links} >= {
        (kind, profile) for kind in KINDS - {"386"} for profile in ("01", "02")
    } | {("386", "01")}
    statuses = {each["status"] for each in links}
    assert statuses >= {"cleared", "reported", "replaced", "issued", "held"}
    assert all(each["replaced_by"] for each in links if each["status"] == "replaced")
    report = verify(path, jobs=jobs)
    assert report.faults == []
    assert report.counts["documents"] == done.documents == report.counts["links"]


def test_hundreds_of_documents_of_all_kinds(gateway, authority, tmp_path):
    exported_and_verified(gateway, authority, SHORT, tmp_path / "package.zip", jobs=1)


@pytest.mark.torture
def test_ten_thousand_documents_of_all_kinds(gateway, authority, tmp_path):
    exported_and_verified(gateway, authority, LONG, tmp_path / "package.zip", jobs=2)
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    report = verify(tmp_path / "package.zip")
    rate = report.counts["documents"] / (time.process_time() - began)
    print(f"{rate:.0f} documents/s a core; {before / 1024:.0f} MB at most for all of it")
