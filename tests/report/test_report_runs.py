"""`report --from-csv`: runs that anybody made, paired and grouped as columns say, in either direction."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import frustration
from frustration import InputError
from frustration.commands.report import main
from frustration.report.runs import Columns, read_runs

PAIRED = Columns(treatment=("optimizer",), score="loss", pair=("seed",), group=("task",))
SEEDS = 8


def scores(task: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(task)
    shared = rng.normal(0.5, 0.1, SEEDS)
    return {
        "sgd": shared,
        "adamw": shared - 0.05 + rng.normal(0, 0.01, SEEDS),
        "same": shared + rng.normal(0, 0.01, SEEDS),
    }


def table(path: Path, delimiter: str = ",") -> Path:
    rows = [["optimizer", "seed", "task", "State", "loss"]]
    for task in range(2):
        for optimizer, values in scores(task).items():
            rows += [[optimizer, s, f"t{task}", "finished", repr(float(v))] for s, v in enumerate(values)]
    rows.append(["adamw", 99, "t0", "crashed", ""])
    path.write_text("\n".join(delimiter.join(map(str, row)) for row in rows) + "\n")
    return path


def report(path: Path, **settings) -> frustration.Report:
    usual = {"treatment": "optimizer", "score": "loss", "pair": "seed", "group": "task", "better": "lower"}
    return frustration.report(path, **{**usual, **settings})


def test_differences_are_those_of_pairs_and_p_is_that_of_all_sign_flips(tmp_path):
    found = {(one["architecture"], one["treatment"]): one for one in report(table(tmp_path / "r.csv")).rows()}
    assert found.keys() == {(f"t{t}", name) for t in range(2) for name in ("adamw", "same")}
    for (task, name), one in found.items():
        values = scores(int(task[1]))
        differences = values[name] - values["sgd"]
        test = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf)
        assert one["difference"] == pytest.approx(differences.mean())
        assert one["p"] == pytest.approx(test.pvalue)
        assert one["control"] == "sgd"


@pytest.mark.parametrize(("better", "verdict"), [("lower", "better"), ("higher", "worse")])
def test_which_way_is_better_decides_the_verdict(tmp_path, better, verdict):
    found = report(table(tmp_path / "r.csv"), better=better)
    assert {one["verdict"] for one in found.rows() if one["treatment"] == "adamw"} == {verdict}
    assert "adamw lowers loss" in str(found).replace("`", "")


def test_without_pairs_runs_are_compared_by_ranks_or_permutations(tmp_path):
    found = report(table(tmp_path / "r.csv"), pair=())
    assert not found.analysis.paired
    assert "by ranks" in " ".join(found.plain.about)


def test_the_command_writes_a_page_in_its_own_words(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    table(Path("r.csv"))
    flags = ["--treatment", "optimizer", "--score", "loss", "--pair", "seed", "--group", "task"]
    assert main(["--from-csv", "r.csv", *flags, "--lower-is-better", "--margin", "0.01"]) == 0
    said = capsys.readouterr()
    assert said.out == "report: results/r/report/report.html\n"
    assert "1 run without a score (line 50)" in said.err
    page = Path("results/r/report/report.html").read_text()
    text = Path("results/r/report/report.md").read_text()
    assert "lowers loss by" in page
    answer = text[: text.index("## Treatments\n")]
    for word in ("LKG", "architecture", "accuracy", "FLOPs", "bounty"):
        assert word not in answer
    assert not Path("results/r/report/psa_simplemlp_summary.md").exists()
    assert Path("results/r/report/figures/effects.svg").exists()


def test_print_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    table(Path("r.csv"))
    flags = ["--treatment", "optimizer", "--score", "loss", "--pair", "seed", "task", "--print"]
    assert main(["--from-csv", "r.csv", *flags]) == 0
    assert "adamw" in capsys.readouterr().out
    assert not Path("results").exists()


def test_a_name_like_a_control_is_the_control_and_another_can_be_chosen(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text(table(path).read_text().replace("same", "Baseline"))
    assert {one["control"] for one in report(path).rows()} == {"Baseline"}
    assert {one["control"] for one in report(path, control="adamw").rows()} == {"adamw"}


def test_semicolons_a_byte_order_mark_and_rows_of_another_state_are_understood(tmp_path):
    path = table(tmp_path / "r.csv", ";")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    finished = Columns(**{**vars(PAIRED), "where": (("State", "finished"),)})
    assert read_runs(path, PAIRED).skipped
    assert not read_runs(path, finished).skipped


def test_several_columns_make_one_treatment(tmp_path):
    path = tmp_path / "r.csv"
    lines = [f"adamw,{rate},{seed},{rate + seed}" for rate in (0.1, 0.2) for seed in range(3)]
    path.write_text("\n".join(["optimizer,lr,seed,acc", *lines]))
    columns = Columns(treatment=("optimizer", "lr"), score="acc", pair=("seed",))
    assert read_runs(path, columns).labels == ("adamw, lr=0.1", "adamw, lr=0.2")


def test_arrays_of_runs_and_tasks_and_data_frames_say_the_same_as_the_file(tmp_path):
    import pandas

    path = table(tmp_path / "r.csv")
    stacked = {name: np.stack([scores(0)[name], scores(1)[name]], axis=1) for name in scores(0)}
    of_arrays = [one["difference"] for one in frustration.report(stacked, better="lower").rows()]
    of_file = [one["difference"] for one in report(path).rows()]
    of_frame = [one["difference"] for one in report(pandas.read_csv(path)).rows()]
    assert of_arrays == pytest.approx(of_file)
    assert of_frame == pytest.approx(of_file)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("optimiser,seed,task,loss\na,1,t,2\n", r'has no column "optimizer" \(did you mean optimiser\?\)'),
        ("optimizer,seed,task,loss\n", "no row"),
        ("optimizer,seed,task,loss\na,1,t,x\n", r'line 2: "x" in column "loss" is not a number'),
        (
            "optimizer,seed,task,loss\na,1,t,2\na,1,t,3\n",
            "line 3: there is a run of a in pair 1 already, in line 2",
        ),
        ("optimizer,seed,task,loss\na,1,t,2\na,2,t,3\n", "is a in every run"),
        ("optimizer,seed,task,loss\na,1,t,2\nb,1,t,3\n", "what several runs share"),
        ("optimizer,seed,task,loss\na,,t,2\n", 'line 2: column "seed" is empty'),
        ("optimizer,seed,task,loss\na,1,t\n", "line 2: it does not have as many fields"),
    ],
)
def test_what_a_table_cannot_mean_is_refused_in_one_sentence(tmp_path, content, sentence):
    path = tmp_path / "r.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=sentence):
        read_runs(path, PAIRED)


def test_the_command_says_what_it_lacks(tmp_path, capsys):
    table(tmp_path / "r.csv")
    assert main(["--from-csv", str(tmp_path / "r.csv")]) == 2
    assert "needs --treatment COLUMN and --score COLUMN" in capsys.readouterr().err
    assert main(["--from-csv", "r.csv", "quickstart"]) == 2
    assert "--from-csv FILE" in capsys.readouterr().err


def test_small_scores_have_ticks_on_their_own_scale(tmp_path):
    axes = report(table(tmp_path / "r.csv")).plot().figure.axes[0]
    low, high = axes.get_xlim()
    assert high < 0.2
    assert sum(low < tick < high for tick in axes.get_xticks()) >= 3
