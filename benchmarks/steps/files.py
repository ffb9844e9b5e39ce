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

from experiments.suite._tasks import Task, characters, cnn, mlp, pictures

__all__ = ["cifar_records", "idx", "tasks_in"]

OPENERS = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
MNIST_TAKEN, HELD_OUT, TEXT_TAKEN = 10_000, (500, 1500), 200_000


def tasks_in(folder: Path | None) -> dict[str, tuple[Task, int] | str]:
    """Tasks with their numbers of epochs by name, or the reason why there is none."""
    makers: dict[str, Callable[[Path], tuple[Task, int]]] = {
        "MNIST MLP": lambda at: (mnist(at, "MNIST MLP", lambda: mlp(784, 128, 64, 10)), 2),
        "MNIST CNN": lambda at: (mnist(at, "MNIST CNN", lambda: cnn(1, 28)), 2),
        "CIFAR-10 CNN": lambda at: (cifar(at), 4),
        "text": lambda at: (text(at), 2),
    }
    found: dict[str, tuple[Task, int] | str] = {}
    for name, make in makers.items():
        if folder is None:
            found[name] = "no folder was given (--data)"
            continue
        try:
            found[name] = make(folder)
        except FileNotFoundError as error:
            found[name] = str(error)
    return found


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
    if len(raw) % 3073:
        raise ValueError(f"CIFAR-10's records have 3073 bytes each, the file {len(raw)}")
    records = np.frombuffer(raw, np.uint8).reshape(-1, 3073)
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0]


def mnist(folder: Path, name: str, make: Callable[[], object]) -> Task:
    """The first training pictures."""
    x, y = (idx(bytes_of(folder, f"train-{part}*")[0]) for part in ("images-idx3-ubyte", "labels-idx1-ubyte"))
    return pictures(name, make, x[:MNIST_TAKEN, None] / 255.0, y[:MNIST_TAKEN], HELD_OUT, batch=64)


def cifar(folder: Path) -> Task:
    """The first training records."""
    try:
        raw = bytes_of(folder, "data_batch_1.bin*")[0]
    except FileNotFoundError:
        raw = bytes_of(folder, "train*.bin*")[0]
    x, y = (part[:4000] for part in cifar_records(raw))
    return pictures("CIFAR-10 CNN", lambda: cnn(3, 32), x / 255.0 - 0.5, y, (300, 700), batch=64)


def text(folder: Path) -> Task:
    """The beginning of the first ``*.txt``."""
    return characters(bytes_of(folder, "*.txt")[0].decode("utf-8", "replace")[:TEXT_TAKEN], context=32, size=4096)
