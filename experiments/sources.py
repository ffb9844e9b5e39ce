r"""Which source files a run depends on, and one digest of them, so that `status` can say "stale".

The set is the transitive closure of first-party imports, read from the syntax tree (lazy imports inside functions
included).  A module that imports by name at run time (a registry) contributes its whole package and every first-party
module that its string constants name; when in doubt a file is in.  What cannot be traced falls back to all rooms.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

__all__ = ["ROOMS", "ROOT", "Sources"]

ROOMS = ("theory", "structures", "problems", "regret", "convex", "optimizers", "experiments")
ROOT = Path(__file__).resolve().parent.parent

_DYNAMIC = {"import_module", "__import__", "iter_modules", "walk_packages"}


class Sources:
    """The source tree under `root` as it is on the disk at the first question; make a new one per command."""

    def __init__(self, root: Path = ROOT, rooms: Iterable[str] = ROOMS) -> None:
        self.root = root
        self.rooms = tuple(rooms)
        self._neighbours: dict[Path, frozenset[Path]] = {}
        self._digests: dict[Path, str] = {}

    def digest(self, cls: type) -> str:
        """SHA-256 of the sources that the class `cls` depends on."""
        total = hashlib.sha256()
        for path in self.files(cls):
            total.update(f"{self._name(path)}\0{self._file_digest(path)}\n".encode())
        return total.hexdigest()

    def files(self, cls: type) -> list[Path]:
        """The source files that the class depends on, sorted; every room when they cannot be traced."""
        try:
            source = inspect.getsourcefile(cls)
        except TypeError:  # defined in an interactive session
            source = None
        if source is None or not Path(source).is_file():
            return sorted(self._everything())
        start = Path(source).resolve()
        try:
            return sorted(self._closure(start))
        except SyntaxError:
            return sorted({start, *self._everything()})

    def _closure(self, start: Path) -> set[Path]:
        # The packages around the start are skipped: they are only the way to it, and a discovering package would
        # tie every experiment to every other.
        around = {folder / "__init__.py" for folder in start.parents if folder != self.root}
        found, waiting = {start}, [start]
        while waiting:
            fresh = self._imports(waiting.pop()) - found - around
            found |= fresh
            waiting.extend(fresh)
        return found

    def _imports(self, path: Path) -> frozenset[Path]:
        if path not in self._neighbours:
            self._neighbours[path] = frozenset(self._read_imports(path))
        return self._neighbours[path]

    def _read_imports(self, path: Path) -> Iterator[Path]:
        tree = ast.parse(path.read_bytes(), filename=str(path))
        for name in _imported(tree, self._package(path)):
            yield from self._module(name)
        if _is_dynamic(tree):
            # Below the root only: a registry at the root's own level would mean the whole tree, tests included.
            if self.root in path.parent.parents:
                yield from path.parent.rglob("*.py")
            for name in _dotted_strings(tree):
                yield from self._package_files(name)

    def _package(self, path: Path) -> str:
        folder = path.parent
        return ".".join(folder.relative_to(self.root).parts) if self.root in path.parents else ""

    def _module(self, name: str) -> Iterator[Path]:
        """The files that importing `name` runs: the packages on the way and the module; nothing if not first-party."""
        parts = name.split(".")
        if parts[0] not in self.rooms:
            return
        for depth in range(1, len(parts) + 1):
            stem = self.root.joinpath(*parts[:depth])
            candidates = (stem / "__init__.py", stem.with_suffix(".py"))
            yield from (path for path in candidates if path.is_file())

    def _package_files(self, name: str) -> Iterator[Path]:
        """As `_module`, and everything inside when the name is a package."""
        found = list(self._module(name))
        yield from found
        if found:
            yield from self.root.joinpath(*name.split(".")).rglob("*.py")

    def _everything(self) -> set[Path]:
        return {path for room in self.rooms for path in (self.root / room).rglob("*.py")}

    def _file_digest(self, path: Path) -> str:
        if path not in self._digests:
            self._digests[path] = hashlib.sha256(path.read_bytes()).hexdigest()
        return self._digests[path]

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix() if self.root in path.parents else path.name


def _imported(tree: ast.AST, package: str) -> Iterator[str]:
    """Dotted names that the module may import; `from a import b` may mean the module a.b, so both are given."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".") if node.level else []
            base = ".".join([*parents[: len(parents) - node.level + 1], *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _is_dynamic(tree: ast.AST) -> bool:
    names = (getattr(node, "attr", getattr(node, "id", None)) for node in ast.walk(tree))
    return any(name in _DYNAMIC for name in names)


def _dotted_strings(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and re.fullmatch(r"[a-z_]\w*(\.\w+)*", text):
            yield text
