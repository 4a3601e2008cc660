"""Runs the documentation: what is printed after a `$ ` is typed into a shell, and what follows it has to come out."""

import doctest
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
PATIENCE = 30.0
"""Seconds for one command, and for a server to start."""

_END = "-- end of output --"
_SERVERS = re.compile(r"gateway (simulate|serve)$")
_KEY = re.compile(r"gw_test_[0-9a-f]{10}_[\w-]{32}")

# What differs from run to run, and what stands for it.
_CHANGING = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "UUID"),
    (re.compile(r"(?<![\w+/=])[A-Za-z0-9+/]{43}=(?![\w+/=])"), "HASH"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(\+03:00|Z)?"), "MOMENT"),
    (re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d)?"), "MOMENT"),
    (re.compile(r"127\.0\.0\.1:\d+"), "ADDRESS"),
    (_KEY, "KEY"),
    (re.compile(r"─+"), "─"),
)


class Step(NamedTuple):
    """One command, the line it stands in, and the output that is printed under it."""

    line: int
    command: str
    output: str


class Fence(NamedTuple):
    """One fenced block: its language, the line of its first content, and its text."""

    language: str
    line: int
    text: str


def fences(document: Path) -> Iterator[Fence]:
    """The fenced blocks of a document."""
    for found in re.finditer(r"^```(\w*)\n(.*?)^```$", document.read_text(encoding="utf-8"), re.M | re.S):
        yield Fence(found[1], found.string.count("\n", 0, found.start(2)) + 1, found[2])


def steps(document: Path) -> Iterator[Step]:
    """What is typed in a document's console blocks, in order; lines beginning with `> ` continue a command."""
    for fence in fences(document):
        if fence.language == "console":
            for found in re.finditer(r"^\$ (.*\n(?:> .*\n)*)((?:(?!\$ ).*\n)*)", fence.text, re.M):
                line = fence.line + fence.text.count("\n", 0, found.start())
                yield Step(line, re.sub(r"^> ", "", found[1].rstrip("\n"), flags=re.M), found[2])


def settled(text: str) -> str:
    """The text without what differs from run to run, and without blanks at the ends of its lines."""
    for pattern, word in _CHANGING:
        text = pattern.sub(word, text)
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip()) + "\n"


def agrees(wanted: str, got: str) -> bool:
    """Whether an output is the one that is printed; `...` stands for anything, and widths of blanks do not count."""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return doctest.OutputChecker().check_output(settled(wanted), settled(got), flags)


class Shell:
    """One bash in which a document's commands run one after another, and the servers it starts."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._ports = {port: _free_port() for port in ("8000", "8100", "8101")}
        self._keys: dict[str, str] = {}
        self._environment = environment | {"GATEWAY_PORT": self._ports["8000"]}
        self._folder = folder
        self._exports = ""
        self._servers: list[subprocess.Popen[bytes]] = []
        self._bash = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=folder,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )

    def follow(self, step: Step) -> str | None:
        """Type a step; what is wrong with its output, None if it is as printed. A question is asked until it agrees."""
        if _SERVERS.match(step.command):
            self._serve(step.command)
            return None
        until = time.monotonic() + 5.0
        while True:
            got = self.type(step.command)
            if _KEY.fullmatch(step.output.strip()):
                self._keys[step.output.strip()] = got.strip()
            if agrees(step.output, got):
                return None
            if time.monotonic() > until or not re.match(r"curl(?!.* -d )|gateway status", step.command):
                return f"line {step.line}: $ {step.command}\n--- printed\n{step.output}\n--- came\n{got}"
            time.sleep(0.1)

    def type(self, command: str) -> str:
        """What a command prints."""
        assert self._bash.stdin
        assert self._bash.stdout
        for printed, real in (*self._keys.items(), *self._addresses()):
            command = command.replace(printed, real)
        if command.startswith("export "):
            self._exports += f"{command}; "
        self._bash.stdin.write(f"{{ {command}\n}} </dev/null; _was=$?; echo; echo '{_END}'; (exit $_was)\n")
        self._bash.stdin.flush()
        watch = threading.Timer(PATIENCE, self._bash.kill)
        watch.start()
        try:
            lines = list(iter(self._bash.stdout.readline, f"{_END}\n"))
        finally:
            watch.cancel()
        return "".join(lines)

    def close(self) -> None:
        """Stop the shell and its servers."""
        for server in self._servers:
            server.terminate()
        for server in self._servers:
            server.wait(PATIENCE)
        self._bash.kill()
        self._bash.communicate()

    def _addresses(self) -> Iterator[tuple[str, str]]:
        for port, real in self._ports.items():
            yield f"127.0.0.1:{port}", f"127.0.0.1:{real}"

    def _serve(self, command: str) -> None:
        port = self._ports["8000"]
        if command.endswith("simulate"):
            port = self._ports["8100"]
            command += f" --port {port} --management-port {self._ports['8101']}"
        server = subprocess.Popen(
            ["bash", "-c", f"{self._exports} exec {command}"],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._servers.append(server)
        _await_port(int(port), server)


def _free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as door:
        return str(door.getsockname()[1])


def _await_port(port: int, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on port {port}")
