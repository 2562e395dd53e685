"""A treatment of hidden units needs hidden units."""

import pytest
from train_command import finished, kept, refused


@pytest.mark.parametrize("mode", ["hidden", "dropout", "none@1-5,hidden@6-", "noise"])
def test_a_mode_with_nothing_to_act_on_is_refused_in_one_sentence(tmp_path, capsys, mode):
    place = ("--model-dir", str(tmp_path / "models"))
    code, sentence = refused(capsys, "--arch", "[]", "--ablation-mode", "none", mode, *place)
    assert code == 2
    assert "nothing to act on" in sentence
    assert "no hidden layer" in sentence
    assert not (tmp_path / "models").exists()


def test_a_linear_classifier_trains_in_the_modes_that_have_something_to_act_on(tmp_path):
    finished(tmp_path / "models", "--arch", "[]", "--ablation-mode", "none", "output", "--meta-loops", "2")
    records = [name for name in kept(tmp_path / "models") if name.endswith("record.json")]
    assert len(records) == 2
