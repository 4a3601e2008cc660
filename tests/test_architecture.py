"""The dependency picture, read from the imports: rooms know only what lies below them."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "gateway"

# From the ground up. A room may import rooms of lower floors and, where its own floor says so, its neighbours.
CORE = frozenset(
    """errors finding verdict breaker consequence xml chain unit unit_file connection issued order codes invoice rules
    template ubl file_name exact_json spreadsheet looks webhook stamp dom4j qr qr_facts tlv csid crl foreign
    reconciliation""".split()
)
OURS_ALONE = frozenset("stamp dom4j qr qr_facts tlv ubl chain csid template".split())
"""What the simulator must not share, so that both cannot be wrong together."""
SHELL = {
    "settings": frozenset({"unit"}),
    "listener": frozenset({"errors"}),
    "disk": frozenset(),
    "outbound": CORE | {"settings"},
    "ledger": CORE | {"disk"},
    "archive": CORE | {"settings", "disk"},
    "keys": CORE | {"settings"},
    "authority": CORE,
    "stores": CORE,
    "erps": CORE,
    "simulator": {"listener"} | CORE - OURS_ALONE,
    "verifier": frozenset(),
    "package": frozenset({"errors", "spreadsheet", "disk", "verifier"}),
    "pdf": CORE,
    "answer": CORE,
    "official": CORE,
    "client": frozenset(),
}
ABOVE = {
    "pipeline": CORE | SHELL.keys() - {"listener", "disk", "simulator", "answer", "official"},
    "worker": CORE | {"settings", "ledger", "pipeline"},
    "api": CORE | {"settings", "answer", "ledger", "erps", "pipeline", "worker"},
    "demo": CORE | {"settings", "listener", "ledger", "pipeline", "api", "simulator"},
    "commands": CORE | set(SHELL) | {"pipeline", "worker", "api", "demo"},
    "__main__": frozenset({"errors", "commands"}),
}
NOT_IN_CORE = frozenset("httpx2 httpx sqlmodel sqlalchemy fastapi starlette time random os secrets socket".split())


def imports(file: Path) -> set[str]:
    """The modules a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {
                f"{node.module}.{alias.name}" if node.module == "gateway" else node.module for alias in node.names
            }
    return found


def room_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def rooms_imported(file: Path) -> set[str]:
    return {name.split(".")[1] for name in imports(file) if name.startswith("gateway.")} - {"__version__"}


FILES = sorted(file for file in PACKAGE.rglob("*.py") if room_of(file) != "__init__")


def test_every_room_has_its_place_in_the_picture():
    assert {room_of(file) for file in FILES} == CORE | set(SHELL) | set(ABOVE)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_room_knows_only_what_lies_below_it(file):
    room = room_of(file)
    below = (CORE if room in CORE else SHELL[room] if room in SHELL else ABOVE[room]) | {room}
    assert rooms_imported(file) <= below


@pytest.mark.parametrize(
    "file", [f for f in FILES if room_of(f) in CORE], ids=lambda file: str(file.relative_to(PACKAGE))
)
def test_the_core_has_no_clock_no_chance_and_no_network(file):
    assert not {name.split(".")[0] for name in imports(file)} & NOT_IN_CORE


def test_the_simulator_cannot_be_wrong_together_with_us():
    for file in (PACKAGE / "simulator").rglob("*.py"):
        assert not rooms_imported(file) & OURS_ALONE, file
        assert "gateway.rules.stamped" not in imports(file), file


def sizes(file: Path) -> list[tuple[str, int]]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return [(f"{file.name}:{node.name}", (node.end_lineno or 0) - node.lineno + 1) for node in functions]


def test_functions_and_modules_stay_readable():
    too_long = [name for file in FILES for name, lines in sizes(file) if lines > 70]
    too_big = [file.name for file in FILES if len(file.read_text(encoding="utf-8").splitlines()) > 500]
    assert (too_long, too_big) == ([], [])
    lengths = sorted(lines for file in FILES for _, lines in sizes(file))
    assert lengths[len(lengths) // 2] <= 12
    assert lengths[len(lengths) * 95 // 100] <= 45


def test_no_drawer_for_everything():
    names = {part for file in FILES for part in file.relative_to(PACKAGE).with_suffix("").parts}
    assert not names & {"utils", "util", "helpers", "services", "managers", "common", "misc"}
