"""The names of perforatedai 3.2.9, and what became of those of older versions and of guides.

`frustration.dendrites.old_names` says what an old name means for our own settings; here it is about theirs.
"""

from __future__ import annotations

from typing import Final

from frustration.errors import nearest
from frustration.integration.words import words

VERSION: Final = "3.2.9"

FUNCTIONS_RENAMED: Final[dict[str, str]] = {
    "pb_globals": "globals_perforatedai",
    "pb_models": "modules_perforatedai",
    "pb_utils": "utils_perforatedai",
    "pb_network": "network_perforatedai",
    "initialize_pai": "perforate_model",
    "initializePB": "perforate_model",
    "initialize_pb": "perforate_model",
    "convert_network": "perforate_model",
    "convertNetwork": "perforate_model",
    "addValidationScore": "add_validation_score",
    "addExtraScore": "add_extra_score",
    "addTestScore": "add_extra_score",
    "add_test_score": "add_extra_score",
    "setOptimizerInstance": "set_optimizer_instance",
    "setupOptimizer": "setup_optimizer",
    "setOptimizer": "set_optimizer",
    "setScheduler": "set_scheduler",
    "pbTracker": "pai_tracker",
    "pb_tracker": "pai_tracker",
    "loadSystem": "load_system",
    "saveSystem": "save_system",
    "PBSequential": "PAISequential",
}
"""Functions and modules of versions 1 to 3.1, and their names in 3.2.9."""

SETTINGS_RENAMED: Final[dict[str, str]] = {
    "modules_to_convert": "modules_to_perforate",
    "module_names_to_convert": "module_names_to_perforate",
    "module_ids_to_convert": "module_ids_to_perforate",
    "moduleNamesToConvert": "module_names_to_perforate",
    "modulesToConvert": "modules_to_perforate",
    "input_dimensions": "output_dimensions",
    "inputDimensions": "output_dimensions",
    "n_epochs_for_switch_history": "n_epochs_to_switch",
    "nEpochsToSwitch": "n_epochs_to_switch",
    "when_to_switch_mode": "switch_mode",
    "switchMode": "switch_mode",
    "retain_all_PB": "retain_all_dendrites",
    "testing_dendrite_capacity_mode": "testing_dendrite_capacity",
}
"""Settings that are called otherwise since."""

NOT_SETTINGS: Final[dict[str, str]] = {
    "making_graphs": "making_graphs=... is an argument of perforate_model",
    "save_graphs": "making_graphs=... is an argument of perforate_model",
}

LICENSED_ONLY: Final = words(
    "p_epochs_to_switch cap_at_n dendrite_update_mode dendrite_graph_mode dendrite_learn_mode "
    "candidate_graph_mode "
    "initial_correlation_batches pai_improvement_threshold pai_improvement_threshold_raw"
)
"""Settings that exist only with perforatedbp, and are ignored without it."""

NO_MODES: Final = words("DOING_TRIALS AUTO FIXED_SWITCH_MODE doingHistory doingFixedSwitch")
MODES_RENAMED: Final[dict[str, str]] = {
    "doingHistory": "DOING_HISTORY",
    "doingFixedSwitch": "DOING_FIXED_SWITCH",
    "doingSwitchEveryTime": "DOING_SWITCH_EVERY_TIME",
    "doingNoSwitch": "DOING_NO_SWITCH",
}

SETTINGS: Final = words(
    "n_epochs_to_switch history_lookback initial_history_after_switches fixed_switch_num "
    "first_fixed_switch_num "
    "improvement_threshold improvement_threshold_raw max_dendrites max_dendrite_tries retain_all_dendrites "
    "candidate_weight_initialization_multiplier candidate_weight_init_by_main pai_forward_function "
    "global_candidates "
    "find_best_lr dont_give_up_unless_learning_rate_lowered reset_best_score_on_switch param_vals_setting "
    "learn_dendrites_live no_extra_n_modes testing_dendrite_capacity module_names_to_perforate "
    "modules_to_perforate "
    "module_ids_to_perforate module_names_to_track modules_to_track module_ids_to_track "
    "module_names_to_not_save "
    "output_dimensions using_safe_tensors strict_loading test_saves drawing_pai drawing_extra_graphs "
    "save_old_graph_scores pai_saves verbose extra_verbose silent confirm_correct_sizes "
    "unwrapped_modules_confirmed "
    "checked_skipped_modules configuration_confirmed weight_tying_experimental dashboard_events_enabled "
    "perforated_backpropagation d_type device maximizing_score weight_decay_accepted save_name switch_mode "
    "modules_with_processing modules_processing_classes module_names_with_processing "
    "module_by_name_processing_classes modules_to_replace replacement_modules parameter_ids_to_track "
    "debugging_output_dimensions library_validation_score library_extra_scores "
    "library_extra_scores_without_graphing config_file"
)
"""Settings of 3.2.9; each has `set_...`, and those that are lists have `append_...` too."""

PROMPTS: Final[dict[str, str]] = {
    "configuration_confirmed": "a full-screen dialogue opens; without a terminal it is a RuntimeError",
    "unwrapped_modules_confirmed": "a layer that gets no dendrite stops the run in a debugger",
    "checked_skipped_modules": "a layer that never got a gradient stops the run in a debugger",
}
"""Settings without which the library asks, and what happens then."""

PERFORATE: Final = ("perforate_model", "initialize_pai", "initializePB", "initialize_pb", "convert_network")
SCORE: Final = ("add_validation_score", "addValidationScore")
EXTRA_SCORE: Final = ("add_extra_score", "addExtraScore", "addTestScore", "add_test_score")
REGISTER: Final = ("set_optimizer_instance", "setOptimizerInstance", "setup_optimizer", "setupOptimizer")


def modern(function: str) -> str:
    """The name of 3.2.9 for a function or a module of any version."""
    return FUNCTIONS_RENAMED.get(function, function)


def nearest_setting(name: str) -> str:
    """The setting that a misspelt name is nearest to, or nothing."""
    return nearest(name, sorted(SETTINGS)) or ""
