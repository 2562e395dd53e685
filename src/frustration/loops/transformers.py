"""Growth and ablation in the stock `Trainer` of transformers: no fork, no change to the model.

trainer.add_callback(GrowthCallback(trainer, "eval_loss", maximize=False, n_epochs_to_switch=5))
trainer.add_callback(RatchetCallback(trainer, "eval_loss", maximize=False, mode="hidden"))

The trainer has to evaluate regularly (`eval_strategy`). Ask for more epochs than the schedule of growth
needs: the callback stops the training.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from frustration.errors import InputError
from frustration.loops.growth import Growth
from frustration.loops.library import Grower, LibraryGrowth
from frustration.loops.ratchet import Ratchet


class _ScoreCallback(TrainerCallback):
    """Hears the score of each evaluation of a training, and keeps a state in the trainer's checkpoints."""

    file: ClassVar[str]

    def __init__(self, trainer: Trainer, metric: str) -> None:
        self.trainer, self.metric = trainer, metric
        self._training = False

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self._training = True
        saved = self._beside(args, state)
        resumes = saved.exists()  # the trainer resumes from that checkpoint
        self._begin(state, torch.load(saved, weights_only=True) if resumes else None)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self._training = False

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        kept = self._kept()
        if kept is not None:
            torch.save(kept, self._beside(args, state))

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
        if self._training and state.global_step:  # before or after the training it is no score
            self._scored(float(metrics[self.metric]), state, control)

    def _beside(self, args: TrainingArguments, state: TrainerState) -> Path:
        """Where the state is kept: in the trainer's own checkpoint of this step."""
        return Path(str(args.output_dir)) / f"checkpoint-{state.global_step}" / self.file

    def _begin(self, state: TrainerState, kept: Mapping[str, Any] | None) -> None:
        raise NotImplementedError

    def _kept(self) -> dict[str, Any] | None:
        raise NotImplementedError

    def _scored(self, score: float, state: TrainerState, control: TrainerControl) -> None:
        raise NotImplementedError


class RatchetCallback(_ScoreCallback):
    """Ablation with the ratchet: an evaluation accepts the network or takes it back, then it is damaged.

    At the end of the training the network is the Last Known Good.
    """

    file = "ratchet.pt"

    def __init__(self, trainer: Trainer, metric: str, **settings: Any) -> None:
        """`settings` are those of `Ratchet`: `mode="hidden"`, `maximize=False`, `seed`, `optimizer`."""
        super().__init__(trainer, metric)
        self.ratchet = Ratchet(_model(trainer), **settings)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        super().on_train_end(args, state, control)
        self.ratchet.restore()

    def _begin(self, state: TrainerState, kept: Mapping[str, Any] | None) -> None:
        optimizer, scheduler = self.trainer.optimizer, self.trainer.lr_scheduler
        assert optimizer is not None
        self.ratchet.set_optimizer(  # what accelerate wraps
            getattr(optimizer, "optimizer", optimizer), getattr(scheduler, "scheduler", scheduler)
        )
        if kept is not None:
            self.ratchet.load_state_dict(kept)

    def _kept(self) -> dict[str, Any]:
        return self.ratchet.state_dict()

    def _scored(self, score: float, state: TrainerState, control: TrainerControl) -> None:
        self.ratchet.add_score(score)


class GrowthCallback(_ScoreCallback):
    """Tells the growth each evaluation's score, and gives the trainer a new optimizer when it has grown."""

    file = "growth.pt"

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
        super().__init__(trainer, metric)
        self.growth = growth or Growth(_model(trainer), maximize=maximize, **settings)
        self._since = 0
        """The step at which the present optimizer and its schedule began."""

    def _begin(self, state: TrainerState, kept: Mapping[str, Any] | None) -> None:
        if isinstance(self.growth, Growth) and kept is not None:
            self.growth.load_state_dict(kept["growth"])
            self._since = kept["since"]
            self._resume_schedule(state)
        self._tell_library()

    def _kept(self) -> dict[str, Any] | None:
        if not isinstance(self.growth, Growth):
            return None
        return {"growth": self.growth.state_dict(), "since": self._since}

    def _scored(self, score: float, state: TrainerState, control: TrainerControl) -> None:
        outcome = self.growth.add_score(score)
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


def _model(trainer: Trainer) -> nn.Module:
    """The network itself, whatever wraps it."""
    model: nn.Module = trainer.accelerator.unwrap_model(trainer.model)
    return model
