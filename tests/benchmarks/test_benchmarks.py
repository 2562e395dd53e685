"""The benchmarks run, on slices too small to time anything, and count what they say they count."""

import importlib
import json
import statistics
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import frustration
from frustration.engine.backends import BACKENDS, backend_named
from frustration.network import Shape

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script():
    """Imports a module of benchmarks/ or scripts/ by name."""
    folders = [str(CHECKOUT / "benchmarks"), str(CHECKOUT / "scripts")]
    sys.path[:0] = folders
    yield importlib.import_module
    for folder in folders:
        sys.path.remove(folder)


def test_the_plain_loop_learns(script, data):
    plain = script("plain")
    torch.manual_seed(0)
    model = plain.build(frustration.Architecture.parse("[1*16]"), data.features, data.classes)
    loader = plain.DataLoader(plain.tensors(data.train, data), batch_size=64, shuffle=True)
    losses = [plain.train(model, loader) for _ in range(4)]
    assert losses[3] < losses[2] < losses[1] < losses[0]
    assert plain.accuracy(model, loader) > 25  # chance is about 11


OURS = [name for name in BACKENDS if not name.startswith("perforated")]
"""What trains networks side by side; the library takes one trial a process."""


@pytest.mark.parametrize("text", ["[]", "[1*16]", "[4*4, 2*8]"])
def test_the_plain_network_has_our_parameters(script, text):
    architecture = frustration.Architecture.parse(text)
    model = script("plain").build(architecture, 784, 10)
    assert sum(p.numel() for p in model.parameters()) == architecture.parameters()


@pytest.mark.parametrize("backend", OURS)
def test_a_backend_trains_whole_trials_beside_the_plain_loop(script, data, backend):
    engines = script("engines")
    architecture = frustration.Architecture.parse("[2*3]")
    plain, ours = engines.compare(architecture, [backend], data, rounds=2, seconds=0.0)
    assert (plain.contender, plain.networks, plain.ratio) == ("plain", 1, 1.0)
    assert ours.contender == backend
    assert ours.networks % len(engines.MODES) == 0
    assert ours.milliseconds > 0
    assert ours.ratio == pytest.approx(plain.milliseconds / ours.milliseconds)


def test_a_slice_is_scaled_to_an_epoch(script, data):
    engines = script("engines")
    loop = engines.PlainLoop(frustration.Architecture.parse("[1*2]"), data)
    timing = engines.Timing(contender=loop, steps=1, scale=640 / 256)
    timing.take_turn()
    assert engines.Timing.calibrated(loop, samples=640, seconds=0.0).scale == 1.0  # three steps are all
    assert engines.Timing.calibrated(loop, samples=50_000, seconds=0.0).scale == 50_000 / (4 * 256)
    assert timing.seconds > 0


def test_flops_are_those_of_the_products(script, data):
    flops = script("engines").dense_flops(frustration.Architecture.parse("[1*16]"), data)
    assert flops == 640 * (4 * 784 * 16 + 6 * 16 * 10) + 300 * 2 * (784 * 16 + 16 * 10)


def test_the_table_says_whether_a_goal_is_reached(script):
    engines = script("engines")

    def row(ratio: float, goal: object) -> object:
        return engines.Row(
            architecture="[1*16]", contender="torch", networks=12, steps=196, milliseconds=1.0,
            spread=1.0, ratio=ratio, goal=goal, flops=10**9,
        )  # fmt: skip

    def verdicts(*rows: object, peak: float | None = None) -> list[list[str]]:
        return [line.split()[-3:] for line in engines.table(rows, peak).splitlines()[2:]]

    times, share = engines.Goal(8), engines.Goal(0.5, of_peak=True)
    assert verdicts(row(8.0, times), row(7.9, times)) == [["8", "x", "yes"], ["8", "x", "NO"]]
    assert verdicts(row(1.0, share), peak=2e12) == [["50", "%", "yes"]]
    assert verdicts(row(9.0, share), peak=2.1e12) == [["50", "%", "NO"]]
    assert "sgemm" not in engines.table([row(8.0, times)])


def test_the_grid_is_the_papers(script):
    classes = script("grid").grid()
    pairs = [pair for of_class in classes.values() for pair in of_class]
    assert [len(of_class) for of_class in classes.values()] == [11, 19, 38, 30]
    assert len(set(pairs)) == len(pairs) == 98


def test_a_whole_session_takes_longer_than_what_is_inside_it(script, data):
    end_to_end = script("end_to_end")
    population = end_to_end.native.NativePopulation
    spent = end_to_end.measure("[1*2]", trials=1, meta_loops=2, dataset=data)
    assert min(spent.training, spent.validation, spent.damage, spent.rest) > 0
    assert spent.whole == pytest.approx(spent.epochs + spent.damage + spent.rest)
    assert end_to_end.native.NativePopulation is population


def test_the_cost_is_drawn_alike_from_equal_numbers(script, data, tmp_path):
    cost = script("cost")
    meter = cost.Meter(backend_named("native", "cpu"), data, 1, 0.0)
    curves = {"one": ((1, 2), [meter.milliseconds("[1*2]", slots) for slots in (1, 2)])}
    assert min(curves["one"][1]) > 0
    figure = {"width": curves, "depth": curves, "trials": curves}
    first, second = (cost.draw(figure, "native", tmp_path / name) for name in ("a", "b"))
    assert [file.suffix for file in first] == [".png", ".svg"]
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]


def test_bfloat16_is_compared_in_pairs(script, data):
    architecture, pairs, *differences, gain = script("bf16").compare(
        frustration.Architecture.parse("[2*64]"), 2, 1, data
    )
    assert (architecture, pairs) == ("[2*64]", "2")
    assert all("+-" in difference for difference in differences)
    assert float(gain) > 0


def test_dendritic_trials_are_those_of_the_library(script, data):
    """As many dendrites on both sides, which do not reach their units yet."""
    dendrites = script("dendrites")
    architecture = frustration.Architecture.parse("[1*6]")
    library = dendrites.LibraryRun(architecture, 2, data)
    ours = dendrites.GrownTrials("native", architecture, 2, data)
    assert [len(layer.dendrite_module.layers) for layer in (library.model[0], library.model[2])] == [2, 2]
    assert sum(len(epochs) for _, epochs in ours.populations) == ours.networks == 10
    bare = Shape(architecture, data.features, data.classes)
    shape = bare.with_dendrites((2, 2))
    population, _ = ours.populations[0]
    assert population.shape == shape
    network = shape.view(population.weights(0))
    pixels = data.pixel_values[data.train.images[:9]]
    (hidden,) = network.activations(pixels)
    bare_hidden = np.maximum(pixels.astype(np.float64) @ network.weights[0].T + network.biases[0], 0)
    assert hidden == pytest.approx(bare_hidden, rel=1e-9, abs=1e-12)


def test_memory_is_that_of_a_fresh_process(script):
    peaks = script("memory").measure("[1*4]", trials=1, backend="torch", meta_loops=2, images=256)
    assert list(peaks) == ["MNIST loaded", "meta-loop 1", "meta-loop 2", "tested"]
    assert sorted(peaks.values()) == list(peaks.values())
    assert 10**8 < peaks["MNIST loaded"] < peaks["tested"] < 3 * 10**9


def test_the_standard_error_is_that_of_the_difference(script):
    published = script("compare_with_published")
    ours = [95.0, 96.0, 97.0]
    row = published.compare("none", ours, mean=95.49, std=0.20)
    unbiased = 0.20 * (10 / 9) ** 0.5
    expected = (statistics.stdev(ours) ** 2 / 3 + unbiased**2 / 10) ** 0.5
    assert row.standard_error == pytest.approx(expected)
    assert row.difference == pytest.approx(96 - 95.49)
    assert row.agrees
    assert not published.compare("none", [96.48, 96.50, 96.52], mean=95.49, std=0.20).agrees


def test_a_comparison_reads_finished_trials_of_the_published_kind_only(script, data, tmp_path, monkeypatch):
    published = script("compare_with_published")
    monkeypatch.setattr(published, "META_LOOPS", 2)
    runs = {"right": {"until": 2}, "rate": {"until": 2, "learning_rate": 1e-3}, "longer": {"until": 3}}
    for name, settings in runs.items():
        frustration.train(
            "[1*32]",
            published.MODES,
            trials=2,
            dataset=data,
            threads=1,
            model_dir=tmp_path / name,
            **settings,
        )
    found = published.read_records(tmp_path, frustration.Architecture.parse("[1*32]"))
    read = {
        one.files.record.relative_to(tmp_path).parts[0]
        for of_mode in found.values()
        for one in of_mode.values()
    }
    assert read == {"right"}
    assert {mode: len(trials) for mode, trials in found.items()} == dict.fromkeys(published.MODES, 2)
    assert "2 of 2 pairs identical to the bit" in published.about_decay(found)
    assert "inert in 2 of 2 trials" in published.about_decay(found)


def test_a_comparison_fails_where_the_means_differ(script, data, tmp_path, monkeypatch, capsys):
    published = script("compare_with_published")
    monkeypatch.setattr(published, "META_LOOPS", 1)
    frustration.train(
        "[1*32]", published.MODES, trials=2, meta_loops=1, dataset=data, threads=1, model_dir=tmp_path
    )
    assert published.main(["--from", str(tmp_path)]) == 1
    assert capsys.readouterr().out.count("NO") == 6
    assert published.main(["--from", str(tmp_path / "empty")]) == 2


def test_engines_print_json(script, data, monkeypatch, capsys):
    engines = script("engines")
    monkeypatch.setattr(engines.frustration, "load_dataset", lambda name: data)
    engines.main(["--architectures", "[1*2]", "--rounds", "1", "--seconds", "0", "--json"])
    printed = json.loads(capsys.readouterr().out)
    assert [row["contender"] for row in printed["rows"]] == ["plain", "torch"]
    assert printed["machine"]["rounds"] == "1"


def test_what_a_loop_writes_is_measured_after_few_loops_and_many(script, tmp_path):
    checkpoints = script("checkpoints")
    few, many = (checkpoints.measure(loops, "[1*8]", tmp_path) for loops in (3, 300))
    assert abs(few["bytes written"] - many["bytes written"]) < 100
    assert many["curve MB"] > 10 * few["curve MB"] > 0


@pytest.mark.parametrize("table", ["digits", "made"])
def test_a_users_own_tables_are_timed_beside_the_plain_loop(script, table):
    own_data = script("own_data")
    data = own_data.digits() if table == "digits" else own_data.made(rows=3_000)
    shapes = {"digits": (1257, 64, 10), "made": (2100, 54, 7)}
    assert (len(data.train), data.features, data.classes) == shapes[table]
    rows = own_data.compare(data, "[2*8]", ["torch"], rounds=1, seconds=0)
    assert [(row.contender, row.goal) for row in rows] == [("plain", None), ("torch", None)]
    assert all(row.milliseconds > 0 for row in rows)
    assert rows[0].architecture.startswith(table)


def test_the_meta_loop_around_any_network_is_compared_with_a_plain_loop(script, monkeypatch, capsys):
    module = script("module")
    monkeypatch.setattr(module, "LONG", 2)
    monkeypatch.setattr(module, "ROUNDS", 1)
    module.main()
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("a loop of digits:Digits(channels=16, hidden=32): ")
    assert second.startswith("the meta-loop costs ")
