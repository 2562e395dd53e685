"""What an edit cannot settle in a script: told, with the line, and left to a person."""

from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst

from frustration.integration.checkpoints import checkpoints
from frustration.integration.loop import Score, TrainingLoop, evaluates, evaluations, leading_to, trains
from frustration.integration.names import SCORE
from frustration.integration.optimizers import OPTIMIZERS, PREPARES, makes_optimizer, optimizer_among, rebuilt
from frustration.integration.parts import MOVES, WRAPPERS, Parts, unmoved, values_of
from frustration.integration.processes import processes
from frustration.integration.schedules import rates, schedulers
from frustration.integration.source import Script, last
from frustration.integration.steps import Step, hand


def remarks(
    script: Script, parts: Parts, loop: TrainingLoop, score: Score | None, library: bool = True
) -> Iterator[Step]:
    """Everything around the training loop that does not survive growth, or ends it too early."""
    if library:  # with our own loops network and optimizer stay the same objects
        yield from _holders(script, parts, loop)
        yield from _remade(script, parts)
        yield from _borrowed(script, parts)
        yield from _repeated(script, parts, loop)
    yield from _other_loops(script, parts, loop)
    yield from schedulers(script, parts)
    yield from rates(script, parts, loop)
    yield from _batches(script, loop)
    yield from processes(script, parts, loop, score)
    yield from _other_optimizers(script, parts)
    yield from _wrapper(script, parts)
    yield from _early_ends(script, loop)
    yield from _copies(script, parts)
    yield from _branches(script, loop)
    yield from _another_optimizer(script, parts, loop)
    yield from _read_directly(script, parts)
    yield from checkpoints(script, parts, loop)
    yield from _test_set(script, loop)
    yield from _precision(script, parts)


def _batches(script: Script, loop: TrainingLoop) -> Iterator[Step]:
    """A loop over the batches of one epoch, around which no loop over epochs was found."""
    inner = [call for call, name in script.calls(loop.body) if last(name) == "backward"]
    direct = any(script.up(script.parent(call), cst.For, cst.While) is loop for call in inner)
    over = script.code(loop.iter) if isinstance(loop, cst.For) else ""
    if direct and re.search(r"loader|batches|_iter\b", over) and not evaluations(script, loop):
        reason = "this loop goes over batches, and none over epochs was found: give the file that has it"
        yield hand("rebuild", reason, script.line(loop))
        yield hand("end", reason, script.line(loop))


def _other_optimizers(script: Script, parts: Parts) -> Iterator[Step]:
    for name, network in parts.others:
        made = next((value for names, value in script.assignments() if name in names), parts.optimizer)
        yield hand(
            "optimizer",
            f"a second optimizer, {name}{f', trains {network}' if network else ''}: give it to the tracker "
            f"in "
            "set_optimizer_instance(..., additional_optimizers=[...]), and let dendrites grow in one "
            "network only",
            script.line(made),
        )


def _wrapper(script: Script, parts: Parts) -> Iterator[Step]:
    """An optimizer inside of a class of the script: the tracker needs the one of torch."""
    call = next(iter(script.all(cst.Call, parts.optimizer)), None)
    name = last(script.name(call.func)) if call is not None else ""
    if call is None or name in OPTIMIZERS or not call.args or not isinstance(call.args[0].value, cst.Call):
        return
    if last(script.name(call.args[0].value.func)) in OPTIMIZERS:
        reason = (
            f"{name} wraps the optimizer: give the tracker the one inside, as in "
            f"set_optimizer_instance({parts.optimizer_name}.optimizer)"
        )
        yield hand("optimizer", reason, script.line(parts.optimizer))


def _early_ends(script: Script, loop: TrainingLoop) -> Iterator[Step]:
    for node in script.all(cst.If, loop.body):
        leaves = [
            s
            for s in script.all(cst.SimpleStatementLine, node.body)
            if any(_leaves(script, small, loop) for small in s.body) and script.scope(s) is script.scope(loop)
        ]
        test = script.code(node.test)
        if not leaves or re.search(r"complete|restructur", test, re.I):
            continue
        if re.search(r"patience|stop|wait|no_improve|bad_epochs|counter|trigger|converge|abort", test, re.I):
            yield hand(
                "end",
                "early stopping may come before a dendrite does: give it more patience than "
                "n_epochs_to_switch, or "
                "take it out",
                script.line(node),
            )
        elif re.search(r"max|limit|total|steps|iters|budget|done", test, re.I):
            yield hand(
                "end",
                f"`if {test}` still ends the training, or makes every later epoch short: let it be large",
                script.line(node),
            )
        elif not re.search(r"isnan|isfinite|isinf", test) and any(
            script.up(script.parent(s), cst.For, cst.While) is loop for s in leaves
        ):
            reason = f"`if {test}` still ends the training, maybe before a dendrite comes: take it out"
            yield hand("end", reason, script.line(node))


def _leaves(script: Script, small: cst.CSTNode, loop: TrainingLoop) -> bool:
    """Whether it leaves the training, or a loop inside it that trains: not one that only gathers data."""
    if isinstance(small, cst.Return):
        return True
    inner = script.up(script.parent(small), cst.For, cst.While)
    return isinstance(small, cst.Break) and inner is not None and (inner is loop or trains(script, inner))


def _branches(script: Script, loop: TrainingLoop) -> Iterator[Step]:
    """Evaluations in both branches of a condition: the score of one of them is reported."""
    calls = [call for call, _ in evaluations(script, loop)]
    for node in script.all(cst.If, loop.body):
        other = node.orelse
        if other is None or not any(script.holds(node.body, call) for call in calls):
            continue
        if lines := [script.line(call) for call in calls if script.holds(other, call)]:
            reason = f"line {lines[0]} evaluates in the other branch: report that score there in the same way"
            yield hand("score", reason, script.line(node))


def _another_optimizer(script: Script, parts: Parts, loop: TrainingLoop) -> Iterator[Step]:
    """The optimizer is changed for another during training."""
    for names, value in script.assignments(loop.body):
        if parts.optimizer_name not in names or rebuilt(script, script.statement(value)):
            continue
        if makes_optimizer(script, value, parts.optimizer_name):
            reason = (
                "another optimizer is made during training: the tracker has to know it, and after growth "
                "the first one is made again"
            )
            yield hand("rebuild", reason, script.line(value))


def _read_directly(script: Script, parts: Parts) -> Iterator[Step]:
    """`F.linear(x, self.head.weight)`: dendrites of that layer are passed by."""
    for node in script.all(cst.Arg):
        if not (hit := re.fullmatch(r"(\w+)\.([\w.]+)\.weight", script.code(node.value))):
            continue
        call = script.parent(node)
        name = script.code(call.func) if isinstance(call, cst.Call) else "init"
        scope = script.scope(node)
        inside = hit[1] == "self" and scope is not None and scope.name.value == "forward"
        if (inside or hit[1] == parts.model) and not re.search(r"init|print|len|_\b", name):
            if re.search(rf"\b{re.escape(hit[2])}\s*=\s*(nn\.)?Embedding", script.text):
                continue
            reason = (
                f"the weight of {hit[2]} is read here without the layer, so its dendrites have no effect: "
                "leave it out with --layers"
            )
            yield hand("configuration", reason, script.line(node))
            return


def _remade(script: Script, parts: Parts) -> Iterator[Step]:
    """`model, optimizer = engine.make_private(model, optimizer)`: what it makes of them is not known."""
    mine = {parts.model, parts.optimizer_name, *parts.aliases}
    for names, value in script.assignments():
        statement = script.statement(value)
        if not isinstance(value, cst.Call) or not script.before(parts.optimizer, value):
            continue
        if statement in (parts.created, parts.prepared, *parts.schedulers) or rebuilt(script, statement):
            continue
        if optimizer_among(script, names, value):
            continue
        kind = last(script.name(value.func))
        given = {script.code(argument.value) for argument in value.args}
        known = WRAPPERS | MOVES | PREPARES | {*SCORE, "add_score", "unwrap_model"}
        if not mine & {*names} or not mine & given or kind in known or re.search("load|resume|restore", kind):
            continue
        function = script.callee(value)
        if parts.optimizer_name not in names and (function is not None or re.search("train|fit", kind)):
            continue
        what = " and ".join(name for name in names if name in mine)
        reason = f"{kind} makes another {what} of it: what the tracker needs is the one inside"
        if parts.optimizer_name in names and "amp" not in script.name(
            value.func
        ):  # apex gives back the same one
            yield hand("optimizer", reason, script.line(value))
        yield hand("rebuild", f"{kind} has to be called again with what has grown", script.line(value))


def _holders(script: Script, parts: Parts, loop: TrainingLoop) -> Iterator[Step]:
    """`evaluator = Evaluator(model)` before the loop: after growth it has the network of before."""
    held = {parts.model, parts.optimizer_name}
    text = script.code(loop.body)
    text += "".join(f.code for call, _ in script.calls(loop.body) if (f := script.callee(call)) is not None)
    for names, made in script.assignments():
        statement, value = script.statement(made), unmoved(made)
        if not isinstance(value, cst.Call) or statement in (
            parts.optimizer,
            parts.prepared,
            *parts.schedulers,
        ):
            continue
        kind = last(script.name(value.func))
        mine = held & {script.code(argument.value) for argument in value.args}
        if not mine or not kind[:1].isupper() or held & {*names}:
            continue
        if script.before(statement, loop) and any(re.search(rf"\b{re.escape(n)}\b", text) for n in names):
            reason = f"{names[0]} was made with {sorted(mine)[0]}: after growth, give it the new one"
            yield hand("rebuild", reason, script.line(statement))


def _other_loops(script: Script, parts: Parts, loop: TrainingLoop) -> Iterator[Step]:
    """A second training loop behind or before the one that is edited."""
    for other in script.all((cst.For, cst.While)):
        same = script.block(other) is script.block(loop) and other is not loop
        if same and not script.holds(other, parts.optimizer) and trains(script, other.body):
            reason = "this loop trains as well, and is left as it is: its scores are not reported"
            yield hand("score", reason, script.line(other))


def _borrowed(script: Script, parts: Parts) -> Iterator[Step]:
    """`model = self.model`: the attribute keeps the network of before."""
    for value in values_of(script, parts.model):
        if isinstance(value, cst.Attribute) and script.statement(value) is parts.made:
            reason = f"{script.code(value)} is the same network and gets no dendrites: do it where it is made"
            yield hand("model", reason, script.line(value))
    if parts.enters is not None and parts.model.startswith("self."):
        reason = f"{parts.model} is made elsewhere: see that nothing wraps or holds it before this line"
        yield hand("model", reason, script.line(parts.enters))


_ONE_FOR_ALL = (
    "the library has one tracker and one folder for all, so run each repetition in a process and with a "
    "save_name of its own"
)


def _repeated(script: Script, parts: Parts, loop: TrainingLoop) -> Iterator[Step]:
    """A loop around the making of the network, of the optimizer alone, or around a call that trains."""
    if parts.created is None:
        return
    for outer in script.around(parts.optimizer):
        around = isinstance(outer, (cst.For, cst.While)) and script.holds(outer, loop)
        if around and not script.holds(outer, parts.created):
            reason = (
                "this loop trains the same network again: the next repetition begins with the grown one, "
                "so run each in a process and with a save_name of its own"
            )
            yield hand("model", reason, script.line(outer))
    for outer in script.around(parts.created):
        if isinstance(outer, (cst.For, cst.While)) and script.holds(outer, loop):
            reason = f"a network is made in each repetition of this loop: {_ONE_FOR_ALL}"
            yield hand("model", reason, script.line(outer))
    for call in leading_to(script, loop):
        for outer in script.around(call):
            if isinstance(outer, (cst.For, cst.While)) and not script.holds(outer, loop):
                reason = f"this loop trains again in each repetition: {_ONE_FOR_ALL}"
                yield hand("model", reason, script.line(outer))
                return


def _copies(script: Script, parts: Parts) -> Iterator[Step]:
    """Networks beside this one that follow its weights."""
    for call, name in script.calls():
        if re.search(r"AveragedModel$|\bEMA$|ModelEma\w*$|ExponentialMovingAverage$", name):
            yield hand("rebuild", "this moving average has to be made anew after growth", script.line(call))
            return
    mine = {parts.model, *parts.aliases}
    for call in script.called("load_state_dict"):
        owner = script.code(call.func).rpartition(".")[0]
        given = script.code(call.args[0].value) if call.args else ""
        if owner not in mine and any(given.startswith(f"{name}.state_dict(") for name in mine):
            reason = f"{owner} takes the weights of {parts.model}, and does not grow with it: copy it anew"
            yield hand("rebuild", reason, script.line(call))
            return


_TESTS = re.compile(
    r"(?<![a-z])(test_?loader|test_?data\w*|test_?dl|x_test|test_?set|test_?(iter|idx|mask))\b", re.I
)
_GIVEN_TESTS = re.compile(r"(?<![a-zA-Z])test(_?[a-z]\w*)?\b|_test\b")
"""Among the arguments of an evaluation, as in `evaluate(model, test_graphs)` and `evaluate("test")`."""
_VALIDATES = re.compile(
    r"\b(x_)?(val|vali|valid|validation|eval)(_?(loader|data\w*|set|dl|x|iter|idx|mask))?\b"
    r"(?! +(loss|acc|err|score|mae|f1|auc|iou))|"  # `val loss: ` is printed
    r"\bdev_?(loader|data\w*|set|dl|iter)",
    re.I,
)


def _test_set(script: Script, loop: TrainingLoop) -> Iterator[Step]:
    found = evaluations(script, loop)
    given = " ".join(script.code(argument.value) for call, _ in found for argument in call.args)
    text = script.code(loop) + "".join(f.code for _, f in found if f is not None and f.script is script)
    text += "".join(f.code for f in script.functions.values() if evaluates(f) and f.name in text)
    text = re.sub(r"#.*|\.(eval|val|avg)\b", "", text)
    handed = _TESTS.search(given) or _GIVEN_TESTS.search(given)
    tests = handed or _TESTS.search(text)
    other = _VALIDATES.search(given if handed else text)
    if tests and not other:
        yield hand(
            "score",
            "the test set decides about growth here: split a validation set from the training data",
            script.line(loop),
        )


def _precision(script: Script, parts: Parts) -> Iterator[Step]:
    for call, name in script.calls():
        if name in (f"{parts.model}.double", f"{parts.model}.half", f"{parts.model}.bfloat16"):
            kind = {"double": "float64", "half": "float16", "bfloat16": "bfloat16"}[last(name)]
            yield hand(
                "configuration",
                f"the network is of {kind}: GPA.pc.set_d_type(torch.{kind})",
                script.line(call),
            )
