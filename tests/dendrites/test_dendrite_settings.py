"""Settings have the library's names and defaults, and say what is wrong with any other."""

import dataclasses
import json

import pytest

from frustration.dendrites import Settings, SettingsError
from frustration.dendrites.old_names import OLD_NAMES


def test_what_is_not_given_has_the_librarys_default():
    settings = Settings()
    assert settings.switch_mode == "history"
    assert settings.n_epochs_to_switch == 10
    assert settings.improvement_threshold == (0.001, 0.0001, 0.0)
    assert settings.improvement_threshold_raw == 1e-5
    assert (settings.max_dendrites, settings.max_dendrite_tries) == (100, 2)
    assert settings.candidate_weight_initialization_multiplier == 0.01
    assert settings.pai_forward_function == "sigmoid"
    assert not settings.testing_dendrite_capacity


def test_text_and_values_mean_the_same():
    written = {
        "switch_mode": "DOING_FIXED_SWITCH",
        "fixed_switch_num": "20",
        "improvement_threshold": "0.01;0",
        "retain_all_dendrites": "yes",
        "pai_forward_function": "torch.tanh",
        "layers": "2;0",
    }
    meant = Settings(
        switch_mode="fixed",
        fixed_switch_num=20,
        improvement_threshold=[0.01, 0.0],
        retain_all_dendrites=True,
        pai_forward_function="tanh",
        layers="0;2",
    )
    assert Settings.of(written) == meant
    assert Settings.of({"improvement_threshold": "0.05"}) == Settings(improvement_threshold=0.05)


def test_json_and_text_of_settings_are_read_back():
    settings = Settings(improvement_threshold=(0.002, 1e-7), max_dendrites=3, layers="hidden")
    assert Settings.of(json.loads(json.dumps(settings.to_dict()))) == settings
    assert Settings.of({k: str(v) for k, v in vars(settings).items()}) == settings
    assert str(Settings().improvement_threshold) == "0.001;0.0001;0"


@pytest.mark.parametrize("name", sorted(OLD_NAMES))
def test_a_name_of_another_version_is_answered_with_what_became_of_it(name):
    with pytest.raises(SettingsError) as refusal:
        Settings.of({name: 1})
    assert str(refusal.value) == f"{name}: {OLD_NAMES[name]}"
    assert name not in {field.name for field in dataclasses.fields(Settings)}


@pytest.mark.parametrize(
    "given, said",
    [
        ({"n_epochs_to_swich": 5}, "did you mean n_epochs_to_switch?"),
        ({"set_max_dendrites": 5}, "here it is written max_dendrites=VALUE"),
        ({"p_epoch_to_switch": 5}, "p_epochs_to_switch does not exist either: belongs to licensed"),
        ({"bananas": 1}, "there are switch_mode, n_epochs_to_switch"),
        ({"switch_mode": "DOING_TRIALS"}, "switch_mode=fixed with fixed_switch_num=N"),
        ({"switch_mode": "AUTO"}, "growth on a plateau is switch_mode=history"),
        ({"switch_mode": "sometimes"}, "is not one of history, fixed, every, none"),
        ({"n_epochs_to_switch": "2.5"}, "must be a whole number, 1 or more"),
        ({"n_epochs_to_switch": 0}, "must be a whole number, 1 or more"),
        ({"max_dendrites": -1}, "must be a whole number, 0 or more"),
        ({"improvement_threshold": "0.1,0.2"}, "must be a number"),
        ({"improvement_threshold": [1.5]}, "must be in [0, 1)"),
        ({"improvement_threshold": []}, "must be in [0, 1)"),
        ({"improvement_threshold_raw": "nan"}, "must be a finite number"),
        ({"retain_all_dendrites": "maybe"}, "must be true or false"),
        ({"pai_forward_function": "sine"}, "is not one of sigmoid"),
        ({"layers": "first"}, 'must be "all", "hidden", or numbers'),
        ({"layers": "1;01"}, "names one layer twice"),
        ({"post_growth_lr_factor": 0}, "must be above 0"),
        ({"max_dendrites": True}, "must be a number"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(given, said):
    with pytest.raises(SettingsError) as refusal:
        Settings.of(given)
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "given, said",
    [
        ({"fixed_switch_num": 20}, "fixed_switch_num=20 acts with switch_mode=fixed only"),
        ({"switch_mode": "fixed", "n_epochs_to_switch": 5}, "acts with switch_mode=history only"),
        ({"testing_dendrite_capacity": True, "max_dendrites": 5}, "leave out max_dendrites=5"),
        ({"retain_all_dendrites": True, "max_dendrite_tries": 3}, "max_dendrite_tries=3 cannot act"),
        ({"retain_all_dendrites": True, "max_dendrites": 0}, "no dendrite ever grows"),
    ],
)
def test_settings_that_contradict_each_other_are_named(given, said):
    with pytest.raises(SettingsError) as refusal:
        Settings.of(given)
    assert said in str(refusal.value)


def test_layers_are_chosen_by_kind_or_by_number():
    assert Settings().grown_layers((False, False, True)) == (True, True, True)
    assert Settings(layers="hidden").grown_layers((False, False, True)) == (True, True, False)
    assert Settings(layers="0;2").grown_layers((False, False, True)) == (True, False, True)
    with pytest.raises(SettingsError, match="there is no linear layer 2; this network has 2"):
        Settings(layers="0;2").grown_layers((False, True))
    with pytest.raises(SettingsError, match="no hidden layer"):
        Settings(layers="hidden").grown_layers((True,))
