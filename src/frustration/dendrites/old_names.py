"""Names from guides to other versions of perforatedai, and their counterparts in 3.2.9."""

from __future__ import annotations

from typing import Final

_LICENSED = (
    "belongs to licensed Perforated Backpropagation (perforatedbp); gradient-descent dendrites have no "
    "phase of their own and nothing of the kind to set"
)
_WHICH = "chooses layers by class or path; here it is layers=all, layers=hidden or numbers, as in 0;2"
_FILES = "says which files the library writes: --library-files, --library-graphs and --library-saves do here"
_OWN = "is set by the backend perforatedai itself; nothing else would run unattended"
_CALL = (
    "is a call on the library's tracker, not a setting; in a loop of your own it is frustration.loops.Growth."
)
_FIXED = "is kept at the library's default"

OLD_NAMES: Final[dict[str, str]] = {
    "apply_pb_grads": _LICENSED,
    "apply_pb_zero": _LICENSED,
    "p_epochs_to_switch": _LICENSED,
    "cap_at_n": _LICENSED,
    "dendrite_update_mode": _LICENSED,
    "dendrite_graph_mode": _LICENSED,
    "dendrite_learn_mode": _LICENSED,
    "candidate_graph_mode": _LICENSED,
    "initial_correlation_batches": _LICENSED,
    "pai_improvement_threshold": _LICENSED,
    "pai_improvement_threshold_raw": _LICENSED,
    "learn_dendrites_live": _LICENSED,
    "no_extra_n_modes": _LICENSED,
    "perforated_backpropagation": "is asked for as a backend, and wants a licence and perforatedbp",
    "modules_to_convert": f"is called modules_to_perforate since 3.1.4 and {_WHICH}",
    "module_names_to_convert": f"is called module_names_to_perforate since 3.1.4 and {_WHICH}",
    "modules_to_perforate": _WHICH,
    "module_names_to_perforate": _WHICH,
    "module_ids_to_perforate": _WHICH,
    "modules_to_track": _WHICH,
    "module_names_to_track": _WHICH,
    "module_ids_to_track": _WHICH,
    "module_names_to_not_save": _WHICH,
    "making_graphs": f"was never a setting, but an argument of perforate_model; it {_FILES}",
    "save_name": _FILES,
    "test_saves": _FILES,
    "pai_saves": _FILES,
    "drawing_pai": _FILES,
    "drawing_extra_graphs": _FILES,
    "save_old_graph_scores": _FILES,
    "using_safe_tensors": _FILES,
    "input_dimensions": f"is called output_dimensions since 3.0.4 and {_OWN}",
    "output_dimensions": _OWN,
    "configuration_confirmed": _OWN,
    "unwrapped_modules_confirmed": _OWN,
    "checked_skipped_modules": _OWN,
    "weight_decay_accepted": _OWN,
    "weight_tying_experimental": _OWN,
    "silent": _OWN,
    "verbose": _OWN,
    "device": _OWN,
    "d_type": _OWN,
    "find_best_lr": f"acts only where the library owns a learning-rate scheduler; it {_OWN}",
    "dont_give_up_unless_learning_rate_lowered": _FIXED,
    "reset_best_score_on_switch": _FIXED,
    "param_vals_setting": _FIXED,
    "global_candidates": "above 1 ends in a debugger in 3.2.9; there is one candidate",
    "initialize_pai": "is called perforate_model since 3.2.0; here nothing has to be called",
    "perforate_model": "is a function of the library, not a setting; here nothing has to be called",
    "add_validation_score": f"{_CALL}add_score(score)",
    "add_extra_score": f"{_CALL}add_score(score, name=value)",
    "optimizer_instance": f"{_CALL}set_optimizer(optimizer)",
    "setup_optimizer": f"{_CALL}set_optimizer(optimizer)",
    "DOING_TRIALS": "does not exist; growth every N epochs is switch_mode=fixed with fixed_switch_num=N",
    "DOING_HISTORY": "is a value; write switch_mode=history",
    "DOING_FIXED_SWITCH": "is a value; write switch_mode=fixed",
    "DOING_SWITCH_EVERY_TIME": "is a value; write switch_mode=every",
    "DOING_NO_SWITCH": "is a value; write switch_mode=none",
    "AUTO": "does not exist; growth on a plateau is switch_mode=history",
}

OLD_SWITCH_MODES: Final[dict[str, str]] = {
    "DOING_HISTORY": "history",
    "DOING_FIXED_SWITCH": "fixed",
    "DOING_SWITCH_EVERY_TIME": "every",
    "DOING_NO_SWITCH": "none",
    "DOING_TRIALS": OLD_NAMES["DOING_TRIALS"],
    "AUTO": OLD_NAMES["AUTO"],
}
"""The library's constants as our values, and what to use for two that it never had."""
