"""A user's own data: files and arrays become a Split that says the same on every machine, or one sentence."""

import csv
import os
import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

import frustration
from frustration.dataset import DatasetError, load, make_split
from frustration.dataset.loading import check_name, file_stem
from frustration.dataset.split import SPLIT_SEED
from frustration.streams import Stream

ROWS, FEATURES = 200, 5
NAMES = ["age", "height", "weight", "shoe, left", "constant"]


def rows() -> tuple[np.ndarray, np.ndarray]:
    stream = Stream(b"people's numbers")
    X = stream.uniform(ROWS * FEATURES).reshape(ROWS, FEATURES) * [70, 40, 0.1, 1, 0] + [10, 150, 1e6, 0, 0.1]
    return X, (X[:, 0] > 40).astype(np.int64) + (X[:, 1] > 170)


def write_csv(path, X, y, header=(*NAMES, "label"), **more):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*header, *more])
        for at, (numbers, label) in enumerate(zip(X.tolist(), y, strict=True)):
            writer.writerow([*map(repr, numbers), label, *(column[at] for column in more.values())])
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def files(folder) -> list[str]:
    """The same rows in every form, as a user names them."""
    import pandas

    X, y = rows()
    write_csv(folder / "data.csv", X, y)
    np.savez(folder / "data.npz", X=X, y=y)
    pandas.DataFrame(X, columns=NAMES).assign(label=y).to_parquet(folder / "data.parquet")
    return ["data.csv:label", "data.npz", "data.parquet:label"]


def test_every_form_of_equal_rows_has_the_same_digest(files):
    import pandas

    X, y = rows()
    splits = [load(name) for name in files]
    splits += [
        make_split(X, y),
        make_split(X.tolist(), y.tolist()),
        make_split(TensorDataset(torch.from_numpy(X), torch.from_numpy(y))),
        make_split((torch.from_numpy(X).requires_grad_(), y[:, None])),
        make_split(X.reshape(ROWS, FEATURES, 1), y.astype(np.float32)),
        make_split(pandas.DataFrame(X, columns=NAMES), pandas.Series(y, name="label")),
    ]
    assert len({split.digest for split in splits}) == 1
    assert [split.name for split in splits[:4]] == [*files, "data"]
    assert (
        splits[0].columns.features == splits[2].columns.features == splits[-1].columns.features == (*NAMES,)
    )


def test_the_digest_is_pinned(files):
    """Mean, standard deviation and split have the same bits on every machine, and so has what follows."""
    assert load(files[0]).digest == "94f5b0cbde122f1aa1d438f276192c00f63f9031a024f948a2055f2e1dd883c8"


def test_features_are_standardised_by_the_training_part(files):
    X, y = rows()
    split = load(files[0])
    numbers = split.train.images.astype(np.float64)
    assert split.train.images.dtype == np.float32
    assert split.pixel_values is None
    assert np.allclose(numbers[:, :4].mean(0), 0, atol=1e-6)
    assert np.allclose(numbers[:, :4].std(0), 1, atol=1e-6)
    assert (numbers[:, 4] == 0).all()  # a feature that never changes
    back = split.columns.inputs(X)
    kept = {row.tobytes() for part in (split.train, split.validation, split.test) for row in part.images}
    assert {row.tobytes() for row in back} == kept
    raw = make_split(X, y, standardise=False)
    assert {row.tobytes() for row in raw.train.images} <= {row.tobytes() for row in X.astype(np.float32)}


def test_rows_are_split_by_seed_as_torch_would_permute_them(files):
    X, y = rows()
    order = torch.randperm(ROWS, generator=torch.Generator().manual_seed(SPLIT_SEED)).numpy()
    split = load(files[0])
    assert [len(part) for part in (split.train, split.validation, split.test)] == [140, 30, 30]
    labels = np.concatenate([part.labels for part in (split.train, split.validation, split.test)])
    assert np.array_equal(labels, y[order])
    assert make_split(X, y, seed=7).digest != split.digest


def test_parts_that_are_given_stay_as_they_are(folder):
    X, y = rows()
    part = np.array(["train"] * 150 + ["validation"] * 20 + ["test"] * 30)
    write_csv(folder / "data.csv", X, y, fold=part)
    pieces = {name: (X[part == name], y[part == name]) for name in ("train", "validation", "test")}
    np.savez(
        folder / "data.npz",
        **{f"{kind}_{name}": pair[at] for name, pair in pieces.items() for at, kind in enumerate("Xy")},
    )
    splits = [
        load("data.csv:label:fold"),
        load("data.npz"),
        make_split(*pieces["train"], validation=pieces["validation"], test=pieces["test"]),
    ]
    assert len({split.digest for split in splits}) == 1
    assert np.array_equal(splits[0].validation.labels, y[150:170])


def test_labels_are_whole_numbers_or_text_in_ascending_order(folder):
    X, _ = rows()
    for labels, names in (
        (np.tile([10, 9, -2, 9], 50), ("-2", "9", "10")),
        (np.tile(["no", "yes"], 100), ("no", "yes")),
        (np.tile([True, False], 100), ("0", "1")),
    ):
        split = make_split(X, labels)
        assert (split.columns.classes, split.classes) == (names, len(names))
    write_csv(folder / "text.csv", X, np.tile(["10", "9"], 100))
    assert load("text.csv:label").columns.classes == ("9", "10")


CSV = "a,b,label\n"
GOOD = "1,2,x\n3,4,y\n" * 10
BROKEN = {
    "no label": ("d.csv", CSV + GOOD, "d.csv: say which column is the label, as in d.csv:label"),
    "a label that is not there": (
        "d.csv:kind",
        CSV + GOOD,
        'd.csv has no column "kind"; its columns are a, b, label',
    ),
    "a word": (
        "d.csv:label",
        CSV + GOOD + "5,red,x\n",
        'd.csv, row 21 (line 22), column "b": "red" is not a number',
    ),
    "nothing": ("d.csv:label", CSV + "1,,x\n" + GOOD, 'd.csv, row 1 (line 2), column "b" is empty'),
    "NaN": ("d.csv:label", CSV + GOOD + "nan,1,x\n", 'd.csv, row 21, column "a": nan is not a finite number'),
    "infinity": (
        "d.csv:label",
        CSV + GOOD + "1,-inf,x\n",
        'd.csv, row 21, column "b": -inf is not a finite number',
    ),
    "no name of a class": (
        "d.csv:label",
        CSV + GOOD + "1,2,\n",
        'd.csv, row 21, column "label": the label is missing',
    ),
    "a short row": (
        "d.csv:label",
        CSV + GOOD + "1,2\n",
        "d.csv, row 21 (line 22) has 2 cells, and the header has 3",
    ),
    "one class": ("d.csv:label", CSV + "1,2,x\n" * 20, 'one class only, x in "label"'),
    "two rows": ("d.csv:label", CSV + "1,2,x\n3,4,y\n", "d.csv has 2 rows: too few for a validation part"),
    "no rows": ("d.csv:label", CSV, "d.csv has nothing to learn from: 0 rows of 2 features"),
    "no features": ("d.csv:label", "label\nx\n", "d.csv has no columns beside label"),
    "one name twice": ("d.csv:label", "a,a,label\n" + GOOD, 'd.csv has two columns "a"'),
    "an unknown part": (
        "d.csv:label:b",
        CSV + GOOD,
        'd.csv, row 1, column "b": "2" is no part; parts are train, ',
    ),
    "no validation part": (
        "d.csv:label:b",
        CSV + "1,train,x\n2,train,y\n3,test,y\n",
        'd.csv has no validation part: no row has validation in column "b"',
    ),
    "an open quote": (
        "d.csv:label",
        CSV + GOOD + '1,"2,x\n',
        "d.csv is not a table of comma-separated values",
    ),
    "too large": ("d.csv:label", CSV + GOOD + "1e300,2,x\n" * 10, 'd.csv, column "a" has numbers too large'),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_wrong_with_a_csv_file_is_one_sentence(case, folder):
    name, text, sentence = BROKEN[case]
    (folder / "d.csv").write_text(text)
    with pytest.raises(DatasetError) as caught:
        load(name)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_wrong_with_other_files_is_one_sentence(folder):
    import pandas

    X, y = rows()
    (folder / "text.npz").write_text("not an archive")
    (folder / "text.parquet").write_text("not a table")
    (folder / "latin.csv").write_bytes("größe,label\n".encode("latin-1"))
    np.savez(folder / "objects.npz", X=np.array([{}], object), y=[1])
    np.savez(folder / "empty.npz", z=[1])
    np.savez(folder / "two.npz", X_train=X, y_train=y, X_test=X, y_test=y)
    np.savez(folder / "flat.npz", X=X[0], y=y)
    np.savez(folder / "long.npz", X=X, y=y[:-1])
    np.savez(folder / "hot.npz", X=X, y=np.eye(3)[y])
    np.savez(folder / "half.npz", X=X, y=y + 0.5)
    frame = pandas.DataFrame({"a": [1.0, None, 3.0], "b": ["x", "y", "z"], "label": [0, 1, 0]})
    frame.to_parquet(folder / "words.parquet")
    frame.drop(columns="b").to_parquet(folder / "holes.parquet")
    for name in ("hole.csv", "behind.csv", "hole.npz", "hole.parquet"):
        (folder / name).write_bytes(b"a,label\n1,0\n" if name == "behind.csv" else b"")
        os.truncate(folder / name, 2**37)
    for name, sentence in {
        "hole.csv:label": "hole.csv is no table: it has a line of 16,777,216 characters or more",
        "behind.csv:label": "behind.csv is no table: it has a line of 16,777,216 characters or more",
        "hole.npz": "hole.npz is not a file of plain arrays",
        "hole.parquet:label": "hole.parquet is not a Parquet file",
        "text.npz": "text.npz is not a file of plain arrays that np.savez wrote",
        "objects.npz": "objects.npz is not a file of plain arrays that np.savez wrote",
        "empty.npz": "empty.npz has no arrays X and y; it has z",
        "two.npz": "two.npz has no validation part: X_validation is missing",
        "flat.npz": "flat.npz: X has the shape (5,), and must be [rows, features]",
        "long.npz": "long.npz has 200 rows of features and 199 labels",
        "hot.npz": "hot.npz: y has the shape (200, 3), and must be [rows], one class each",
        "half.npz": 'half.npz, row 1, column "y": ',
        "half.npz:y": "half.npz:y: an npz file has arrays X and y and no columns",
        "text.parquet:label": "text.parquet is not a Parquet file",
        "holes.parquet:label": 'holes.parquet, row 2, column "a" is empty',
        "words.parquet:a": 'words.parquet, row 1, column "b": "x" is not a number',
        "latin.csv:label": "latin.csv is not text in UTF-8",
        "nowhere.csv:label": "nowhere.csv cannot be read: No such file or directory",
        "nowhere.parquet:label": "nowhere.parquet cannot be read: there is no such file",
        "nowhere.npz": "nowhere.npz cannot be read: No such file or directory",
    }.items():
        with pytest.raises(DatasetError) as caught:
            load(name)
        assert str(caught.value).startswith(sentence), name


def test_what_is_wrong_with_arrays_is_one_sentence():
    X, y = rows()
    holes = X.copy()
    holes[3, 1] = np.nan
    for arguments, sentence in (
        ((X,), "data: features and labels are wanted"),
        ((X[:, 0], y), "data: X has the shape (200,)"),
        ((X, y[:5]), "data has 200 rows of features and 5 labels"),
        ((holes, y), 'data, row 4, column "1": nan is not a finite number'),
        ((np.array([["1", "red"]] * 9, object), y[:9]), 'data, row 1, column "0": "1" is not a number'),
        ((X, np.where(y, "a", None)), 'column "y": the label is missing'),
    ):
        with pytest.raises(DatasetError) as caught:
            make_split(*arguments)
        assert sentence in str(caught.value)
    with pytest.raises(
        DatasetError, match="data has no test part: give both validation and test, or neither"
    ):
        make_split(X, y, validation=(X, y))
    with pytest.raises(DatasetError, match="data, test has 4 features where the training part has 5"):
        make_split(X, y, validation=(X, y), test=(X[:, :4], y))


def test_a_name_is_checked_before_anything_is_read():
    check_name("mnist")
    check_name("nowhere/data.csv:label")
    for name, sentence in {
        "mnits": "did you mean mnist",
        "data.csv": "say which column is the label",
    }.items():
        with pytest.raises(DatasetError, match=sentence):
            check_name(name)
    assert file_stem("mnist") == "mnist"
    assert file_stem("../some where/data.csv:the label") == "data.csv-the-label"


def test_parts_of_a_split_remember_its_columns_and_travel(files):
    split = load(files[0])
    smaller = pickle.loads(pickle.dumps(split.fraction(0.5)))
    assert len(smaller.train) == 70
    assert smaller.digest == split.fraction(0.5).digest != split.digest
    assert smaller.columns.classes == split.columns.classes
    assert frustration.make_split is make_split


@pytest.mark.parametrize("name", ["pipe.csv:label", "pipe.npz"])
def test_a_pipe_in_place_of_a_table_makes_nobody_wait(name, folder):
    os.mkfifo(name.partition(":")[0])
    with pytest.raises(DatasetError, match="cannot be read: it is a pipe or a device, not a file"):
        load(name)
