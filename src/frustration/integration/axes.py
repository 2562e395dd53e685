"""How many axes the output of each Linear layer has: [batch, features] or [batch, time, features].

It reads `forward`, one assignment after the other. What it cannot follow has no number of axes, and is told.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import libcst as cst

from frustration.integration.source import Script, last

RECURRENT = frozenset({"LSTM", "GRU", "RNN"})
SAME = re.compile(
    r"relu|gelu|silu|tanh|sigmoid|softmax|log_softmax|dropout\w*|norm\w*|layer_norm|batch_norm\w*|pad|contiguous|float|"
    r"to|cuda|clone|detach|transpose|permute|pos\w*|max_pool\w*|avg_pool\w*|adaptive\w*|elu|leaky_relu|masked_fill|"
    r"split|chunk|scaled_dot_product_attention|roll|clamp|half|bfloat16|type_as|repeat_interleave"
)
SAME_LAYERS = re.compile(
    r"(Layer|Batch|Group|RMS|Instance)Norm\w*|Dropout\w*|(Leaky|P)?Re?LU\w*|GELU|SiLU|Tanh|Sigmoid|Softmax|Identity|"
    r"(Adaptive)?(Max|Avg)Pool\w*|Transformer\w*|PositionalEncod\w*|Mish|Hardswish|ELU|LogSoftmax|Upsample"
)
REDUCES = frozenset({"mean", "max", "min", "sum", "amax", "amin", "argmax", "logsumexp", "select"})


@dataclass
class Axes:
    """The number of axes of every Linear layer's output, by its path; None: not known."""

    sequences: bool = True
    """Whether an embedding is known to be of sequences; otherwise it may be of single things."""
    linear: dict[str, set[int | None]] = field(default_factory=dict)

    def known(self, axes: int) -> list[str]:
        """The paths whose output has this many axes wherever it is used."""
        return [path for path, found in self.linear.items() if found == {axes}]

    @property
    def unknown(self) -> list[str]:
        return [path for path, found in self.linear.items() if None in found or len(found) > 1]


def axes_of(script: Script, owner: cst.ClassDef, sequences: bool) -> Axes:
    """The axes inside a network of a class; how many its input has is not known."""
    result = Axes(sequences)
    _Reader(script, owner, "", result).read([None])
    return result


class _Reader:
    """Reads one `forward`, and those of the modules in it."""

    def __init__(self, script: Script, owner: cst.ClassDef, path: str, result: Axes, depth: int = 0) -> None:
        self.script, self.owner, self.path, self.result, self.depth = script, owner, path, result, depth
        self.attributes: dict[str, cst.BaseExpression] = {}
        for names, value in script.assignments(owner):
            for name in names:
                if name.startswith("self."):
                    self.attributes.setdefault(name.removeprefix("self."), value)
        self.axes: dict[str, int | None] = {}
        self.modules: dict[str, tuple[str, cst.BaseExpression]] = {}
        self.out: int | None = None

    def read(self, inputs: list[int | None]) -> int | None:
        """The number of axes of what `forward` returns."""
        function = self.script.method(self.owner, "forward")
        if function is None or self.depth > 6:
            return None
        parameters = [p.name.value for p in function.node.params.params][1:]
        self.axes = dict(zip(parameters, inputs, strict=False))
        self._block(function.node.body)
        return self.out

    def _block(self, block: cst.CSTNode) -> None:
        body = getattr(block, "body", ())
        for node in body if isinstance(body, (list, tuple)) else [body]:
            if isinstance(node, cst.SimpleStatementLine):
                for small in node.body:
                    self._small(small)
            elif isinstance(node, cst.For):
                self._loop(node)
            elif isinstance(node, (cst.If, cst.With, cst.IndentedBlock)):
                self._block(node.body if not isinstance(node, cst.IndentedBlock) else node)
                other = getattr(node, "orelse", None)
                if other is not None:
                    self._block(other.body if isinstance(other, cst.Else) else cst.IndentedBlock([other]))

    def _loop(self, node: cst.For) -> None:
        code = self.script.code(node.iter)
        if hit := re.search(r"self\.(\w+(?:\.\w+)*)", code):
            layers = self._module(hit[1].removesuffix(".values").removesuffix(".items"))
            for name in re.findall(r"\w+", self.script.code(node.target)):
                if layers is not None:
                    self.modules[name] = (f"{layers[0]}.*", _element(self.script, layers[1]))
        self._block(node.body)

    def _module(self, path: str) -> tuple[str, cst.BaseExpression] | None:
        """The path and the making of `self.<path>`, through dictionaries and lists of modules."""
        root, *rest = re.sub(r"\[[^\]]*\]", ".*", path).split(".")
        making = self.attributes.get(root)
        for part in rest:
            if making is not None:
                making = _element(self.script, making) if part == "*" else _entry(self.script, making, part)
        return (f"{self.path}.{'.'.join([root, *rest])}", making) if making is not None else None

    def _small(self, node: cst.CSTNode) -> None:
        if isinstance(node, cst.Return) and node.value is not None:
            value = node.value.elements[0].value if isinstance(node.value, cst.Tuple) else node.value
            self.out = self._value(value)
        elif isinstance(node, (cst.Assign, cst.AnnAssign)) and node.value is not None:
            names = self.script.targets(node)
            sizes = re.fullmatch(r"(\w+)\.(size\(\)|shape)", self.script.code(node.value))
            if sizes and len(names) > 1 and self.axes.get(sizes[1]) is None:  # b, t, f = x.size()
                self.axes[sizes[1]] = len(names)
            several = self._several(node.value, len(names)) if len(names) > 1 else [self._value(node.value)]
            self.axes.update(zip(names, several, strict=False))
        elif isinstance(node, cst.Expr):
            self._value(node.value)

    def _several(self, value: cst.BaseExpression, count: int) -> list[int | None]:
        if isinstance(value, cst.Tuple):
            return [self._value(element.value) for element in value.elements]
        if isinstance(value, cst.Call):
            layer = self._layer(value.func)
            if layer is not None and self._kind(layer[1]) in RECURRENT:
                self._arguments(value)
                return [3 for _ in range(count)]
            if self.script.code(value.func).endswith("size") or "shape" in self.script.code(value):
                return [None] * count
        first = self._value(value)
        return [first] * count

    def _arguments(self, call: cst.Call) -> list[int | None]:
        """The axes of the positional arguments; at least of one."""
        values = [self._value(argument.value) for argument in call.args if argument.keyword is None]
        return values or [None]

    def _layer(self, func: cst.BaseExpression) -> tuple[str, cst.BaseExpression] | None:
        """The path and the making of a module that is called."""
        code = self.script.code(func)
        if code in self.modules:
            return self.modules[code]
        hit = re.fullmatch(r"self\.(\w+(?:\.\w+|\[[^\]]*\])*)", code)
        return self._module(hit[1]) if hit else None

    def _kind(self, making: cst.BaseExpression) -> str:
        return last(self.script.name(making.func)) if isinstance(making, cst.Call) else ""

    def _value(self, node: cst.BaseExpression) -> int | None:
        if isinstance(node, (cst.Name, cst.Attribute)):
            code = self.script.code(node)
            return (
                self.axes.get(code)
                if code in self.axes or not isinstance(node, cst.Attribute)
                else (
                    self._value(node.value)
                    if node.attr.value in ("values", "last_hidden_state", "T")
                    else None
                )
            )
        if isinstance(node, cst.Subscript):
            return self._indexed(node)
        if isinstance(node, cst.BinaryOperation):
            sides = [self._value(node.left), self._value(node.right)]
            return max((s for s in sides if s is not None), default=None)
        if isinstance(node, cst.IfExp):
            return self._value(node.body)
        return self._call(node) if isinstance(node, cst.Call) else None

    def _indexed(self, node: cst.Subscript) -> int | None:
        inner = self._value(node.value)
        if isinstance(node.value, cst.Call) and last(self.script.code(node.value.func)) in REDUCES:
            return inner  # .max(1)[0]
        if inner is None and len(node.slice) > 2 and "..." not in self.script.code(node):
            inner = len(node.slice)  # x[:, :, -1]
        if inner is None:
            return None
        for element in node.slice:
            if isinstance(element.slice, cst.Index):
                text = self.script.code(element.slice)
                inner += 1 if text == "None" else -1 if re.fullmatch(r"-?\s*\d+|\w+(\s*-\s*1)?", text) else 0
        return inner

    def _call(self, call: cst.Call) -> int | None:
        layer = self._layer(call.func)
        if layer is not None:
            return self._through(layer[0], layer[1], *self._arguments(call))
        name = last(self.script.code(call.func))
        method = isinstance(call.func, cst.Attribute) and self.script.code(call.func.value) not in (
            "torch", "F", "nn", "functional", "torch.nn.functional",
        )  # fmt: skip
        given = [a.value for a in call.args]
        owner = self._value(call.func.value) if method and isinstance(call.func, cst.Attribute) else None
        values = [self._value(value) for value in given]
        first = owner if method else (values[0] if values else None)
        sizes = given if method else given[1:]
        if name in ("view", "reshape"):
            if len(sizes) == 1 and isinstance(sizes[0], (cst.Tuple, cst.List)):
                return len(sizes[0].elements)
            return None if any(a.star for a in call.args) else len(sizes) or None
        if name == "permute":
            return (
                len(sizes[0].elements) if sizes and isinstance(sizes[0], cst.Tuple) else len(sizes) or first
            )
        if name == "transpose" and first is None and {self.script.code(size) for size in sizes} == {"1", "2"}:
            return 3
        if name == "flatten":
            start = self.script.code(sizes[0]) if sizes else "0"
            return int(start) + 1 if start.isdigit() and len(sizes) == 1 else None
        if name in REDUCES:
            dims = self.script.argument(call, "dim", 0 if method else 1) or self.script.argument(call, "axis")
            if dims is None or first is None or "keepdim=True" in self.script.code(call).replace(" ", ""):
                return first if dims is not None else None
            return first - (len(dims.elements) if isinstance(dims, (cst.Tuple, cst.List)) else 1)
        if name == "unsqueeze":
            return None if first is None else first + 1
        if name == "squeeze":
            return None if first is None or not sizes else first - 1
        if name in ("matmul", "bmm"):
            return max((v for v in (owner, *values) if v is not None), default=None)
        if name in ("cat", "concat", "stack") and given:
            parts = given[0].elements if isinstance(given[0], (cst.List, cst.Tuple)) else []
            known = [v for v in (self._value(e.value) for e in parts) if v is not None]
            return (max(known) + (name == "stack")) if known else None
        if SAME.fullmatch(name) or name.endswith("_"):
            return first
        return None

    def _through(
        self, path: str, making: cst.BaseExpression, axes: int | None, *others: int | None
    ) -> int | None:
        """The axes after a module of one or several inputs; every Linear in it is noted."""
        kind = self._kind(making)
        if kind in ("Linear", "Conv1D"):
            self.result.linear.setdefault(path, set()).add(axes)
            return axes
        if kind == "Embedding":
            return axes + 1 if axes is not None else 3 if self.result.sequences else None
        if kind == "EmbeddingBag":
            return 2
        if kind in RECURRENT or kind == "MultiheadAttention":
            return 3
        if hit := re.fullmatch(r"(?:Lazy)?Conv(\d)d", kind):
            return int(hit[1]) + 2
        if kind == "Flatten":
            return 2
        if kind == "Sequential" and isinstance(making, cst.Call):
            for place, argument in enumerate(making.args):
                code = self.script.code(argument.value)
                shared = self.attributes.get(code.removeprefix("self."), argument.value)
                axes = self._through(f"{path}.{place}", shared, axes)
            return axes
        if kind.startswith("Transformer"):
            return 3 if axes is None else axes
        if SAME_LAYERS.fullmatch(kind):
            return axes
        found = class_of(self.script, self.script.code(making.func)) if isinstance(making, cst.Call) else None
        if found is not None:
            return _Reader(*found, path, self.result, self.depth + 1).read([axes, *others])
        return None


def class_of(script: Script, name: str, depth: int = 0) -> tuple[Script, cst.ClassDef] | None:
    """A class of this script, or of one beside it."""
    if name in script.classes:
        return script, script.classes[name]
    for star in script.stars() if depth < 3 and name.isidentifier() else ():
        if (found := class_of(star, name, depth + 1)) is not None:
            return found
    if name in script.imports:
        module, _, known = script.imports[name].rpartition(".")
        neighbour = script.neighbour(module)
        if neighbour is not None and known in neighbour.classes:
            return neighbour, neighbour.classes[known]
    root, _, rest = name.partition(".")
    neighbour = script.neighbour(script.imports[root]) if root in script.imports and rest else None
    if neighbour is not None and rest in neighbour.classes:
        return neighbour, neighbour.classes[rest]
    return None


def _element(script: Script, making: cst.BaseExpression) -> cst.BaseExpression:
    """What a ModuleList or Sequential is made of: its first element."""
    comprehension = script.all((cst.ListComp, cst.GeneratorExp), making)
    if comprehension:
        return comprehension[0].elt
    for call in script.all(cst.Call, making):
        if call is not making:
            return call
    return making


def _entry(script: Script, making: cst.BaseExpression, key: str) -> cst.BaseExpression | None:
    """The module of a name in a ModuleDict, or at a number in a Sequential."""
    for argument in script.all(cst.Arg, making):
        if argument.keyword is not None and argument.keyword.value == key:
            return argument.value
    for element in script.all(cst.DictElement, making):
        if script.code(element.key).strip("'\"") == key:
            return element.value
    if key.isdigit() and isinstance(making, cst.Call) and int(key) < len(making.args):
        return making.args[int(key)].value
    return None
