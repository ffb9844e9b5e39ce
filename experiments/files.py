r"""Files that are either whole or absent, and archives that are equal bit for bit when their arrays are.

Writing goes to a temporary name, is flushed to the disk (fsync) and renamed: after a crash at any instant the final
name holds the old content, the new content, or nothing.
"""

from __future__ import annotations

import io
import os
import shutil
import time
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

__all__ = ["npz_bytes", "scratch", "sweep_scratch", "sync_folder", "write_atomically", "write_synced"]

_ABANDONED = 24 * 3600.0  # seconds after which a scratch folder that cannot be locked counts as left behind


def npz_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    """An .npz archive of `arrays`: sorted names, stored uncompressed, fixed time stamps, no pickle."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            member = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            member.create_system, member.external_attr = 3, 0o644 << 16  # the same bytes on every platform
            with archive.open(member, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(arrays[name], order="C"), allow_pickle=False)
    return buffer.getvalue()


def write_synced(path: Path, data: bytes | str) -> None:
    """Write `data` and wait until the disk has it."""
    with path.open("wb") as file:
        file.write(data.encode() if isinstance(data, str) else data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make renames and creations inside `folder` durable, where the platform can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows cannot open a folder
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def scratch(root: Path) -> Iterator[Path]:
    """A fresh folder under ``root/tmp`` (same file system, so renaming out of it is atomic), removed on exit."""
    folder, handle = _claimed(root)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if handle is not None:
            os.close(handle)


def write_atomically(root: Path, path: Path, data: bytes | str) -> None:
    """Replace the file `path` (inside `root`) by `data` in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with scratch(root) as folder:
        write_synced(folder / path.name, data)
        os.replace(folder / path.name, path)
    sync_folder(path.parent)


def sweep_scratch(root: Path) -> int:
    """Remove the scratch folders whose writer is gone; their number."""
    return sum(_swept(folder) for folder in (root / "tmp").glob("*"))


def _claimed(root: Path) -> tuple[Path, int | None]:
    while True:
        folder = root / "tmp" / uuid.uuid4().hex
        folder.mkdir(parents=True)
        # A sweep may come between the creation and the lock: then the folder is gone, and another is made.
        with suppress(FileNotFoundError):
            handle = _lock(folder)
            if folder.exists():
                return folder, handle
            if handle is not None:
                os.close(handle)


def _swept(folder: Path) -> bool:
    try:
        handle = _lock(folder, wait=False)
        # Without locks (Windows, some network file systems) only age tells.
        abandoned = handle is not None or time.time() - folder.stat().st_mtime > _ABANDONED
    except (BlockingIOError, FileNotFoundError):  # its writer is at work, or has just finished
        return False
    if abandoned:
        shutil.rmtree(folder, ignore_errors=True)
    if handle is not None:
        os.close(handle)
    return abandoned


def _lock(folder: Path, wait: bool = True) -> int | None:
    """A handle that locks `folder` until it is closed or its process ends, however that ends; None without locks.

    Raises BlockingIOError when another process holds the lock and `wait` is False.
    """
    if fcntl is None:
        return None
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(handle)
        raise
    except OSError:  # the file system has no locks
        os.close(handle)
        return None
    return handle
