"""From the last lines of a failed run to the cause and the cure: the library's own messages, and torch's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """What a line of a log means."""

    line: int
    """In the log."""
    said: str
    cause: str
    cure: str


@dataclass(frozen=True)
class Message:
    pattern: re.Pattern[str]
    cause: str
    cure: str


def _message(pattern: str, cause: str, cure: str) -> Message:
    return Message(re.compile(pattern), cause, cure)


MESSAGES: tuple[Message, ...] = (
    _message(
        r"has not properly set this_output_dimensions|set_this_output_dimensions\(\[\.\.\.|"
        r"[Nn]eed exactly one 0 in the input dimensions",
        "a layer's output has its neurons on another axis than the configuration says; the library ends the "
        "process "
        "with status 0, so a failed run looks like a good one",
        "measure the axes with `frustration perforate dry-run`, and set those of single layers with "
        "model.<layer>.set_this_output_dimensions([-1, 0])",
    ),
    _message(
        r"RuntimeError.*([Cc]onfigur|terminal|tty)|Configuration cancelled",
        "the library wants to show its settings in a dialogue",
        "GPA.pc.set_configuration_confirmed(True) before perforate_model",
    ),
    _message(
        r"The following params are not (tracked or )?wrapped|set_unwrapped_modules_confirmed\(True\) to skip|"
        r"You have an unwrapped normalization layer",
        "a parameter belongs to no wrapped and no tracked layer, and the library stops in a debugger",
        "GPA.pc.set_unwrapped_modules_confirmed(True), or name the layer with set_module_names_to_track",
    ),
    _message(
        r"a perforated module that was never initialized|never had gradients flow through|"
        r"The weights were frozen \(requires_grad|not being added to the autograd graph",
        "a layer that was given a dendrite had no gradient: it is frozen, is not used, or the score came "
        "before any "
        "training",
        "leave frozen and unused layers out (--layers .fc), report no score before training, and "
        "GPA.pc.set_checked_skipped_modules(True)",
    ),
    _message(
        r"'NoneType' object has no attribute 'param_groups'",
        "the network was restructured and the tracker has no optimizer: the old one was dropped",
        "in `if restructured:` make a new optimizer and call "
        "GPA.pai_tracker.set_optimizer_instance(optimizer)",
    ),
    _message(
        r"'list' object has no attribute '(set_optimizer\w*|setup_optimizer|add_\w*score|set_scheduler|"
        r"member_vars)'",
        "the tracker is still an empty list: perforate_model was not called, or not in this process",
        "UPA.perforate_model(model, ...) before the optimizer",
    ),
    _message(
        r"has no attribute '(initialize_pai|initializePB|convert_network|pb_\w+|addValidationScore)'|"
        r"cannot import name '(pb_\w+|\w+PB\w*)' from 'perforatedai|No module named 'perforatedai\.pb_",
        "a name of an older version",
        "`frustration perforate repair SCRIPT` writes those of 3.2.9",
    ),
    _message(
        r"has no attribute '(DOING_TRIALS|AUTO|FIXED_SWITCH_MODE)'",
        "there is no such switch mode",
        "GPA.pc.DOING_HISTORY, or GPA.pc.DOING_FIXED_SWITCH with set_fixed_switch_num",
    ),
    _message(
        r"Variable '(\w+)' does not exist\.\s+Ignoring",
        "this setting does not exist in 3.2.9, and the call did nothing",
        "see `frustration perforate SCRIPT` for the name that it has now",
    ),
    _message(
        r"(not enough|too many) values to unpack \(expected (2|3|4)",
        "add_validation_score returns three values: network, restructured, training_complete; "
        "setup_optimizer two",
        "model, restructured, training_complete = GPA.pai_tracker.add_validation_score(score, model)",
    ),
    _message(
        r"[Ss]ome tensors share memory|shared tensors|share memory",
        "tied weights, and safetensors saves no tensor twice",
        "GPA.pc.set_using_safe_tensors(False); with transformers also save_strategy='no'",
    ),
    _message(
        r"it is recommended to not use weight decay in your optimizer",
        "the library asks whether weight decay is meant",
        "GPA.pc.set_weight_decay_accepted(True)",
    ),
    _message(
        r"Expected to have finished reduction in the prior iteration",
        "DDP waits for gradients of copies that the library does not use",
        "DistributedDataParallel(..., find_unused_parameters=True)",
    ),
    _message(
        r"No such file or directory: '.*best_model\.pt'|FileNotFoundError.*best_model",
        "nothing was saved: another rank than 0 (RANK is set) in a folder of its own, or another working "
        "directory",
        "unset RANK, give each process a save_name of its own, and do not change the directory",
    ),
    _message(
        r"Need to call \.module when using add validation score",
        "the library was given a wrapper (DataParallel), or an attribute of the network is called `module`",
        "report model.module, or rename the attribute",
    ),
    _message(
        r"^\(Pdb\)|bdb\.BdbQuit|> .*\(\d+\)\w+\(\)\s*$|BdbQuit",
        "the library stopped in a debugger: it asks instead of raising an error; the lines above it say "
        "about what",
        "answer its questions in advance: set_configuration_confirmed, set_unwrapped_modules_confirmed and "
        "set_checked_skipped_modules (True)",
    ),
    _message(
        r"EOFError: EOF when reading a line|No license file found|License (Invalid|decode failed)",
        "perforatedbp is installed and asks for a licence; there is no fall-back to the open library",
        "set PAIEMAIL and PAITOKEN, uninstall perforatedbp, or GPA.pc.set_perforated_backpropagation(False)",
    ),
    _message(
        r"using_perforatedai",
        "only a fork of transformers knows this argument",
        "`frustration perforate SCRIPT` writes a callback for stock transformers",
    ),
    _message(
        r"(?i)(validation )?scores?\b.*\b(nan|inf)\b|score is not a number",
        "the score is not finite: no new best is possible until the next growth",
        "check the loss for nan before the score is reported; a lower learning rate",
    ),
    _message(
        r"Module ID '.*' must start with '\.'|Module ID '.*' must not contain '\['",
        "a path of a layer is written otherwise than the library does",
        "paths begin with a dot and have no brackets: .layers.1.conv",
    ),
    _message(
        r"has a duplicate pointer within|Skipping duplicate pointer",
        "a module or weight is in the network twice; the library keeps one of them",
        "leave the second out with set_module_ids_to_track, and GPA.pc.set_using_safe_tensors(False)",
    ),
    _message(
        r"is a tuple when it must be a single tensor",
        "a layer that gets dendrites returns a tuple (LSTM, GRU, attention)",
        "let its Linear layers have the dendrites, or give it a processor (set_modules_with_processing)",
    ),
    _message(
        r"Error\(s\) in loading state_dict|Something went wrong with loading|size mismatch for .*dendrite",
        "a checkpoint of a network with other dendrites",
        "use the network at hand after training, or UPA.load_system(model, save_name, 'best_model', "
        "load_from_restart=True)",
    ),
    _message(
        r"Expected all tensors to be on the same device",
        "new dendrites are on another device than the network",
        "GPA.pc.set_device(device) before perforate_model, and model.to(device) after growth",
    ),
    _message(
        r"expected (scalar type|m1 and m2).*(Double|Half|BFloat16)|must have the same dtype",
        "dendrites are made in float32",
        "GPA.pc.set_d_type(torch.float64) (or the network's type) before perforate_model",
    ),
    _message(
        r"save_name '.*' contains '/'",
        "a save_name with / ends the process",
        "a plain name; change the directory before, if it is to go elsewhere",
    ),
    _message(
        r"Successfully added 3 dendrites with GPA\.pc\.set_testing_dendrite_capacity\(True\)",
        "the test of the capacity has passed: dendrites can be added",
        "`frustration perforate SCRIPT --real --write` switches it off for a real run",
    ),
)
"""Of two that match the same line the first is taken."""


def causes(log: str) -> Iterator[Cause]:
    """What the lines of a log say, each cause once."""
    known = set()
    for number, line in enumerate(log.splitlines(), 1):
        for message in MESSAGES:
            if message.pattern.search(line):
                if message.cause not in known:
                    known.add(message.cause)
                    yield Cause(number, line.strip(), message.cause, message.cure)
                break


def raised_in(log: str) -> list[tuple[str, int]]:
    """The files and lines of the last traceback, outermost first."""
    start = log.rfind("Traceback (most recent call last)")
    return [(hit[1], int(hit[2])) for hit in re.finditer(r'File "([^"]+)", line (\d+)', log[max(start, 0) :])]
