r"""Pictures and text from a folder, as tasks: MNIST's idx files, CIFAR-10's binary batches, any text.

idx: two zero bytes, a type, the number of axes, the sizes as big-endian 32-bit integers, the bytes. CIFAR-10: per record a label
and 3072 bytes in the planes red, green, blue. Files may be compressed by gzip, bzip2 or xz, and lie in any subfolder.

Source: the pages of the two data sets; the sizes of the parts are ours, small enough for a laptop.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import numpy as np

from experiments.suite._tasks import Task, characters, convolutions, mlp, pictures

__all__ = ["cifar_records", "idx", "tasks_in"]

OPENERS = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
MNIST_TAKEN, CIFAR_TAKEN, TEXT_TAKEN = 14_800, 4000, 150_000  # pictures and characters, from the beginning
CHOSEN = 0.125  # of the known pictures, to choose learning rates by


def tasks_in(folder: Path | None) -> dict[str, Task | str]:
    """Tasks by name, or the reason why there is none. Raises ValueError for files of another format."""
    makers = {"MNIST MLP": mnist, "CIFAR-10 CNN": cifar, "text": text}
    return {name: found(make, folder) for name, make in makers.items()}


def found(make: Callable[[Path], Task], folder: Path | None) -> Task | str:
    """The task, or why there is none."""
    if folder is None:
        return "no folder was given (--data)"
    try:
        return make(folder)
    except FileNotFoundError as error:
        return str(error)


def bytes_of(folder: Path, pattern: str) -> list[bytes]:
    """The contents of the matching files, in the order of their names. Raises FileNotFoundError."""
    paths = sorted(path for path in folder.rglob(pattern) if path.is_file())
    if not paths:
        raise FileNotFoundError(f"no file {pattern} in the folder")
    return [read(path) for path in paths]


def read(path: Path) -> bytes:
    """A file's bytes, decompressed."""
    if path.suffix in OPENERS:
        with OPENERS[path.suffix](path, "rb") as file:
            return file.read()
    return path.read_bytes()


def idx(raw: bytes) -> np.ndarray:
    """The array of bytes in an idx file. Raises ValueError for another type or a wrong length."""
    if len(raw) < 4 or raw[:3] != b"\x00\x00\x08":
        raise ValueError(f"not an idx file of bytes: it begins with {raw[:4]!r}")
    axes = raw[3]
    shape = tuple(np.frombuffer(raw, ">i4", axes, 4).tolist())
    values = np.frombuffer(raw, np.uint8, offset=4 + 4 * axes)
    if values.size != np.prod(shape):
        raise ValueError(f"an idx file that announces the shape {shape} has {values.size} bytes")
    return values.reshape(shape)


def cifar_records(raw: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (n, 3, 32, 32) and labels of a binary batch. Raises ValueError for a length that is not one of whole records."""
    if not raw or len(raw) % 3073:
        raise ValueError(f"CIFAR-10's records have 3073 bytes each, the file {len(raw)}")
    records = np.frombuffer(raw, np.uint8).reshape(-1, 3073)
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0]


def mnist(folder: Path) -> Task:
    """784-128-10 on the first training pictures, reported on all test pictures."""
    sets = []
    for part in ("train", "t10k"):
        x, y = (idx(bytes_of(folder, f"{part}-{kind}*")[0]) for kind in ("images-idx3-ubyte", "labels-idx1-ubyte"))
        if len(x) != len(y):
            raise ValueError(f"MNIST's {part} files have {len(x)} pictures and {len(y)} labels")
        sets.append((x[:, None] / 255.0, y))
    return of_pictures(
        "MNIST MLP", lambda: mlp(784, 128, 10), (sets[0][0][:MNIST_TAKEN], sets[0][1][:MNIST_TAKEN]), sets[1]
    )


def cifar(folder: Path) -> Task:
    """Three convolutions on the first training records, reported on the test records."""
    sets = []
    for official, other in (("data_batch_1.bin*", "train*.bin*"), ("test_batch.bin*", "test*.bin*")):
        try:
            raw = bytes_of(folder, official)[0]
        except FileNotFoundError:
            try:
                raw = bytes_of(folder, other)[0]
            except FileNotFoundError:
                raise FileNotFoundError(f"no file {official} or {other} (CIFAR-10's binary version)") from None
        x, y = cifar_records(raw)
        sets.append(((x[:CIFAR_TAKEN] / 255.0 - 0.5) / 0.25, y[:CIFAR_TAKEN]))
    return of_pictures("CIFAR-10 CNN", lambda: convolutions(3, 16, 32, 64), sets[0], sets[1])


Pictures = tuple[np.ndarray, np.ndarray]


def of_pictures(name: str, make: Callable[[], object], known: Pictures, report: Pictures) -> Task:
    """With batches of 100, less where there are few pictures."""
    choose = round(CHOSEN * len(known[0]))
    return pictures(name, make, known, report, choose, batch=min(100, len(known[0]) - choose))


def text(folder: Path) -> Task:
    """Next characters of the beginning of the largest ``*.txt``, by a decoder of one layer."""
    raw = max(bytes_of(folder, "*.txt"), key=len)
    return characters(raw.decode("utf-8", "replace")[:TEXT_TAKEN], context=32, size=3200, width=64, name="text")
