"""The command line kept ready: imported once, forked for every command that a document types.

python ready.py SOCKET          waits for commands
python ready.py SOCKET ARG...   runs one, in this working directory, environment and with these three streams
"""

import json
import os
import signal
import socket
import sys
import traceback

_STREAMS = 3


def wait_for_commands(path: str) -> None:
    """Fork a process for each connection, until killed."""
    from gateway.__main__ import gateway, main

    for name in gateway.list_commands(None):
        gateway.get_command(None, name)
    import gateway.api.app
    import gateway.simulator

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(path)
        door.listen()
        while True:
            caller, _ = door.accept()
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _run(caller, main)
            caller.close()


def _run(caller: socket.socket, main) -> None:
    """Become the command that the caller asks for."""
    asked, streams, _, _ = socket.recv_fds(caller, 1 << 16, _STREAMS)
    while part := caller.recv(1 << 16):
        asked += part
    arguments, folder, environment = json.loads(asked)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    caller.sendall(f"{os.getpid()}\n".encode())
    status = 1
    try:
        main(arguments)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except Exception:  # noqa: BLE001, the process ends here, as Python itself would end it
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        caller.sendall(f"{status}\n".encode())
        os._exit(status)


def run(path: str, arguments: list[str]) -> int:
    """Have a command run; its exit status. A SIGTERM is passed on to it."""
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(path)
        folder = os.getcwd()  # noqa: PTH109, pathlib takes longer to import than all the rest
        asked = json.dumps([arguments, folder, dict(os.environ)]).encode()
        socket.send_fds(server, [asked[:1]], range(_STREAMS))
        server.sendall(asked[1:])
        server.shutdown(socket.SHUT_WR)
        answer = server.makefile()
        command = int(answer.readline())
        signal.signal(signal.SIGTERM, lambda *_: os.kill(command, signal.SIGTERM))
        return int(answer.readline() or 1)


if __name__ == "__main__":
    if len(sys.argv) == 2:
        wait_for_commands(sys.argv[1])
    else:
        sys.exit(run(sys.argv[1], sys.argv[2:]))
