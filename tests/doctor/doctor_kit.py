"""The scripts that the doctor is held to, and what it should say of each."""

import ast
from functools import cache
from pathlib import Path
from typing import NamedTuple

from frustration.integration.examine import examine, examine_script
from frustration.integration.source import Script
from frustration.integration.steps import STEPS, Report
from frustration.integration.targets import Wishes

SCRIPTS = Path(__file__).parent / "scripts"
NETWORK = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 8)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(torch.relu(self.body(x)))
"""
"""Of the shortest scripts."""


def report(text: str, wishes: Wishes | None = None) -> Report:
    """The report on a script; what every edit promises is checked on the way."""
    found = examine_script(Script(text), wishes or Wishes())
    ast.parse(found.after)
    assert examine_script(Script(found.after), wishes or Wishes()).after == found.after
    return found


class Expected(NamedTuple):
    """`states` names the steps that are not simply missing; a step left out of `kind` is not needed."""

    kind: str
    states: dict[str, str]
    lines: tuple[str, ...]
    """Lines that the edited script has to contain."""

    def state(self, step: str) -> str:
        return self.states.get(step, "missing")


WISHES = {
    "perforatedai": Wishes(),
    "growth": Wishes(target="frustration"),
    "ratchet": Wishes(intervention="ablate", target="frustration"),
}


@cache
def first(name: str, target: str = "perforatedai") -> Report:
    """The report on a script; nobody changes it."""
    return examine(SCRIPTS / name, WISHES[target])


@cache
def second(name: str, target: str = "perforatedai") -> Report:
    """The report on what the first has made of the script."""
    return examine_script(Script(first(name, target).after, SCRIPTS / name), WISHES[target])


PLAIN = {"parallel": "not needed", "saving": "not needed"}
NO_SCHEDULER = {**PLAIN, "scheduler": "not needed"}

EXPECTED: dict[str, Expected] = {
    "mnist_plain.py": Expected(
        "plain loop",
        {**PLAIN, "score": "undecided"},  # the test set decides
        (
            "    return 100. * correct / len(test_loader.dataset)",
            "        score = test(model, device, test_loader)",
            "    for epoch in itertools.count(1):",
            '    model = UPA.perforate_model(model, save_name="mnist_plain_dendrites", '
            "maximizing_score=True)",
            "            scheduler = StepLR(optimizer, step_size=1, gamma=args.gamma)",
        ),
    ),
    "imagenet_ddp.py": Expected(
        "plain loop",
        {"parallel": "undecided", "saving": "undecided"},
        (
            "    dendrite_rank = torch.distributed.get_rank() if torch.distributed.is_initialized() else 0",
            '    model = UPA.perforate_model(model, save_name=f"imagenet_ddp_dendrites_{dendrite_rank}", '
            "maximizing_score=True)",
            '    model._ddp_params_and_buffers_to_ignore = ["tracker_string"]  # its length differs',
            "        model = torch.nn.parallel.DistributedDataParallel(model, find_unused_parameters=True)",
            "        network, restructured, training_complete = GPA.pai_tracker.add_validation_score(acc1, "
            'getattr(model, "module", model))',
            "            if isinstance(model, torch.nn.parallel.DistributedDataParallel):",
            "    for epoch in itertools.count(args.start_epoch):",
        ),
    ),
    "language_model.py": Expected(
        "plain loop",
        PLAIN,
        (
            'model = UPA.perforate_model(model, save_name="language_model_dendrites", '
            "maximizing_score=False)",
            "GPA.pc.set_output_dimensions([-1, -1, 0])  # 0 marks the axis of the neurons",
            "torch.backends.mha.set_fastpath_enabled(False)  # it ignores dendrites in evaluation",
        ),
    ),
    "vae.py": Expected(
        "plain loop",
        {**NO_SCHEDULER, "score": "undecided"},
        ("    return test_loss", "        score = test(epoch)"),
    ),
    "nano_gpt/train.py": Expected(
        "plain loop",
        {"scheduler": "not needed", "saving": "not needed", "end": "undecided", "parallel": "undecided"},
        (
            "trained = False",
            "        if trained:  # a score that no training has earned would be a best",
            "                optimizer = network.configure_optimizers(weight_decay, learning_rate)",
            'GPA.pc.set_module_names_to_perforate(["Linear"])',
        ),
    ),
    "segmentation_iou.py": Expected(
        "plain loop",
        {**PLAIN, "scheduler": "undecided"},  # planned for a fixed length
        (
            '  model = UPA.perforate_model(model, save_name="segmentation_iou_dendrites", '
            "maximizing_score=True)",
            "    model, restructured, training_complete = GPA.pai_tracker.add_validation_score(val_iou, "
            "model)",
        ),
    ),
    "regression_mse.py": Expected(
        "plain loop",
        {**NO_SCHEDULER, "end": "undecided"},  # early stopping
        (
            'net = UPA.perforate_model(net, save_name="regression_mse_dendrites", maximizing_score=False)',
            "    net, restructured, training_complete = GPA.pai_tracker.add_validation_score(mse, net)",
            "        opt = torch.optim.Adam(net.parameters(), lr=0.01, weight_decay=1e-5)",
        ),
    ),
    "transfer_learning.py": Expected(
        "plain loop",
        PLAIN,
        (
            'GPA.pc.set_module_ids_to_perforate([".fc"])',
            "        model, restructured, training_complete = "
            "GPA.pai_tracker.add_validation_score(epoch_acc, model)",
            "            optimizer = optim.SGD(model.fc.parameters(), lr=0.001, momentum=0.9)",
        ),
    ),
    "text_lstm.py": Expected(
        "plain loop",
        NO_SCHEDULER,
        (
            "    model.classifier.set_this_output_dimensions([-1, 0])  # its output is [batch, features]",
            "        model, restructured, training_complete = "
            "GPA.pai_tracker.add_validation_score(dev_acc, model)",
            '    for epoch in tqdm(itertools.count(), desc="epochs"):',
        ),
    ),
    "class_trainer.py": Expected(
        "plain loop",
        PLAIN,
        (
            "            self.model, restructured, training_complete = "
            'GPA.pai_tracker.add_validation_score(metrics["f1"], self.model)',
            '                self.optimizer = optim.Adam(self.model.parameters(), lr=self.config["lr"])',
        ),
    ),
    "accelerate_cnn.py": Expected(
        "plain loop",
        {"saving": "not needed"},
        (
            "    accelerator = Accelerator(cpu=args.cpu, "
            "kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)])",
            '    model = UPA.perforate_model(model, save_name=f"accelerate_cnn_dendrites_{dendrite_rank}", '
            "maximizing_score=True)",
            "    GPA.pai_tracker.set_optimizer_instance(optimizer)",
            "            model = accelerator.prepare(network)",
            "            accelerator._optimizers.clear()",
            "            optimizer = accelerator.prepare(optimizer)",
            "            lr_scheduler = accelerator.prepare(lr_scheduler)",
        ),
    ),
    "lightning_classifier.py": Expected(
        "Lightning",
        {"parallel": "not needed", "saving": "not needed"},
        (
            '    model = UPA.perforate_model(model, save_name="lightning_classifier_dendrites", '
            "maximizing_score=True)",
            "from frustration.loops.lightning import GrowthCallback",
        ),
    ),
    "trainer_text.py": Expected(
        "transformers Trainer",
        {"parallel": "not needed", "configuration": "undecided"},  # how the head is called
        (
            "        num_train_epochs=10_000,",
            '        save_strategy="no",',
            "        load_best_model_at_end=False,",
            '    trainer.add_callback(GrowthCallback(trainer, "eval_accuracy", '
            "growth=LibraryGrowth(trainer.model, maximize=True)))",
        ),
    ),
    "half_integrated.py": Expected(
        "plain loop",
        {**PLAIN, "imports": "done", "model": "done", "direction": "wrong", "score": "wrong"},
        (
            'model = UPA.perforate_model(model, save_name="half", maximizing_score=False)',
            "GPA.pc.set_unwrapped_modules_confirmed(True)  # layers without dendrites are meant to have none",
            "    model, restructured, training_complete = GPA.pai_tracker.add_validation_score(val_loss, "
            "model)  # grows when it has to",
        ),
    ),
}
"""Of scripts that are edited."""

assert set(PLAIN) < set(STEPS)
