"""The goal of a smaller network: which sizes a script can change, and the runs that compare fairly."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import libcst as cst

from frustration.integration.axes import RECURRENT
from frustration.integration.layers import CONVOLUTIONS, classes_of
from frustration.integration.parts import find_parts
from frustration.integration.source import Script, last
from frustration.integration.words import words

SIZES = re.compile(
    r"(^|_)(width|depth|layers?|n_?layers?|num_layers|hidden\w*|dim|d_model|n_?embd|embed\w*|heads?|n_?heads?|channels?|"
    r"planes|filters|units|blocks?|arch|model|model_name|backbone|variant|size|nhid|nlayers|nhead|ninp|ffn\w*|rank)$",
    re.I,
)
NOT_SIZES = re.compile(
    r"batch|world|learning|log|save|path|dir|file|image_size|test|epoch|seed|vocab|model_type|interval", re.I
)
SMALLER = {
    "resnet50": "resnet18, or mobilenet_v2",
    "resnet101": "resnet34 or resnet18",
    "resnet34": "resnet18",
    "resnet18": "mobilenet_v2 or efficientnet_b0",
    "bert-base": "distilbert-base-uncased",
    "bert-large": "bert-base-uncased",
    "gpt2-medium": "gpt2",
    "gpt2-large": "gpt2-medium",
    "gpt2": "distilgpt2",
    "t5-base": "t5-small",
    "t5-large": "t5-base",
    "vit_base": "vit_small or mobilevit_s",
}


SIZED = (
    CONVOLUTIONS | RECURRENT | words("Linear LazyLinear Embedding MultiheadAttention TransformerEncoderLayer")
)
"""Layers of torch of which the first two arguments are sizes."""


@dataclass(frozen=True)
class Size:
    """Something that decides how large the network is."""

    name: str
    line: int
    value: str
    where: str
    """argument: of the command line; key: of a configuration; literal: written in the code; no argument: in a
    layer."""


def sizes(script: Script) -> list[Size]:
    """What is configurable, and what is written in the code that makes the network."""
    found = [*_arguments(script), *_keys(script)]
    parts = find_parts(script)
    if parts is not None and parts.created is not None:
        found += _literals(script, parts.created)
    found += _layers(script, parts.created if parts is not None else None)
    unique = {(size.name, size.line): size for size in found}
    return sorted(unique.values(), key=lambda size: size.line)


def _arguments(script: Script) -> list[Size]:
    found = []
    for call in script.called("add_argument", "option"):
        flags = [script.code(a.value).strip("'\"") for a in call.args if a.keyword is None]
        name = next((f for f in flags if f.startswith("--")), flags[0] if flags else "")
        default = script.argument(call, "default")
        if _is_size(name.lstrip("-").replace("-", "_")):
            value = script.code(default) if default is not None else "required"
            found.append(Size(name, script.line(call), value, "argument"))
    return found


def _keys(script: Script) -> list[Size]:
    found = [
        Size(key, script.line(element), script.code(element.value), "key")
        for element in script.all(cst.DictElement)
        if isinstance(element.key, cst.SimpleString) and _plain(script, element.value)
        for key in [script.code(element.key).strip("'\"")]
        if _is_size(key)
    ]
    found += [
        Size(name, script.line(value), script.code(value), "key")
        for names, value in script.assignments()
        for name in names
        if script.scope(value) is None and _is_size(last(name)) and _plain(script, value)
    ]
    return found


def _literals(script: Script, created: cst.CSTNode) -> list[Size]:
    return [
        Size(argument.keyword.value, script.line(argument), script.code(argument.value), "literal")
        for argument in script.all(cst.Arg, created)
        if argument.keyword is not None
        and _is_size(argument.keyword.value)
        and _plain(script, argument.value)
    ]


def _layers(script: Script, created: cst.CSTNode | None) -> list[Size]:
    """Layers and networks of this script with their sizes as numbers, as in `nn.Linear(784, 512)`."""
    places: list[cst.CSTNode] = [created] if created is not None else []
    places += [c for p in places[:1] for s, c in classes_of(script, p) if s is script]
    made = [pair for place in places for pair in script.calls(place)]
    if len(places) < 2:  # made elsewhere, and handed over: Trainer(Net(4, 8, 2))
        made += [(call, name) for call, name in script.calls() if _is_network(script, name)]
    return [
        Size(script.code(call), script.line(call), "make its width an argument", "no argument")
        for call, name in made
        if (_is_network(script, name) or (name.startswith("torch.nn.") and last(name) in SIZED))
        and any(a.keyword is None and script.code(a.value).isdigit() for a in call.args[:2])
    ]


def _is_network(script: Script, name: str) -> bool:
    """Whether a name is a module that this script defines."""
    owner = script.classes.get(name)
    return owner is not None and any("Module" in script.code(base.value) for base in owner.bases)


def _is_size(name: str) -> bool:
    return bool(SIZES.search(name)) and not NOT_SIZES.search(name)


def _plain(script: Script, value: cst.CSTNode) -> bool:
    return bool(re.fullmatch(r"\d[\d_]*|[\"'][\w./-]+[\"']", script.code(value)))


ARMS = ("plain", "early-stop", "dendrites")
"""As it is trained; the same schedule without growth; with growth."""


def study(script: Script, path: Path) -> str:
    """The comparison as a study, where the script defines a problem; empty where it does not."""
    for name, node in script.classes.items():
        bases = [script.name(base.value) for base in node.bases]
        if not any(base == "frustration.Problem" or last(base) == "Problem" for base in bases):
            continue
        smaller = ""
        for names, value in script.assignments(node.body):
            if _is_size(names[0]) and script.code(value).isdigit() and int(script.code(value)) > 1:
                smaller = f"({names[0]}={int(script.code(value)) // 2})"
                break
        arms = (*ARMS, "wide@1") if script.method(node, "widened") else ARMS
        problems = [f"{path.name}:{name}", *([f"{path.name}:{name}{smaller}"] if smaller else [])]
        return "\n".join(
            [
                'name = "efficiency"',
                f"problems = [{', '.join(_quoted(p) for p in problems)}]",
                f"modes = [{', '.join(map(_quoted, arms))}]",
                "trials = 5",
            ]
        )
    return ""


def _quoted(text: str) -> str:
    return f'"{text}"'


def advice(path: Path) -> str:
    """What to make smaller, and the arms of a comparison that is fair."""
    script = Script.read(path)
    found = sizes(script)
    prepared = study(script, path)
    if prepared:
        return f"\nGoal: efficiency. As a study, for `frustration study run efficiency.toml`:\n\n{prepared}"
    lines = ["", "Goal: efficiency. Dendrites add parameters, so begin with a smaller network."]
    lines += [
        f"  {size.name:<22} line {size.line:<5} {size.where}: {size.value}{_hint(size.value)}"
        for size in found
    ]
    if found and all(size.where == "no argument" for size in found):
        lines.append("  B needs one of them as an argument: python cannot train the smaller network before")
    if not found:
        lines.append("  no size is configurable: give the network's widths or depth names first")
    flag = next((s for s in found if s.where == "argument"), None)
    smaller = f" {flag.name} SMALLER" if flag else ""
    script_name = path.name
    return "\n".join(
        [
            *lines,
            "Arms (several seeds each; compare at equal epochs, on a test set that decided nothing):",
            f"  A              python {script_name}                    the network as it is",
            f"  B              python {script_name}{smaller}    smaller, with dendrites",
            "  C              the same as B with GPA.pc.set_max_dendrites(0)    smaller, same schedule, no "
            "growth",
            "  C-equal-steps  C, trained for as many epochs as B, best by validation",
            "  wide           an ordinary network with the parameters that B ends with",
            "B against C alone compares the length of training as well: growth prolongs it.",
        ]
    )


def _hint(value: str) -> str:
    name = value.strip("'\"").lower()
    for known in sorted(SMALLER, key=len, reverse=True):
        if name.startswith(known):
            return f" (smaller: {SMALLER[known]})"
    return f" (half of it: {int(name) // 2})" if name.isdigit() and int(name) > 1 else ""
