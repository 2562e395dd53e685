"""Licensed Perforated Backpropagation is used by those who have it and ask for it; its token goes nowhere.

perforatedbp is proprietary, so a package of its name stands in for it: it tells everybody the secrets it
is given, as a careless one might, and grows dendrites by the open rules after one phase of its own.
"""

import threading

import numpy as np
import pytest
from laboratory import needs_library

from frustration import Architecture
from frustration.dendrites import Schedule, Settings
from frustration.engine.perforated.backend import LibraryBackend
from frustration.engine.perforated.licence import Licence, find_licence, redact
from frustration.engine.perforated.process import Files, LibraryError
from frustration.engine.population import Epoch
from frustration.errors import InputError
from frustration.modes import EpochSettings
from frustration.network import Shape
from frustration.streams import Streams

pytestmark = pytest.mark.slow


EMAIL, TOKEN = "somebody@example.org", "tok-4711-0815-secret"
ARCHITECTURE = Architecture.parse("[1*4]")

STAND_IN = {
    "__init__.py": "",
    "globals_pbp.py": "pai_email = ''\npai_token = ''\np_epochs_to_switch = 1\ncap_at_n = False\n"
    "fixed_input_sizes = False\ndendrite_update_mode = True\n",
    "utils_pbp.py": """
import os, sys
from perforatedai import globals_perforatedai as GPA

def initialize_pb():
    email, token = os.environ.get("PAIEMAIL", ""), os.environ.get("PAITOKEN", "")
    print("licensed to", email, token)
    open("licence.txt", "w").write(email + token)
    GPA.pc.set_pai_email(email)
    GPA.pc.set_pai_token(token)  # into the config file of the run it goes
    if token.startswith("bad"):
        print("License Invalid. Quitting", token)
        sys.exit(1)

def pb_save_net(net, folder, name): pass
def pb_count_params(net): return sum(p.numel() for p in net.parameters())
""",
    "modules_pbp.py": """
SCORES = ["epoch_start_best_score", "best_score", "best_score_improved_this_epoch"]
SCORES += ["nodes_best_improved_this_epoch", "nodes_improved_any"]
def update_dendrite_tensor_values(values): return list(values) + SCORES
def update_dendrite_single_values(values): return values
update_value_tracker_arrays = update_dendrite_single_values
_variant_tensor_values = _variant_single_values = []
def preprocess_pb(*args, **kwargs): return args, kwargs
def forward_candidates(*args, **kwargs): return {}, {}, {}
def apply_live_candidate_to_output(module, out, candidates): return out
def __getattr__(name):
    if name.startswith("__"): raise AttributeError(name)
    return lambda *args, **kwargs: None
""",
    "tracker_pbp.py": """
def history_switch(tracker):
    return tracker.member_vars["mode"] == "p"
def __getattr__(name):
    if name.startswith("__"): raise AttributeError(name)
    return lambda *args, **kwargs: False
""",
}


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """perforatedbp, as importable as the real one would be."""
    package = tmp_path / "site" / "perforatedbp"
    package.mkdir(parents=True)
    for name, text in STAND_IN.items():
        (package / name).write_text(text)
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.delenv("PAIEMAIL", raising=False)
    monkeypatch.delenv("PAITOKEN", raising=False)
    monkeypatch.chdir(tmp_path)


def held_anywhere(folder) -> list[str]:
    """Files below a folder in which a secret can be read."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [path.name for path in files if any(s.encode() in path.read_bytes() for s in (EMAIL, TOKEN))]


def drive(backend: LibraryBackend, images, epochs: int, settings: Settings):
    """(action, dendrites) after every epoch."""
    streams, shape = Streams(0, 0, ARCHITECTURE), Shape(ARCHITECTURE, images.features, images.classes)
    population = backend.population(shape, ("f",), images, 64)
    network = shape.view(shape.initial(streams.stream("init", 1)))
    schedule = backend.take_over(Schedule(settings), 1, network, None)
    told = []
    for loop in range(1, epochs + 1):
        population = backend.population(network.shape, ("f",), images, 64)
        population.load(0, network.vector)
        order = streams.order(loop, len(images.train))
        settings = EpochSettings(learning_rate=5e-3)
        epoch = Epoch(order=order, settings=settings, dropout_key=0, moments=None)
        assert np.isfinite(population.train({0: epoch}, threading.Event())[0])
        decision = schedule.observe(population.evaluate("validation")[0] / len(images.validation))
        network = schedule.grown() or network.shape.view(population.weights(0))
        told.append((decision.action, network.shape.dendrites))
    return told


@pytest.fixture
def images(mnist):
    return mnist.head(128, 100, 100)


@needs_library
def test_without_a_licence_an_installed_perforatedbp_stays_off_and_that_is_said(
    stand_in, images, tmp_path, monkeypatch
):
    monkeypatch.setenv("PAITOKEN", TOKEN)  # half of a licence is none
    backend = LibraryBackend(files=Files(tmp_path / "kept"))
    told = drive(backend, images, 2, Settings(switch_mode="every"))
    backend.close()
    assert told == [("grow", (1, 1)), ("grow", (2, 2))]
    assert backend.kind == backend.numerics()["dendrites"] == "gradient-descent dendrites"
    assert "trains gradient-descent dendrites; licensed Perforated Backpropagation is off" in backend.said()
    assert held_anywhere(tmp_path / "kept") == []
    (log,) = (tmp_path / "kept").rglob("library.log")
    assert "without Perforated Backpropagation" in log.read_text()


@needs_library
@pytest.mark.parametrize(
    "given, missing",
    [
        ({}, "PAIEMAIL and PAITOKEN are set neither"),
        ({"PAIEMAIL": EMAIL}, "PAITOKEN is set neither"),
        ({"PAITOKEN": TOKEN}, "PAIEMAIL is set neither"),
    ],
)
def test_an_explicit_request_without_a_licence_is_refused_in_one_sentence(
    given, missing, stand_in, monkeypatch
):
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError) as refusal:
        LibraryBackend(licensed=True)
    said = str(refusal.value)
    assert missing in said
    assert "\n" not in said
    assert not any(value in said for value in given.values())


@needs_library
def test_an_explicit_request_without_the_package_is_refused_in_one_sentence(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "perforatedbp", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match="needs the licensed package perforatedbp, which is not installed"):
        LibraryBackend(licensed=True)


@needs_library
def test_with_a_licence_it_is_used_and_the_secrets_stay_where_they_belong(stand_in, images, tmp_path, capfd):
    (tmp_path / ".env").write_text(f'PAIEMAIL={EMAIL}\nPAITOKEN="{TOKEN}"\n')
    backend = LibraryBackend(licensed=True, files=Files(tmp_path / "kept"))
    told = drive(backend, images, 3, Settings(switch_mode="every"))
    state = str(backend._schedule.state())
    backend.close()
    assert backend.name == backend.numerics()["backend"] == "perforatedbp"
    assert backend.said() == "perforatedai 3.2.9 trains Perforated Backpropagation"
    assert told == [("grow", (0, 0)), ("grow", (1, 1)), ("grow", (1, 1))]  # a phase of its own before each
    (log,) = (tmp_path / "kept").rglob("library.log")
    assert "licensed to *" in log.read_text()
    assert {path.name for path in (tmp_path / "kept").rglob("*")} >= {"licence.txt", "run_config.json"}
    assert held_anywhere(tmp_path / "kept") == []
    shown = "".join(capfd.readouterr()) + state + repr(backend.licence) + str(backend.numerics())
    assert EMAIL not in shown
    assert TOKEN not in shown


@needs_library
def test_a_licence_that_is_refused_ends_in_one_sentence_without_it(stand_in, images, monkeypatch):
    monkeypatch.setenv("PAIEMAIL", EMAIL)
    monkeypatch.setenv("PAITOKEN", "bad-" + TOKEN)
    backend = LibraryBackend(licensed=True)
    with pytest.raises(LibraryError, match=r"ended its process with sys.exit\(1\)") as refusal:
        drive(backend, images, 1, Settings())
    backend.close()
    assert "License Invalid" in str(refusal.value)
    assert TOKEN not in str(refusal.value)
    assert EMAIL not in str(refusal.value)


def test_variables_that_are_set_win_over_a_file(stand_in, tmp_path):
    (tmp_path / ".env").write_text("PAIEMAIL=file@example.org\nPAITOKEN=from-file\n")
    assert find_licence({}, tmp_path) == Licence("file@example.org", "from-file")
    assert find_licence({"PAITOKEN": TOKEN}, tmp_path) == Licence("file@example.org", TOKEN)


def test_blotted_text_keeps_its_length():
    assert redact(f"a {TOKEN} b", (TOKEN, "")) == f"a {'*' * len(TOKEN)} b"
