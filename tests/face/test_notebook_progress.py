"""The bar under a notebook's cell: how far, how long still, what is best so far."""

import pytest

import frustration
from frustration.face.notebook import NotebookProgress, in_notebook


class Display:
    def __init__(self):
        self.shown = []

    def update(self, obj):
        self.shown.append(obj.data)


class Clock:
    """A second passes at every look."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 1.0
        return self.now


@pytest.fixture
def watched(data, tmp_path):
    display = Display()
    progress = NotebookProgress(Clock(), display)
    frustration.train(
        "[1*4]",
        ["none", "hidden"],
        trials=2,
        until=3,
        dataset=data,
        batch_size=64,
        threads=1,
        model_dir=tmp_path,
        emit=progress.tell,
    )
    progress.end()
    return progress, display


def test_it_ends_with_all_trials_done(watched):
    progress, display = watched
    assert progress.share == 1.0
    assert "4 of 4 trials" in display.shown[-1]
    assert "left" not in display.shown[-1]
    assert 'value="1.0000"' in display.shown[-1]


def test_on_the_way_it_says_how_long_and_what_is_best(watched):
    _, display = watched
    middle = display.shown[len(display.shown) // 2]
    assert " left" in middle
    assert "mean bounty so far: none " in middle


def test_a_run_that_is_resumed_begins_where_it_was(data, tmp_path):
    settings = {"dataset": data, "batch_size": 64, "threads": 1, "model_dir": tmp_path}
    frustration.train("[1*4]", until=3, **settings)
    shares = []
    progress = NotebookProgress(Clock(), Display())

    def tell(event):
        progress.tell(event)
        shares.append(progress.share)

    frustration.train("[1*4]", until=4, emit=tell, **settings)
    assert shares[0] == 0.75


def test_no_terminal_and_no_script_is_taken_for_a_notebook():
    assert not in_notebook()
