"""`python run_edited.py FOLDER...`: runs the script in each folder, and says which of them added dendrites.

What most scripts import is imported once; every script is a fork of this process. Pictures are not drawn.
A script in a folder `NAME@2` is run by two processes, which find each other at a free port of this machine.
"""

import json
import os
import runpy
import socket
import sys
from pathlib import Path

import accelerate  # noqa: F401  # of four scripts
import torch
import torch._dynamo  # of every script: its first optimizer imports it
from perforatedai import utils_perforatedai

PASSED = "Successfully added 3 dendrites"


def processes(folder: Path) -> int:
    return int(folder.name.partition("@")[2] or 1)


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def child(folder: Path, rank: int, port: int) -> None:
    """In a process of its own: the script of a folder, as `python SCRIPT` would run it."""
    script = next(folder / name for name in ("main.py", "train.py") if (folder / name).exists())
    log = os.open(folder / f"log{rank}.txt", os.O_WRONLY | os.O_CREAT)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    sys.argv = [script.name]
    if (size := processes(folder)) > 1:
        if "--world-size" in script.read_text():
            sys.argv += ["--world-size", str(size)]
        os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size)}
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    runpy.run_path(str(script), run_name="__main__")


def main(folders: list[Path]) -> None:
    perforate = utils_perforatedai.perforate_model
    utils_perforatedai.perforate_model = lambda *given, **named: perforate(
        *given, **named, making_graphs=False
    )
    torch.set_num_threads(1)
    running: dict[int, tuple[Path, int]] = {}
    outcome = {}

    def wait() -> None:
        pid, status = os.wait()
        folder, rank = running.pop(pid)
        log = (folder / f"log{rank}.txt").read_text(errors="replace")
        name = f"{folder.name} rank {rank}" if processes(folder) > 1 else folder.name
        outcome[name] = {"status": os.waitstatus_to_exitcode(status), "passed": PASSED in log}
        if PASSED not in log:
            outcome[name]["log"] = log[-2000:]

    for folder in folders:
        while running and len(running) + processes(folder) > 2:
            wait()
        port = free_port()
        for rank in range(processes(folder)):
            pid = os.fork()
            if pid == 0:
                try:
                    child(folder, rank, port)
                except BaseException as error:
                    print(f"{type(error).__name__}: {error}", flush=True)
                    os._exit(1)
                sys.stdout.flush()
                os._exit(0)
            running[pid] = (folder, rank)
    while running:
        wait()
    print(json.dumps(outcome))


if __name__ == "__main__":
    main([Path(name).resolve() for name in sys.argv[1:]])
