"""Growth in the stock trainers of transformers and Lightning."""

import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from trainer_cases import (
    Net,
    fit_lightning,
    fit_transformers,
    held,
    lightning_module,
    replayed,
    trained,
    validation_loader,
)

from frustration.errors import InputError
from frustration.loops import Growth, Ratchet

pytestmark = pytest.mark.slow

SETTINGS = {"n_epochs_to_switch": 1, "max_dendrites": 2, "max_dendrite_tries": 1}


def callback_of(trainer):
    callbacks = getattr(trainer, "callbacks", None) or trainer.callback_handler.callbacks
    return next(one for one in callbacks if type(one).__name__ in ("GrowthCallback", "RatchetCallback"))


def same_weights(one, other) -> bool:
    states = one.state_dict(), other.state_dict()
    return states[0].keys() == states[1].keys() and all(
        torch.equal(states[0][name], states[1][name]) for name in states[0]
    )


def hugging(folder, **more):
    torch.manual_seed(0)
    return fit_transformers(Net(), folder, **({} if "callback" in more else SETTINGS), **more)


def lit(folder, **more):
    torch.manual_seed(0)
    module = lightning_module()
    return fit_lightning(module, folder, **({} if "callback" in more else SETTINGS), **more), module


def test_transformers_grows_as_our_own_loop_does_and_stops_when_the_schedule_ends(tmp_path):
    trainer = hugging(tmp_path)
    actions = replayed(callback_of(trainer).growth.scores, maximize=False, **SETTINGS)
    assert actions.count("grow") >= 1
    assert actions[-1] == "end"
    assert trainer.state.global_step == 4 * len(actions) < 160
    assert held(trainer.optimizer) == trained(trainer.model)


def test_a_transformers_run_resumed_from_a_checkpoint_after_growth_ends_in_the_same_bits(tmp_path):
    whole = hugging(tmp_path)
    scores = callback_of(whole).growth.scores
    grown = 4 * (replayed(scores, maximize=False, **SETTINGS).index("grow") + 1)
    again = hugging(tmp_path, resume=str(tmp_path / f"checkpoint-{grown}"))
    assert callback_of(again).growth.scores == scores
    assert same_weights(whole.model, again.model)


def test_an_evaluation_after_the_training_is_no_score(tmp_path):
    trainer = hugging(tmp_path)
    told = len(callback_of(trainer).growth.scores)
    trainer.evaluate()
    assert len(callback_of(trainer).growth.scores) == told


def test_a_lightning_validation_after_the_training_is_no_score(tmp_path):
    trainer, module = lit(tmp_path)
    told = len(callback_of(trainer).growth.scores)
    trainer.validate(module, validation_loader(), verbose=False)
    assert len(callback_of(trainer).growth.scores) == told


def test_a_best_model_at_the_end_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(InputError, match="load_best_model_at_end"):
        hugging(tmp_path, arguments={"load_best_model_at_end": True})


def test_lightning_grows_as_our_own_loop_does_and_does_not_count_the_sanity_check(tmp_path):
    trainer, module = lit(tmp_path)
    actions = replayed(callback_of(trainer).growth.scores, maximize=False, **SETTINGS)
    assert actions.count("grow") >= 1
    assert actions[-1] == "end"
    assert trainer.current_epoch == len(actions) < 60
    assert held(trainer.optimizers[0]) == trained(module)


def test_a_lightning_run_resumed_from_a_checkpoint_after_growth_ends_in_the_same_bits(tmp_path):
    trainer, whole = lit(tmp_path / "whole")
    scores = callback_of(trainer).growth.scores
    grown = replayed(scores, maximize=False, **SETTINGS).index("grow")
    checkpoint = next((tmp_path / "whole").glob(f"epoch={grown}*.ckpt"))
    resumed, again = lit(tmp_path / "again", checkpoint=str(checkpoint))
    assert callback_of(resumed).growth.scores == scores
    assert same_weights(whole, again)


def test_a_metric_that_is_not_logged_is_named_with_those_that_are(tmp_path):
    with pytest.raises(InputError, match='logs no "val_acc" in validation; it logs val_loss'):
        lit(tmp_path, metric="val_acc")


def test_growth_follows_a_load_of_a_grown_checkpoint():
    network = Net()
    growth = Growth(network, switch_mode="every", max_dendrites=2)
    for score in (0.1, 0.2):
        growth.add_score(score)
    fresh = Net()
    Growth(fresh)
    fresh.load_state_dict(network.state_dict())
    x = torch.randn(4, 6)
    assert torch.equal(network(x)["logits"], fresh(x)["logits"])


RATCHET = {"callback": "RatchetCallback", "mode": "hidden:dose=3", "seed": 3}


def by_hand(scores) -> Ratchet:
    """The ratchet of our own loop, told the same scores."""
    network = Net()
    ratchet = Ratchet(network, mode=RATCHET["mode"], seed=RATCHET["seed"], maximize=False)
    ratchet.set_optimizer(torch.optim.AdamW(network.parameters()))
    for score in scores:
        network.train()
        network(torch.randn(8, 6))
        ratchet.add_score(score)
    return ratchet


def units(ratchet) -> list:
    return [entry.get("hidden", {}).get("units") for entry in ratchet.evidence]


def check_it_went_as_by_hand(ratchet) -> None:
    own = by_hand(ratchet.scores)
    assert len(ratchet.scores) == 10
    assert ratchet.accepted == own.accepted
    assert {True, False} == set(ratchet.accepted)
    assert units(ratchet) == units(own)


def test_transformers_accepts_and_damages_as_our_own_loop_does_and_ends_at_the_best(tmp_path):
    trainer = hugging(tmp_path, arguments={"max_steps": 40}, **RATCHET)
    ratchet = callback_of(trainer).ratchet
    check_it_went_as_by_hand(ratchet)
    assert trainer.evaluate()["eval_loss"] == pytest.approx(ratchet.best, rel=1e-6)
    assert len(ratchet.scores) == 10  # an evaluation after the training is no score


def test_a_transformers_run_with_the_ratchet_resumes_to_the_same_bits(tmp_path):
    short = {"max_steps": 40}
    whole = hugging(tmp_path, arguments=short, **RATCHET)
    again = hugging(tmp_path, arguments=short, resume=str(tmp_path / "checkpoint-20"), **RATCHET)
    assert callback_of(again).ratchet.scores == callback_of(whole).ratchet.scores
    assert units(callback_of(again).ratchet) == units(callback_of(whole).ratchet)
    assert same_weights(whole.model, again.model)


def test_lightning_accepts_and_damages_as_our_own_loop_does_and_ends_at_the_best(tmp_path):
    trainer, module = lit(tmp_path, epochs=10, network="net", **RATCHET)
    ratchet = callback_of(trainer).ratchet
    check_it_went_as_by_hand(ratchet)
    (scored,) = trainer.validate(module, validation_loader(), verbose=False)
    assert scored["val_loss"] == pytest.approx(ratchet.best, rel=1e-6)


def test_a_lightning_run_with_the_ratchet_resumes_to_the_same_bits(tmp_path):
    trainer, whole = lit(tmp_path / "whole", epochs=8, network="net", **RATCHET)
    checkpoint = str(tmp_path / "whole" / "epoch=4.ckpt")
    resumed, again = lit(tmp_path / "again", epochs=8, network="net", checkpoint=checkpoint, **RATCHET)
    assert callback_of(resumed).ratchet.scores == callback_of(trainer).ratchet.scores
    assert units(callback_of(resumed).ratchet) == units(callback_of(trainer).ratchet)
    assert same_weights(whole, again)


def test_a_lightning_step_that_does_not_call_the_network_is_told_in_a_sentence(tmp_path):
    with pytest.raises(InputError, match=r'calls: RatchetCallback\(…, network="…"\), one of net'):
        lit(tmp_path, epochs=1, **RATCHET)


def _perforatedai() -> str | None:
    try:
        return importlib.metadata.version("perforatedai")
    except importlib.metadata.PackageNotFoundError:
        return None


needs_perforatedai = pytest.mark.skipif(
    _perforatedai() is None, reason="perforatedai has no wheel for this platform"
)


IN_PROCESSES = ("transformers", "lightning", "ratchet")


@pytest.fixture(scope="module")
def with_the_library(tmp_path_factory):
    script = Path(__file__).with_name("library_in_trainers.py")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(script.parent), *sys.path]),
        "HF_HUB_OFFLINE": "1",
    }
    folder = tmp_path_factory.mktemp("library")
    run = subprocess.run(
        [sys.executable, str(script), *IN_PROCESSES],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return {what: json.loads((folder / what / "result.json").read_text()) for what in IN_PROCESSES}


@needs_perforatedai
@pytest.mark.parametrize("trainer", ["transformers", "lightning"])
def test_the_library_grows_in_the_same_callback(trainer, with_the_library):
    came = with_the_library[trainer]
    assert came["actions"].count("grow") >= 1
    assert came["actions"][-1] == "end"
    assert came["held"]


@needs_perforatedai
def test_the_ratchet_damages_what_the_library_has_perforated_as_it_damages_the_bare_network(with_the_library):
    came = with_the_library["ratchet"]
    own = by_hand(came["scores"])
    assert came["accepted"] == own.accepted
    assert {True, False} == set(came["accepted"])
    bare = [[[f"{layer}.main_module", unit] for layer, unit in taken] for taken in units(own)[1:]]
    assert came["units"][1:] == bare
