"""Growth and ablation in the stock `Trainer` of Lightning: no fork, no change to the module.

Trainer(callbacks=[GrowthCallback("val_acc", n_epochs_to_switch=5)], max_epochs=-1)
Trainer(callbacks=[RatchetCallback("val_acc", mode="hidden")], max_epochs=50)
"""

from __future__ import annotations

from typing import Any

from lightning import Callback, LightningModule, Trainer

from frustration.errors import InputError
from frustration.loops.growth import Growth
from frustration.loops.library import Grower
from frustration.loops.ratchet import Ratchet


class _ScoreCallback(Callback):
    """Hears the score of each validation of a training."""

    metric: str

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Before and beside the training (`trainer.validate`) it is no score.
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        if self.metric not in trainer.callback_metrics:
            logged = ", ".join(sorted(trainer.callback_metrics)) or "nothing"
            raise InputError(f'the module logs no "{self.metric}" in validation; it logs {logged}')
        self._scored(float(trainer.callback_metrics[self.metric]), trainer, pl_module)

    def _scored(self, score: float, trainer: Trainer, pl_module: LightningModule) -> None:
        raise NotImplementedError


class RatchetCallback(_ScoreCallback):
    """Ablation with the ratchet: a validation accepts the network or takes it back, then it is damaged.

    At the end of the training the network is the Last Known Good.
    """

    def __init__(self, metric: str, *, network: str = "", **settings: Any) -> None:
        """`metric`: a name that the module logs in validation.

        `network`: the attribute of the module that its `training_step` calls; "" is the module itself.
        `settings` are those of `Ratchet`: `mode="hidden"`, `maximize=False`, `seed`, `optimizer`.
        """
        self.metric, self.network = metric, network
        self.ratchet: Ratchet | None = None
        self._settings = settings

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage == "fit" and self.ratchet is None:
            self.ratchet = Ratchet(pl_module.get_submodule(self.network), **self._settings)

    def state_dict(self) -> dict[str, Any]:
        """Kept in Lightning's checkpoints."""
        return self.ratchet.state_dict() if self.ratchet is not None else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._resumed = state_dict

    _resumed: dict[str, Any] | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert self.ratchet is not None
        schedulers = [one.scheduler for one in trainer.lr_scheduler_configs]
        self.ratchet.set_optimizer(trainer.optimizers[0], schedulers[0] if schedulers else None)
        if self._resumed is not None:
            self.ratchet.load_state_dict(self._resumed)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert self.ratchet is not None
        self.ratchet.restore()

    def _scored(self, score: float, trainer: Trainer, pl_module: LightningModule) -> None:
        assert self.ratchet is not None
        if not self.ratchet.has_trained:
            known = ", ".join(name for name, _ in pl_module.named_children())
            raise InputError(
                f"training_step does not call {self.network or 'the module itself'}; name what it calls: "
                f'RatchetCallback(…, network="…"), one of {known}'
            )
        self.ratchet.add_score(score)


class GrowthCallback(_ScoreCallback):
    """Tells the growth each validation's score, and sets the optimizers up anew when the module has grown."""

    def __init__(
        self, metric: str, *, growth: Grower | None = None, maximize: bool = True, **settings: Any
    ) -> None:
        """`metric`: a name that the module logs in validation.

        `growth`: one that was made before, such as a `LibraryGrowth`; else one with these settings is made
        for the module that is trained.
        """
        self.metric = metric
        self.growth = growth
        self._settings = {"maximize": maximize} | settings

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage == "fit" and self.growth is None:
            self.growth = Growth(pl_module, **self._settings)

    def state_dict(self) -> dict[str, Any]:
        """Kept in Lightning's checkpoints."""
        return self.growth.state_dict() if isinstance(self.growth, Growth) else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if isinstance(self.growth, Growth):
            self.growth.load_state_dict(state_dict)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.growth is not None and not isinstance(self.growth, Growth):
            self.growth.set_optimizer(trainer.optimizers[0])

    def _scored(self, score: float, trainer: Trainer, pl_module: LightningModule) -> None:
        assert self.growth is not None
        outcome = self.growth.add_score(score)
        if outcome.grown:
            pl_module.to(trainer.strategy.root_device)
            trainer.strategy.setup_optimizers(trainer)  # asks the module's configure_optimizers again
            if not isinstance(self.growth, Growth):
                self.growth.set_optimizer(trainer.optimizers[0])
        trainer.should_stop |= outcome.complete
