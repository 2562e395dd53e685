"""A grown network as a plain module: it computes what the flat network does, wherever it is exported to."""

import io

import numpy as np
import pytest
import safetensors.numpy
import torch

from frustration import Architecture
from frustration.dendrites.module import DendriticMLP
from frustration.dendrites.settings import FORWARD_FUNCTIONS as FUNCTIONS
from frustration.engine.perforated.files import read_best_model
from frustration.errors import InputError
from frustration.network import FORWARD_FUNCTIONS, Network, Shape, to_state
from frustration.simple_mlp import SimpleMLP

CASES = [(1, 1), (0, 3), (3, 0), (2, 4), (0, 0)]


def network(dendrites, function: str = "sigmoid") -> Network:
    shape = Shape(Architecture((6,)), 8, 3, dendrites, function)
    random = np.random.Generator(np.random.Philox(4))
    return shape.view(random.normal(size=shape.size).astype(np.float32))


def images(count: int = 32) -> np.ndarray:
    return np.random.Generator(np.random.Philox(5)).normal(size=(count, 8)).astype(np.float32)


def expected(grown: Network, inputs: np.ndarray) -> np.ndarray:
    """Logits in float64."""
    (hidden,) = grown.activations(inputs)
    return grown.outputs(1, hidden)


@pytest.mark.parametrize("dendrites", CASES, ids=str)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_it_computes_what_the_network_computes(dendrites, function):
    grown = network(dendrites, function)
    with torch.no_grad():
        logits = DendriticMLP.of(grown)(torch.from_numpy(images()))
    np.testing.assert_allclose(logits, expected(grown, images()), rtol=1e-4, atol=1e-4)


class Recorded:
    """torch.nn.functional, which notes where the matrices begin that it multiplies."""

    def __init__(self) -> None:
        self.places: list[int] = []

    def linear(self, x, weight, bias):
        self.places.append(weight.data_ptr() % 64)
        return torch.nn.functional.linear(x, weight, bias)


@pytest.mark.parametrize("units", [6, 7, 16])
def test_matrices_begin_where_those_of_separate_layers_do(units, monkeypatch):
    """A product with one sample may round by that; the library keeps every dendrite in a layer of its own."""
    shape = Shape(Architecture((units,)), 10, 3, (3, 3), "relu")
    module = DendriticMLP.of(shape.view(np.zeros(shape.size, np.float32)))
    recorded = Recorded()
    monkeypatch.setattr("frustration.dendrites.module.functional", recorded)
    module(torch.ones(1, 10))
    assert recorded.places == [0] * 8


def test_it_knows_every_function_that_a_network_may_have():
    assert tuple(FORWARD_FUNCTIONS) == FUNCTIONS


@pytest.mark.parametrize("dendrites", CASES, ids=str)
def test_weights_come_out_as_they_went_in(dendrites):
    grown = network(dendrites)
    again = grown.shape.view(np.zeros_like(grown.vector))
    DendriticMLP.of(grown).give(again)
    assert again.vector.tobytes() == grown.vector.tobytes()


def test_without_dendrites_its_state_is_that_of_simple_mlp():
    plain = SimpleMLP("[2*5]", 8, 3)
    same = DendriticMLP("[2*5]", (), 8, 3)
    same.load_state_dict(plain.state_dict())
    inputs = torch.from_numpy(images())
    assert torch.equal(same(inputs), plain(inputs))


def saved(grown: Network, path) -> None:
    metadata = {"architecture": str(grown.shape.architecture), "features": "8", "classes": "3"}
    metadata |= {"dendrites": str(list(grown.shape.dendrites)), "forward_function": "tanh"}
    safetensors.numpy.save_file(
        {name: np.ascontiguousarray(array) for name, array in to_state(grown).items()}, path, metadata
    )


def test_a_checkpoint_is_loaded_with_its_dendrites(tmp_path):
    grown = network((2, 1), "tanh")
    saved(grown, tmp_path / "lkg.safetensors")
    module = DendriticMLP.load(tmp_path / "lkg.safetensors")
    with torch.no_grad():
        np.testing.assert_allclose(
            module(torch.from_numpy(images())), expected(grown, images()), rtol=1e-4, atol=1e-4
        )


def test_a_file_that_is_no_checkpoint_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "torn").write_bytes(b"torn")
    safetensors.numpy.save_file({"x": np.zeros(3, np.float32)}, tmp_path / "other")
    for name, said in (("torn", "cannot be read"), ("other", "does not say"), ("none", "cannot be read")):
        with pytest.raises(InputError, match=said):
            DendriticMLP.load(tmp_path / name)


@pytest.mark.parametrize("dendrites", CASES, ids=str)
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning", "ignore:.*torch.jit.*:FutureWarning")
def test_torchscript_agrees(dendrites):
    module = DendriticMLP.of(network(dendrites)).eval()
    inputs = torch.from_numpy(images())
    held = io.BytesIO()
    torch.jit.save(torch.jit.script(module), held)
    held.seek(0)
    with torch.no_grad():
        assert torch.equal(torch.jit.load(held)(inputs), module(inputs))


@pytest.mark.parametrize("dendrites", [(1, 1), (3, 0)], ids=str)
def test_onnx_agrees_at_any_number_of_samples(dendrites, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="a development dependency")
    module = DendriticMLP.of(network(dendrites)).eval()
    path = tmp_path / "grown.onnx"
    torch.onnx.export(
        module,
        (torch.from_numpy(images(2)),),
        path,
        dynamo=True,
        dynamic_shapes=({0: torch.export.Dim("samples")},),
        input_names=["images"],
        output_names=["logits"],
        verbose=False,
    )
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for count in (1, 32):
        (logits,) = session.run(None, {"images": images(count)})
        with torch.no_grad():
            np.testing.assert_allclose(logits, module(torch.from_numpy(images(count))), rtol=1e-5, atol=1e-5)


def test_a_file_of_the_library_that_is_none_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "best_model.pt").write_bytes(b"PK\x03\x04")
    safetensors.numpy.save_file({"x": np.zeros(3, np.float32)}, tmp_path / "other.pt")
    two = {"0.weight": np.zeros((4, 3), np.float32), "2.weight": np.zeros((2, 5), np.float32)}
    safetensors.numpy.save_file(two, tmp_path / "broken.pt")
    for name, said in (
        ("best_model.pt", "no file that perforatedai saved"),
        ("other.pt", "no linear layers"),
        ("broken.pt", "no plain chain"),
        ("missing.pt", "there is no"),
    ):
        with pytest.raises(InputError, match=said):
            read_best_model(tmp_path / name)
