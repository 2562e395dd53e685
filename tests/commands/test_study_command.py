"""`study`: runs, shows, verifies, extends, merges and exports; ends with a sentence and an exit code."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from frustration.commands import main as frustration
from frustration.commands.study import main
from frustration.commands.study_flags import RunOptions
from frustration.engine.trial import Trial
from frustration.errors import InputError
from frustration.record import LoopEntry
from frustration.record_reading import read_record
from frustration.report import figures
from frustration.runners.board import Board
from frustration.runners.events import LoopDone, StudyStart, TrialFailed
from frustration.study import manifest
from frustration.study.architecture_sets import SETS
from frustration.study.definition import Study
from frustration.study.presets import preset, preset_names
from frustration.study.store import Store
from frustration.terminal import study as study_progress
from frustration.terminal.study import Onlooker, StudyShow
from frustration.terminal.view import LiveView

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "studies" / "example.toml"
GRID = """
name = "grid"
architectures = ["[1*2]"]
modes = ["none", "decay"]
trials = 2
meta_loops = 2
train_fraction = 0.02
"""


@pytest.fixture(autouse=True)
def no_figures(monkeypatch):
    """A report without figures: tests/report has those, and they take longer than what is tested here."""
    monkeypatch.setattr(figures, "draw_all", lambda *given, **named: [])


@pytest.fixture
def grid(tmp_path) -> Path:
    path = tmp_path / "grid.toml"
    path.write_text(GRID)
    return path


class Lab:
    """Calls `study` with results in a folder of its own."""

    def __init__(self, capsys, results: Path) -> None:
        self.capsys, self.results = capsys, results

    def __call__(self, *words: str, code: int = 0) -> str:
        assert main([*words, "--results", str(self.results)]) == code
        printed = self.capsys.readouterr()
        if code == 2:
            assert printed.out == ""
            assert printed.err.startswith("frustration study: ")
            assert printed.err.count("\n") == 1
            return printed.err
        return printed.out

    def store(self, name: str = "grid") -> Store:
        return Store.open(name, self.results)


@pytest.fixture
def study(capsys, tmp_path) -> Lab:
    return Lab(capsys, tmp_path / "results")


def run_of(grid: Path, *more: str) -> tuple[str, ...]:
    return ("run", str(grid), "--threads", "1", *more)


def test_from_a_file_to_its_table_and_on(study, grid):
    printed = study(*run_of(grid))
    assert "grid: 4 trials (1 architecture x 2 modes x 2 trials, to loop 2)" in printed
    assert re.search(r"\[1\*2\] +decay +2 .*inert 2", printed)
    records, report = printed.rstrip().splitlines()[-2:]
    assert records.endswith("(4 of 4 trials)")
    assert report == f"report: {study.results / 'grid' / 'report' / 'report.html'}"
    assert str(study.results / "grid" / "trials") in printed
    again = study(*run_of(grid))
    assert "4 done" in again
    assert study("status", "grid") == study("status") == "grid: 4 of 4 trials done\n"
    assert "[1*2]" in study("show", "grid")

    assert "6 trials" in study("extend", "grid", "--trials", "3", "--threads", "1", "--no-estimate")
    assert study.store().study().trials == 3
    assert "already" not in study("extend", "grid", "--trials", "2", code=2)
    message = study(*run_of(grid), code=2)  # the file still says two trials
    assert "larger study" in message
    assert "frustration study run grid" in message
    assert "6 done" in study("run", "grid", "--threads", "1")


def test_a_dry_run_says_what_it_costs_and_writes_nothing(study, grid):
    printed = study(*run_of(grid, "--dry-run"))
    assert "2 of the missing trials cannot differ from a control that is trained" in printed  # its decay
    assert re.search(r"\[1\*2\] +2 +0:0\d +100.0", printed)
    assert re.search(r"estimate: .* core-hours, .* of memory beside the data, .* of disk", printed)
    assert not study.results.exists()


def test_a_problem_brings_its_data_and_is_no_axis_of_the_grid():
    grid = {"name": "both", "problems": ["digits:Digits"], "modes": ["none", "plain"], "trials": 2}

    def said(**more) -> str:
        whole = Study.from_fields({**grid, **more}, "the study", Path())
        specs = tuple(whole.specs(whole.no_digests()))
        where = {"backend": "native", "device": "cpu", "workers": 1}
        start = StudyStart(name="both", specs=specs, done=frozenset(), failed=frozenset(), **where)
        return study_progress.opening(start)

    assert "4 trials (1 problem x 2 modes x 2 trials" in said()
    assert "8 trials (2 networks x 2 modes x 2 trials" in said(architectures=["[1*2]"], train_fraction=0.5)


def test_too_few_loops_for_growth_are_warned_about_before_anything_runs(study, grid):
    path = grid.with_name("few.toml")
    path.write_text(GRID.replace('"decay"', '"dendrites"').replace('"grid"', '"few"'))
    said = study(*run_of(path, "--dry-run", "--no-estimate"))
    assert said.startswith('warning: mode "dendrites": its schedule cannot act before loop 12')
    assert "and there are 2 loops" in said
    assert study(*run_of(path)).startswith("warning: ")


def test_small_studies_are_not_measured(study, grid):
    assert "estimate" not in study(*run_of(grid))


def test_events_as_json(study, grid):
    events = [json.loads(line) for line in study(*run_of(grid, "--json")).splitlines()]
    kinds = [event["type"] for event in events]  # `decay` as published is `none`, so it is trained once
    assert kinds == ["start", *["loop"] * 4, *["trial"] * 4, "end"]
    assert events[-1] == {"type": "end", "trials": 4, "done": 4, "failed": 0, "interrupted": False}
    assert not list(study.results.glob("*/report")), "a report is for people; this one nobody asked for"
    study(*run_of(grid))
    assert len(list(study.results.glob("*/report"))) == 1


def test_quick_studies_need_no_file(study):
    flags = ("run", "--architectures", "[1*2]", "--modes", "none", "--meta-loops", "1", "--threads", "1")
    study(*flags, "--trials", "1")
    study(*flags, "--trials", "2")  # the same study, grown
    (folder,) = study.results.iterdir()
    assert re.fullmatch(r"quick-[0-9a-f]{8}", folder.name)
    assert len(study.store(folder.name).ids()[0]) == 2


def test_flags_win_over_the_file(study, grid):
    study(*run_of(grid, "--architectures", "[1*3]", "--modes", "hidden", "--trials", "1", "--name", "other"))
    (record,) = study.store("other").records()
    assert (str(record.spec.architecture), record.spec.label) == ("[1*3]", "hidden")


def test_a_failure_is_said_kept_and_retried(study, grid, monkeypatch):
    grid.write_text(GRID.replace('"decay"', '"hidden"'))
    judge = Trial.judge

    def failing(self, plan, result):
        if self.spec.label == "hidden" and self.spec.trial == 1:
            raise ZeroDivisionError("made up")
        return judge(self, plan, result)

    with monkeypatch.context() as patch:
        patch.setattr(Trial, "judge", failing)
        printed = study(*run_of(grid), code=1)
    assert "failed: [1*2] hidden, trial 1: ZeroDivisionError: made up" in printed
    assert (
        "1 trial failed (ZeroDivisionError: made up); `frustration study retry grid` runs it again" in printed
    )
    assert "1 failed: ZeroDivisionError: made up" in study("status", "grid")
    assert "failed 1" in study("show", "grid")
    study(*run_of(grid), code=1)  # not run again unasked
    assert "4 of 4" in study("retry", "grid", "--threads", "1")
    assert "failed" not in study("status", "grid")


def test_verify_says_which_trials_agree(study, grid):
    study(*run_of(grid))
    printed = study("verify", "grid", "--count", "2", "--seed", "3")
    assert printed.count("the same bits\n") == 3
    assert printed.endswith("verified: 2 of 2 trials gave the same bits\n")
    path = study.store().record_path(min(study.store().ids()[0]))
    record = read_record(path.read_bytes()).record()
    replace(record, test_accuracy=99.0).write(path)  # whole, and not what training gives
    printed = study("verify", "grid", "--count", "100", code=1)
    assert "99.0 then" in printed
    assert printed.endswith("1 of 4 trials do not give what their records say\n")


def test_merging_brings_two_folders_together(study, grid, capsys, tmp_path):
    study(*run_of(grid, "--trials", "1"))
    other = Lab(capsys, tmp_path / "elsewhere")
    other(*run_of(grid, "--trials", "3"))
    source = str(tmp_path / "elsewhere" / "grid")
    assert "4 trials copied, 2 there already" in study("merge", "grid", source)
    assert study.store().study().trials == 3
    assert "0 trials copied, 6 there already" in study("merge", "grid", source)
    assert "6 trials copied" in study("merge", "new", source)
    assert all(study.store("grid").network_path(i).exists() for i in study.store("grid").ids()[0])
    path = study.store().record_path(min(study.store().ids()[0]))
    path.write_text(re.sub(r'"bounty": [0-9.]+', '"bounty": 99.0', path.read_text(), count=1))
    study("merge", "grid", source, code=1)
    assert "99.0" in path.read_text()  # what is there stays
    other(*run_of(grid, "--meta-loops", "1", "--name", "short"))
    assert "meta_loops differ" in study("merge", "grid", str(tmp_path / "elsewhere" / "short"), code=2)


def test_export_gives_all_trials_and_all_curves(study, grid, tmp_path):
    study(*run_of(grid))
    rows = list(csv.DictReader(io.StringIO(study("export", "grid"))))
    assert {(row["mode"], row["trial"]) for row in rows} == {(m, t) for m in ("none", "decay") for t in "01"}
    assert {row["inert"] for row in rows} == {"", "decay"}
    study("export", "grid", "--curves", "--output", str(tmp_path / "curves.csv"))
    curves = list(csv.DictReader((tmp_path / "curves.csv").open()))
    assert [row["loop"] for row in curves] == ["1", "2"] * 4


@pytest.mark.parametrize("name", preset_names())
def test_presets_are_studies_that_can_be_copied(name, capsys):
    assert main(["presets", name]) == 0
    printed = capsys.readouterr().out
    assert Study.from_toml(printed) == preset(name)
    assert tomllib.loads(printed)["name"] == name


def test_the_presets_are_what_they_are_called(capsys):
    assert preset_names()[0] == "quickstart"
    assert preset("paper-98").architectures == SETS["paper-98"]
    assert preset("paper-98").size == 5880
    assert {"none", "plain", "hidden", "dropout", "noise", "dendrites", "wide@1"} == set(
        preset("quickstart").modes
    )
    assert preset("quickstart").trials >= 8
    digests = {("mnist", 1.0): ""}
    squares = {
        (all(m.ratchet for s in spec.program.segments for m in s.components), spec.optimizer)
        for spec in preset("ratchet").specs(digests)
    }
    assert squares == {(True, "fresh"), (True, "persist"), (False, "fresh"), (False, "persist")}


def test_the_example_uses_every_key():
    study = Study.from_file(EXAMPLE)
    assert study.size == 2 * 4 * 4 * 2
    written = {line.partition(" =")[0] for line in EXAMPLE.read_text().splitlines() if " = " in line}
    known = {line.partition(" =")[0] for line in study.to_toml().splitlines() if " = " in line}
    assert known <= written


@pytest.mark.parametrize(
    "words, said",
    [
        (("runn",), ('no "study runn"', "did you mean run?")),
        (("run", "quickstrat"), ('"quickstrat" is no file, preset or study', "did you mean quickstart?")),
        (("run", "nowhere.toml"), ("cannot read the study nowhere.toml",)),
        (("run", "--trials", "0"), ("--trials 0 is not a whole number",)),
        (("run", "--modes", "none"), ("--architectures is missing",)),
        (("run", "quickstart", "--modes", "hiden"), ('"hiden"', "did you mean hidden?")),
        (("run", "quickstart", "--name", "a/b"), ("becomes a folder",)),
        (("run", "--trails", "2"), ("no flag --trails", "did you mean --trials?")),
        (("show", "nothing"), ('no study "nothing"', "holds no study yet")),
        (("verify", "nothing"), ('no study "nothing"',)),
        (("extend", "nothing", "--trials", "3"), ('no study "nothing"',)),
        (("merge", "new", "nothing"), ('no study "nothing"',)),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_sentence(study, words, said):
    message = study(*words, code=2)
    assert all(word in message for word in said), message
    assert not study.results.exists()


def test_unknown_presets_are_refused(capsys):
    assert main(["presets", "ratchets"]) == 2
    assert "did you mean ratchet?" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["run"], ["status"], ["show"], ["verify"], ["extend"], ["merge"]])
def test_help_is_there_for_everything(words, capsys):
    assert frustration(["study", *words, "--help"]) == 0
    assert "study" in capsys.readouterr().out


def test_ctrl_c_ends_cleanly_and_the_same_command_continues(study, grid):
    longer = GRID.replace("meta_loops = 2", "meta_loops = 60").replace("0.02", "0.1")
    grid.write_text(longer.replace('"decay"', '"hidden"'))
    words = ["-m", "frustration", "study", *run_of(grid), "--results", str(study.results)]
    process = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True, env=os.environ)
    work = study.results / "grid" / "work"
    end = time.monotonic() + 60
    while not list(work.glob("*.resume.safetensors")):
        assert time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted: 0 of 4 trials are done" in printed
    assert "4 begun" in study("status", "grid")
    assert "(4 of 4 trials)" in study("run", "grid", "--threads", "1")


def entry_of(loop: int) -> LoopEntry:
    return LoopEntry(
        loop=loop,
        mode="none",
        loss=1.0,
        before=None,
        damaged=None,
        accuracy=50.0,
        accepted=True,
        new_bounty=True,
    )


def start_of(loops: int, modes: str = '"none"') -> StudyStart:
    """A small trial and a large one of each mode."""
    text = f'architectures = ["[1*2]", "[1*1024]"]\nmodes = [{modes}]\ntrials = 1\nmeta_loops = {loops}\n'
    study = Study.from_toml('name = "two"\n' + text)
    return StudyStart(
        name=study.name,
        specs=tuple(study.specs({("mnist", 1.0): ""})),
        done=frozenset(),
        failed=frozenset(),
        backend="torch",
        device="cpu",
        workers=1,
    )


def test_time_left_counts_what_trials_cost_and_not_how_many_there_are():
    start = start_of(loops=1)
    small, large = start.specs
    clock = iter([0.0, 10.0])
    board = Board.of_study(start, {small.id: 1.0, large.id: 99.0}, lambda: next(clock))
    board.loop_done(LoopDone(small.id, entry_of(1), 50.0, 1))
    assert board.meter.share == pytest.approx(0.01)
    assert board.meter.left == pytest.approx(990.0)
    assert board.modes["none"].curve(board.settings.names) == [50.0]
    assert Board.of_study(start).meter.share == 0  # without costs, the larger is taken to cost more
    board = Board.of_study(start)
    board.loop_done(LoopDone(small.id, entry_of(1), 50.0, 1))
    assert 0 < board.meter.share < 0.05


def test_loops_of_before_the_break_do_not_count_as_speed():
    start = start_of(loops=10)
    small, large = start.specs
    clock = iter([0.0, 10.0])
    board = Board.of_study(start, {small.id: 50.0, large.id: 50.0}, lambda: next(clock))
    board.loop_done(LoopDone(small.id, entry_of(9), 50.0, 9))
    assert board.meter.share == pytest.approx(0.45)
    assert board.meter.left == pytest.approx(110.0)  # one loop took 10 s, and eleven are left


def test_trials_that_are_done_weigh_as_much_as_those_that_were_measured():
    start = replace(start_of(loops=1), done=frozenset({start_of(loops=1).specs[1].id}))
    small, _ = start.specs
    board = Board.of_study(start, {small.id: 2.0})
    whole = Board.of_study(start)
    assert board.meter.share == pytest.approx(whole.meter.share)
    assert 0.9 < board.meter.share < 1


def test_what_other_processes_finish_is_counted_once():
    start = start_of(loops=2)
    small, large = start.specs
    board = Board.of_study(start, {small.id: 50.0, large.id: 50.0})
    board.loop_done(LoopDone(small.id, entry_of(1), 50.0, 1))
    for _ in range(2):
        board.mark_finished([small.id, "another study's"])
    assert board.done == {small.id}
    assert board.meter.share == pytest.approx(0.5)
    assert not board.running


def test_a_curve_of_means_does_not_fall_when_a_weaker_architecture_joins():
    """Loops 1 and 2 of a good network, then a bad one that is behind: no mode has become worse by it."""
    start = start_of(loops=3)
    small, large = start.specs
    board = Board.of_study(start)
    for loop, bounty in ((1, 80.0), (2, 90.0)):
        board.loop_done(LoopDone(large.id, entry_of(loop), bounty, loop))
    board.loop_done(LoopDone(small.id, entry_of(1), 20.0, 1))
    assert board.modes["none"].curve(board.settings.names) == [50.0, 55.0]


def test_modes_are_compared_over_the_architectures_that_all_of_them_have_reached():
    start = start_of(loops=3, modes='"none", "hidden"')
    (small, other), (large, large_other) = start.specs[:2], start.specs[2:]
    board = Board.of_study(start)

    def means() -> list[float]:
        return [mode.curve(board.settings.names)[-1] for mode in board.modes.values()]

    board.loop_done(LoopDone(large.id, entry_of(1), 80.0, 1))
    assert board.settings.note == ""  # hidden has come to nothing yet
    board.loop_done(LoopDone(other.id, entry_of(1), 30.0, 1))
    assert "cannot be compared" in board.settings.note
    board.loop_done(LoopDone(small.id, entry_of(1), 20.0, 1))
    assert board.settings.note == "means over 1 of 2 settings: those that all modes have reached"
    assert means() == [20.0, 30.0]
    board.loop_done(LoopDone(large_other.id, entry_of(1), 90.0, 1))
    assert board.settings.note == ""
    assert means() == [50.0, 60.0]


def test_the_view_in_a_terminal_shows_progress_groups_and_the_mean_of_each_mode(tmp_path):
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, height=20, markup=False, highlight=False)
    stop = threading.Event()
    view = LiveView(StudyShow(Store(tmp_path), {}), stop, console)
    start = start_of(loops=10)
    view.tell(start)
    try:
        for spec, bounty in zip(start.specs, (50.0, 60.0), strict=True):
            view.tell(LoopDone(spec.id, entry_of(1), bounty, 1))
        view.tell(LoopDone(start.specs[1].id, entry_of(2), 80.0, 2))
        view.tell(TrialFailed(start.specs[0].id, "Traceback ...\nZeroDivisionError: made up\n"))
        stop.set()
        with console.capture() as captured:
            console.print(view.picture())
    finally:
        view.close()
    picture = re.sub(r"\x1b\[[0-9;]*m", "", captured.get())
    assert "0/2 trials, 1 failed" in picture
    assert "[1*1024]: 1 trial at loop 2/10" in picture
    assert re.search(r"mode +trials +loop +bounty % +bounty so far +accepted", picture)
    assert re.search(r"none +1/2 +2/10 +65.00 +▁█ +100 %", picture)
    assert "stopping" in picture
    assert "failed: [1*2] none, trial 0: ZeroDivisionError: made up" in out.getvalue()


def test_a_finished_study_can_be_opened_again_in_the_same_view(study, grid):
    study(*run_of(grid))
    before = {path: path.stat().st_mtime_ns for path in study.store().root.rglob("*")}
    printed = study("status", "grid", "--live")
    assert "4/4 trials  100 %" in printed
    assert re.search(r"mean bounty % none [\d.]+, decay [\d.]+", printed)
    assert re.search(r"\[1\*2\] +decay +2 .*inert 2", printed)
    assert {path: path.stat().st_mtime_ns for path in study.store().root.rglob("*")} == before
    assert "give its NAME" in study("status", "--live", code=2)


def test_a_study_that_others_run_can_be_looked_at(study, grid):
    """Its files say how far it is: nobody has to be asked."""
    grid.write_text(GRID.replace("meta_loops = 2", "meta_loops = 200").replace("0.02", "0.1"))
    words = ["-m", "frustration", "study", *run_of(grid), "--results", str(study.results), "--no-estimate"]
    process = subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL)
    work = study.results / "grid" / "work"
    try:
        end = time.monotonic() + 60
        while not list(work.glob("*.resume.safetensors")):
            assert time.monotonic() < end
            time.sleep(0.02)
        onlooker, out = Onlooker(study.store()), Console(file=io.StringIO(), width=100, highlight=False)
        assert not onlooker.over
        show = StudyShow(study.store(), {})
        for event in (onlooker.start, onlooker.look(opening=True)):
            list(show.tell(event))
        with out.capture() as captured:
            out.print(*show.picture(100, 20), sep="\n")
        assert "0/4 trials" in captured.get()
        assert re.search(r"\[1\*2\]: [1-4] trials? at loop \d+(-\d+)?/200", captured.get())
        assert re.search(r"none +0/2 +\d+(-\d+)?/200 +\d\d\.\d\d", captured.get())
        assert re.search(r"0:\d\d elapsed", captured.get())
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert onlooker.over  # nobody is at work on it any more


def test_a_view_from_outside_adds_no_lines_and_counts_time_from_the_begin_of_the_study(tmp_path, monkeypatch):
    place = Store(tmp_path / "two")
    text = 'name = "two"\narchitectures = ["[1*2]"]\nmodes = ["none"]\ntrials = 1\nmeta_loops = 3\n'
    place.create(Study.from_toml(text))
    an_hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    manifest.manifest_path(place.root).write_text(json.dumps({"schema": 1, "runs": [{"when": an_hour_ago}]}))
    out = Console(file=io.StringIO(), force_terminal=True, width=100, height=20)
    stop = threading.Event()
    view = LiveView(StudyShow(place, {}), stop, out)
    monkeypatch.setattr(study_progress, "FOLLOW_SECONDS", 0.01)
    monkeypatch.setattr(Onlooker, "over", False)
    threading.Timer(0.5, stop.set).start()
    Onlooker(place).follow(view, stop)
    view.close()
    assert out.file.getvalue().count("two: 1 trials") == 1
    assert "0/1 trials" in out.file.getvalue()
    assert "  1:00:0" in out.file.getvalue()


def test_a_study_whose_begin_nobody_wrote_down_claims_no_time(tmp_path):
    place = Store(tmp_path / "two")
    place.create(Study.from_toml('name = "two"\narchitectures = ["[1*2]"]\nmodes = ["none"]\n'))
    show, onlooker = StudyShow(place, {}), Onlooker(place)
    for event in (onlooker.start, onlooker.look(opening=True)):
        list(show.tell(event))
    assert next(iter(show.lines(onlooker.look(opening=True)))).endswith("-:-- elapsed, -:-- left")


def test_settings_of_a_study_may_follow_its_flags():
    read = RunOptions.read(["grid.toml", "lr=1e-3", "--trials", "2", "batch_size=32"])
    assert read.settings == ("lr=1e-3", "batch_size=32")
    read = RunOptions.read(["--lr", "1e-3", "batch_size=32", "--name", "a=b"])
    assert (read.study, read.settings, read.name) == (None, ("batch_size=32",), "a=b")
    assert read.learning_rates == (1e-3,)
    with pytest.raises(InputError, match='unexpected argument "more"'):
        RunOptions.read(["grid.toml", "lr=1e-3", "--dry-run", "more"])
