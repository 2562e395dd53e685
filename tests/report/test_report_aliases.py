"""The original project's commands and functions continue working under their names."""

import importlib
import os
import tomllib
from pathlib import Path

import numpy as np
import pytest
from report_kit import made, study
from test_report_published import trials_file

from frustration.commands import COMMANDS
from frustration.commands import main as umbrella
from frustration.original import regime_classifier
from frustration.original.commands import HEATMAPS
from frustration.report.chance_level import MNIST
from frustration.statistics.regimes import regime, regime_of_summaries

NAMES = (
    "make-architecture-table",
    "make-trial-accuracy-table",
    "make-figure-design-space",
    "make-design-space-figure",
    "make-figure-heatmaps",
    "make-convergence-plots",
)
CODE_WORDS = {
    "1*64": "optimally-sized",
    "1*2048": "beneficial-regularization",
    "18*18": "chaotic-optimization",
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The original's folders, with a trials file and three architectures."""
    (tmp_path / "results").mkdir()
    (tmp_path / "reproduction").mkdir()
    (tmp_path / "results" / "psa_simplemlp_trials.md").write_text(trials_file())
    (tmp_path / "reproduction" / "configurations.txt").write_text("18*18\n1*64\n1*2048\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_every_command_is_a_script_and_a_word_of_the_umbrella(name):
    scripts = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["scripts"]
    module, _, function = scripts[name].partition(":")
    assert callable(getattr(importlib.import_module(module), function))
    assert COMMANDS[name][:2] == (module.removeprefix("frustration."), function)


@pytest.mark.parametrize("name", NAMES)
def test_every_command_explains_itself(name, capsys):
    assert umbrella([name, "--help"]) == 0
    assert name.replace("make-design-space-figure", "make-figure-design-space") in capsys.readouterr().out


def test_the_architecture_table_follows_the_configurations(place, capsys):
    assert umbrella(["make-architecture-table"]) == 0
    out = capsys.readouterr().out
    assert out.index(r"18{*}18 & 20,134 & Matched \\") < out.index(r"1{*}64 & 50,890 & Matched \\")


def test_without_configurations_it_is_the_published_grid(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert umbrella(["make-architecture-table"]) == 0
    assert capsys.readouterr().out.count(" & ") == 2 * (98 + 2)  # a longtable repeats its head


def test_the_accuracy_table_has_the_published_means_in_the_order_wanted(place, capsys):
    arguments = ["make-trial-accuracy-table", "--order", "reproduction/configurations.txt", "--label", "mine"]
    assert umbrella([*arguments, "--caption", "What came out"]) == 0
    out = capsys.readouterr().out
    rows = [line for line in out.splitlines() if r"\pm" in line and "{*}" in line]
    assert [row.partition(" &")[0] for row in rows] == ["18{*}18", "1{*}64", "1{*}2048"]
    assert r"$10.48 \pm 0.51$" in rows[0]
    assert r"$18.87 \pm 17.87$" in rows[0]
    assert rows[0].endswith(r"undecided \\")
    assert r"\label{tab:mine}" in out
    assert r"\caption{What came out}" in out


def test_a_summary_leads_to_the_trials_beside_it(place, capsys):
    (place / "results" / "psa_simplemlp_summary.md").write_text("no trials in here")
    arguments = ["make-trial-accuracy-table", "--datafile", "results/psa_simplemlp_summary.md"]
    assert umbrella(arguments) == 0
    assert r"$96.74 \pm 0.12$" in capsys.readouterr().out


def test_a_missing_trials_file_is_one_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert umbrella(["make-figure-heatmaps"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("make-figure-heatmaps: cannot read results/psa_simplemlp_trials.md")
    assert error.count("\n") == 1


def test_the_heat_maps_have_the_original_s_names(place, capsys):
    assert umbrella(["make-figure-heatmaps"]) == 0
    drawn = {path.stem for path in (place / "results").glob("*.png")}
    said = capsys.readouterr().out
    assert drawn <= set(HEATMAPS.values())
    assert {"SimpleMLP_Heatmap_Baseline_Performance", "SimpleMLP_Heatmap_Regimes"} <= drawn
    assert all(f"{name}: not drawn, because" in said for name in set(HEATMAPS.values()) - drawn)


def test_the_design_space_is_drawn_where_it_is_wanted(place, capsys):
    assert umbrella(["make-design-space-figure", "--output-file", "out/space.png"]) == 0
    assert (place / "out" / "space.png").read_bytes().startswith(b"\x89PNG")


def test_convergence_is_drawn_for_the_targets_of_a_study(place, capsys):
    made(place / "results" / "made-up")
    assert umbrella(["make-convergence-plots", "made-up", "--targets", "1*32"]) == 0
    assert (place / "results" / "SimpleMLP_Plot_Convergence.png").exists()
    assert umbrella(["make-convergence-plots", "made-up", "--targets", "18*18"]) == 2
    assert "it has [1*32]" in capsys.readouterr().err


def test_without_arguments_convergence_is_that_of_what_is_there(place, capsys):
    assert umbrella(["make-convergence-plots"]) == 2
    assert "`frustration study run` makes one" in capsys.readouterr().err
    made(place / "results" / "older")
    os.utime(place / "results" / "older", (1, 1))
    made(place / "results" / "newest")
    (place / "results" / "older" / "study.toml").write_text("not read")
    os.utime(place / "results" / "older", (1, 1))
    assert umbrella(["make-convergence-plots"]) == 0
    assert (place / "results" / "SimpleMLP_Plot_Convergence.png").read_bytes().startswith(b"\x89PNG")


def test_regimes_of_the_published_rows_by_the_original_s_functions(place):
    trials = regime_classifier.parse_trial_data(Path("results/psa_simplemlp_trials.md"))
    assert len(trials["1x64"]) == 10
    assert trials["1x64"][0]["none"] == pytest.approx(96.86)
    metrics = regime_classifier.calculate_summary_metrics(trials)
    assert metrics["18x18"]["output"]["std"] == pytest.approx(17.87)
    found = regime_classifier.get_all_regime_classifications(
        Path("reproduction/configurations.txt"), Path("results/psa_simplemlp_trials.md")
    )
    assert found == {
        name: regime_classifier.classify_regime(name.replace("*", "x"), metrics) for name in found
    }
    assert found == CODE_WORDS


def test_an_architecture_without_all_six_modes_is_unknown():
    metrics = regime_classifier.calculate_summary_metrics({"1x2": [{"none": 50.0, "full": 60.0}]})
    assert regime_classifier.classify_regime("1x2", metrics) == "unknown"
    assert regime_classifier.classify_regime("9x9", metrics) == "unknown"


@pytest.mark.parametrize("rules", ["paper", "code"])
def test_summaries_give_the_same_regime_as_their_trials(rules):
    generator = np.random.default_rng(5)
    modes = ("none", "decay", "dropout", "full", "hidden", "output")
    labels = set()
    for _ in range(300):
        level = generator.choice([10.5, 40.0, 96.0])
        bounties = {
            mode: level + generator.normal(0, generator.choice([0.1, 1.0, 20.0]), 10) for mode in modes
        }
        summaries = {mode: (v.mean(), v.std(), v.max()) for mode, v in bounties.items()}
        found = regime_of_summaries(summaries, MNIST.zero_r_validation, rules)
        assert found == regime(bounties, MNIST.zero_r_validation, rules)
        labels.add(found.label)
    assert len(labels) >= 3


def test_a_study_is_drawn_like_a_trials_file(place):
    made(place / "results" / "made-up", study("none", "hidden", "full"))
    assert umbrella(["make-figure-heatmaps", "made-up", "--output-dir", "maps"]) == 0
    assert list((place / "maps").glob("SimpleMLP_Heatmap_*.png"))
