"""Grown networks of every kind go where the network before growth can go: export, ONNX, TorchScript."""

import io

import numpy as np
import pytest
import torch
from networks import CNN, BlockCNN, Transformer, lora, normal
from torch import nn

from frustration.engine.module.dendritic import set_dendrites

pytestmark = pytest.mark.slow

KINDS = {
    "cnn": (CNN, {"c1": 1, "c2": 1, "fc": -1}, (1, 8, 8)),
    "block with BatchNorm": (BlockCNN, {"block": 1, "out": -1}, (1, 8, 8)),
    "transformer": (Transformer, {"encoder.layers.0.linear1": -1, "encoder.layers.0.linear2": -1}, (4, 8)),
    "LoRA": (lora, {"base_model.model.0.lora_B.default": -1}, (6,)),
}


def grown(kind: str) -> tuple[nn.Module, torch.Tensor]:
    build, axes, shape = KINDS[kind]
    torch.manual_seed(0)
    network = build()
    set_dendrites(network, dict.fromkeys(axes, 2), axes)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "dendrites" in name or name.endswith(("tops", "links")):
                parameter.copy_(normal(len(name), *parameter.shape))
    return network.eval(), normal(1, 3, *shape)


@pytest.mark.parametrize("kind", KINDS)
def test_a_grown_network_goes_through_torch_export_and_script_traces(kind):
    network, x = grown(kind)
    with torch.no_grad():
        expected = network(x)
        torch.testing.assert_close(torch.export.export(network, (x,)).module()(x), expected)
        torch.testing.assert_close(torch.jit.trace(network, x, check_trace=False)(x), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_a_grown_network_computes_the_same_in_onnx(kind):
    onnxruntime = pytest.importorskip("onnxruntime", reason="a development dependency")
    network, x = grown(kind)
    file = io.BytesIO()
    program = torch.onnx.export(
        network, (x,), dynamo=True, input_names=["x"], output_names=["y"], verbose=False
    )
    program.save(file)
    session = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": x.numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(found, network(x), rtol=1e-4, atol=1e-5)
