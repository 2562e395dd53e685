"""The doctor says which backend serves the CPU, and measures it."""

from frustration.engine import native as native_package
from frustration.engine.doctor import diagnose


def test_the_doctor_names_the_native_engine_and_measures_it(native):
    diagnosis = diagnose(["[1*4]"])
    assert (diagnosis.backend, diagnosis.why_not_native) == ("native", None)
    assert diagnosis.lanes == native.library.lanes
    assert diagnosis.library.exists()
    assert [speed.backend for speed in diagnosis.speeds] == ["native", "torch"]
    assert all(speed.milliseconds > 0 for speed in diagnosis.speeds)
    assert "native engine" in diagnosis.sentences()[1]


def test_the_doctor_says_why_there_is_no_native_engine(monkeypatch):
    monkeypatch.setattr(native_package, "native_available", lambda: "no C++ compiler is on PATH")
    diagnosis = diagnose(["[1*4]"])
    assert (diagnosis.backend, diagnosis.lanes, diagnosis.library) == ("torch", None, None)
    assert diagnosis.sentences()[1].endswith("because no C++ compiler is on PATH")
