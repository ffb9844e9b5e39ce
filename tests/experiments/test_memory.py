"""How much memory there is: the machine's, a smaller container's, or not known; never a guess."""

import os

import pytest

from experiments import memory as room


@pytest.fixture
def limits(tmp_path, monkeypatch):
    """Write what a container would say; gives a function of the texts."""

    def write(*texts):
        paths = [tmp_path / str(k) for k in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text)
        monkeypatch.setattr(room, "LIMITS", (*map(str, paths), str(tmp_path / "absent")))

    return write


def test_a_container_that_has_less_than_the_machine_counts(limits):
    limits()
    whole = room.memory()
    assert whole is not None and whole > 2**20
    limits(f"{2**20}\n")
    assert room.memory() == 2**20
    limits("max\n", f"{2**62}")
    assert room.memory() == whole


def test_where_the_system_does_not_say_nothing_is_refused(limits, monkeypatch):
    limits("max\n")
    monkeypatch.delattr(os, "sysconf")
    assert room.memory() is None
    room.require_memory((1, 10**15), 1000)


def test_what_does_not_fit_is_said_with_its_size(limits):
    limits(f"{2**20}")
    room.require_memory((3, 2**14), 8)
    with pytest.raises(MemoryError, match="9 vectors are 0.001099 GiB, and the machine has 0.0009766 GiB"):
        room.require_memory((3, 2**14), 9)
    assert room.out_of_memory((3, 7), MemoryError()).endswith("3 rows and 7 features; is an index wrong?")
