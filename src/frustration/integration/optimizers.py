"""The optimizers and schedulers of a script: what makes one, and which networks it trains."""

from __future__ import annotations

import re
from collections.abc import Callable

import libcst as cst

from frustration.integration.source import Script, Statement, last
from frustration.integration.words import words

OPTIMIZERS = words(
    "Adadelta Adafactor Adagrad Adam Adam8bit AdamW AdamW8bit Adamax ASGD LAMB Lamb LARS LBFGS Lion Muon "
    "NAdam "
    "RAdam RMSprop Rprop SGD SparseAdam FusedAdam"
)
OPTIMIZER_MAKERS = words(
    "configure_optimizers configure_optimizer create_optimizer create_optimizer_v2 get_optimizer "
    "build_optimizer "
    "make_optimizer"
)
SCHEDULER_MAKERS = re.compile(r"(get|create|build|make)\w*schedul\w*|get_\w+_schedule\w*")
PREPARES = frozenset({"prepare", "setup", "setup_module"})
LIBRARY_MAKERS = frozenset({"perforate_model", "initialize_pai", "initializePB", "convert_network"})
LIBRARY_OPTIMIZERS = frozenset({"setup_optimizer", "setupOptimizer"})
"""The library's own way: they return an optimizer and a scheduler."""
_WRAPPERS = words("DataParallel DistributedDataParallel DDP")
_LOSSES = re.compile(r"criterion|loss", re.I)
_PARAMETERS = re.compile(r"([A-Za-z_][\w.]*?)(?:\.module)?\.(?:named_|trainable_)?parameters\(")
_ADDS = ("append", "extend", "insert", "update", "setdefault")
GIVES_PARAMETERS = re.compile(
    r"(?!register|set_|add_|num_|n_|count|reset|init|load|print|log|freeze|unfreeze|un_|from_)\w*param(eter)?s?(_?groups?|_list)?"
)
"""Methods of networks that give their parameters, as in `net.get_1x_lr_params()`."""
_ANY_PART = re.compile(r"getattr\(([A-Za-z_][\w.]*),[^()]*\)\.parameters\(")
_OWN_METHOD = re.compile(r"([A-Za-z_][\w.]*?)(?:\.module)?\.(\w*param\w*)\(")


def makes_optimizer(script: Script, value: cst.BaseExpression, target: str) -> bool:
    if isinstance(value, cst.IfExp):
        return makes_optimizer(script, value.body, target)
    if not isinstance(value, cst.Call):
        return False
    name = script.name(value.func)
    if "lr_scheduler" in name or last(name) in PREPARES:
        return False
    if last(name) in OPTIMIZERS and not any(
        a.keyword is None or a.keyword.value == "params" for a in value.args
    ):
        return False  # without parameters: a setting for somebody else's loop
    if re.search(rf"(?<![\w.]){re.escape(target)}\([^\n]*param", script.text):
        return False  # a class: `optimizer_class(net.parameters())` makes the optimizer
    if last(name) in OPTIMIZERS | OPTIMIZER_MAKERS or name.startswith("torch.optim."):
        return "swa" not in name
    if name in ("list", "tuple", "dict", "set", "filter", "sorted", "itertools.chain"):
        return False  # param_optimizer = list(model.named_parameters())
    if "opt" in target.lower() and any(script.name(a.value) == "torch.optim" for a in value.args):
        return True
    if "opt" in target.lower() and _PARAMETERS.search(script.code(value)):
        return True
    if _makes_by_name(script, value) and "opt" in target.lower():
        return True
    if "opt" in target.lower() and last(name)[:1].isupper() and script.argument(value, "lr") is not None:
        return True  # BertAdam(groups, lr=...)
    if last(name).lower().startswith("optim") and script.argument(value, "lr") is not None:
        return True  # a class out of the settings: `args.optimizer(parameters, lr=...)`
    function = script.callee(value)
    return function is not None and _returns_optimizer(function.script, function.node)


def _makes_by_name(script: Script, call: cst.Call) -> bool:
    """`smart_optimizer(model, "SGD")`: named so, and given a network."""
    named = re.search(r"(^|_)optimi[sz]ers?(_v\d)?$", last(script.name(call.func)).lower())
    return named is not None and any(is_network(script, script.code(a.value)) for a in call.args)


def optimizer_among(script: Script, names: list[str], value: cst.BaseExpression) -> str:
    """Which of the names that an assignment binds is an optimizer; empty: none."""
    if len(names) == 1:
        return names[0] if makes_optimizer(script, value, names[0]) else ""
    if not isinstance(value, cst.Call):
        return ""
    if from_library(script, value):
        return names[0]
    function = script.callee(value)
    places = _places(function.script, function.node, makes_optimizer) if function is not None else []
    return names[places[0]] if places and places[0] < len(names) else ""


def schedulers_among(script: Script, names: list[str], value: cst.BaseExpression) -> list[str]:
    """Which of several names are schedulers that a function of the script makes."""
    function = script.callee(value) if isinstance(value, cst.Call) and len(names) > 1 else None
    if function is None:
        return []
    places = _places(function.script, function.node, lambda s, v, _: makes_scheduler(s, v))
    return [names[place] for place in places if place < len(names)]


def from_library(script: Script, call: cst.Call) -> bool:
    """Whether the library's tracker makes optimizer and scheduler, and not a function of the same name."""
    return last(script.name(call.func)) in LIBRARY_OPTIMIZERS and script.callee(call) is None


def _places(
    script: Script, function: cst.FunctionDef, makes: Callable[[Script, cst.BaseExpression, str], bool]
) -> list[int]:
    """Where in the tuples that a function returns something is that it makes for a network it is given."""
    made = {
        names[0]
        for names, value in script.assignments(function.body)
        if len(names) == 1 and makes(script, value, names[0])
    }
    given = {p.name.value for p in script.all(cst.Param, function.params)}
    if not given & set(_PARAMETERS.findall(script.code(function))):
        return []
    found: list[int] = []
    for statement in script.all(cst.Return, function.body):
        if isinstance(statement.value, cst.Tuple):
            parts = [script.code(element.value) for element in statement.value.elements]
            found += [place for place, part in enumerate(parts) if part in made]
    return sorted(set(found))


def _returns_optimizer(script: Script, function: cst.FunctionDef) -> bool:
    """Whether a function makes an optimizer and returns it alone."""
    made = {
        names[0]
        for names, value in script.assignments(function.body)
        if isinstance(value, cst.Call) and last(script.name(value.func)) in OPTIMIZERS
    }
    for statement in script.all(cst.Return, function.body):
        value = statement.value
        if isinstance(value, cst.Call) and last(script.name(value.func)) in OPTIMIZERS:
            return True
        if value is not None and script.code(value) in made:
            return True
    return False


def handed_on(script: Script, name: str, value: cst.BaseExpression, statement: Statement) -> bool:
    """Whether the function around it only makes the optimizer, for a caller in this script."""
    function = script.scope(statement)
    if function is None or not (
        _returns_optimizer(script, function) or _places(script, function, makes_optimizer)
    ):
        return False
    callers = [call for call, _ in script.calls() if (f := script.callee(call)) and f.node is function]
    makers = script.called(function.name.value)
    return bool(callers or makers)


def rebuilt(script: Script, statement: Statement) -> bool:
    """Whether it is an optimizer made anew after growth."""
    return any(
        isinstance(outer, cst.If) and re.search(r"\brestructured?\b", script.code(outer.test))
        for outer in script.around(statement)
    )


def trained(script: Script, value: cst.BaseExpression, statement: Statement) -> list[str]:
    """The networks whose parameters an optimizer takes."""
    if isinstance(value, cst.Call):
        name = last(script.name(value.func))
        if from_library(script, value):
            return [script.code(value.args[0].value)] if value.args else []
        if name in OPTIMIZER_MAKERS and isinstance(value.func, cst.Attribute):
            owner = script.code(value.func.value)
            if owner not in script.imports and owner != "self":
                return [owner]
    if hits := _networks(script, script.code(value)):
        return hits
    makes = isinstance(value, cst.Call) and (
        name in OPTIMIZER_MAKERS or _makes_by_name(script, value) or script.callee(value) is not None
    )
    if isinstance(value, cst.Call) and makes:
        hits = _given(script, value) or _handed(script, value) or _of_self(script, value)
        if hits:
            return hits
    # Through a variable: the statements before that bind what the call uses, or add to it.
    names, found = script.names_in(value), list[str]()
    for before in reversed(_earlier(script, statement)):
        filled = {n: adds for n, adds in fills(script, before).items() if n.partition(".")[0] in names}
        if filled:
            found += _networks(script, script.code(before)) or _handed(script, before)
            if found and not all(filled.values()):
                break
            names |= script.names_in(before)
    return _without_losses(list(dict.fromkeys(found)))


def fills(script: Script, statement: cst.CSTNode) -> dict[str, bool]:
    """The names that a statement binds, and those that it only adds to (True): lists, dictionaries."""
    found = dict.fromkeys((name.partition("[")[0] for name in script.targets(statement)), False)
    found |= {script.code(n.target): True for n in script.all(cst.AugAssign, statement)}
    for node in script.all(cst.AssignTarget, statement):
        if isinstance(node.target, cst.Subscript):
            found[script.code(node.target.value)] = True
    for call, name in script.calls(statement):
        if isinstance(call.func, cst.Attribute) and last(name) in _ADDS:
            found[script.code(call.func.value)] = True
    return found


def _given(script: Script, call: cst.Call) -> list[str]:
    """The arguments that a function of the script takes the parameters of."""
    function = script.callee(call)
    if function is None:
        return []
    parameters = [p.name.value for p in function.node.params.params]
    if parameters[:1] == ["self"]:
        parameters = parameters[1:]
    trained_ones = _networks(function.script, function.code)
    found = [script.argument(call, p, place) for place, p in enumerate(parameters) if p in trained_ones]
    return [script.code(value) for value in found if value is not None]


def _of_self(script: Script, call: cst.Call) -> list[str]:
    """`self.make_optimizer()`: the networks of the object whose parameters it takes."""
    function = script.callee(call)
    if function is None or not script.code(call.func).startswith("self."):
        return []
    return [name for name in _networks(function.script, function.code) if name.startswith("self.")]


def _handed(script: Script, node: cst.CSTNode) -> list[str]:
    """The networks among the arguments of the calls in a node."""
    given = [script.code(a.value) for call in script.all(cst.Call, node) for a in call.args if not a.star]
    return list(dict.fromkeys(text for text in given if is_network(script, text)))


def original(script: Script, name: str) -> str:
    """The network that a name is another name of, as in `bare = model` and `bare = model.module`."""
    values = [value for names, value in script.assignments() if names == [name]]
    roots = {_inside(script, value).removesuffix(".module") for value in values}
    root = next(iter(roots)) if len(roots) == 1 else ""
    known = any(isinstance(value, cst.Call) for names, value in script.assignments() if names == [root])
    return root if name.isidentifier() and root.isidentifier() and known else name


def _inside(script: Script, value: cst.BaseExpression) -> str:
    """What is inside of a wrapper, as in `DataParallel(model).cuda()`; of anything else, itself."""
    call = value
    while isinstance(call, cst.Call) and isinstance(call.func, cst.Attribute) and call.func.attr.value in (
        "to", "cuda",
    ):  # fmt: skip
        call = call.func.value
    wraps = isinstance(call, cst.Call) and call.args and last(script.name(call.func)) in _WRAPPERS
    return script.code(call.args[0].value) if wraps and isinstance(call, cst.Call) else script.code(value)


def is_network(script: Script, name: str) -> bool:
    """Whether a script does with a name what is done with networks alone."""
    methods = (
        r"(train|eval|parameters|named_parameters|named_modules|modules|state_dict|requires_grad_|to|cuda)"
    )
    if not re.fullmatch(r"[A-Za-z_][\w.]*", name) or name.endswith("optimizer"):
        return False
    known = (name, original(script, name))
    return any(re.search(rf"(?<![\w.]){re.escape(n)}(\.module)?\.{methods}\(", script.text) for n in known)


def _networks(script: Script, text: str) -> list[str]:
    """Whose parameters a text takes; a loss with parameters of its own is trained too, and is no network."""
    own = [
        owner
        for owner, method in _OWN_METHOD.findall(text)
        if GIVES_PARAMETERS.fullmatch(method)
        and (is_network(script, owner) or re.search(r"lr_|_lr|optim|group|train|parameters", method))
        and owner.partition(".")[0] not in script.imports
    ]
    hits = list(dict.fromkeys([*_PARAMETERS.findall(text), *own, *_ANY_PART.findall(text)]))
    return _without_losses(hits)


def _without_losses(hits: list[str]) -> list[str]:
    return [hit for hit in hits if not _LOSSES.search(hit)] or hits


def _earlier(script: Script, statement: Statement) -> list[Statement]:
    """The statements before one, in its block and in the blocks around it up to its function."""
    found: list[Statement] = []
    for outer in script.around(statement):
        if isinstance(outer, cst.FunctionDef):
            break
        siblings = list(script.siblings(outer))
        found = siblings[: siblings.index(outer)] + found
    return found


def makes_scheduler(script: Script, value: cst.BaseExpression) -> bool:
    if isinstance(value, cst.IfExp):
        return makes_scheduler(script, value.body)
    if not isinstance(value, cst.Call):
        return False
    name = script.name(value.func)
    if any(script.name(a.value) == "torch.optim.lr_scheduler" for a in value.args):
        return True
    return (
        "lr_scheduler." in name or bool(SCHEDULER_MAKERS.fullmatch(last(name))) or last(name).endswith("LR")
    )
