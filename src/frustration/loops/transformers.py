"""Growth in the stock `Trainer` of transformers: no fork, no change to the model.

trainer.add_callback(GrowthCallback(trainer, "eval_loss", maximize=False, n_epochs_to_switch=5))

The trainer has to evaluate regularly (`eval_strategy`). Ask for more epochs than the schedule of growth
needs: the callback stops the training.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from frustration.errors import InputError
from frustration.loops.growth import Growth
from frustration.loops.library import Grower, LibraryGrowth


class GrowthCallback(TrainerCallback):
    """Tells the growth each evaluation's score, and gives the trainer a new optimizer when it has grown."""

    def __init__(
        self,
        trainer: Trainer,
        metric: str,
        *,
        growth: Grower | None = None,
        maximize: bool = True,
        **settings: Any,
    ) -> None:
        """`metric`: a key of what the trainer's evaluation returns, such as `eval_loss`.

        `growth`: one that was made before, such as a `LibraryGrowth`; else one with these settings is made.
        """
        if trainer.args.load_best_model_at_end:
            raise InputError(
                "load_best_model_at_end=True would load a checkpoint of another size once the network has "
                "grown; leave it out: at the end the network is the best one"
            )
        self.trainer, self.metric = trainer, metric
        self.growth = growth or Growth(_model(trainer), maximize=maximize, **settings)
        self._training = False
        self._since = 0
        """The step at which the present optimizer and its schedule began."""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self._training = True
        saved = _beside(args, state)
        if isinstance(self.growth, Growth) and saved.exists():  # the trainer resumes from that checkpoint
            kept = torch.load(saved, weights_only=True)
            self.growth.load_state_dict(kept["growth"])
            self._since = kept["since"]
            self._resume_schedule(state)
        self._tell_library()

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self._training = False

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if isinstance(self.growth, Growth):
            kept = {"growth": self.growth.state_dict(), "since": self._since}
            torch.save(kept, _beside(args, state))

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **given: Any,
    ) -> None:
        metrics: dict[str, float] = given["metrics"]
        if self.metric not in metrics:
            raise InputError(f'"{self.metric}" is not among the metrics: {", ".join(sorted(metrics))}')
        if not self._training or not state.global_step:  # before or after the training it is no score
            return
        outcome = self.growth.add_score(float(metrics[self.metric]))
        if outcome.grown:
            self._new_optimizer(state)
        control.should_training_stop |= outcome.complete

    def _new_optimizer(self, state: TrainerState) -> None:
        """As the trainer makes one at the start, for the steps that are left."""
        trainer, accelerator = self.trainer, self.trainer.accelerator
        _model(trainer).to(trainer.args.device)
        # accelerate unscales gradients by every optimizer that it knows: with the old one in its list, twice.
        accelerator._optimizers.clear()
        accelerator._schedulers.clear()
        trainer.optimizer = trainer.lr_scheduler = None
        self._since = state.global_step
        trainer.create_optimizer_and_scheduler(num_training_steps=max(1, state.max_steps - self._since))
        trainer.optimizer, trainer.lr_scheduler = accelerator.prepare(trainer.optimizer, trainer.lr_scheduler)
        handler = trainer.callback_handler
        handler.optimizer, handler.lr_scheduler = trainer.optimizer, trainer.lr_scheduler
        self._tell_library()

    def _resume_schedule(self, state: TrainerState) -> None:
        """The learning-rate schedule over the steps that were left at the last growth, where it stood."""
        trainer = self.trainer
        if not self._since or trainer.lr_scheduler is None or trainer.optimizer is None:
            return
        where = trainer.lr_scheduler.state_dict()
        trainer.lr_scheduler = None
        trainer.create_scheduler(max(1, state.max_steps - self._since), optimizer=trainer.optimizer)
        trainer.lr_scheduler = trainer.accelerator.prepare(trainer.lr_scheduler)
        trainer.lr_scheduler.load_state_dict(where)
        for group, rate in zip(trainer.optimizer.param_groups, where["_last_lr"], strict=True):
            group["lr"] = rate
        trainer.callback_handler.lr_scheduler = trainer.lr_scheduler

    def _tell_library(self) -> None:
        if isinstance(self.growth, LibraryGrowth) and self.trainer.optimizer is not None:
            self.growth.set_optimizer(self.trainer.optimizer)


def _beside(args: TrainingArguments, state: TrainerState) -> Path:
    """Where the state of growth is kept: in the trainer's own checkpoint of this step."""
    return Path(str(args.output_dir)) / f"checkpoint-{state.global_step}" / "growth.pt"


def _model(trainer: Trainer) -> nn.Module:
    """The network itself, whatever wraps it."""
    model: nn.Module = trainer.accelerator.unwrap_model(trainer.model)
    return model
