"""`perforate analyze` on a study's folder: dendrites against their control, and against as much width."""

import pytest
from report_kit import made, study
from test_report_arms import grown

import frustration
from frustration.commands.perforate import main
from frustration.errors import InputError
from frustration.integration.analyze import analyze
from frustration.integration.graph import draw


def test_dendrites_are_held_against_no_dendrites_and_against_a_wider_network(tmp_path):
    grown(tmp_path)
    found = analyze(tmp_path / "s")
    said = "\n".join(found.sentences)
    for other in ("none (no dendrites)", "wide@1 (an ordinary wider network)", "wide@2 (an ordinary"):
        assert f"dendrites against {other}" in said
    assert said.count("test +10 in 7 trials") == 3
    assert said.count("p = 0.0156): better, more than noise between seeds; 300 against") == 3
    assert [row[4] for row in found.rows if "dendrites (n = 7)" in row[0]] == ["+10"]
    assert found.advice == []


def test_what_is_missing_for_an_answer_is_said(tmp_path, capsys):
    made(tmp_path / "s", study("none", "hidden", trials=3))
    assert main(["analyze", str(tmp_path / "s")]) == 0
    assert "no network has grown" in capsys.readouterr().out
    assert main(["analyze", str(tmp_path / "s"), "--control", str(tmp_path)]) == 2
    assert "whose control is an arm beside them (wide@1) and not a folder" in capsys.readouterr().err
    with pytest.raises(InputError, match="frustration report"):
        draw(analyze(tmp_path / "s").runs, tmp_path / "graph.png")


def test_what_train_kept_is_read_too(tmp_path):
    usual = {"train_fraction": 0.02, "threads": 1, "model_dir": tmp_path}
    frustration.train("[1*2]", ["none", "hidden"], trials=2, until=1, **usual)
    found = analyze(tmp_path)
    assert sorted(row[0].split(": ")[1] for row in found.rows) == ["hidden (n = 2)", "none (n = 2)"]
