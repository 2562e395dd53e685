"""Rules from scripts that were not used in development, each in the shortest script that shows it."""

import pytest
from doctor_kit import NETWORK, report

from frustration.errors import InputError
from frustration.integration.direction import by_name
from frustration.integration.examine import examine, examine_script
from frustration.integration.source import Script
from frustration.integration.targets import Wishes

HEAD = f"""
import torch
import torch.nn as nn
{NETWORK}
def step():
    optimizer.zero_grad()
    net(torch.ones(3, 4)).sum().backward()
    optimizer.step()

def validate():
    net.eval()
    return net(torch.ones(3, 4)).sum().item()

net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
"""
LOOP = """
best = 9.0
for epoch in range(9):
    step()
    val_loss = validate()
"""


def told(text: str, step: str) -> str:
    """What is told of a step, and left to a person."""
    return "\n".join(s.reason for s in report(text).steps if s.name == step and s.action == "hand")


def test_a_score_is_reported_before_a_continue_that_would_skip_it():
    text = report(HEAD + LOOP + "    if val_loss < best:\n        best = val_loss\n        continue\n").after
    assert text.index("add_validation_score(") < text.index("continue")


@pytest.mark.parametrize(
    "addition, step, sentence",
    [
        ("    adjust_learning_rate(optimizer, epoch)\n", "scheduler", "set by hand"),
        (
            "    for group in optimizer.param_groups:\n        group['lr'] *= 0.5\n",
            "scheduler",
            "set by hand",
        ),
        ("    if trigger():\n        break\n", "end", "early stopping"),
        ("    if val_loss < 0.1:\n        break\n", "end", "still ends the training"),
        ("for epoch in range(9):\n    step()\n", "score", "this loop trains as well"),
        ("    if ready(val_loss):\n        break\n", "end", "`if ready(val_loss)` still ends the training"),
        ("for epoch in range(2):\n    step()\n", "score", "this loop trains as well"),
        ("net.load_state_dict(torch.load('best.pt'))\n", "saving", "after training a checkpoint is loaded"),
        ("net.save_pretrained('out')\n", "saving", "from_pretrained reads a grown network with new weights"),
        ("    optimizer = torch.optim.ASGD(net.parameters())\n", "rebuild", "another optimizer is made"),
        ("    other = nn.functional.linear(torch.ones(3, 8), net.head.weight)\n", "configuration", "head"),
    ],
)
def test_what_does_not_survive_growth_is_told(addition, step, sentence):
    assert sentence in told(HEAD + LOOP + addition, step)
    assert sentence not in told(HEAD + LOOP, step)


def test_an_evaluation_in_the_other_branch_is_told():
    loop = LOOP.replace(
        "    val_loss = validate()\n",
        "    if epoch % 2:\n        val_loss = validate()\n    else:\n        val_loss = validate()\n",
    )
    assert "evaluates in the other branch" in told(HEAD + loop, "score")


def test_an_optimizer_inside_a_class_of_the_script_is_told():
    wrapped = HEAD.replace(
        "torch.optim.SGD(net.parameters(), lr=0.1)", "Warm(torch.optim.SGD(net.parameters(), lr=0.1))"
    )
    assert "Warm wraps the optimizer" in told(wrapped + LOOP, "optimizer")


def test_an_optimizer_made_in_every_epoch_needs_no_other():
    made = HEAD.replace("optimizer = torch.optim.SGD(net.parameters(), lr=0.1)\n", "").replace(
        "def step():\n", "def step():\n    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)\n"
    )
    found = report(made + LOOP)
    assert found.state("rebuild") == "done"
    assert found.after.count("set_optimizer_instance(optimizer)") == 1


def test_a_loss_with_parameters_is_no_network():
    both = HEAD.replace("net.parameters(), lr", "list(net.parameters()) + list(criterion.parameters()), lr")
    assert (
        report(both.replace("net = Net()", "net, criterion = Net(), nn.PReLU()") + LOOP).state("model")
        != "wrong"
    )
    assert (
        "net = UPA.perforate_model(net"
        in report(both.replace("net = Net()", "net = Net()\ncriterion = nn.PReLU()") + LOOP).after
    )


def test_the_arguments_of_a_wrapper_are_no_network():
    wrapped = HEAD.replace("net = Net()\n", "net = Net()\nnet = nn.DataParallel(net, device_ids=range(1))\n")
    assert "net = UPA.perforate_model(net, " in report(wrapped + LOOP).after


def test_without_a_score_the_other_steps_are_listed():
    found = report(HEAD + "for epoch in range(9):\n    step()\n")
    assert [found.state(step) for step in ("score", "direction")] == ["undecided"] * 2
    assert [found.state(step) for step in ("rebuild", "end", "optimizer")] == ["missing"] * 3


@pytest.mark.parametrize("package", ["ignite", "fastai", "skorch"])
def test_a_loop_of_another_package_is_refused_in_a_sentence(package):
    found = report(f"from {package}.engine import run\n" + HEAD + "run(net, optimizer)\n")
    assert f"the training loop is in {package}" in found.refused
    assert not found.changed


def test_a_comparison_with_the_last_few_scores_says_nothing_about_the_direction():
    worse = "    if vloss > max(losses[-3:]):\n        print('worse')\n"
    loop = LOOP.replace("val_loss", "vloss") + worse
    assert report(HEAD + loop).state("direction") == "undecided"
    assert report(HEAD + LOOP + worse.replace("vloss", "val_loss")).after.count("maximizing_score=False") == 1


def test_what_an_evaluation_calls_says_which_way_is_better():
    text = HEAD.replace("return net(torch.ones(3, 4)).sum().item()", "return f1_score(net(torch.ones(3, 4)))")
    assert "maximizing_score=True" in report(text + LOOP.replace("val_loss", "avg")).after


def test_a_progress_bar_keeps_its_methods():
    loop = LOOP.replace("for epoch in range(9):", "bar = trange(9, desc='epochs')\nfor epoch in bar:")
    text = report("from tqdm import trange\n" + HEAD + loop).after
    assert "bar = trange(1_000_000_000, desc='epochs')" in text


def test_modules_are_found_in_the_folders_of_the_package_and_of_sys_path(tmp_path):
    package, extra = tmp_path / "package", tmp_path / "extra"
    for folder, layer in ((package, "Conv2d"), (extra, "LSTM")):
        folder.mkdir()
        net = HEAD[: HEAD.index("def step")].replace("nn.Linear(4, 8)", f"nn.{layer}(1, 1, 1)")
        (folder / "nets.py").write_text(net)
    script = package / "train.py"
    rest = HEAD[HEAD.index("def step") :] + LOOP
    script.write_text("import torch\nfrom package.nets import Net\n" + rest)
    assert "convolutions" in " ".join(step.reason for step in examine(script).steps)
    moved = tmp_path / "train.py"
    moved.write_text("import sys\nimport torch\nsys.path.append('extra')\nfrom nets import Net\n" + rest)
    assert "LSTM" in " ".join(step.reason for step in examine(moved).steps)


@pytest.mark.parametrize(
    "deep",
    [
        "a" + " + a" * 6000,
        "(" * 3000 + "a" + ")" * 3000,
        "a" + ".b()" * 3000,
        "(" + "lambda: " * 9000 + "a)",
        "(" + "'a' " * 9000 + ")",
    ],
)
def test_an_expression_that_is_too_deep_for_the_parser_is_answered_with_its_line(deep):
    with pytest.raises(InputError, match=r"line 2: an expression with more than 1000 operators"):
        Script(f"a = 1\nx = {deep}\n")


@pytest.mark.parametrize("number", [3000, 100_000])
def test_a_chain_of_elif_that_is_too_long_for_the_parser_is_answered_with_its_line(number):
    with pytest.raises(InputError, match=r"line 2003: more than 1000 elif in one chain"):
        Script("if a:\n    pass\n" + "elif a:\n    pass\n" * number)


def test_many_short_chains_of_elif_are_read():
    assert Script("if a:\n    pass\nelif b:\n    pass\n" * 1500).module.body


def test_a_long_list_is_not_deep():
    assert Script("x = [" + "-1, " * 5000 + "]\n").module.body


def test_a_best_one_that_is_kept_in_the_other_branch_turns_the_direction():
    worse = "    if vloss > best:\n        wait = 1\n    else:\n        best = vloss\n"
    assert "maximizing_score=False" in report(HEAD + LOOP.replace("val_loss", "vloss") + worse).after


def test_a_network_made_beside_another_value_is_found():
    text = report(HEAD.replace("net = Net()", "net, number = Net(), 3") + LOOP).after
    assert text.index("net, number = Net(), 3") < text.index("net = UPA.perforate_model(net")


def test_a_linear_layer_behind_a_transposed_convolution_has_its_own_axis():
    text = HEAD.replace("nn.Linear(4, 8)", "nn.Conv1d(4, 8, 1)").replace(
        "torch.relu(self.body(x))", "self.body(x).transpose(1, 2)"
    )
    assert "net.head.set_this_output_dimensions([-1, -1, 0])" in report(text + LOOP).after


def test_layers_of_other_packages_are_told():
    text = "from torch_geometric.nn import GCNConv\n" + HEAD.replace("nn.Linear(4, 8)", "GCNConv(4, 8)")
    assert "GCNConv of torch_geometric" in told(text + LOOP, "configuration")


def distributed(network: str, rest: str) -> str:
    return (
        "from torch.nn.parallel import DistributedDataParallel as DDP\n"
        + HEAD.replace("net = Net()", network)
        + LOOP.replace("for epoch", f"{rest}for epoch")
    )


def test_each_of_several_processes_has_a_folder_of_its_own():
    text = report(distributed("net = Net()\nnet = DDP(net)", "")).after
    assert 'os.environ.pop("RANK", None)' in text
    assert "import os\n" in text
    assert "{dendrite_rank}" in text
    assert "dendrite_rank" not in report(HEAD + LOOP).after


@pytest.mark.parametrize(
    "network, rest, sentence",
    [
        ("net = Net()\nnet = DDP(net)", "rank = os.environ['RANK']\n", "RANK may be gone here"),
        ("net = Net()\ndist.init_process_group()\nnet = DDP(net)", "", "here the processes get their ranks"),
        ("net = DDP(Net())", "", "make the network in a line of its own: net._ddp_params"),
    ],
)
def test_what_several_processes_need_beyond_the_edit_is_told(network, rest, sentence):
    assert sentence in told(distributed(network, rest), "parallel")
    assert sentence not in told(distributed("net = Net()\nnet = DDP(net)", ""), "parallel")


def test_what_holds_the_network_of_before_its_growth_is_told():
    held = HEAD + "tester = Tester(net)\n" + LOOP.replace("    step()\n", "    step()\n    tester.run()\n")
    assert "tester was made with net: after growth, give it the new one" in told(held, "rebuild")
    own = report(held, Wishes(target="frustration"))  # there the network stays the same object
    assert "tester" not in "".join(step.reason for step in own.steps)


def test_a_network_of_each_fold_is_told():
    made = HEAD[HEAD.index("net = Net()") :] + LOOP
    folds = HEAD[: HEAD.index("net = Net()")] + "for fold in range(3):\n    " + made.replace("\n", "\n    ")
    assert "made in each repetition of this loop" in told(folds, "model")


def test_a_comparison_that_only_counts_what_was_no_best_does_not_turn_the_direction():
    worse = "    if vacc < best:\n        wait = 1\n"
    assert (
        "maximizing_score=True"
        in report(
            HEAD + LOOP.replace("val_loss", "vacc").replace("vacc", "v_acc") + worse.replace("vacc", "v_acc")
        ).after
    )
    assert (
        report(HEAD + LOOP.replace("val_loss", "figure") + worse.replace("vacc", "figure")).state("direction")
        == "undecided"
    )


def test_a_name_with_two_directions_says_none():
    assert report(HEAD + LOOP.replace("val_loss", "loss_acc")).state("direction") == "undecided"
    assert "maximizing_score=False" in report(HEAD + LOOP.replace("val_loss", "acc_loss")).after


def test_of_several_scores_the_one_that_the_script_keeps_the_best_of_decides():
    two = HEAD.replace("    return net(torch.ones(3, 4)).sum().item()", "    return 1.0, 2.0")
    loop = LOOP.replace("val_loss =", "err1, val_acc =") + "    best = min(err1, best)\n"
    assert "add_validation_score(err1, net)" in report(two + loop).after
    assert (
        "add_validation_score(val_acc, net)"
        in report(two + loop.replace("    best = min(err1, best)\n", "")).after
    )


@pytest.mark.parametrize(
    "made", ["out = {}\n    out['a'] = 1\n    return out", "if net:\n        return 1, 2\n    return 3"]
)
def test_a_result_that_holds_several_things_is_asked_for(made):
    several = HEAD.replace("return net(torch.ones(3, 4)).sum().item()", made)
    found = report(several + LOOP)
    assert [found.state(step) for step in ("score", "direction")] == ["undecided"] * 2
    assert not found.changed


def test_a_score_of_single_batches_is_asked_for():
    loop = (
        "for epoch in range(9):\n    for x in data:\n        loss = net(x).sum()\n        loss.backward()\n"
        "        optimizer.step()\n        net.eval()\n        loss = net(x).sum()\n"
    )
    assert report(HEAD + loop).state("score") == "undecided"


def test_the_word_eval_in_a_comment_is_no_validation_set():
    text = HEAD.replace("    net.eval()", "    net.eval()  # into eval mode") + LOOP.replace(
        "validate()", "validate(test_loader)"
    ).replace("validate(test_loader)", "validate() if test_loader else 0")
    assert "the test set decides about growth" in told(text, "score")


def test_ddp_that_is_told_to_find_no_unused_parameters_is_corrected():
    text = distributed("net = Net()\nnet = DDP(net, find_unused_parameters=False)", "")
    assert report(text).state("parallel") == "wrong"
    assert "DDP(net, find_unused_parameters=True)" in report(text).after


def test_a_function_of_another_file_that_loads_a_checkpoint_is_told():
    text = HEAD + "net, start = utils.load_checkpoint(net, 'last')\ntorch.save(1, 'x')\n" + LOOP
    assert "resuming" in told(text, "saving")


@pytest.mark.parametrize(
    "worse, way",
    [
        ("    if vloss > best:\n        wait = 1\n", None),
        ("    if vloss < best:\n        best = vloss\n", "maximizing_score=False"),
        ("    if vloss < best['v']:\n        best['v'] = vloss\n", "maximizing_score=False"),
        ("    best = vloss if vloss > best else best\n", "maximizing_score=True"),
        ("    is_best = vloss > best\n", "maximizing_score=True"),
    ],
)
def test_a_comparison_that_keeps_no_new_best_says_nothing_about_an_unknown_name(worse, way):
    found = report(HEAD + LOOP.replace("val_loss", "vloss") + worse)
    if way is None:
        assert found.state("direction") == "undecided"
    else:
        assert way in found.after


@pytest.mark.parametrize(
    "name, way",
    [
        ("acc_loss", False),
        ("loss_acc", None),
        ("val_acc", True),
        ("valid_rocauc", True),
        ("x", None),
        ("-val_loss", None),
        ("1 - acc", None),
        ("neg_mse", None),
        ("f1_score", True),
    ],
)
def test_the_last_known_word_of_a_name_decides_and_a_name_of_both_decides_nothing(name, way):
    assert by_name(name) is way


def test_a_loss_that_is_returned_with_its_sign_turned_is_asked_for():
    turned = HEAD.replace("return net(", "return -net(")
    assert report(turned + LOOP).state("direction") == "undecided"
    assert report(HEAD + LOOP).state("direction") == "missing"


def test_a_function_that_returns_several_things_in_one_name_is_asked_for():
    several = HEAD.replace("return net(torch.ones(3, 4)).sum().item()", "out = {}\n    return out")
    assert report(HEAD + LOOP).state("score") == "missing"
    assert "returns several things in out" in "".join(s.reason for s in report(several + LOOP).steps)


def test_an_object_that_holds_the_network_is_told_and_needs_nothing_with_our_own_loops():
    text = HEAD + "judge = Judge(net)\n" + LOOP.replace("validate()", "validate() + judge.penalty()")
    assert "judge was made with net" in told(text, "rebuild")
    own = report(text, Wishes(target="frustration"))
    assert not any("judge" in step.reason for step in own.steps)


def test_a_network_in_each_repetition_of_a_loop_is_told():
    made = "net = Net()\noptimizer = torch.optim.SGD(net.parameters(), lr=0.1)\n"
    inner = "".join(f"    {line}\n" for line in (made + LOOP).splitlines() if line)
    text = HEAD.replace(made, "") + "for fold in range(3):\n" + inner
    assert "a network is made in each repetition" in told(text, "model")


def test_the_same_network_trained_again_by_a_loop_is_told():
    made = "optimizer = torch.optim.SGD(net.parameters(), lr=0.1)\n"
    inner = "".join(f"    {line}\n" for line in (made + LOOP).splitlines() if line)
    text = HEAD.replace(made, "") + "for run in range(3):\n    net.apply(reset)\n" + inner
    assert "begins with the grown one" in told(text, "model")


def test_an_entry_that_is_read_from_the_result_is_asked_for():
    loop = LOOP.replace("val_loss", "perf") + "    curve.append(perf[data.metric])\n"
    steps = [step for step in report(HEAD + loop).steps if step.name == "score"]
    assert any("reads perf[data.metric] of it" in step.reason and step.option for step in steps)


def test_an_optimizer_made_inside_of_a_call_is_refused_with_its_line():
    made = "optimizer = torch.optim.SGD(net.parameters(), lr=0.1)\n"
    found = report(HEAD.replace(made, "") + "fit(net, torch.optim.SGD(net.parameters(), lr=0.1))\n")
    assert "makes the optimizer inside of a call" in found.refused


def test_the_entry_of_a_result_that_keeps_the_best_is_the_score():
    loop = LOOP.replace("val_loss", "log") + "    scheduler.step(log['loss'])\n"
    assert "add_validation_score(log['loss']," in report(HEAD + loop).after
    kept = loop + "    if log['iou'] > best:\n        best = log['iou']\n"
    assert "add_validation_score(log['iou']," in report(HEAD + kept).after


def test_an_optimizer_s_class_may_come_from_the_settings():
    made = HEAD.replace("torch.optim.SGD(net.parameters(), lr=0.1)", "args.optimizer(weights, lr=0.1)")
    text = made.replace("optimizer = args", "weights = list(net.parameters())\noptimizer = args") + LOOP
    assert "set_optimizer_instance(optimizer)" in report(text).after


def test_a_loop_over_batches_alone_is_told():
    text = HEAD + "for x in loader:\n    net(x).sum().backward()\n    optimizer.step()\n"
    assert "none over epochs was found" in told(text, "rebuild")
    assert "none over epochs" not in told(HEAD + LOOP, "rebuild")


def accelerated(made: str, loop: str = LOOP) -> str:
    """A script that `accelerate launch` may run in several processes."""
    head = HEAD.replace("net = Net()", f"accelerator = {made}\nnet = Net()")
    prepared = "net, optimizer = accelerator.prepare(net, optimizer)\n"
    return "from accelerate import Accelerator\n" + head + prepared + loop


GATHERED = LOOP.replace("validate()", "accelerator.gather(validate())")


def test_processes_that_accelerate_launch_starts_grow_each_in_a_folder_and_are_wrapped_again():
    text = report(accelerated("Accelerator()", GATHERED)).after
    assert "Accelerator(kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)])" in text
    assert "{dendrite_rank}" in text
    assert "net = accelerator.prepare(network)" in text
    own = report(accelerated("Accelerator()", GATHERED), Wishes(target="frustration")).after
    assert "net = accelerator.prepare(network)" in own


@pytest.mark.parametrize(
    "made, state, line",
    [
        (
            "Accelerator(kwargs_handlers=[DistributedDataParallelKwargs()])",
            "missing",
            "unused_parameters=True",
        ),
        (
            "Accelerator(kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=False)])",
            "wrong",
            "find_unused_parameters=True",
        ),
        (
            "Accelerator(kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)])",
            "done",
            "find_unused_parameters=True",
        ),
        ("Accelerator(**settings)", "undecided", "Accelerator(**settings)"),
        ("Accelerator(kwargs_handlers=others)", "undecided", "Accelerator(kwargs_handlers=others)"),
        ("elsewhere()", "undecided", "elsewhere()"),
    ],
)
def test_the_settings_that_accelerate_wraps_with_are_edited_where_they_are_known(made, state, line):
    found = report(accelerated(made, GATHERED))
    assert found.state("parallel") == state
    assert line in found.after


def test_a_score_of_one_of_several_processes_is_told():
    only = LOOP.replace("    val_loss", "    if accelerator.is_main_process:\n        val_loss")
    assert "only one process has this score" in told(accelerated("Accelerator()", only), "score")
    assert "has to report the same score" in told(accelerated("Accelerator()"), "parallel")
    assert "has to report the same score" not in told(accelerated("Accelerator()", GATHERED), "parallel")


def test_fabric_with_several_devices_is_told():
    text = HEAD + "fabric = Fabric()\nnet, optimizer = fabric.setup(net, optimizer)\n" + LOOP
    assert "fabric.setup again after growth" in told(text, "parallel")
    assert told(text.replace("Fabric()", "Fabric(devices=1)"), "parallel") == ""


def test_a_script_that_reports_already_is_told_to_wrap_the_grown_network_again():
    reported = LOOP + "    net, restructured, done = GPA.pai_tracker.add_validation_score(val_loss, net)\n"
    head = "from perforatedai import globals_perforatedai as GPA\n"
    text = head + accelerated("Accelerator()", reported.replace("validate()", "gather(validate())"))
    assert "wrap it again after growth" in told(text, "parallel")
    assert "network.parameters()" not in report(text).after


def test_a_network_among_the_arguments_of_a_maker_is_the_one_whose_parameters_it_takes():
    made = "optimizer = torch.optim.SGD(net.parameters(), lr=0.1)\n"
    maker = "def make(options, body):\n    return torch.optim.SGD(body.parameters(), lr=options.lr)\n\n"
    text = HEAD.replace("net = Net()", f"{maker}options = read()\nnet = Net()")
    text = text.replace(made, "optimizer = make(options, net)\n") + LOOP
    assert "net = UPA.perforate_model(net" in report(text).after
    unknown = text.replace(maker, "").replace("make(options, net)", "build_optimizer(options)")
    assert report(unknown).state("model") == "undecided"


def test_optimizer_and_scheduler_may_come_together_from_a_function_of_any_name():
    maker = (
        "def setup_optimizer(body):\n    first = torch.optim.SGD(body.parameters(), lr=0.1)\n"
        "    second = torch.optim.lr_scheduler.CosineAnnealingLR(first, 9)\n    return first, second\n\n"
    )
    made = "optimizer = torch.optim.SGD(net.parameters(), lr=0.1)\n"
    text = maker + HEAD.replace(made, "optimizer, plan = setup_optimizer(net)\n") + LOOP
    found = report(text)
    assert "    optimizer, plan = setup_optimizer(net)\n" in found.after  # after growth
    assert found.after.count("set_optimizer_instance(optimizer)") == 2
    assert "planned for a fixed length" in told(text, "scheduler")


def test_a_network_that_a_function_returns_beside_others_is_found():
    built = "def build():\n    return Net(), nn.MSELoss()\n\nnet, criterion = build()\n"
    text = report(HEAD.replace("net = Net()\n", built) + LOOP).after
    assert text.index("net, criterion = build()") < text.index("net = UPA.perforate_model(net")


def test_another_name_of_the_network_is_the_network():
    groups = "bare = net\ngroups = decay(bare)\noptimizer = torch.optim.SGD(groups, lr=0.1)\n"
    made = "optimizer = torch.optim.SGD(net.parameters(), lr=0.1)\n"
    script = "from lists import decay\n" + HEAD.replace(made, groups) + LOOP + "    net.train()\n"
    text = report(script).after
    assert "net = UPA.perforate_model(net" in text
    assert "        groups = decay(net)\n" in text


def test_what_makes_another_optimizer_of_it_is_told():
    private = "net, optimizer, data = engine.make_private(net, optimizer, data)\n"
    text = HEAD + private + LOOP
    assert "make_private makes another net and optimizer of it" in told(text, "optimizer")
    assert "make_private has to be called again" in told(text, "rebuild")
    assert told(HEAD + LOOP, "optimizer") == ""


@pytest.mark.parametrize(
    "evaluation, state",
    [
        ("        worth = 1\n        rmse = net(x).sum().item()\n", "undecided"),
        ("        rmse += net(x).sum().item()\n", "missing"),
    ],
)
def test_a_value_of_the_last_batch_is_no_score(evaluation, state):
    loop = "for epoch in range(9):\n    step()\n    net.eval()\n    for x in data:\n" + evaluation
    assert report(HEAD + loop).state("score") == state


def test_the_loss_that_training_goes_back_from_is_no_score():
    loop = (
        "for epoch in range(9):\n    loss = net(x).sum()\n    loss.backward()\n    optimizer.step()\n"
        "    with torch.no_grad():\n        loss = net(y).sum()\n"
    )
    assert report(HEAD + loop).state("score") == "undecided"
    own = loop.replace("        loss = net(y)", "        val_loss = net(y)")
    assert report(HEAD + own).state("score") == "missing"


def test_the_range_of_a_progress_bar_is_the_one_before_the_loop():
    bar = LOOP.replace("for epoch in range(9):", "bar = tqdm(range(9))\nfor epoch in bar:")
    text = "def other():\n    bar = tqdm(enumerate([1]))\n" + HEAD + bar
    assert "bar = tqdm(itertools.count())" in report(text).after


def test_a_loop_over_epochs_is_found_around_a_function_that_has_the_batches():
    batches = HEAD.replace("def step():\n", "def step():\n  for x in loader:\n")
    steps = report(batches + "for epoch in range(9):\n    step()\n").steps
    assert any("range(9) would end the training" in s.reason for s in steps)


def test_a_scaler_that_is_given_loss_and_optimizer_trains():
    text = HEAD.replace("net(torch.ones(3, 4)).sum().backward()\n    optimizer.step()", "go(loss, optimizer)")
    assert report(text + LOOP).state("rebuild") == "missing"


@pytest.mark.parametrize(
    "made, step, sentence",
    [
        ("torch.optim.lr_scheduler.StepLR(optimizer, 2)", "step(epoch)", "counts epochs from the first one"),
        ("WarmLR(optimizer)", "step()", "WarmLR is a schedule of this project"),
        ("torch.optim.lr_scheduler.StepLR(optimizer, 2)", "step()", ""),
    ],
)
def test_a_schedule_that_is_the_project_s_own_or_is_given_the_epoch_is_told(made, step, sentence):
    head = HEAD + f"class WarmLR:\n    pass\n\nscheduler = {made}\n"
    reasons = told(head + LOOP + f"    scheduler.{step}\n", "scheduler")
    assert sentence in reasons
    assert bool(sentence) == bool(reasons)


def test_a_learning_rate_that_another_file_sets_is_told(tmp_path):
    (tmp_path / "engine.py").write_text(
        "def fit(net, optimizer, epoch):\n    adjust_learning_rate(optimizer, epoch)\n    net(1).backward()\n"
    )
    script = tmp_path / "train.py"
    loop = LOOP.replace("    step()\n", "    fit(net, optimizer, epoch)\n")
    script.write_text("from engine import fit\n" + HEAD + loop)
    reasons = [s.reason for s in examine(script).steps if s.name == "scheduler"]
    assert any("the learning rate is set by hand here" in reason for reason in reasons)


def test_a_pretrained_start_is_no_checkpoint_of_a_grown_network():
    start = "net = Net()\nnet.load_state_dict(torch.load('pretrained_checkpoint.pt'))\n"
    text = HEAD.replace("net = Net()\n", start) + LOOP
    assert told(text, "saving") == ""
    assert "resuming" in told(text + "    torch.save(net.state_dict(), 'checkpoint.pt')\n", "saving")


def test_layers_of_sequences_that_were_not_read_are_told():
    outside = HEAD.replace("net = Net()", "net = TransformerWrapper(8)")
    assert "its layers were not read" in told(outside + LOOP, "configuration")
    family = HEAD.replace("net = Net()", "net = AutoModelForCausalLM.from_config(c)")
    assert "its layers were not read" not in told(family + LOOP, "configuration")


def test_a_linear_layer_of_a_network_with_convolutions_that_was_not_read_is_told():
    text = HEAD.replace("nn.Linear(4, 8)", "nn.Conv1d(4, 8, 1)").replace(
        "torch.relu(self.body(x))", "fold(self.body(x))"
    )
    assert "the axis of .head was not read" in told(text + LOOP, "configuration")
    read = text.replace("fold(self.body(x))", "self.body(x)[:, :, -1]")
    assert told(read + LOOP, "configuration") == ""


def test_a_variable_without_gradient_is_no_frozen_layer():
    text = HEAD + "target = Variable(target, requires_grad=False)\n" + LOOP
    assert told(text, "configuration") == ""
    assert "frozen" in told(text + "net.head.weight.requires_grad = False\n", "configuration")


def test_a_list_of_parameters_is_no_optimizer_and_neither_is_one_without_them():
    listed = HEAD.replace("optimizer =", "param_optimizer = list(net.named_parameters())\noptimizer =")
    assert "set_optimizer_instance(optimizer)" in report(listed + LOOP).after
    partial = HEAD.replace("torch.optim.SGD(net.parameters(), lr=0.1)", "torch.optim.SGD(lr=0.1)")
    assert "no optimizer is made" in report(partial + LOOP).refused


def test_a_schedule_of_any_making_is_known_by_its_name():
    text = "from plans import choose\n" + HEAD + "scheduler = choose('step')(optimizer, size=3)\n" + LOOP
    assert "        scheduler = choose('step')(optimizer, size=3)\n" in report(text).after


def test_a_choice_that_asks_whether_an_optimizer_is_there_is_not_repeated():
    made = "optimizer = torch.optim.SGD(net.parameters(), lr=0.1)\n"
    text = HEAD.replace(made, f"if optimizer is None:\n    {made}") + LOOP
    assert report(text).after.count("if optimizer is None") == 1


def test_what_a_nested_function_binds_is_declared():
    made = HEAD[HEAD.index("net = Net()") :]
    inner = "def main():\n" + "".join(f"    {line}\n" for line in made.splitlines())
    loop = "".join(f"        {line}\n" for line in LOOP.splitlines() if line)
    text = HEAD[: HEAD.index("net = Net()")] + inner + "    def train():\n" + loop + "    train()\nmain()\n"
    found = report(text, Wishes(metric="val_loss"))  # validate sees no local net: the score has to be named
    assert "        nonlocal net, optimizer\n" in found.after


def test_a_loop_that_another_one_runs_with_the_same_optimizer_is_asked_for():
    inner = "def rounds():\n" + "".join(f"    {line}\n" for line in LOOP.splitlines() if line)
    found = report(HEAD + inner + "for epoch in range(9):\n    rounds()\n")
    assert "runs this one again and again" in "".join(s.reason for s in found.steps if s.option)
    assert not found.changed
    assert report(HEAD + inner + "rounds()\n").changed


def test_a_function_of_an_unknown_file_that_is_given_the_optimizer_trains():
    loop = LOOP.replace("    step()\n", "    core.train(net, optimizer, epoch)\n")
    assert report("import core\n" + HEAD + loop).state("rebuild") == "missing"


def test_a_network_that_an_attribute_holds_too_is_told():
    text = HEAD.replace("net = Net()", "net = self.network") + LOOP
    assert "self.network is the same network" in told(text, "model")


def test_a_part_of_several_layers_is_told_where_it_alone_is_trained():
    text = HEAD.replace("nn.Linear(8, 2)", "nn.Sequential(nn.Linear(8, 2))").replace(
        "SGD(net.parameters()", "SGD(net.head.parameters()"
    )
    assert ".head is made of several layers" in told(text + LOOP, "configuration")


def test_modules_are_found_in_the_folder_lib_beside_that_of_the_script(tmp_path):
    for folder in ("tools", "lib"):
        (tmp_path / folder).mkdir()
    net = HEAD[: HEAD.index("def step")].replace("nn.Linear(4, 8)", "nn.Conv2d(1, 1, 1)")
    (tmp_path / "lib" / "nets.py").write_text(net)
    script = tmp_path / "tools" / "train.py"
    script.write_text("import torch\nfrom nets import Net\n" + HEAD[HEAD.index("def step") :] + LOOP)
    assert "convolutions" in " ".join(step.reason for step in examine(script).steps)


def test_a_wrapper_under_another_name_is_told():
    text = HEAD.replace("net(torch.ones(3, 4)).sum().backward", "both(torch.ones(3, 4)).sum().backward")
    wrapped = text + "both = nn.DataParallel(net).to('cpu')\n" + LOOP
    assert "both was made with net: after growth, give it the new one" in told(wrapped, "rebuild")


def test_a_network_that_its_maker_wraps_already_is_told():
    built = "def build():\n    net = Net()\n    return nn.DataParallel(net)\n\nnet = build()\n"
    text = HEAD.replace("net = Net()\n", built) + LOOP
    assert "build wraps the network" in told(text, "parallel")
    assert told(text.replace("nn.DataParallel(net)", "net"), "parallel") == ""


def test_a_name_that_is_a_wrapper_at_times_is_another_name_of_the_network():
    both = "net = Net()\nboth = net\nif several:\n    both = nn.DataParallel(net).cuda()\n"
    text = HEAD.replace("net = Net()\n", both).replace("SGD(net.parameters", "SGD(both.parameters")
    found = report(text.replace("net(torch.ones(3, 4)).sum().b", "both(torch.ones(3, 4)).sum().b") + LOOP)
    assert "net = UPA.perforate_model(net" in found.after
    assert found.state("parallel") == "done"
    assert "both was made with net" in "".join(s.reason for s in found.steps if s.name == "rebuild")


@pytest.mark.parametrize("given", ["testLoader", "test_graphs", "'test'"])
def test_an_evaluation_that_is_handed_test_data_by_any_name_is_told(given):
    text = HEAD.replace("def validate():", "def validate(data):") + LOOP.replace(
        "validate()", f"validate({given})"
    )
    assert "the test set decides about growth here" in told(text, "score")
    assert told(text.replace(given, "held_out"), "score") == ""


def test_a_checkpoint_that_is_loaded_after_the_function_of_the_loop_is_told():
    loop = "def train():\n" + "".join(f"    {line}\n" for line in LOOP.splitlines() if line)
    text = HEAD + loop + "def test():\n    net.load_state_dict(torch.load('best.pt'))\n\ntrain()\ntest()\n"
    assert "after training a checkpoint is loaded" in told(text, "saving")
    assert told(text.replace("\ntrain()\ntest()\n", "\ntest()\ntrain()\n"), "saving") == ""


def test_names_that_a_file_beside_gives_with_a_star_can_be_seen_in_a_loop(tmp_path):
    (tmp_path / "settings.py").write_text("from others import *\n")
    (tmp_path / "others.py").write_text("from settings import *\nrate = 0.1\n")  # in a circle
    loop = "def run():\n" + "".join(f"    {line}\n" for line in LOOP.splitlines() if line)
    script = tmp_path / "train.py"
    script.write_text("from settings import *\n" + HEAD.replace("lr=0.1", "lr=rate") + loop + "run()\n")
    assert "            optimizer = torch.optim.SGD(net.parameters(), lr=rate)\n" in examine(script).after


def test_a_value_of_any_name_that_the_script_keeps_the_best_of_is_the_score():
    evaluation = """
    net.eval()
    loss = 0.0
    for x in range(3):
        loss += net(torch.ones(3, 4)).sum().item()
    overlap = measure(net)
    if overlap > best_overlap:
        best_overlap = overlap
"""
    found = report(HEAD + "best_overlap = 0.0\nfor epoch in range(9):\n    step()" + evaluation)
    assert "add_validation_score(overlap, net)" in found.after
    assert "maximizing_score=True" in found.after


def test_a_metric_beside_the_loss_that_decides_is_told():
    loop = LOOP.replace("val_loss = validate()", "val_loss, bleu = validate()")
    steps = report(HEAD + loop + "    if val_loss < best:\n        best = val_loss\n").steps
    said = {s.name for s in steps if s.action == "look" and "whether bleu should decide" in s.reason}
    assert said == {"score", "direction"}


def test_what_draws_and_what_measures_training_data_is_no_first_choice():
    head, loop = (x.replace("validate", "test").replace("val_loss", "cur_loss") for x in (HEAD, LOOP))
    for name in ("generate", "train_evaluate"):
        other = f"def {name}():\n    net.eval()\n    kl = net(torch.ones(3, 4)).mean()\n    print(kl)\n"
        first = loop.replace("    cur_loss = test()", f"    {name}()\n    cur_loss = test()")
        assert "add_validation_score(cur_loss, net)" in report(head + other + first).after


def test_lightning_without_a_logged_score_is_asked_for_it_and_shown_the_rest():
    text = f"""
import torch
import torch.nn as nn
import lightning as L
{NETWORK.replace("nn.Module", "L.LightningModule")}
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

net = Net()
trainer = L.Trainer(max_epochs=9)
trainer.fit(net)
"""
    found = report(text)
    assert not found.changed
    assert {found.state(s) for s in ("imports", "configuration", "model", "optimizer", "rebuild", "end")} == {
        "missing"
    }
    assert {found.state(s) for s in ("score", "direction")} == {"undecided"}


def test_a_printed_val_loss_is_no_validation_set():
    text = HEAD + LOOP.replace("validate()", "validate(); print('val loss:', test_loader)")
    assert "the test set decides about growth" in told(text, "score")


@pytest.mark.parametrize(
    "old, new",
    [
        ("\noptimizer = ", "; optimizer = "),
        (LOOP, "for epoch in range(9): step(); val_loss = validate()\n"),
        ("    val_loss = validate()\n", "    if epoch % 2 == 0: val_loss = validate()\n"),
    ],
)
def test_statements_that_share_a_line_are_not_taken_apart(old, new):
    text = HEAD + LOOP
    assert text.count(old) == 1
    found = report(text.replace(old, new))
    assert not found.changed
    assert "give each a line of its own" in found.refused


def test_a_lightning_line_of_several_statements_is_refused():
    text = f"""
import torch
import torch.nn as nn
import lightning as L
{NETWORK.replace("nn.Module", "L.LightningModule")}
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

net = Net(); trainer = L.Trainer(max_epochs=9); trainer.fit(net)
"""
    assert "holds several statements" in report(text).refused


def test_an_edited_text_that_does_not_compile_is_never_given_out(monkeypatch):
    monkeypatch.setattr("frustration.integration.draft.Draft.write", lambda draft: "for x in y:\n")
    found = report(HEAD + LOOP + "    if val_loss < best:\n        best = val_loss\n")
    assert not found.changed
    assert "would not compile (line 1" in found.refused


def test_syntax_of_a_newer_python_than_this_one_is_edited_all_the_same():
    newer = """    print(f"{"".join("ab")}")\n"""  # quotes in quotes: Python 3.12
    found = examine_script(Script(HEAD + LOOP + newer), Wishes(better=False))
    assert "add_validation_score(val_loss, net)" in found.after


def test_files_that_star_import_each_other_are_each_read_once(tmp_path, monkeypatch):
    names = [f"star{number}" for number in range(9)]
    for name in names:
        (tmp_path / f"{name}.py").write_text("".join(f"from {n} import *\n" for n in names))
    script = tmp_path / "train.py"
    script.write_text("".join(f"from {n} import *\n" for n in names) + HEAD + LOOP)
    calls = []
    stars = Script.stars
    monkeypatch.setattr(Script, "stars", lambda one: calls.append(one) or stars(one))
    examine(script)
    assert len(calls) < 200
