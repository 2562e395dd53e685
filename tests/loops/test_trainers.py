"""Growth in the stock trainers of transformers and Lightning."""

import os
import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional

from frustration.dendrites import Schedule, Settings
from frustration.errors import InputError
from frustration.loops import Growth

os.environ.setdefault("HF_HUB_OFFLINE", "1")
SETTINGS = {"n_epochs_to_switch": 1, "max_dendrites": 2, "max_dendrite_tries": 1}


def replayed(scores, maximize):
    """What the schedule of our own loop decides on these scores."""
    schedule = Schedule(Settings(maximizing_score=maximize, **SETTINGS))
    return [schedule.observe(score).action for score in scores]


def held(optimizer) -> set[int]:
    return {id(p) for group in optimizer.param_groups for p in group["params"]}


def trained(network: nn.Module) -> set[int]:
    return {id(p) for p in network.parameters() if p.requires_grad}


class Net(nn.Module):
    """As transformers wants it: a loss beside the outputs."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, x, labels=None):
        logits = self.second(functional.relu(self.first(x)))
        loss = None if labels is None else functional.cross_entropy(logits, labels)
        return {"loss": loss, "logits": logits}


def rows(count: int, seed: int) -> list[dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 6, generator=generator)
    return [{"x": one, "labels": one[:3].argmax()} for one in x]


@pytest.fixture
def hugging(tmp_path):
    from transformers import Trainer, TrainingArguments

    from frustration.loops.transformers import GrowthCallback

    def made(steps=160, resume=None, **more):
        torch.manual_seed(0)
        arguments = TrainingArguments(
            output_dir=str(tmp_path / "out"),
            max_steps=steps,
            eval_strategy="steps",
            eval_steps=4,
            save_steps=4,
            save_strategy="steps",
            per_device_train_batch_size=8,
            learning_rate=0.05,
            report_to=[],
            use_cpu=True,
            disable_tqdm=True,
            seed=0,
            **more,
        )
        trainer = Trainer(Net(), arguments, train_dataset=rows(64, 1), eval_dataset=rows(32, 2))
        callback = GrowthCallback(trainer, "eval_loss", maximize=False, **SETTINGS)
        trainer.add_callback(callback)
        trainer.train(resume_from_checkpoint=resume)
        return trainer, callback.growth

    return made


def test_transformers_grows_as_our_own_loop_does_and_stops_when_the_schedule_ends(hugging):
    trainer, growth = hugging()
    actions = replayed(growth.scores, maximize=False)
    assert actions.count("grow") >= 1
    assert actions[-1] == "end"
    assert trainer.state.global_step == 4 * len(actions) < 160
    assert held(trainer.optimizer) == trained(trainer.model)


def test_a_transformers_run_resumed_from_a_checkpoint_after_growth_ends_in_the_same_bits(hugging, tmp_path):
    whole, growth = hugging()
    grown = 4 * (replayed(growth.scores, maximize=False).index("grow") + 1)
    again, resumed = hugging(resume=str(tmp_path / "out" / f"checkpoint-{grown}"))
    assert resumed.scores == growth.scores
    states = whole.model.state_dict(), again.model.state_dict()
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_a_best_model_at_the_end_is_refused_in_a_sentence(hugging):
    with pytest.raises(InputError, match="load_best_model_at_end"):
        hugging(load_best_model_at_end=True)


@pytest.fixture
def lit():
    lightning = pytest.importorskip("lightning", reason="the extra `lightning` is not installed")

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = Net()

        def training_step(self, batch, _):
            return self.net(*batch)["loss"]

        def validation_step(self, batch, _):
            self.log("val_loss", self.net(*batch)["loss"])

        def configure_optimizers(self):
            optimizer = torch.optim.AdamW(self.parameters(), lr=0.05)
            scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.9)
            return [optimizer], [scheduler]

    def loader(count, seed, shuffle=False):
        data = rows(count, seed)
        pairs = torch.utils.data.TensorDataset(
            torch.stack([r["x"] for r in data]), torch.stack([r["labels"] for r in data])
        )
        return torch.utils.data.DataLoader(pairs, batch_size=16, shuffle=shuffle)

    def made(folder, epochs=60, checkpoint=None, callbacks=(), **more):
        from lightning.pytorch.callbacks import ModelCheckpoint

        from frustration.loops.lightning import GrowthCallback

        torch.manual_seed(0)
        callback = GrowthCallback("val_loss", maximize=False, **SETTINGS)
        keep = ModelCheckpoint(folder, filename="{epoch}", save_top_k=-1, every_n_epochs=1)
        module = Module()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trainer = lightning.Trainer(
                max_epochs=epochs,
                callbacks=[callback, keep, *callbacks],
                accelerator="cpu",
                logger=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                **more,
            )
            trainer.fit(module, loader(64, 1), loader(32, 2), ckpt_path=checkpoint, weights_only=True)
        return trainer, module, callback.growth

    return made


def test_lightning_grows_as_our_own_loop_does_and_does_not_count_the_sanity_check(lit, tmp_path):
    trainer, module, growth = lit(tmp_path)
    actions = replayed(growth.scores, maximize=False)
    assert actions.count("grow") >= 1
    assert actions[-1] == "end"
    assert trainer.current_epoch == len(actions) < 60
    assert held(trainer.optimizers[0]) == trained(module)


def test_a_lightning_run_resumed_from_a_checkpoint_after_growth_ends_in_the_same_bits(lit, tmp_path):
    _, whole, growth = lit(tmp_path / "whole")
    grown = replayed(growth.scores, maximize=False).index("grow")
    checkpoint = next((tmp_path / "whole").glob(f"epoch={grown}*.ckpt"))
    _, again, resumed = lit(tmp_path / "again", checkpoint=str(checkpoint))
    assert resumed.scores == growth.scores
    states = whole.state_dict(), again.state_dict()
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_a_metric_that_is_not_logged_is_named_with_those_that_are(lit, tmp_path, monkeypatch):
    from frustration.loops import lightning as ours

    monkeypatch.setattr(ours.GrowthCallback, "__init__", _with_wrong_metric(ours.GrowthCallback.__init__))
    with pytest.raises(InputError, match='logs no "val_acc" in validation; it logs val_loss'):
        lit(tmp_path)


def _with_wrong_metric(init):
    def made(self, metric, **settings):
        init(self, "val_acc", **settings)

    return made


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
