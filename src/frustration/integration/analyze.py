"""What each dendrite gave and cost, whether that is more than noise, and what to change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from frustration.errors import InputError
from frustration.integration.results import Analysis, Run, runs_in

PATIENCE = 10
"""Epochs without a new best before growth, where the configuration does not say."""
CAPACITY_EPOCHS = 4
"""Evaluations of the library's test of its capacity."""
DECAYED = 0.01
"""A learning rate of this share of the first no longer trains a new dendrite."""
OVERFITTED = 0.1
"""Share of the training score by which validation is behind."""


HEADER = ("run", "dendrites", "parameters", "best validation", "gain", "gain per 1,000 parameters")


def analyze(folder: Path, control: Path | None = None, better: bool | None = None) -> Analysis:
    """Reads the run in a folder, or the runs in its folders; `control` is an ordinary wider network.

    `better`: whether a higher score is, for runs whose files do not say it.
    """
    from frustration.integration.own_records import analyze_own, read_own

    own = read_own(folder)
    if own is not None:
        if control is not None:
            raise InputError(
                f"{folder} holds trials of ours, whose control is an arm beside them (wide@1) and not a "
                "folder: leave --control out"
            )
        return analyze_own(own)
    runs = runs_in(folder)
    result = Analysis(runs)
    for run in runs:
        run.higher = better
        if known_direction(run) is None:
            result.sentences.append(
                f"{run.name}: its files do not say whether a higher score is better, and it is taken to be; "
                "give --better lower if the score is a loss"
            )
        _rows(run, result)
        _failed(run, result)
        _advice(run, result)
    _noise(runs, result)
    _control(runs, control, result)
    result.advice = list(dict.fromkeys(result.advice))
    return result


def settings_of(run: Run) -> dict[str, Any]:
    """The settings that the library wrote beside its results."""
    for path in (run.folder / f"{run.name}_config.json", *sorted(run.folder.glob("*_config.json"))):
        if path.is_file():
            try:
                found = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            return found if isinstance(found, dict) else {}
    return {}


def known_direction(run: Run) -> bool | None:
    """Whether a higher score is better; the library's test of four epochs does not write it."""
    written = settings_of(run).get("maximizing_score")
    return written if isinstance(written, bool) else run.higher


def maximizes(run: Run) -> bool:
    return known_direction(run) is not False


def gain(run: Run) -> float | None:
    """What the dendrites of the best architecture gave; above 0 is better, None without a first score."""
    architectures = run.final.architectures
    if not architectures:
        return None
    sign = 1 if maximizes(run) else -1
    first = architectures[0].score
    return max(sign * (one.score - first) for one in architectures)


def _rows(run: Run, result: Analysis) -> None:
    sign = 1 if maximizes(run) else -1
    before = None
    for number, one in enumerate(run.final.architectures):
        gained = None if before is None else sign * (one.score - before.score)
        added = one.parameters - before.parameters if before else 0
        rate = "" if gained is None or not added else f"{1000 * gained / added:+.4g}"
        result.rows.append(
            (
                run.name,
                str(number),
                f"{one.parameters:,}",
                f"{one.score:.6g}",
                "" if gained is None else f"{gained:+.4g}",
                rate,
            )
        )
        before = one


def _failed(run: Run, result: Analysis) -> None:
    """Dendrites that were tried and taken back: `noImprove_lr` files do not mean that none was added."""
    for number, group in enumerate(run.failed, 1):
        if len(group.architectures) < 2:
            continue
        sign = 1 if maximizes(run) else -1
        kept = max(group.architectures[:-1], key=lambda one: sign * one.score)
        tried = group.architectures[-1]
        result.sentences.append(
            f"{run.name}: try {number} added a dendrite to every neuron ({tried.parameters:,} parameters) "
            f"and reached "
            f"{tried.score:.6g} against {kept.score:.6g}; it was taken back"
        )


def _advice(run: Run, result: Analysis) -> None:
    settings = settings_of(run)
    patience = int(settings.get("n_epochs_to_switch", PATIENCE))
    if settings.get("testing_dendrite_capacity") or _is_capacity_test(run):
        result.sentences.append(f"{run.name}: this is the library's test of four epochs, and not a result")
        result.advice.append(
            "set_testing_dendrite_capacity(False), and run again: "
            "`frustration perforate SCRIPT --real --write`"
        )
        return
    if not run.before and not run.failed and run.grown == 0:
        _never(run, patience, result)
        return
    if run.failed and run.grown == 0:
        result.advice.append(
            f"{len(run.failed)} of {len(run.failed)} tries were taken back: give the network a margin to "
            f"use (a "
            "smaller one), a lower learning rate after growth, or dendrites in fewer layers"
        )
    for group in run.failed:
        after = group.scores[group.switches[-1] + 1 :] if group.switches else []
        sign = 1 if maximizes(run) else -1
        if len(after) >= 3 and sign * after[-1] >= max(sign * value for value in after):
            result.advice.append(
                f"a try was given up at its best score ({after[-1]:.6g} in its last of {len(after)} "
                f"epochs): raise "
                f"n_epochs_to_switch above {patience}"
            )
    rates = run.final.learning_rates
    if rates and rates[0] > 0 and rates[-1] < DECAYED * rates[0]:
        result.advice.append(
            f"the learning rate fell from {rates[0]:.3g} to {rates[-1]:.3g}: new dendrites hardly train; "
            f"make the "
            "scheduler anew after growth, or let it decay more slowly"
        )
    _overfitting(run, result)


def _is_capacity_test(run: Run) -> bool:
    return len(run.final.scores) == CAPACITY_EPOCHS and len(run.final.architectures) == CAPACITY_EPOCHS


def _never(run: Run, patience: int, result: Analysis) -> None:
    """No growth at all: the epochs and the threshold say why."""
    scores = run.final.scores
    sign = 1 if maximizes(run) else -1
    last = max(range(len(scores)), key=lambda epoch: sign * scores[epoch], default=0)
    since = len(scores) - 1 - last
    result.sentences.append(
        f"{run.name}: no dendrite was tried in {len(scores)} epochs; the first comes after {patience} "
        f"epochs without "
        f"a new best, and the last best was epoch {last}, {since} before the end"
    )
    if since < patience:
        result.advice.append(
            f"train on: at least {patience - since + 1} more epochs without a new best are needed; or lower "
            f"n_epochs_to_switch ({patience}), or raise improvement_threshold, so that smaller gains count "
            f"for none"
        )
    else:
        result.advice.append(
            "the plateau was long enough: check that add_validation_score is called after every evaluation, "
            "and that "
            "the switch mode is DOING_HISTORY"
        )


def _overfitting(run: Run, result: Analysis) -> None:
    train = next((values for key, values in run.final.extra.items() if "train" in key.lower()), None)
    scores = run.final.scores
    if not train or not scores or not maximizes(run) or train[-1] <= 0:
        return
    behind = 1 - max(scores) / max(train)
    if behind > OVERFITTED:
        result.advice.append(
            f"training reaches {max(train):.6g} and validation {max(scores):.6g}: more parameters will not "
            f"help "
            "before the network overfits less (data, weight decay, fewer layers with dendrites)"
        )


def _noise(runs: list[Run], result: Analysis) -> None:
    """Whether the gain is more than what another seed gives."""
    gains = [value for run in runs if (value := gain(run)) is not None]
    if len(gains) < 2:
        result.sentences.append(
            "one run: whether its gain is more than the noise of a seed cannot be said; repeat it with "
            "other seeds, "
            "and give the folder that holds all runs"
        )
        return
    from frustration.statistics.paired import sign_flip, t_interval

    interval, test = t_interval(gains), sign_flip(gains)
    verdict = "more than" if test.p < 0.05 and interval.value > 0 else "not distinguishable from"
    result.sentences.append(
        f"{len(gains)} runs: mean gain {interval.value:+.4g} (95 % interval {interval.low:+.4g} to "
        f"{interval.high:+.4g}; exact sign flips p = {test.p:.3g}): {verdict} noise between seeds. The best "
        f"of "
        "several architectures is never worse than the first, so this gain leans upwards; a test set does not"
    )


def _control(runs: list[Run], control: Path | None, result: Analysis) -> None:
    """Against an ordinary wider network: the same parameters without dendrites."""
    if control is None:
        result.sentences.append(
            "no control: dendrites add parameters, and an ordinary wider layer does that too; train one of "
            "the same "
            "size with max_dendrites=0, and give its folder with --control"
        )
        return
    others = [run for run in runs_in(control) if run.final.architectures]
    for run in others:
        run.higher = runs[0].higher if runs else None
    if not others:
        raise InputError(f"{control} holds no scores of an architecture")
    sign = 1 if maximizes(others[0]) else -1
    best = [
        max(sign * one.score for one in run.final.architectures) for run in runs if run.final.architectures
    ]
    if not best:
        raise InputError(f"no run holds the scores of an architecture that {control} could be compared with")
    wide = [sign * run.final.architectures[0].score for run in others]
    size = others[0].final.architectures[0].parameters
    grown = max((one.parameters for run in runs for one in run.final.architectures), default=0)
    ours, theirs = sum(best) / len(best), sum(wide) / len(wide)
    result.sentences.append(
        f"control of {size:,} parameters without dendrites: {sign * theirs:.6g} (n = {len(wide)}); with "
        f"dendrites, up "
        f"to {grown:,} parameters: {sign * ours:.6g} (n = {len(best)}), a difference of {ours - theirs:+.4g}"
    )
