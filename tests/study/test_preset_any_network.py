"""The preset `any-network`, with one trial and few loops: cut off, gone on with, verified, reported."""

import threading
from dataclasses import replace

from study_kit import bits, ran

from frustration.report.analysis import analyse
from frustration.report.markdown import report_markdown
from frustration.report.reading import read_study
from frustration.report.report import Report
from frustration.runners.events import LoopDone
from frustration.study.presets import preset
from frustration.study.verify import verify


def small():
    return replace(preset("any-network"), trials=1, meta_loops=3)


def test_it_compares_the_treatments_that_it_promises_on_a_cnn_with_batchnorm():
    study = preset("any-network")
    modes = [mode.partition(":")[0] for mode in study.modes]
    assert modes == ["none", "dropout", "hidden", "output", "plain", "dendrites", "early-stop"]
    assert study.trials == 8
    (problem,) = study.problems
    assert any(type(one).__name__ == "BatchNorm2d" for one in problem.problem().build().modules())


def test_cut_off_and_gone_on_with_it_ends_in_the_same_bits_and_verifies(tmp_path):
    whole, outcome = ran(tmp_path / "whole", small())
    assert (outcome.total, outcome.done, outcome.failed) == (7, 7, 0)
    stop, seen = threading.Event(), []

    def cut(event) -> None:
        seen.append(event)
        if sum(isinstance(one, LoopDone) for one in seen) == 8:
            stop.set()

    store, outcome = ran(tmp_path / "cut", small(), emit=cut, stop=stop)
    assert outcome.interrupted
    store, outcome = ran(store.root, small())
    assert outcome.done == 7
    assert bits(store) == bits(whole)
    assert verify(store, 2).passed

    results = read_study(store.root)
    analysis = analyse(results)
    text = report_markdown(Report(results, analysis))
    assert "7 trials are finished: 1 architecture, 7 treatments" in text
    assert "`early-stop:n_epochs_to_switch=5`" in text
