"""Whether a higher score is better: read from comparisons first, from names second, and never guessed."""

from __future__ import annotations

import re
from collections.abc import Iterable

import libcst as cst

from frustration.integration.source import Script, last
from frustration.integration.words import words

HIGHER = words(
    "acc accs accuracy accuracies acc1 acc5 accuracy1 top1 top5 prec1 prec5 f1 auc auroc auprc rocauc prauc "
    "roc ap map map50 iou miou jaccard dice dsc rouge rouge1 rouge2 rougel rougelsum bleu precision recall "
    "r2 mcc matthews psnr ssim reward rewards correct corrects hits ndcg mrr kappa spearman pearson "
    "correlation balanced"
)
LOWER = words(
    "loss losses perplexity ppl error errors err mse mae rmse mape nll cer wer bpc bpb bce ce kl fid "
    "crossentropy "
    "perplexities eer distance"
)


def by_name(name: str) -> bool | None:
    """True: higher is better. None: the name says neither, as with `-loss` and `1 - acc`."""
    if re.search(r"(^|[=(\[{:,\d\s])-\s*[A-Za-z_(]|(^|_)neg(ative)?_", name):
        return None
    tokens = [token.lower() for token in re.findall(r"[A-Z]?[a-z]+\d*|[A-Z]+\d*|\d+", name)]
    known = [token for token in tokens if token in LOWER | HIGHER]
    if not known or (known[-1] in HIGHER and LOWER & {*known}):  # `loss_acc` may be either
        return None
    return known[-1] in HIGHER


def by_use(script: Script, score: str, within: cst.CSTNode) -> tuple[bool, str] | None:
    """What the loop does with the score: a comparison with a best one, `max`, or ReduceLROnPlateau.

    A comparison that keeps no new best may be the other way round (`if acc < best: wait += 1`): it counts
    only where the name says the same.
    """
    for node in script.all(cst.Comparison, within):
        sides = [script.code(node.left), script.code(node.comparisons[0].comparator)]
        operator = node.comparisons[0].operator
        if score not in sides or not isinstance(
            operator, (cst.GreaterThan, cst.GreaterThanEqual, cst.LessThan, cst.LessThanEqual)
        ):
            continue
        other = sides[1 - sides.index(score)]
        if re.fullmatch(r"[-+\d.e_]+", other):  # a threshold, as in `loss < 1e-3`
            continue
        if re.match(r"(max|min)\(", other):  # the last few, as in `loss > max(losses[-3:])`: no best
            continue
        greater = isinstance(operator, (cst.GreaterThan, cst.GreaterThanEqual))
        if _kept(script, node, other, otherwise=True):  # `if loss > best: wait += 1`, `else: best = loss`
            greater = not greater
        elif not _kept(script, node, other) and by_name(score) is not (greater == (sides[0] == score)):
            continue
        return greater == (sides[0] == score), f"line {script.line(node)} compares it with {other}"
    for call, name in script.calls(within):
        arguments = [script.code(a.value) for a in call.args]
        if name in ("max", "min") and len(arguments) == 2 and score in arguments:
            return name == "max", f"line {script.line(call)} keeps the {name}"
        if last(name) == "step" and arguments == [score] and (mode := plateau_mode(script)):
            return mode == "max", f"ReduceLROnPlateau follows it with mode={mode}"
    return None


def keeps_best(script: Script, score: str, within: cst.CSTNode) -> bool:
    """Whether a loop keeps the best of this score, and so decides by it."""
    for call, name in script.calls(within):
        arguments = [script.code(a.value) for a in call.args]
        if name in ("max", "min") and len(arguments) == 2 and score in arguments:
            return any("best" in text.lower() for text in arguments)
    for node in script.all(cst.Comparison, within):
        sides = [script.code(node.left), script.code(node.comparisons[0].comparator)]
        other = sides[1 - sides.index(score)] if score in sides else "0"
        if re.match(r"[-\d.]|(max|min)\(", other):
            continue
        if _kept(script, node, other) or _kept(script, node, other, otherwise=True):
            return True
    return False


def _kept(script: Script, comparison: cst.Comparison, best: str, otherwise: bool = False) -> bool:
    """Whether a condition keeps a new best one: where it holds, or only where it does not."""
    node = script.up(script.parent(comparison), cst.If, cst.IfExp, cst.FunctionDef)
    if isinstance(node, cst.IfExp):
        return not otherwise
    if not isinstance(node, cst.If) or script.holds(node.body, comparison):
        return not otherwise and isinstance(
            script.parent(comparison), (cst.AssignTarget, cst.Assign, cst.Arg)
        )
    names = set(re.findall(r"[A-Za-z_][\w.]*", best))

    def keeps(branch: cst.CSTNode | None) -> bool:
        bound = {name for names, _ in script.assignments(branch) for name in names} if branch else set()
        return any(name.partition("[")[0] in names for name in bound)

    other = node.orelse if isinstance(node.orelse, cst.Else) else None
    return keeps(other) and not keeps(node.body) if otherwise else keeps(node.body)


def by_calls(script: Script, function: cst.FunctionDef, depth: int = 1) -> tuple[bool, str] | None:
    """What the functions that an evaluation calls measure, as in `f1_score(y, predictions)`."""
    found: dict[bool, str] = {}
    for call, name in script.calls(function.body):
        way = by_name(last(name))
        inner = script.callee(call) if way is None and depth else None
        deeper = by_calls(inner.script, inner.node, depth - 1) if inner is not None else None
        if way is not None and not re.search(r"criterion|loss|entropy", name):
            found[way] = f"{last(name)} measures it"
        elif deeper is not None:
            found[deeper[0]] = deeper[1]
    return next(iter(found.items())) if len(found) == 1 else None


def plateau_mode(script: Script) -> str:
    """The mode of ReduceLROnPlateau, if one is made here."""
    for call in script.called("ReduceLROnPlateau"):
        mode = script.argument(call, "mode", 1)
        return script.code(mode).strip("'\"") if mode is not None else "min"
    return ""


def best_of(names: Iterable[str]) -> str:
    """The name that says most about validation: validation before test, rising before falling."""
    return max(names, key=rank, default="")


def rank(name: str) -> tuple[int, int]:
    text = name.lower()
    if re.search(r"train|running|batch|best", text):
        part = -1
    elif re.search(r"val|dev|eval", text):
        part = 2
    else:
        part = 0 if "test" in text else 1
    way = by_name(name)
    return (0 if way is None else 2 if way else 1), part
