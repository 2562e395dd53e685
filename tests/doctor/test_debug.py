"""From logs, results and old names to causes, cures and repairs."""

import json
from pathlib import Path

import pytest
from doctor_kit import SCRIPTS

from frustration.commands.perforate import main
from frustration.integration.analyze import analyze
from frustration.integration.debug import debug, growth_of
from frustration.integration.examine import examine, examine_script
from frustration.integration.messages import causes
from frustration.integration.names import SETTINGS
from frustration.integration.repair import repair_script
from frustration.integration.results import Architecture, Group, Run, read_run
from frustration.integration.source import Script
from frustration.integration.targets import Wishes

RESULTS = Path(__file__).parent / "results" / "two_failed_tries"

LOGS = {
    "AttributeError: 'NoneType' object has no attribute 'param_groups'": "set_optimizer_instance(optimizer)",
    "AttributeError: 'list' object has no attribute 'set_optimizer_instance'": "perforate_model",
    "AttributeError: module 'x' has no attribute 'initialize_pai'": "repair",
    "The following module has not properly set this_output_dimensions with this incorrect shape": "dry-run",
    "The following params are not wrapped.": "set_unwrapped_modules_confirmed",
    "You have a perforated module that was never initialized": "set_checked_skipped_modules",
    "Module ID 'fc1' must start with '.' - model.module should be '.module'": "begin with a dot",
    "Variable 'n_epoch_to_switch' does not exist.  Ignoring set attempt.": "the name that it has now",
    "ValueError: too many values to unpack (expected 2)": "restructured, training_complete",
    "RuntimeError: Some tensors share memory, this will lead to duplicates": "using_safe_tensors(False)",
    "For PAI training it is recommended to not use weight decay in your optimizer": "weight_decay_accepted",
    "RuntimeError: Expected to have finished reduction in the prior iteration": "find_unused_parameters=True",
    "FileNotFoundError: No such file or directory: 'PAI/best_model.pt'": "unset RANK",
    "(Pdb) ": "answer its questions in advance",
    "TypeError: Trainer.__init__() got an unexpected keyword argument 'using_perforatedai'": "callback",
    "RuntimeError: Error(s) in loading state_dict for Net:": "load_system",
}


@pytest.mark.parametrize("line", LOGS)
def test_a_message_of_the_library_leads_to_its_cure(line):
    (cause,) = causes(f"epoch 3\n{line}\n")
    assert cause.line == 2
    assert LOGS[line] in cause.cure


def test_the_traceback_is_followed_to_the_users_own_line():
    script = SCRIPTS / "half_integrated.py"
    log = (
        "Traceback (most recent call last):\n"
        f'  File "{script}", line 47, in <module>\n'
        '  File "tracker_perforatedai.py", line 2300, in add_validation_score\n'
        "AttributeError: 'NoneType' object has no attribute 'param_groups'\n"
    )
    found = debug(script, log)
    assert found.place.startswith("half_integrated.py, line 47: GPA.pai_tracker.add_validation_score")
    assert len(found.causes) == 1
    assert {"optimizer", "score", "direction"} <= {step.name for step in found.steps}


def test_a_log_without_a_known_message_says_nothing():
    assert list(causes("epoch 1: loss 0.3\nepoch 2: loss 0.2\n")) == []


def test_failed_tries_are_read_from_the_files_that_the_library_leaves():
    run = read_run(RESULTS)
    assert [a.parameters for a in run.final.architectures] == [46]
    assert len(run.failed) == 2
    assert all(group.architectures[-1].parameters == 98 for group in run.failed)
    assert run.final.switches == []
    assert run.failed[0].switches == [13]
    found = analyze(RESULTS)
    assert (
        "try 2 added a dendrite to every neuron (98 parameters) and reached 0.7375 against 0.75"
        in " ".join(found.sentences)
    )
    assert "2 of 2 tries were taken back" in " ".join(found.advice)
    assert "added 2 times and taken back" in " ".join(growth_of(run))


def test_no_growth_is_explained_by_epochs_and_patience(tmp_path):
    scores = [0.5, 0.6, 0.7, 0.71, 0.7, 0.7]
    run = Run(tmp_path, "short", Group("", [Architecture(10, 0.71)], scores))
    (sentence, *_) = growth_of(run)
    assert "the best that counts is 0.71 of epoch 3, 2 epochs before the end, and growth needs 10" in sentence


def runs(folder, *gains, maximizing: bool = True) -> None:
    """Runs of the library with other seeds: 100 parameters, then 210 and a gain."""
    for seed, gained in enumerate(gains):
        own = folder / f"seed{seed}"
        own.mkdir(parents=True)
        (own / f"seed{seed}_best_arch_scores.csv").write_text(
            f"Param Counts,Max Valid Scores\n100,{0.9 + seed / 100}\n210,{0.9 + seed / 100 + gained}\n"
        )
        (own / f"seed{seed}Scores.csv").write_text("Epochs,Validation Scores\n0,0.5\n1,0.6\n")
        (own / f"seed{seed}_config.json").write_text(json.dumps({"maximizing_score": maximizing}))


def test_a_gain_over_several_runs_is_held_against_noise_between_seeds(tmp_path):
    runs(tmp_path, 0.01, 0.012, 0.011, 0.009, 0.013, 0.01)
    said = " ".join(analyze(tmp_path).sentences)
    assert "6 runs: mean gain +0.01083" in said
    assert "p = 0.0312" in said
    assert "more than noise between seeds" in said
    control = tmp_path / "seed0"
    assert "control of 100 parameters" in " ".join(analyze(tmp_path, control).sentences)


def test_what_one_run_and_no_control_cannot_say_is_said(tmp_path):
    runs(tmp_path / "one", 0.01)
    alone = " ".join(analyze(tmp_path / "one").sentences)
    assert "one run: whether its gain is more than the noise of a seed cannot be said" in alone
    assert "no control: dendrites add parameters, and an ordinary wider layer does that too" in alone
    runs(tmp_path / "several", 0.02, -0.03, 0.03, -0.01)
    said = " ".join(analyze(tmp_path / "several").sentences)
    assert "4 runs: mean gain" in said
    assert "not distinguishable from noise between seeds" in said
    assert "no control: " in said


def test_a_control_of_a_loss_is_better_where_it_is_lower(tmp_path):
    runs(tmp_path / "grown", -0.1, -0.1, maximizing=False)
    runs(tmp_path / "wide", 0.2, maximizing=False)
    found = analyze(tmp_path / "grown", tmp_path / "wide")
    said = " ".join(found.sentences)
    assert "control of 100 parameters without dendrites: 0.9 (n = 1)" in said
    assert "up to 210 parameters: 0.805 (n = 2), a difference of +0.095" in said
    assert "no control" not in said
    assert [row[4] for row in found.rows] == ["", "+0.1", "", "+0.1"]


def test_a_direction_that_no_file_says_is_asked_for_or_read_from_the_script(tmp_path):
    runs(tmp_path / "grown", -0.1)
    (tmp_path / "grown" / "seed0" / "seed0_config.json").unlink()
    unknown = analyze(tmp_path / "grown")
    assert "do not say whether a higher score is better" in unknown.sentences[0]
    assert unknown.rows[1][4] == "-0.1"
    lower = analyze(tmp_path / "grown", better=False)
    assert lower.rows[1][4] == "+0.1"
    assert "do not say" not in " ".join(lower.sentences)
    scores = "".join(f"{epoch},{1 - epoch / 10}\n" for epoch in range(6))
    (tmp_path / "grown" / "seed0" / "seed0Scores.csv").write_text("Epochs,Validation Scores\n" + scores)
    script = tmp_path / "train.py"
    for way, wrong in ((False, False), (True, True)):
        script.write_text(f'net = UPA.perforate_model(net, save_name="x", maximizing_score={way})\n')
        growth = debug(script, results=tmp_path / "grown" / "seed0").growth
        assert any("the direction is wrong" in line for line in growth) is wrong


def test_the_graph_is_written_only_where_it_is_asked_for(tmp_path, capsys):
    assert main(["analyze", str(RESULTS), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["parameters"] == "46"
    assert main(["analyze", str(RESULTS), "--graph", str(tmp_path / "run.png")]) == 0
    assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")
    assert main(["analyze", str(tmp_path)]) == 2


OLD = """
from perforatedai import pb_globals as PBG
from perforatedai import pb_utils as PBU

PBG.nEpochsToSwitch = 5
PBG.pc.set_modules_to_convert([])
PBG.pc.append_module_names_to_convert(["Block"])
PBG.pc.set_switch_mode(PBG.pc.doingHistory)
model = PBU.initialize_pai(model)
PBG.pbTracker.setOptimizerInstance(optimizer)
model, restructured, complete = PBG.pbTracker.addValidationScore(score, model)
"""


def test_old_names_become_those_of_today_and_questions_are_answered():
    found = repair_script(Script(OLD))
    text = found.after
    for line in (
        "from perforatedai import globals_perforatedai as PBG",
        "from perforatedai import utils_perforatedai as PBU",
        "PBG.pc.set_n_epochs_to_switch(5)",
        "PBG.pc.set_modules_to_perforate([])",
        'PBG.pc.append_module_names_to_perforate(["Block"])',
        "PBG.pc.set_switch_mode(PBG.pc.DOING_HISTORY)",
        "PBG.pc.set_configuration_confirmed(True)",
        "model = PBU.perforate_model(model)",
        "PBG.pai_tracker.set_optimizer_instance(optimizer)",
        "model, restructured, complete = PBG.pai_tracker.add_validation_score(score, model)",
    ):
        assert line in text.splitlines()
    assert len(found.done) == 13
    again = repair_script(Script(text))
    assert again.after == text
    assert again.done == []


def test_nobody_elses_names_are_renamed():
    text = "import mine\nmine.initialize_pai(1)\nobj.setOptimizer(2)\nobj.pc.set_input_dimensions([1])\n"
    assert repair_script(Script(text)).after == text


WRONG = {
    'GPA.pc.set_module_ids_to_track(["layer1"])': "matches nothing",
    "GPA.pc.set_improvement_treshold(0.1)": "did you mean set_improvement_threshold?",
    "GPA.pc.set_cap_at_n(True)": "only with perforatedbp",
    "GPA.pc.set_making_graphs(False)": "an argument of perforate_model",
    "GPA.pc.max_dendrites = 3": "sets an attribute that nothing reads",
    "GPA.pc.set_switch_mode(GPA.pc.DOING_TRIALS)": "no switch mode DOING_TRIALS",
    'os.environ["PAITOKEN"] = "abcdefghijklmnop123456"': "a licence token is written here",
    "try:\n    GPA.pc.set_silent(True)\nexcept Exception:\n    pass": "continues without dendrites",
}


@pytest.mark.parametrize("lines", WRONG)
def test_what_is_wrong_with_an_integration_is_told_with_its_line(lines):
    source = (SCRIPTS / "half_integrated.py").read_text()
    assert not [s for s in examine(SCRIPTS / "half_integrated.py").steps if WRONG[lines] in s.reason]
    changed = source.replace("\n\nclass MLP", f"\nimport os\n{lines}\n\n\nclass MLP", 1)
    report = examine_script(Script(changed), Wishes())
    (step,) = [s for s in report.steps if WRONG[lines] in s.reason]
    assert step.state == "wrong"
    assert step.line > 10


def test_the_settings_known_here_are_those_of_the_installed_library():
    globals_of_pai = pytest.importorskip(
        "perforatedai.globals_perforatedai", reason="perforatedai has no wheel for this Python or machine"
    )
    config = globals_of_pai.PAIConfig()
    missing = [name for name in SETTINGS if not hasattr(config, f"get_{name}")]
    assert missing == []


@pytest.mark.parametrize(
    "old",
    [
        "import perforatedai.pb_globals as PBG\nPBG.switchMode = PBG.doingHistory\n",
        "from perforatedai import pb_globals as PBG\nPBG.switchMode = PBG.doingHistory\nPBG.x = 1\n",
    ],
)
def test_a_repair_of_an_attribute_with_an_old_mode_is_made_once(old):
    text = repair_script(Script(old)).after
    assert "set_switch_mode(PBG.DOING_HISTORY)" in text
    assert repair_script(Script(text)).after == text
