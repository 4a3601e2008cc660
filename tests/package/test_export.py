"""What is in a package, and how it is made."""

import zipfile

from gateway.verifier import verify


def test_a_package_is_an_ordinary_zip_and_sound(package):
    with zipfile.ZipFile(package) as zipped:
        assert zipped.testzip() is None
        names = zipped.namelist()
    print(names)
    report = verify(package)
    print("\n".join(report.lines()))
    assert report.faults == []
