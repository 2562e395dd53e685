"""A shell completes commands, verbs and flags: the very ones that the parsers know."""

import subprocess
import sys

import pytest

from frustration.commands import COMMANDS, main
from frustration.commands.arguments import parser_of
from frustration.commands.train import main as train

TYPED = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
"_shtab_$1" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    """The file that bash reads for the umbrella."""
    path = tmp_path_factory.mktemp("completion") / "frustration.bash"
    command = [sys.executable, "-m", "frustration", "completion", "bash"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    path.write_text(done.stdout)
    return path


@pytest.mark.parametrize(
    "typed, offered",
    [
        ("frustration stu", {"study"}),
        ("frustration study ", {"run", "status", "retry"}),
        ("frustration study run --th", {"--threads"}),
        ("frustration train --meta", {"--meta-loops"}),
        ("frustration clean-all --mod", {"--model-dir"}),
    ],
)
def test_bash_completes(script, typed, offered):
    words = typed.split(" ")
    done = subprocess.run(["bash", "-c", TYPED, "bash", script, *words], capture_output=True, text=True)
    assert done.stderr == ""
    assert offered <= set(done.stdout.split())
    assert all(word.startswith(words[-1]) for word in done.stdout.split())


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_every_shell_gets_a_script_with_every_command(shell, capsys):
    assert main(["completion", shell]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in COMMANDS)


def test_a_command_of_its_own_has_one_too(capsys):
    assert main(["completion", "bash", "train"]) == 0
    assert "--ablation-mode" in capsys.readouterr().out


def test_the_parser_of_a_command_is_found_without_doing_anything(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert parser_of(train, []).prog == "train"
    assert not list(tmp_path.iterdir())
    assert train(["--no-such-flag"]) == 2  # and it reads again


@pytest.mark.parametrize(
    "words, said",
    [
        ([], "name a shell: bash, zsh, tcsh"),
        (["bsh"], '"bsh" is no shell (did you mean bash?); there are bash, zsh, tcsh'),
        (["bash", "trian"], 'there is no command "trian" (did you mean train?)'),
    ],
)
def test_what_cannot_be_completed_is_one_sentence(words, said, capsys):
    assert main(["completion", *words]) == 2
    assert capsys.readouterr().err == f"frustration completion: {said}\n"
