"""The verifier alone: what it needs, what it proves, and what whoever has a key of their own cannot do."""

import ast
import base64
import hashlib
import json
import subprocess
import sys
import zipfile
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from signxml.xades import XAdESSignatureConfiguration, XAdESVerifier

from gateway.package import make_seal
from gateway.verifier import CODES, single_file, verify
from gateway.verifier import verify as verifier_of
from gateway.verifier.books import canonical
from tests.installation import OWNER
from tests.package.books import new_seal
from tests.package.tampering import read, write

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.zip"))
ALLOWED = {"lxml", "cryptography", "coincurve"}


# --- one file that needs nothing of ours ------------------------------------------------------------------------------


def test_the_verifier_in_the_package_is_this_one_and_imports_nothing_of_ours(package):
    source = read(package)["verify.py"]
    assert source == single_file()
    tree = ast.parse(source)
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} <= ALLOWED | sys.stdlib_module_names


def test_no_two_of_its_modules_use_one_name():
    """They become one file, where the later would take the place of the former."""
    names: list[str] = []
    for node in ast.parse(single_file()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names += [each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)]
    assert sorted(name for name in set(names) if names.count(name) > 1) == []


def alone(folder: Path, *arguments, isolated: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the package's own verifier in an interpreter that cannot find the gateway."""
    hide = "import sys; sys.modules['gateway'] = None; import runpy; sys.argv = sys.argv[1:]"
    run = f"{hide}; runpy.run_path(sys.argv[0], run_name='__main__')"
    command = [sys.executable, *["-I"] * isolated, "-c", run, folder / "verify.py", *arguments]
    return subprocess.run([str(each) for each in command], capture_output=True, text=True, timeout=60)


def test_it_runs_alone_on_a_package_and_on_the_folder_it_was_unpacked_to(package, certificate, tmp_path):
    with zipfile.ZipFile(package) as zipped:
        zipped.extractall(tmp_path)
    fingerprint = certificate.fingerprint(SHA256()).hex()
    for target in (package, tmp_path):
        ended = alone(tmp_path, target, "--json", "--fingerprint", fingerprint)
        assert ended.returncode == 0, ended
        said = json.loads(ended.stdout)
        assert (said["sound"], said["counts"]["documents"]) == (True, 8)
    document = next((tmp_path / "documents").iterdir())
    document.write_bytes(document.read_bytes().replace(b"115.00", b"915.00"))
    ended = alone(tmp_path, tmp_path)
    assert ended.returncode == 1
    assert f"WRONG file.changed: documents/{document.name}" in ended.stdout
    assert alone(tmp_path, tmp_path / "nowhere").returncode == 2


def test_many_processes_find_the_same(package, tmp_path, monkeypatch):
    import importlib

    module = importlib.import_module("gateway.verifier.verify")
    monkeypatch.setattr(module, "_BATCH", 2)
    files = read(package)
    name = next(each for each in files if each.startswith("documents/"))
    write(tmp_path / "p.zip", [(each, files[each] + b" " * (each == name)) for each in files])
    told = []
    reports = [
        verifier_of(tmp_path / "p.zip", jobs=jobs, tell=lambda done, total: told.append((done, total)))
        for jobs in (1, 2)
    ]
    assert [[each.part for each in report.faults] for report in reports] == [[name], [name]]
    assert reports[0].counts == reports[1].counts
    assert told[-1][0] == told[-1][1]


# --- the seal ---------------------------------------------------------------------------------------------------------


def test_the_seal_is_standard_xades_and_another_verifier_agrees(package, certificate):
    data = etree.fromstring(read(package)["seal.xml"])
    expected = XAdESSignatureConfiguration(expect_references=3)
    found = XAdESVerifier().verify(
        data, x509_cert=certificate.public_bytes(Encoding.PEM).decode(), expect_config=expected
    )
    signed = etree.fromstring(found[0].signed_data)
    digest = hashlib.sha256(read(package)["manifest.json"]).hexdigest()
    assert signed.find("{*}file").get("sha256") == digest


def test_a_seal_by_another_certificate_is_told_from_the_one_that_is_trusted(package, certificate, tmp_path):
    fingerprint = certificate.fingerprint(SHA256()).hex()
    spelled = ":".join(fingerprint[at : at + 2] for at in range(0, 64, 2)).upper()
    assert verify(package, trusted=spelled).is_sound
    assert [each.code for each in verify(package, trusted="00" * 32).faults] == ["seal.other"]
    assert any("Whose certificate made the seal" in each for each in verify(package).unproved)


# --- who seals what they changed --------------------------------------------------------------------------------------


def resealed(package, path, change, seal=None) -> list[tuple[str, str]]:
    """Change files, put them into list and manifest as they are now, seal with a key of one's own: the faults, parts
    without what follows a comma."""
    files = read(package)
    manifest = json.loads(files.pop("manifest.json"))
    lines = [json.loads(line) for line in files.pop("files.jsonl").splitlines()]
    order = [each["path"] for each in lines]
    files.pop("seal.xml")
    if own_checkpoint := manifest["audit"]["checkpoint"]:  # which cannot be signed by another
        del files[own_checkpoint["path"]]
        manifest["audit"]["checkpoint"] = None
    change(files, manifest)
    order += [name for name in files if name not in order]
    listed = [{"path": name, "sha256": digest(files[name])} for name in order if name in files]
    content = b"".join(canonical(each) + b"\n" for each in listed)
    manifest["files"]["sha256"] = digest(content)
    sealed = canonical(manifest)
    key, certificates = seal or new_seal("forger")
    last = {"files.jsonl": content, "manifest.json": sealed, "seal.xml": make_seal(sealed, key, certificates)}
    folder = path / "forged"
    for name, data in {**files, **last}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return [(each.code, each.part.partition(",")[0]) for each in verify(folder).faults]


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def first(files, kind: str) -> str:
    return next(name for name in files if name.startswith(kind))


def chain_of(files) -> tuple[str, list[dict]]:
    name = first(files, "chains/")
    return name, [json.loads(line) for line in files[name].splitlines()]


def put_chain(files, name, links) -> None:
    files[name] = b"".join(canonical(each) + b"\n" for each in links)


def test_who_leaves_the_checkpoint_in_is_told_by_it(package, tmp_path):
    whole = read(package)["audit/checkpoint"]

    def change(files, manifest):
        files["audit/checkpoint"] = whole
        manifest["audit"]["checkpoint"] = {"path": "audit/checkpoint"}

    assert resealed(package, tmp_path, change) == [("audit.checkpoint", "audit/checkpoint")]


def test_resealed_without_a_change_only_the_seal_is_anothers(package, tmp_path):
    assert resealed(package, tmp_path, lambda files, manifest: None) == []


def test_an_amount_that_was_changed_breaks_the_hash(package, tmp_path):
    def change(files, manifest):
        name = first(files, "documents/")
        files[name] = files[name].replace(b"115.00", b"915.00")

    faults = resealed(package, tmp_path, change)
    assert {code for code, _ in faults} == {"document.hash"}
    assert {part for _, part in faults} == {first(read(package), "documents/")}


def test_a_document_hashed_anew_breaks_the_chain_and_the_signature(package, tmp_path):
    def change(files, manifest):
        name, links = chain_of(files)
        links[2]["hash"] = "A" * 43 + "="
        put_chain(files, name, links)

    codes = {code for code, _ in resealed(package, tmp_path, change)}
    assert codes == {"chain.break", "link.signature", "document.hash", "audit.document"}


@pytest.mark.parametrize("which", [0, 3, -1])
def test_a_document_taken_out_breaks_the_chain(package, tmp_path, which):
    def change(files, manifest):
        name, links = chain_of(files)
        gone = links.pop(which)
        for each in [gone["file"], *gone["answers"]]:
            del files[each["path"]]
        manifest["chains"][0]["documents"] -= 1
        put_chain(files, name, links)

    faults = resealed(package, tmp_path, change)
    assert {code for code, _ in faults} & {"chain.break", "chain.head"}


def test_an_end_cut_off_with_its_head_is_known_to_the_audit_log(package, tmp_path):
    """What is left is a sound shorter chain; but the log says that more was issued, a minute ago and before."""

    def change(files, manifest):
        manifest["made_at"] = (datetime.fromisoformat(manifest["made_at"]) + timedelta(hours=1)).isoformat()
        name, links = chain_of(files)
        gone = links.pop()
        del files[gone["file"]["path"]]
        about = manifest["chains"][0]
        about["documents"] -= 1
        about["head"] = {"icv": links[-1]["icv"], "hash": links[-1]["hash"]}
        put_chain(files, name, links)

    faults = resealed(package, tmp_path, change)
    assert [code for code, _ in faults] == ["audit.document"]


def test_a_status_needs_an_answer(package, tmp_path):
    def change(files, manifest):
        name, links = chain_of(files)
        links[-1]["status"] = "reported"
        put_chain(files, name, links)

    assert [code for code, _ in resealed(package, tmp_path, change)] == ["document.answer"]


def test_a_cleared_document_is_the_one_in_the_answer(package, tmp_path):
    def change(files, manifest):
        _, links = chain_of(files)
        link = next(each for each in links if each["cleared"])
        files[link["answers"][0]["path"]] = b'{"clearanceStatus":"CLEARED"}'

    assert [code for code, _ in resealed(package, tmp_path, change)] == ["document.answer"]


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        (b"xades:SigningTime", "document.stamp"),
        (b"ds:X509SerialNumber", "document.stamp"),
        (b"ds:SignatureValue", "document.stamp"),
        (b"cbc:EmbeddedDocumentBinaryObject mimeCode", "document.qr"),
    ],
)
def test_a_stamp_that_was_changed_does_not_hold(package, tmp_path, tag, code):
    def change(files, manifest):
        _, links = chain_of(files)
        for link in links:
            content = bytearray(files[link["file"]["path"]])
            at = content.rfind(b"<" + tag) if code == "document.qr" else content.find(b"<" + tag)
            at = content.index(b">", at) + 12
            content[at] = content[at] ^ 1 if content[at : at + 1].isdigit() else ord("A" if content[at] != 65 else "B")
            files[link["file"]["path"]] = bytes(content)

    faults = resealed(package, tmp_path, change)
    assert [found for found, _ in faults].count(code) == 8
    assert {found for found, _ in faults} <= {code, "document.answer", "document.qr"}


def test_an_audit_entry_that_was_changed_breaks_the_log(package, tmp_path):
    def change(files, manifest):
        name = first(files, "audit/entries")
        files[name] = files[name].replace(b'"actor":"tests"', b'"actor":"nobody"', 1)

    assert {code for code, _ in resealed(package, tmp_path, change)} == {"audit.break"}


def checkpoint(seal, files, manifest, before_it_is_signed=(), **changes) -> None:
    """Put a signed checkpoint of all there is into a package, but for some changes."""
    key, (certificate,) = seal
    batch = json.loads(files[first(files, "audit/batches")].splitlines()[-1])
    _, links = chain_of(files)
    chain = {"chain": manifest["chains"][0]["id"], "icv": links[-1]["icv"], "hash": links[-1]["hash"]}
    body = {
        "taxpayer": OWNER, "entries": batch["last_seq"], "batch": batch["number"], "hash": batch["hash"], "at": "now",
        "chains": [chain], "format": 1, "previous": "", "key": certificate.fingerprint(SHA256()).hex(),
    }  # fmt: skip
    body |= dict(before_it_is_signed)
    said = canonical(body)
    signed = base64.b64encode(key.sign(said, ec.ECDSA(SHA256())))
    files["audit/checkpoint"] = canonical({**body, **changes}) + b" " + signed + b"\n"
    manifest["audit"]["checkpoint"] = {"path": "audit/checkpoint"}


def test_log_and_chains_go_as_far_as_the_signed_checkpoint_says(package, tmp_path):
    seal = new_seal("seal")
    assert resealed(package, tmp_path, lambda *what: checkpoint(seal, *what), seal) == []
    assert any("signed checkpoint of now" in each for each in verify(tmp_path / "forged").proved)


def test_a_checkpoint_that_was_changed_or_is_anothers_is_none(package, tmp_path):
    seal = new_seal("seal")
    for changes, key in (({"entries": 1}, seal), ({}, new_seal("other")), ({"key": "00"}, seal)):

        def change(files, manifest, changes=changes, key=key):
            checkpoint(key, files, manifest, **changes)

        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        assert resealed(package, folder, change, seal) == [("audit.checkpoint", "audit/checkpoint")]


@pytest.mark.parametrize("changes", [{"batch": 99}, {"chains": [{"chain": "", "icv": 99, "hash": "x"}]}], ids=str)
def test_a_checkpoint_that_goes_further_is_found(package, tmp_path, changes):
    """So it is when the end of the books was cut off before they were exported."""
    seal = new_seal("seal")

    def change(files, manifest):
        for chain in changes.get("chains", ()):
            chain["chain"] = manifest["chains"][0]["id"]
        checkpoint(seal, files, manifest, before_it_is_signed=changes)

    assert [code for code, _ in resealed(package, tmp_path, change, seal)] == ["audit.checkpoint"]


@pytest.mark.parametrize("what", ["chain", "log"])
def test_what_does_not_go_as_far_as_the_checkpoint_is_found(package, tmp_path, what):
    """Books that were cut off and sealed again by whoever has the key, but not the checkpoint of before."""
    seal = new_seal("seal")

    def change(files, manifest):
        checkpoint(seal, files, manifest)
        name, links = chain_of(files)
        if what == "chain":
            links[-1]["hash"] = "A" * 43 + "="
            put_chain(files, name, links)
        else:
            name = first(files, "audit/batches")
            files[name] = files[name].replace(b'"sealed_at":"2', b'"sealed_at":"3')

    codes = {code for code, _ in resealed(package, tmp_path, change, seal)}
    assert "audit.checkpoint" in codes or "audit.batch" in codes
    assert ("audit.checkpoint" in codes) == (what == "chain")


def test_a_manifest_of_another_form_is_said_to_be_one(package, tmp_path):
    for broken in (lambda m: m.update(version=99), lambda m: m.pop("chains"), lambda m: m.update(chains=[{}])):
        folder = tmp_path / str(id(broken))
        faults = resealed(package, folder, lambda files, manifest, broken=broken: broken(manifest))
        assert [code for code, _ in faults] == ["manifest.unreadable"]


def test_every_code_says_what_it_means():
    assert all(text.endswith(".") for text in CODES.values())


# --- packages of before -----------------------------------------------------------------------------------------------


def test_there_is_a_package_of_every_version():
    assert [each.stem for each in GOLDEN] == ["version-1"]


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda path: path.stem)
def test_a_package_of_an_older_version_still_verifies(golden):
    report = verify(golden)
    assert report.faults == []
    assert report.counts["documents"] == 4


def test_no_name_stands_twice_in_the_single_file():
    """One module would take it from another there."""
    tree = ast.parse(single_file())
    named = [each.name for each in tree.body if isinstance(each, ast.FunctionDef | ast.ClassDef)]
    named += [target.id for each in tree.body if isinstance(each, ast.Assign) for target in each.targets
              if isinstance(target, ast.Name)]  # fmt: skip
    assert [name for name, count in Counter(named).items() if count > 1] == []


def test_it_says_which_libraries_it_misses(tmp_path):
    (tmp_path / "verify.py").write_bytes(single_file())
    ended = subprocess.run([sys.executable, "-I", "-S", tmp_path / "verify.py", "x"], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (
        2,
        "Error: this needs lxml and cryptography: pip install lxml cryptography\n",
    )
