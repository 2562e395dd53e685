"""analyze-dataset prints what the library knows, and errors in one sentence."""

import json
from pathlib import Path

import pytest

from frustration.commands.analyze_dataset import main
from frustration.dataset import load, names

MNIST_FOLDER = Path(__file__).parents[2] / "dataset" / "mnist"


def test_mnist_is_analyzed_by_default_and_a_leading_separator_is_dropped(capsys):
    assert main(["--"]) == 0
    text = capsys.readouterr().out
    assert "| ZeroR % |   11.28 |        11.02 |  11.35 |        11.24 |" in text
    assert "|       9 |    4977 |          972 |   1009 |         5949 |" in text
    assert "784 pixels of which 19.1 % are not 0" in text


def test_json_holds_the_same_facts(capsys):
    assert main(["mnist", "--folder", str(MNIST_FOLDER), "--json"]) == 0
    (facts,) = json.loads(capsys.readouterr().out)
    split = load("mnist", MNIST_FOLDER)
    assert facts["digest"] == split.digest
    assert facts["folder"] == str(MNIST_FOLDER)
    assert facts["parts"]["validation"]["counts"] == split.validation.counts.tolist()
    assert facts["parts"]["full train"]["images"] == 60_000
    assert round(facts["pixel_density_percent"], 1) == 19.1


def test_the_list_names_every_data_set_and_where_it_is_or_how_to_get_it(capsys, tmp_path):
    assert main(["--list", "--json", "--folder", str(tmp_path)]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == names()
    assert all("https://" in row["where"] and str(tmp_path) in row["where"] for row in rows)
    assert main(["--list", "--folder", str(MNIST_FOLDER)]) == 0
    assert f"(CC BY-SA 3.0, Yann LeCun and Corinna Cortes)\n  {MNIST_FOLDER}\n" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["mnits"], ["--", "mnits"], ["mnist", "mnits"]])
def test_an_unknown_name_is_one_sentence_and_exit_code_2(capsys, arguments):
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith('analyze-dataset: there is no data set "mnits" (did you mean mnist?)')
    assert printed.err.count("\n") == 1
    assert printed.out == ""
