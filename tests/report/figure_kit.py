"""Studies for figures and pages: grown networks, probed networks, names that mean harm."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from report_kit import study
from synthetic import SIX, write_study

from frustration.architecture import Architecture
from frustration.report.analysis import analyse
from frustration.report.figures import DrawnFigure, draw_all
from frustration.report.findings import Analysis
from frustration.report.reading import read_study
from frustration.report.results import StudyResults
from frustration.study.definition import Study
from frustration.study.store import Store

SHAPES = tuple(map(Architecture.parse, ("1*64", "1*32", "1*16", "2*59", "2*30", "2*16", "2*2", "3*3", "4*4")))


def reported(root: Path, grid: Study) -> tuple[StudyResults, Analysis]:
    """The records of a made-up study, read and analysed."""
    return read_and_analyse(write_study(root, grid))


def read_and_analyse(store: Store) -> tuple[StudyResults, Analysis]:
    results = read_study(store.root)
    return results, analyse(results)


def six_modes(trials: int = 6, meta_loops: int = 20, architectures=SHAPES) -> Study:
    return study(*SIX, architectures=architectures, trials=trials, meta_loops=meta_loops)


def drawn(root: Path, grid: Study) -> dict[str, DrawnFigure]:
    """All figures of a made-up study, by name."""
    results, analysis = reported(root / "study", grid)
    return {figure.name: figure for figure in draw_all(results, analysis, root / "figures")}


def records(store: Store) -> list[tuple[Path, dict[str, Any]]]:
    return [(path, json.loads(path.read_text())) for path in sorted(store.root.glob("trials/*/*.json"))]


def grow(store: Store, at: tuple[int, ...] = (8, 14)) -> None:
    """Trials of `plain` get a dendrite per neuron before each of these loops, as growing modes record it."""
    for path, record in records(store):
        if record["spec"]["mode"] != "plain":
            continue
        bare = record["parameters"]
        for entry in record["curve"]:
            dendrites = sum(entry["loop"] >= loop for loop in at)
            entry |= {
                "dendrites": dendrites,
                "parameters": bare * (1 + dendrites),
                "flops": 2 * bare * (1 + dendrites),
            }
        attempts = [
            {
                "loop": loop,
                "dendrites": number + 1,
                "parameters_before": bare * (1 + number),
                "parameters_after": bare * (2 + number),
                "outcome": "kept",
            }
            for number, loop in enumerate(at)
        ]
        record["growth"] = {"added": len(at), "attempts": attempts, "ended": None, "why": "loops"}
        path.write_text(json.dumps(record))


def probe(store: Store) -> None:
    """A probe of every network: accuracy falls with damage, faster without dropout."""
    fractions, sigmas = [i / 10 for i in range(11)], [0.0, 0.1, 0.2, 0.4]
    for _, record in records(store):
        steep = {"dropout": 1.0}.get(record["spec"]["mode"], 1.6)
        noise = np.random.default_rng(record["spec"]["trial"]).normal(0, 0.5)
        top = record["test_accuracy"]
        falls = [10 + (top - 10) * (1 - f) ** steep + noise * f for f in fractions]
        shaken = [10 + (top - 10) * float(np.exp(-steep * s)) for s in sigmas]
        content = {
            "probe_schema": 1,
            "id": record["id"],
            "measures": {
                "knockout": {
                    "settings": {"fractions": fractions, "draws": 5},
                    "accuracy": falls,
                    "area": float(np.mean(falls)),
                },
                "weight_noise": {
                    "settings": {"sigmas": sigmas},
                    "accuracy": shaken,
                    "area": float(np.mean(shaken)),
                },
                "corruptions": {
                    "settings": {"severities": {"blur": [1, 2, 3], "shift": [1, 2, 3]}},
                    "accuracy": {"blur": [top - 1, top - 4, top - 9], "shift": [top - 2, top - 8, top - 20]},
                    "mean": top - 7,
                },
            },
        }
        place = store.root / "probes" / record["id"][:2] / f"{record['id']}.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(content))


def diverge(store: Store, mode: str) -> None:
    """No loop of any trial of this mode had a finite loss."""
    for path, record in records(store):
        if record["spec"]["mode"] != mode:
            continue
        for entry in record["curve"]:
            entry |= {
                "loss": None,
                "accuracy": None,
                "accepted": False,
                "new_bounty": False,
                "diverged": True,
            }
        path.write_text(json.dumps(record | {"bounty": None, "bounty_loop": None, "test_accuracy": None}))
