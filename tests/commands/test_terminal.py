"""`train` as a process: quick help, clean pipes, a live view in a terminal, and Ctrl-C."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from safetensors import safe_open

from frustration import SimpleMLP

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent
TRAIN = str(BIN / "train")
QUICK = ("--train-fraction", "0.04", "--lr", "1e-3", "--threads", "1")
ESCAPE = "\x1b"


@pytest.mark.parametrize(
    "module", ["commands", "commands.train", "commands.clean", "commands.probe", "terminal.view"]
)
def test_commands_import_nothing_heavy(module):
    program = (
        f"import sys, time; import frustration.{module}; "
        f"print([name for name in ('torch', 'numpy', 'safetensors', 'boto3') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("command", [("frustration", "--help"), ("train", "--help"), ("clean", "--help")])
def test_help_is_asked_of_the_command_by_its_name(command):
    done = subprocess.run([str(BIN / command[0]), *command[1:]], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"usage: {command[0]}")


def test_python_m_frustration_is_the_umbrella():
    done = subprocess.run([sys.executable, "-m", "frustration", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("frustration-engine ")


def test_a_pipe_gets_no_control_codes_even_if_colour_is_forced(tmp_path):
    environment = {**os.environ, "FORCE_COLOR": "1", "TERM": "xterm-256color", "TTY_COMPATIBLE": "1"}
    done = subprocess.run(
        [
            TRAIN,
            *QUICK,
            "--model-dir",
            str(tmp_path),
            "--arch",
            "[1*2]",
            "--meta-loops",
            "2",
            "--trials",
            "2",
        ],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    assert not re.search(r"[^\n -~│─±]", done.stdout)
    assert done.stdout.count("checkpoints: ") == 1


def test_an_output_that_cannot_show_everything_is_no_reason_to_fail(tmp_path):
    done = subprocess.run(
        [
            TRAIN,
            *QUICK,
            "--model-dir",
            str(tmp_path),
            "--arch",
            "[1*2]",
            "--meta-loops",
            "1",
            "--trials",
            "2",
        ],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        check=True,
    )
    assert b" ? " in done.stdout  # the plus-minus sign


def test_a_reader_who_leaves_ends_the_run_quietly(tmp_path):
    command = [TRAIN, *QUICK, "--model-dir", str(tmp_path), "--arch", "[1*2]", "--meta-loops", "100000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline().startswith("[1*2] on mnist")
        run.stdout.close()
        assert run.wait(30) == 1
        assert run.stderr.read() == ""


WRITERS = [
    ("train", *QUICK, "--arch", "[1*2]", "--meta-loops", "2", "--model-dir", "models"),
    (
        "train",
        *QUICK,
        "--arch",
        "[]",
        "--meta-loops",
        "1",
        "--trials",
        "90",
        "--json",
        "--model-dir",
        "models",
    ),
    ("train", "--help"),
    ("clean", "--model-dir", "nowhere"),
    ("frustration", "clean", "--model-dir", "nowhere"),
]


@pytest.mark.parametrize("command", WRITERS, ids=" ".join)
@pytest.mark.parametrize(
    "where, sentence",
    [
        (">/dev/full", "cannot write to standard output: No space left on device"),
        (">&-", "standard output is closed, so there is nowhere to write to"),
    ],
)
def test_an_output_that_takes_nothing_is_one_sentence(tmp_path, command, where, sentence):
    """The long line of 90 trials is never in a buffer, the short ones are."""
    shell = ["sh", "-c", f'"$@" {where}', "sh", str(BIN / command[0]), *command[1:]]
    done = subprocess.run(shell, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr in (f"{name}: {sentence}\n" for name in command[:2])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("trials", [(), ("--trials", "3")])
def test_a_signal_ends_the_run_with_130_and_what_was_done_is_kept(tmp_path, number, trials):
    command = [
        TRAIN, *QUICK, "--model-dir", str(tmp_path), "--arch", "[1*4]", "--meta-loops", "100000", *trials
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        lines = iter(run.stdout.readline, "")
        assert next(line for line in lines if re.search(r"loop +\d+/100000", line))
        run.send_signal(number)
        out, err = run.communicate(timeout=30)
    assert (run.returncode, err) == (130, "")
    assert "interrupted: " in out
    assert "to continue: the same command; " in out
    kept = sorted(tmp_path.rglob("*_lkg.safetensors"))
    assert len(kept) == (3 if trials else 1)
    for path in kept:
        with safe_open(path, framework="pt") as file:
            network = SimpleMLP("[1*4]")
            network.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
            assert int(file.metadata()["meta_loops"]) >= 1


def test_a_signal_before_training_ends_the_run_at_once(tmp_path):
    program = (
        "import os, signal, sys\n"
        "from frustration import session\n"
        "from frustration.commands.train import main\n"
        "session.load = lambda name: os.kill(os.getpid(), signal.SIGINT) or signal.pause()\n"
        f"sys.exit(main(['--model-dir', {str(tmp_path / 'models')!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "train: interrupted\n")
    assert not (tmp_path / "models").exists()


def test_json_of_an_interrupted_run_is_whole(tmp_path):
    command = [TRAIN, *QUICK, "--model-dir", str(tmp_path), "--arch", "[1*2]", "--until", "100000", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        lines = [run.stdout.readline() for _ in range(3)]
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=30)
    said = [json.loads(line) for line in [*lines, *out.splitlines()]]
    assert (run.returncode, err) == (130, "")
    assert (said[0]["type"], said[-1]["type"]) == ("start", "end")
    assert said[-1]["interrupted"] is True
    (unfinished,) = said[-1]["unfinished"]
    assert unfinished["loops"] == said[-2]["loop"]
    assert Path(unfinished["checkpoint"]).is_file()


def in_a_terminal(columns: int, flags: list[str], keys: dict[str, bytes] | None = None, **environment: str):
    """(exit code, all that was written) of `train` in a terminal; `keys` are typed when a text appears."""
    pid, terminal = pty.fork()
    if pid == 0:
        # Not execv: readline, which pytest loads, sets COLUMNS where os.environ does not see it.
        asked = {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"}
        kept = {name: value for name, value in os.environ.items() if name not in asked}
        os.execve(TRAIN, [TRAIN, *QUICK, *flags], {**kept, "TERM": "xterm-256color", **environment})
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    written, keys, deadline = "", dict(keys or {}), time.monotonic() + 60
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            written += os.read(terminal, 65536).decode(errors="replace")
        except OSError:  # how Linux says that the other side has closed
            break
        for text in [text for text in keys if text in written]:
            os.write(terminal, keys.pop(text))
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), written


def plain(text: str) -> str:
    """Without control codes."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


@pytest.mark.parametrize("columns", [80, 45])
def test_the_live_view_shows_the_loops_and_ends_with_the_cursor_back(tmp_path, columns):
    code, written = in_a_terminal(
        columns,
        ["--model-dir", str(tmp_path), "--arch", "[1*4]", "--ablation-mode", "hidden", "--meta-loops", "12"],
    )
    assert code == 0
    shown = plain(written)
    assert "hidden 1" in shown
    assert "bounty % @ loop" in shown
    assert "━" in shown
    assert "100 %" in shown
    assert re.search(r"LKG test accuracy +[0-9.]+ %", shown)
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")
    wide = [line for line in re.split(r"[\r\n]+", shown) if len(line) > columns]
    assert wide == []


def test_the_live_view_of_a_comparison_gives_way_to_the_table(tmp_path):
    flags = ["--arch", "[1*4]", "--ablation-mode", "none", "hidden", "--trials", "2", "--meta-loops", "6"]
    code, written = in_a_terminal(80, ["--model-dir", str(tmp_path), *flags])
    assert code == 0
    shown = plain(written)
    assert "bounty so far" in shown
    assert shown.rindex("bounty so far") < shown.index("vs none")
    assert "(4 networks)" in shown


def test_without_colour_none_is_sent(tmp_path):
    flags = ["--model-dir", str(tmp_path), "--arch", "[1*2]", "--meta-loops", "4"]
    _, coloured = in_a_terminal(80, flags)
    _, bare = in_a_terminal(80, flags, NO_COLOR="1")
    assert re.search(r"\x1b\[[0-9;]*3[0-7]", coloured)
    assert not re.search(r"\x1b\[[0-9;]*[349][0-7]m", bare)


def test_a_dumb_terminal_gets_plain_lines(tmp_path):
    code, written = in_a_terminal(
        80, ["--model-dir", str(tmp_path), "--arch", "[1*2]", "--meta-loops", "1"], TERM="dumb"
    )
    assert code == 0
    assert ESCAPE not in written
    assert "loop 1/1" in written


def test_ctrl_c_in_a_terminal_leaves_it_tidy_and_says_what_is_safe(tmp_path):
    code, written = in_a_terminal(
        80, ["--model-dir", str(tmp_path), "--arch", "[1*4]", "--meta-loops", "100000"], {"accepted": b"\x03"}
    )
    assert code == 130
    assert "Traceback" not in written
    shown = plain(written)
    assert re.search(r"interrupted: \d+ of 100000 loops are done and kept", shown)
    assert "to continue: the same command" in shown
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")
