"""`frustration.train`, `study`, `report`, `compare`: what they return shows itself; Ctrl-C loses nothing."""

import inspect
import os
import signal
import subprocess
import sys
import threading

import matplotlib.figure
import pytest

import frustration
from frustration import InputError
from frustration.runners.events import LoopDone

QUICK = {"batch_size": 64, "learning_rate": 3e-3, "threads": 1}
LONGEST = 8_000
"""Characters that a notebook shows of a comparison."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("face")


@pytest.fixture(scope="module")
def outcome(data, folder):
    return frustration.train(
        "[1*4]",
        ["none", "hidden:dose=3"],
        trials=7,
        until=3,
        dataset=data,
        model_dir=folder / "models",
        **QUICK,
    )


@pytest.fixture(scope="module")
def study(folder):
    return frustration.study(
        architectures=["[1*2]"], modes=["none", "hidden"], trials=2, meta_loops=2, results=folder, **QUICK
    )


def test_an_outcome_is_a_data_frame_of_a_row_per_trial_or_per_loop(outcome):
    trials, loops = outcome.to_frame(), outcome.to_frame(loops=True)
    assert len(trials) == 14
    assert len(loops) == 14 * 3
    best = loops.groupby("id").accuracy.max()
    assert (trials.set_index("id").bounty.sort_index() == best.sort_index()).all()
    assert list(trials["mode"].unique()) == ["none", "hidden:dose=3"]


def test_its_report_has_the_sentences_of_the_page(outcome, folder):
    report = outcome.report()
    page = report.write(folder / "page", figures=False).read_text()
    assert report.sentences
    assert all(sentence in page for sentence in report.sentences)
    assert str(report) == "\n".join(report.sentences).replace("`", "")


def test_a_notebook_shows_its_sentences_and_a_table_and_no_more(outcome):
    shown = outcome._repr_html_()
    assert len(shown) < LONGEST
    assert "hidden:dose=3" in shown
    assert shown.count("<tr>") == 3
    assert "<script" not in shown


def test_text_of_other_people_is_no_markup():
    from frustration.face.pages import html
    from frustration.report.table import Table

    table = Table(name="t", title="", note="", headers=("<b>",), rows=(("<img src=x>",),))
    shown = html(["`<i>` and `code`"], table)
    assert "<img" not in shown
    assert "<b>" not in shown
    assert "<code>&lt;i&gt;</code>" in shown


def test_a_report_in_hand_has_a_row_for_each_comparison(outcome):
    (row,) = outcome.report().to_frame().to_dict("records")
    found = outcome.to_frame().pivot(index="trial", columns="mode", values="test_accuracy")
    assert row["treatment"] == "hidden:dose=3"
    assert row["difference"] == pytest.approx((found["hidden:dose=3"] - found["none"]).mean())


@pytest.mark.parametrize("kind", ["effects", "curves", "cost"])
def test_plots_are_figures_that_a_notebook_shows_and_a_file_keeps(outcome, kind, tmp_path):
    plot = outcome.plot(kind)
    assert isinstance(plot.figure, matplotlib.figure.Figure)
    assert plot._repr_png_().startswith(b"\x89PNG")
    assert plot.save(tmp_path / "plot.svg").read_text().lstrip().startswith("<?xml")


def test_a_plot_that_there_is_none_of_is_refused_with_those_that_there_are(outcome):
    with pytest.raises(InputError, match="effects, curves, cost"):
        outcome.plot("pie")


def test_one_network_without_a_comparison_shows_what_it_reached(data, folder):
    alone = frustration.train("[1*4]", until=2, dataset=data, model_dir=folder / "alone", **QUICK)
    assert f"{alone.records[0].bounty:.2f}" in alone._repr_html_()
    with pytest.raises(InputError, match="no treatment"):
        alone.plot()


def test_a_problem_takes_no_data_beside_its_own(data, folder):
    with pytest.raises(InputError, match="a problem brings its own data"):
        frustration.train("images:CNN", until=1, dataset=data, model_dir=folder / "problem", **QUICK)


def test_without_pandas_rows_are_plain_dictionaries(outcome, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InputError, match=r"frustration-engine\[tables\]"):
        outcome.to_frame()
    assert sum(1 for _ in outcome.rows()) == 14


def test_a_study_runs_what_is_missing_and_then_nothing(study, folder):
    told = []
    again = frustration.study(study.root, emit=told.append)
    assert (study.done, study.total, study.failed) == (4, 4, 0)
    assert not [event for event in told if isinstance(event, LoopDone)]
    assert len(again.records) == 4
    assert len(study.to_frame(loops=True)) == 4 * 2
    assert "4 of 4 trials" in study._repr_html_()


def test_a_study_can_be_raised_over_what_its_definition_says(study):
    more = frustration.study(study.root, trials=3)
    assert more.total == 6
    assert more.done == 6


def test_a_quick_study_has_the_name_that_the_command_gives_it(study, folder, capsys):
    from frustration.commands.study import main

    flags = ["--architectures", "[1*2]", "--modes", "none", "hidden", "--trials", "2", "--meta-loops", "2"]
    assert main(["run", *flags, "--dry-run", "--no-estimate", "--results", str(folder / "none")]) == 0
    named = capsys.readouterr().out.partition(":")[0]
    assert (
        frustration.study(
            architectures=["[1*2]"],
            modes=["none", "hidden"],
            trials=1,
            meta_loops=2,
            results=folder / "named",
            threads=1,
        ).root.name
        == named
    )


def test_a_key_of_a_grid_is_checked_as_in_a_file(folder):
    with pytest.raises(InputError, match='there is no mode "hiden"'):
        frustration.study(architectures=["[1*2]"], modes=["hiden"], results=folder)
    with pytest.raises(InputError, match="architectures"):
        frustration.study(modes=["none"], results=folder)
    with pytest.raises(InputError, match="quickstart"):
        frustration.study("quickstrat", results=folder)


def test_report_and_compare_take_studies_by_name_by_folder_and_in_hand(study, folder):
    named = frustration.report(study.root.name, results=folder)
    assert named.sentences == frustration.report(study).sentences == frustration.report(study.root).sentences
    both = frustration.compare(study, study.root)
    assert "1 architecture" in str(both)
    assert "<table>" in both._repr_html_()


def test_study_and_report_stay_packages_beside_being_functions():
    import frustration.report.analysis
    import frustration.study.store

    assert callable(frustration.study)
    assert callable(frustration.report)
    assert inspect.ismodule(frustration.study.store)
    assert {"train", "study", "report", "compare", "Outcome", "Study"} <= set(dir(frustration))


def test_every_argument_of_the_functions_is_typed_and_documented():
    from frustration import api

    for name in ("train", "study", "report", "compare"):
        function = getattr(api, name)
        said = inspect.getdoc(function)
        for argument, about in inspect.signature(function).parameters.items():
            assert about.annotation is not inspect.Parameter.empty
            assert f"\n    {argument}: " in said, f"{name}({argument})"


def test_importing_the_package_is_light():
    code = "import frustration, sys; print(sorted({'torch', 'numpy', 'matplotlib'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_ctrl_c_returns_what_is_safe_and_leaves_the_handler_as_it_was(data, tmp_path):
    before = signal.getsignal(signal.SIGINT)

    def press(event):
        if isinstance(event, LoopDone) and event.entry.loop == 2:
            os.kill(os.getpid(), signal.SIGINT)

    settings = {"dataset": data, "model_dir": tmp_path, **QUICK}
    cut_off = frustration.train("[1*4]", ["none", "hidden"], trials=2, until=50, emit=press, **settings)
    assert cut_off.interrupted
    assert signal.getsignal(signal.SIGINT) is before
    loops = [record.loop for record in cut_off.records]
    assert 2 <= max(loops) < 50
    shown = cut_off._repr_html_()
    assert f"all {sum(loops)} loops are kept" in shown
    assert "nothing to compare: no trial is finished yet" in shown
    whole = frustration.train("[1*4]", ["none", "hidden"], trials=2, until=max(loops) + 1, **settings)
    assert not whole.interrupted


def test_an_event_of_ones_own_leaves_ctrl_c_alone(data, tmp_path):
    stop, seen = threading.Event(), []

    def watch(event):
        seen.append(signal.getsignal(signal.SIGINT))
        stop.set()

    before = signal.getsignal(signal.SIGINT)
    settings = {"dataset": data, "model_dir": tmp_path, **QUICK}
    assert frustration.train("[1*4]", until=50, emit=watch, stop=stop, **settings).interrupted
    assert set(seen) == {before}
