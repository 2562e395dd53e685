"""Protocol A / B / C: always three arms, and numbers that can be checked by hand."""

import shutil
from dataclasses import replace

import pytest
from study_kit import ran, tiny

from frustration.architecture import Architecture
from frustration.commands.study import main
from frustration.errors import FrustrationError
from frustration.integration.results import runs_in
from frustration.metric import Metric
from frustration.report.protocol import (
    AS_LARGE,
    AS_LONG,
    BASELINE,
    CONTROL,
    TREATED,
    Arm,
    abc_study,
    arms,
    comparisons,
    equal_study,
    markdown,
)
from frustration.study.presets import preset
from frustration.study.store import Store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("abc")
    flags = ["--trials", "2", "--meta-loops", "2", "--no-estimate", "--json", "--results", str(folder)]
    assert main(["preset", "abc", "--full", "[1*8]", "--compressed", "[1*2]", *flags]) == 0
    return Store(folder / "abc-1x8-1x2")


def test_all_three_arms_are_always_run(store):
    study = store.study()
    assert study.size == 6
    cells = {(str(record.spec.architecture), record.spec.label) for record in store.records()}
    assert cells == {("[1*8]", "early-stop"), ("[1*2]", "early-stop"), ("[1*2]", "dendrites")}


def test_its_report_says_what_each_arm_is_and_costs(store):
    baseline, treated, control = arms(store)
    assert [arm.name for arm in (baseline, treated, control)] == [BASELINE, TREATED, CONTROL]
    bare = Architecture.parse("[1*2]")
    assert (control.parameters, control.flops) == (bare.parameters(), bare.flops())
    assert treated.parameters == control.parameters  # two loops: nothing has grown
    assert control.training_flops == 2 * 3 * 50_000 * bare.flops()
    for arm in (baseline, treated, control):
        assert 0 < arm.latency[1] < arm.latency[256] * 10
        assert arm.memory[1] > 4 * arm.parameters
        assert len(arm.tests) == 2
    text = (store.root / "report" / "protocol.md").read_text()
    assert "cannot decide (their smallest p is 0.5)" in text
    assert f"| effective parameters              | {baseline.parameters:,.0f}" in text


def arm(name: str, tests: tuple[float, ...], parameters: float, first: int = 0) -> Arm:
    common = {"mode": "m", "bounty": 90.0, "dendrites": 0.0, "flops": 1.0, "latency": {}, "memory": {}}
    return Arm(
        name=name,
        architecture="a",
        by_trial=dict(enumerate(tests, start=first)),
        parameters=parameters,
        seconds=1.0,
        training_flops=parameters,
        loops=1,
        **common,
    )


def test_a_network_that_is_not_that_of_its_trial_is_not_measured(store, tmp_path):
    copy = Store(shutil.copytree(store.root, tmp_path / store.root.name))
    numbers = {record.spec.trial: record.spec.id for record in copy.records()}
    first, second = map(copy.network_path, numbers.values())
    whole = first.read_bytes()
    first.write_bytes(second.read_bytes())
    with pytest.raises(FrustrationError, match=f"{first} is not the network of the trial that it is named"):
        arms(copy)
    first.write_bytes(whole[:-1])
    with pytest.raises(FrustrationError, match=f"{first} is damaged .*the next run trains it again"):
        arms(copy)


def test_a_trial_that_only_diverged_does_not_shift_the_pairs():
    found = [
        arm(BASELINE, (90.0, 91.0, 92.0), 4.0),
        arm(TREATED, (92.0, 93.0), 2.0, first=1),  # its trial 0 gave no network
        arm(CONTROL, (89.0, 90.0, 91.0), 1.0),
    ]
    against_control, against_full, *_ = comparisons(found)
    assert "+2.00 points" in against_control
    assert "+1.00 points" in against_full
    assert "over 2 pairs" in against_full


def test_the_sentences_compare_trial_by_trial():
    found = [
        arm(BASELINE, (95.0,) * 6, 400.0),
        arm(TREATED, (92.0, 93.0, 92.5, 92.0, 93.0, 92.5), 200.0),
        arm(CONTROL, (91.0, 92.0, 91.5, 91.0, 92.0, 91.5), 100.0),
    ]
    against_control, against_full, given_back, cost = comparisons(found)
    assert "+1.00 points" in against_control
    assert "p = 0.0312" in against_control
    assert "-2.50 points" in against_full
    assert "Compression cost 3.50 points of test accuracy" in given_back
    assert "given back: +1.00 by B compressed" in given_back
    assert "0.50 times the parameters" in cost
    assert "2.00 times" in cost


def test_a_pair_that_is_no_pair_is_refused(capsys):
    assert main(["preset", "abc", "--full", "[1*8]", "--compressed", "[1*8]"]) == 2
    assert "twice" in capsys.readouterr().err
    assert main(["preset", "lr", "--full", "[1*8]"]) == 2
    assert "belong to the presets abc and summaries" in capsys.readouterr().err


def test_the_template_s_modes_are_the_control_and_the_treatment():
    study = abc_study(preset("abc"), "[1*256]", "[1*64]")
    assert study.only == preset("abc").only


PATIENT = {"n_epochs_to_switch": 1}


@pytest.fixture(scope="module")
def equal_stores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("equal")
    template = tiny(modes='["early-stop", "dendrites"]', meta_loops="12", trials="3", learning_rate="0.03")
    study = abc_study(
        template,
        "[1*8]",
        "[1*2]",
        knobs={"dendrites": {**PATIENT, "max_dendrites": 1}, "early-stop": PATIENT},
    )
    store, _ = ran(folder / study.name, study)
    controls = equal_study(store)
    equal, _ = ran(folder / controls.name, controls)
    return store, equal


def test_at_equal_cost_each_trial_trains_as_long_as_that_of_its_number_and_is_as_large(equal_stores):
    store, equal = equal_stores
    treated = {r.spec.trial: r for r in store.records() if r.spec.label.startswith("dendrites")}
    assert len({record.loop for record in treated.values()}) > 1
    for record in equal.records():
        assert record.loop == treated[record.spec.trial].loop
    arms_by_name = {arm.name: arm for arm in arms(store, equal)}
    assert list(arms_by_name) == [BASELINE, TREATED, CONTROL, AS_LONG, AS_LARGE]
    large = arms_by_name[AS_LARGE]
    assert large.parameters == pytest.approx(arms_by_name[TREATED].parameters, rel=0.05)
    assert large.by_trial.keys() == treated.keys()
    assert arms_by_name[AS_LONG].parameters == arms_by_name[CONTROL].parameters


def test_a_control_that_is_as_long_is_the_beginning_of_one_that_is_longer(equal_stores):
    _, equal = equal_stores
    plain = next(r for r in equal.records() if r.spec.label == "plain" and r.loop < 12)
    longer = replace(equal.study(), name="longer", modes=("plain",), loops_by_trial=(), meta_loops=12)
    store, _ = ran(equal.root.parent / "longer", longer)
    whole = next(r for r in store.records() if r.spec.trial == plain.spec.trial)
    assert whole.curve[: plain.loop] == plain.curve


def test_the_first_sentences_are_about_what_is_as_long_and_as_large(equal_stores):
    found = arms(*equal_stores)
    first, second, *_ = comparisons(found)
    assert first.startswith(f"{TREATED} minus {AS_LONG}: ")
    assert second.startswith(f"{TREATED} minus {AS_LARGE}: ")
    assert all(name in markdown(found) for name in (AS_LONG, AS_LARGE, "Compression cost"))


def test_a_metric_has_its_own_words_and_its_own_better_side():
    loss = Metric("loss", unit="nats", better="lower")
    found = [
        replace(arm(name, (score, score + 1), 1.0), metric=loss)
        for name, score in ((BASELINE, 1.0), (TREATED, 2.0), (CONTROL, 4.0))
    ]
    against_control, _, given_back, _ = comparisons(found)
    assert "-2.00 nats of test loss" in against_control
    assert "Compression cost 3.00 nats" in given_back
    assert "given back: +2.00 by B" in given_back


def test_a_study_exports_the_library_s_three_columns_and_they_are_read_as_the_library_s_are(
    equal_stores, tmp_path
):
    store, _ = equal_stores
    words = [str(store.root), "--best-scores", str(tmp_path), "--results", str(tmp_path)]
    assert main(["export", *words]) == 0
    folders = {path.parent.parent.name for path in tmp_path.rglob("t000_best_test_scores.csv")}
    (dendrites,) = (name for name in folders if name.startswith("dendrites"))
    first = tmp_path / "1x2" / dendrites / "t000" / "t000_best_test_scores.csv"
    assert first.read_text().splitlines()[0] == "Param Counts,Max Valid Scores,Test Scores"
    runs = runs_in(tmp_path / "1x2" / dendrites)
    treated = [r for r in store.records() if r.spec.label.startswith("dendrites")]
    for run, record in zip(runs, sorted(treated, key=lambda r: r.spec.trial), strict=True):
        sizes = run.final.architectures
        assert [one.parameters for one in sizes] == sorted({entry.parameters for entry in record.curve})
        assert 100 * max(one.score for one in sizes) == pytest.approx(record.bounty)
        (tested,) = (one for one in sizes if "Test Scores" in one.extra)
        assert 100 * tested.extra["Test Scores"] == pytest.approx(record.test_accuracy)
        assert tested.parameters == record.parameters
