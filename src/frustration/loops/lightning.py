"""Growth in the stock `Trainer` of Lightning: no fork, no change to the module.

Trainer(callbacks=[GrowthCallback("val_acc", n_epochs_to_switch=5)], max_epochs=-1)
"""

from __future__ import annotations

from typing import Any

from lightning import Callback, LightningModule, Trainer

from frustration.errors import InputError
from frustration.loops.growth import Growth
from frustration.loops.library import Grower


class GrowthCallback(Callback):
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

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Before and beside the training (`trainer.validate`) it is no score.
        if trainer.sanity_checking or trainer.state.fn != "fit" or self.growth is None:
            return
        if self.metric not in trainer.callback_metrics:
            logged = ", ".join(sorted(trainer.callback_metrics)) or "nothing"
            raise InputError(f'the module logs no "{self.metric}" in validation; it logs {logged}')
        outcome = self.growth.add_score(float(trainer.callback_metrics[self.metric]))
        if outcome.grown:
            pl_module.to(trainer.strategy.root_device)
            trainer.strategy.setup_optimizers(trainer)  # asks the module's configure_optimizers again
            if not isinstance(self.growth, Growth):
                self.growth.set_optimizer(trainer.optimizers[0])
        trainer.should_stop |= outcome.complete
