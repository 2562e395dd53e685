"""More rules from scripts that were not used in development: scores, wrappers and ends."""

from doctor_kit import NETWORK, report
from test_unseen import HEAD, LOOP, told

from frustration.integration.examine import examine_script
from frustration.integration.source import Script
from frustration.integration.targets import Wishes

EVALUATION = """
for epoch in range(9):
    step()
    net.eval()
    psnr = AverageMeter()
    for x in range(3):
        psnr.update(measure(net))
    print(psnr.avg)
"""


def test_the_average_of_a_meter_is_the_score_and_not_the_meter():
    assert "add_validation_score(psnr.avg, net)" in report(HEAD + EVALUATION).after


def test_the_entry_of_a_list_that_keeps_the_best_is_the_score():
    loop = LOOP.replace("val_loss = validate()", "recalls = validate()")
    kept = "    print(recalls[1])\n    if best[0] < recalls[0]:\n        best = recalls\n"
    found = report(HEAD + loop + kept)
    assert "add_validation_score(recalls[0], net)" in found.after
    assert "maximizing_score=True" in found.after
    assert not report(HEAD + loop + "    print(recalls[1])\n").changed


def test_another_best_that_goes_the_other_way_is_told_of_the_direction_too():
    steps = report(HEAD + LOOP + "    if mAP > best_mAP:\n        best_mAP = mAP\n").steps
    said = {s.name for s in steps if s.action == "look" and "whether mAP should decide" in s.reason}
    assert said == {"score", "direction"}


def test_a_network_that_a_function_is_given_gets_its_dendrites_before_it_is_wrapped():
    start = HEAD.index("net = Net()")
    wraps = "if not isinstance(net, nn.DataParallel):\n    net = nn.DataParallel(net)\n"
    body = wraps + "optimizer = torch.optim.SGD(net.parameters(), lr=0.1)\n" + LOOP
    train = "def train(net):\n" + "".join(f"    {line}\n" for line in body.splitlines() if line)
    found = report((HEAD[:start] + train).replace("validate()", "validate(net)"))
    assert found.state("parallel") == "done"
    assert found.after.index("UPA.perforate_model(net") < found.after.index("if not isinstance(net")


def test_a_loss_with_parameters_in_the_same_list_is_no_network():
    lists = "groups = [{'params': net.parameters()}]\ngroups.append({'params': criterion.parameters()})\n"
    text = HEAD.replace("optimizer = torch", f"{lists}optimizer = torch").replace(
        "SGD(net.parameters()", "SGD(groups"
    )
    assert report(text + LOOP).state("model") == "missing"


def test_a_loop_that_only_gathers_data_ends_no_training():
    gathers = "    while True:\n        if done:\n            break\n"
    assert told(HEAD + LOOP + gathers, "end") == ""
    assert "`if done` still ends" in told(HEAD + LOOP + "    if done:\n        break\n", "end")


def test_a_network_that_loads_itself_is_told():
    text = HEAD.replace("optimizer = torch", "if resume:\n    net.load('checkpoint')\noptimizer = torch")
    assert "resuming" in told(text + LOOP, "saving")


def test_a_network_that_follows_the_weights_is_told():
    text = HEAD + "target = Net()\n" + LOOP + "    target.load_state_dict(net.state_dict())\n"
    assert "target takes the weights of net" in told(text, "rebuild")


def test_a_schedule_for_a_number_of_iterations_is_planned():
    made = "scheduler = helpers.PolyLR(optimizer, max_iterations, power=0.9)\n"
    assert "planned for a fixed length" in told(HEAD + made + LOOP, "scheduler")


TRAINER = f"""
import evaluate
import torch
import torch.nn as nn
from transformers import Trainer, TrainingArguments
{NETWORK}
metric = "accuracy"
measured = evaluate.load(metric)

def compute_metrics(predictions):
    return measured.compute(predictions=predictions[0], references=predictions[1])

net = Net()
trainer = Trainer(model=net, args=TrainingArguments("out"), compute_metrics=compute_metrics)
trainer.train()
"""


def test_a_metric_that_compute_metrics_loads_is_the_score():
    assert '"eval_accuracy"' in report(TRAINER).after
    assert '"eval_loss"' in report(TRAINER.replace('metric = "accuracy"', "metric = choose()")).after


LIGHTNING = f"""
import lightning as L
import torch
import torch.nn as nn
from lightning.pytorch.callbacks import ModelCheckpoint
{NETWORK.replace("nn.Module", "L.LightningModule")}
net = Net() if small else Net()
trainer = L.Trainer(max_epochs=9, callbacks=[ModelCheckpoint(monitor="valid_loss")])
trainer.fit(model=net)
"""


def test_a_lightning_module_may_be_one_of_two_and_a_watched_score_may_be_logged_elsewhere():
    found = report(LIGHTNING)
    assert found.state("model") == "missing"
    assert 'GrowthCallback("valid_loss"' in found.after
    unwatched = examine_script(Script(LIGHTNING.replace("valid_loss", "train_loss")), Wishes())
    assert unwatched.state("score") == "undecided"


def test_a_trainer_whose_eval_dataset_is_none_has_no_score():
    none = report(TRAINER.replace("model=net,", "model=net, eval_dataset=None,"))
    some = report(TRAINER.replace("model=net,", "model=net, eval_dataset=held_out,"))
    assert [f.state("score") for f in (none, some)] == ["undecided", "missing"]


def test_a_lightning_test_without_a_module_takes_the_best_checkpoint_and_is_told():
    said = [
        "fits no fresh module" in "".join(s.reason for s in report(LIGHTNING + line).steps)
        for line in ("trainer.test()\n", "trainer.test(net)\n")
    ]
    assert said == [True, False]
