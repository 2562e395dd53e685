"""Which layers of a network get dendrites, and on which axis of their outputs the neurons are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import libcst as cst

from frustration.integration.axes import RECURRENT, Axes, axes_of, class_of
from frustration.integration.parts import Parts
from frustration.integration.source import Script, last
from frustration.integration.words import words

Kind = Literal["images", "sequence", "features", "lora", "both", "unknown"]

CONVOLUTIONS = words("Conv1d Conv2d Conv3d LazyConv2d ConvTranspose2d")
SEQUENCE = RECURRENT | words(
    "Embedding EmbeddingBag MultiheadAttention Transformer TransformerEncoder TransformerEncoderLayer "
    "TransformerDecoder TransformerDecoderLayer scaled_dot_product_attention"
)
FAST_PATH = words("Transformer TransformerEncoder TransformerEncoderLayer")
_IMAGE_MODELS = re.compile(
    r"torchvision\.models|resnet|resnext|vgg|densenet|mobilenet|efficientnet|alexnet|squeezenet|unet|convnext|regnet",
    re.I,
)
_SEQUENCE_MODELS = re.compile(
    r"gpt|bert|llama|t5\b|t5for|vit_|vit\b|swin|deit|transformer|causallm|seq2seqlm|maskedlm|sequenceclassification|"
    r"tokenclassification|questionanswering|multiplechoice|lmhead|conditionalgeneration|electra|bart|mistral|qwen",
    re.I,
)
_FAMILIES = re.compile(
    r"causallm|seq2seqlm|maskedlm|lmhead|conditionalgeneration|classification|answering|choice", re.I
)
"""Models of transformers, of which the axes are known."""
FOREIGN = re.compile(r"(torch_geometric|dgl|e3nn|mamba_ssm|fairseq|monai|segmentation_models_pytorch)\.")
"""Packages with layers of their own."""
_EDITED = ("frustration.", "perforatedai.")
"""What an edit writes into a script is no layer."""
_HEADS = re.compile(r"SequenceClassification|MultipleChoice|ImageClassification|AudioClassification", re.I)


@dataclass
class Layers:
    """The part of the configuration that depends on the network."""

    kind: Kind
    reason: str
    names: list[str] = field(default_factory=list)
    """Classes of layers that get dendrites."""
    dimensions: list[int] = field(default_factory=list)
    flat: list[str] = field(default_factory=list)
    """Paths of Linear layers whose output is [batch, features] in a network of sequences."""
    deep: list[str] = field(default_factory=list)
    """Paths of Linear layers whose output is [batch, time, features] in a network of convolutions."""
    tracked: list[str] = field(default_factory=list)
    """Paths of layers that get none."""
    ids: list[str] = field(default_factory=list)
    """Paths of the only layers that get dendrites."""
    unsafe_tensors: bool = False
    """Weights may be tied, and safetensors cannot save those."""
    fast_path: bool = False
    doubts: list[str] = field(default_factory=list)


def find_layers(script: Script, parts: Parts | None, creation: cst.CSTNode | None = None) -> Layers:
    """What the network is made of, as far as the script and the files beside it say."""
    root = creation or (parts.made if parts else None)
    made = dict(_constructors(script, root)) if root is not None else {}
    text = f"{script.code(root)} {_defaults(script, root)}" if root is not None else ""
    known = " ".join([text, *made])
    if parts and parts.created is not None and parts.created is not root:
        made.update(_constructors(script, parts.created))
    guessed = not (_layer_names(made) or _IMAGE_MODELS.search(known) or _SEQUENCE_MODELS.search(known))
    if guessed:
        beside = (script, *script.neighbours())
        made = {name: name for one in beside for _, name in one.calls() if not name.startswith(_EDITED)}
        guessed = sum(f.name.value == "forward" for one in beside for f in one.all(cst.FunctionDef)) > 1
    layers = _by_kind(script, parts, root, set(map(last, made)), " ".join([text, *made]))
    if guessed and layers.kind != "unknown":
        layers.doubts.append(
            "what makes the network was not found: these are the layers of all classes in this script and "
            "beside it; `frustration perforate dry-run` measures them"
        )
    foreign = [n for n in made if FOREIGN.match(n) and last(n)[:1].isupper()]
    if foreign and layers.kind not in ("lora", "unknown"):
        layers.doubts.append(
            f"{', '.join(sorted(set(map(last, foreign))))} of {foreign[0].partition('.')[0]}: what is inside "
            "was not read; `frustration perforate dry-run` measures it"
        )
    layers.fast_path = bool(set(map(last, made)) & FAST_PATH)
    if parts and parts.layer:
        layers.ids = [parts.layer]
        layers.reason += f"; only {parts.layer} is trained"
        several = rf"{re.escape(parts.layer)}\s*=\s*(torch\.)?nn\.(Sequential|ModuleList)\("
        if re.search(several, script.text):
            layers.doubts.append(
                f"{parts.layer} is made of several layers: name those that get dendrites with --layers, "
                f"as in --layers {parts.layer}.0"
            )
    elif _frozen(script) and not layers.ids and layers.kind != "lora":
        layers.doubts.append(
            "some layers are frozen here; a frozen layer among those that get dendrites stops the library "
            "in a "
            "debugger: name the trained ones with --layers, as in --layers .fc"
        )
    return layers


def _defaults(script: Script, root: cst.CSTNode) -> str:
    """The defaults of the command-line arguments that choose the network, as in `--arch resnet18`."""
    names = set(re.findall(r"args\.(\w+)", script.code(root)))
    found = []
    for call in script.called("add_argument"):
        words = [script.code(a.value).strip("'\"-").replace("-", "_") for a in call.args if a.keyword is None]
        default = script.argument(call, "default")
        if names & set(words) and isinstance(default, cst.SimpleString):
            found.append(script.code(default))
    return " ".join(found)


def _layer_names(made: dict[str, str]) -> set[str]:
    return {last(name) for name in made} & (CONVOLUTIONS | SEQUENCE | {"Linear", "LazyLinear", "Conv1D"})


def _frozen(script: Script) -> bool:
    return bool(re.search(r"\.requires_grad\s*=\s*False|requires_grad_\(False\)", script.text))


def _constructors(
    script: Script, root: cst.CSTNode, seen: frozenset[int] = frozenset()
) -> Iterator[tuple[str, str]]:
    """What is called to make a network, through its classes and the functions that build it."""
    for call, name in script.calls(root):
        found = class_of(script, script.code(call.func))
        yield name if found is None else f"{name}()", script.code(call)  # a class of the script's own
        if found is not None and id(found[1]) not in seen:
            yield from _constructors(*found, seen | {id(found[1])})
            for base in found[1].bases:
                parent = class_of(found[0], found[0].code(base.value))
                if parent is not None and id(parent[1]) not in seen:
                    yield from _constructors(*parent, seen | {id(found[1]), id(parent[1])})
        function = script.callee(call)
        if found is None and function is not None and id(function.node) not in seen:
            yield from _constructors(function.script, function.node.body, seen | {id(function.node)})


def classes_of(
    script: Script, root: cst.CSTNode, seen: frozenset[int] = frozenset()
) -> Iterator[tuple[Script, cst.ClassDef]]:
    """The classes of which a network is made, here and in files beside the script."""
    for call, _ in script.calls(root):
        found, function = class_of(script, script.code(call.func)), script.callee(call)
        if found is not None and id(found[1]) not in seen:
            yield found
            yield from classes_of(*found, seen | {id(found[1])})
        elif found is None and function is not None and id(function.node) not in seen:
            yield from classes_of(function.script, function.node.body, seen | {id(function.node)})


_NO_LAYER = re.compile(r"act|nonlin|relu|func|fn$|criterion|loss|dropout|pos_?emb|norm|bn\d*$", re.I)


def unread(script: Script, owner: cst.ClassDef) -> Iterator[tuple[str, cst.BaseExpression]]:
    """The modules of a class whose layers are not in sight: `self.body = body`, a package's `Body()`."""
    init = script.method(owner, "__init__")
    if init is None or not init.node.params.params:
        return
    own = init.node.params.params[0].name.value
    called = {script.code(call.func) for call, _ in script.calls(owner)}
    for names, value in script.assignments(init.node.body):
        name = names[0]
        if len(names) != 1 or not name.startswith(own + ".") or name not in called or _NO_LAYER.search(name):
            continue
        while isinstance(value, (cst.IfExp, cst.BooleanOperation)):
            value = value.body if isinstance(value, cst.IfExp) else value.left
        if isinstance(value, cst.Name):
            if value.value in {p.name.value for p in script.all(cst.Param, init.node.params)}:
                yield name, value
        elif isinstance(value, cst.Call):
            full, text = script.name(value.func), script.code(value.func)
            known = class_of(script, text) is not None or script.callee(value) is not None
            named = _IMAGE_MODELS.search(script.code(value)) or _SEQUENCE_MODELS.search(script.code(value))
            if not (known or named or full.startswith(("torch.", "nn.", "functools.", own + "."))):
                yield name, value


def _by_kind(
    script: Script, parts: Parts | None, root: cst.CSTNode | None, made: set[str], text: str
) -> Layers:
    if script.called("get_peft_model"):
        layers = Layers(
            "lora",
            "get_peft_model: the adapters are trained, the base is frozen",
            dimensions=[-1, -1, 0],
            unsafe_tensors=True,
        )
        kinds = [last(n) for _, n in script.calls() if re.fullmatch(r"peft\..*Config", n)]
        if others := [kind for kind in dict.fromkeys(kinds) if kind not in ("LoraConfig", "PeftConfig")]:
            layers.doubts.append(
                f"{', '.join(others)}: which layers are trained is not known; those of LoRA can get dendrites"
            )
        return layers
    images = bool(made & CONVOLUTIONS or _IMAGE_MODELS.search(text))
    sequence = bool(made & SEQUENCE or _SEQUENCE_MODELS.search(text))
    if images and not sequence:
        layers = Layers(
            "images",
            "convolutions: channels are the second axis",
            ["Conv1d", "Conv2d", "Conv3d", "Linear"],
            [-1, 0, -1, -1],
        )
        axes = _axes(script, root, False)
        layers.deep = [path for path in axes.known(3) if "*" not in path]
        if unknown := [path for path in axes.unknown if "*" not in path]:
            layers.doubts.append(
                f"the axis of {', '.join(unknown)} was not read: `frustration perforate dry-run` measures it"
            )
        if others := [path for path in (*axes.known(3), *axes.known(4)) if path not in layers.deep]:
            layers.doubts.append(
                f"{', '.join(others)} sees more axes than [batch, features]: `frustration perforate dry-run` "
                "measures them, and --layers names those that get dendrites"
            )
        return layers
    if sequence:
        attends = re.search(r"transformer|attention", text, re.I) is not None
        axes = _axes(script, root, attends or bool(made & (SEQUENCE - {"Embedding", "EmbeddingBag"})))
        named = sorted(made & (SEQUENCE | CONVOLUTIONS)) or ["a model of sequences"]
        if images:
            return _of_both(axes, sorted(made & CONVOLUTIONS), [n for n in named if n not in CONVOLUTIONS])
        return _of_sequences(axes, ", ".join(named), text)
    if made & {"Linear", "LazyLinear"}:
        layers = Layers("features", "Linear layers over [batch, features]", ["Linear"], [-1, 0, -1, -1])
        if deep := [p for p, found in _axes(script, root, False).linear.items() if found & {3, 4}]:
            layers.doubts.append(
                f"{', '.join(deep)} sees more axes than [batch, features]: measure them with "
                "`frustration perforate dry-run`, or give --output-dimensions"
            )
        return layers
    return Layers(
        "unknown",
        "what the network is made of was not found",
        ["Conv1d", "Conv2d", "Conv3d", "Linear"],
        [-1, 0, -1, -1],
        doubts=[
            "neither the layers nor their axis could be read: measure them with `frustration perforate "
            "dry-run`, or give --output-dimensions"
        ],
    )


def _axes(script: Script, root: cst.CSTNode | None, sequences: bool) -> Axes:
    result = Axes()
    for call, _ in script.calls(root) if root is not None else ():
        found = class_of(script, script.code(call.func))
        if found is not None and found[0].method(found[1], "forward") is not None:
            result.linear.update(axes_of(*found, sequences).linear)
    return result


def _of_both(axes: Axes, convolutions: list[str], others: list[str]) -> Layers:
    """Convolutions and parts of sequences: a Linear layer takes part where its axis was read."""
    known = f"convolutions and {', '.join(others)}: the axis of a convolution is certain"
    layers = Layers("both", known, convolutions or ["Conv2d"], [-1, 0, -1, -1], unsafe_tensors=True)
    flat, deep = axes.known(2), axes.known(3)
    if axes.linear and len(flat) + len(deep) == len(axes.linear) and not any("*" in path for path in deep):
        layers.names.append("Linear")
        layers.deep = deep
        if deep:
            layers.reason += f"; {', '.join(deep)} sees [batch, time, features]"
        return layers
    layers.doubts.append(
        "the axis of its Linear layers was not read, so they get none: `frustration perforate dry-run` "
        "measures it"
    )
    return layers


def _of_sequences(axes: Axes, named: str, text: str) -> Layers:
    layers = Layers(
        "sequence", f"{named}: features are the last axis", ["Linear"], [-1, -1, 0], unsafe_tensors=True
    )
    if not axes.linear and not _FAMILIES.search(text):
        layers.doubts.append(
            "its layers were not read, and whether each sees [batch, time, features] is not known: "
            "`frustration perforate dry-run` measures it"
        )
    flat = axes.known(2)
    if flat and len(flat) == len(axes.linear) and "Transformer" not in named:
        return Layers(
            "features",
            f"{named}; every Linear layer sees [batch, features]: {', '.join(flat)}",
            ["Linear"],
            [-1, 0, -1, -1],
            unsafe_tensors=True,
        )
    layers.flat = [path for path in flat if "*" not in path]
    if layers.flat:
        layers.reason += f"; {', '.join(layers.flat)} sees [batch, features]"
    unknown = [path for path in axes.unknown if "*" not in path]
    listed = [path for path in (*flat, *axes.unknown) if "*" in path]
    if listed:
        layers.doubts.append(
            f"the axis of {', '.join(listed)} is another, or was not read: measure it with `frustration "
            "perforate dry-run`, and name the layers that get dendrites with --layers"
        )
    if unknown and len(axes.unknown) == len(axes.linear):
        layers.doubts.append(
            f"the axis of {', '.join(unknown)} was not read: measure it with `frustration perforate "
            f"dry-run`, or "
            "give --output-dimensions"
        )
    elif unknown:
        layers.tracked = unknown
        layers.doubts.append(
            f"the axis of {', '.join(unknown)} was not read, so it gets no dendrites: "
            "`frustration perforate dry-run` measures it"
        )
    if _HEADS.search(text):
        layers.tracked = [".classifier", ".pre_classifier", ".score", ".pooler", ".bert.pooler"]
        layers.doubts.append(
            "classifier and pooler see [batch, features], and how they are called depends on the model: "
            "they get no "
            "dendrites here; `frustration perforate dry-run` measures them"
        )
    return layers
