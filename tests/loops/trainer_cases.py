"""A small network, its data, and the stock trainers of transformers and Lightning around them."""

import os
import warnings
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from frustration.dendrites import Schedule, Settings

os.environ.setdefault("HF_HUB_OFFLINE", "1")


def replayed(scores, maximize, **settings):
    """What the schedule of our own loop decides on these scores."""
    schedule = Schedule(Settings(maximizing_score=maximize, **settings))
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


def fit_transformers(network, folder, *, resume=None, arguments=None, callback="GrowthCallback", **settings):
    """The trainer after `train`; `settings` go to the callback."""
    from transformers import Trainer, TrainingArguments

    from frustration.loops import transformers as adapters

    training = TrainingArguments(
        output_dir=str(folder),
        eval_strategy="steps",
        eval_steps=4,
        save_steps=4,
        per_device_train_batch_size=8,
        learning_rate=0.05,
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        seed=0,
        **{"max_steps": 160, "save_strategy": "steps", **(arguments or {})},
    )
    trainer = Trainer(network, training, train_dataset=rows(64, 1), eval_dataset=rows(32, 2))
    trainer.add_callback(getattr(adapters, callback)(trainer, "eval_loss", maximize=False, **settings))
    trainer.train(resume_from_checkpoint=resume)
    return trainer


def lightning_module():
    import lightning

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
            return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.9)]

    return Module()


def _loader(count, seed):
    data = rows(count, seed)
    pairs = torch.utils.data.TensorDataset(
        torch.stack([r["x"] for r in data]), torch.stack([r["labels"] for r in data])
    )
    return torch.utils.data.DataLoader(pairs, batch_size=16)


def validation_loader():
    return _loader(32, 2)


def fit_lightning(
    module, folder, *, metric="val_loss", checkpoint=None, callback="GrowthCallback", epochs=60, **settings
):
    """The trainer after `fit`; `settings` go to the callback."""
    import lightning
    from lightning.pytorch.callbacks import ModelCheckpoint

    from frustration.loops import lightning as adapters

    hears = getattr(adapters, callback)(metric, maximize=False, **settings)
    keep = ModelCheckpoint(Path(folder), filename="{epoch}", save_top_k=-1, every_n_epochs=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = lightning.Trainer(
            max_epochs=epochs,
            callbacks=[hears, keep],
            accelerator="cpu",
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(module, _loader(64, 1), validation_loader(), ckpt_path=checkpoint, weights_only=True)
    return trainer
