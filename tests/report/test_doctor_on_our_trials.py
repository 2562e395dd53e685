"""`perforate analyze` on a study's folder: dendrites against their control, and against as much width."""

import pytest
from report_kit import made, study
from test_report_arms import grown

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
    with pytest.raises(InputError, match="frustration report"):
        draw(analyze(tmp_path / "s").runs, tmp_path / "graph.png")
