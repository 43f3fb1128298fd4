"""The walls of the house (docs: architecture). Files and folders may move; these rules may not.

- ``wire`` imports nothing of ours.
- What a running function needs never imports what serves it (``service``, ``workers``), nor the reverse: the two halves
  meet in ``wire``. ``cli``, ``testing`` and ``console`` may use both; nobody uses those.
- Time and chance enter the engine and the service through one module each.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import durably

SOURCE = Path(durably.__file__).parent
MODULES = sorted(SOURCE.rglob("*.py"))
NAMES = [str(path.relative_to(SOURCE)) for path in MODULES]

SERVICE_HALF = {"service", "workers"}
BOTH = {"cli", "testing", "console"}


def part(path: Path) -> str:
    """The folder below ``durably`` that a module is in, or its own name."""
    first = path.relative_to(SOURCE).parts[0]
    return first.removesuffix(".py")


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """(line, dotted name below ``durably``) of everything of ours that a module imports, lazily or not."""
    package = path.relative_to(SOURCE).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "durably":
                    yield node.lineno, alias.name.partition(".")[2]
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                base = [*package[: len(package) - node.level + 1]]
            elif (node.module or "").split(".")[0] == "durably":
                base = []
            else:
                continue
            module = (node.module or "").removeprefix("durably").strip(".") if not node.level else node.module or ""
            dotted = ".".join([*base, *filter(None, module.split("."))])
            if dotted:
                yield node.lineno, dotted
            else:
                yield from ((node.lineno, alias.name) for alias in node.names)


def test_the_reader_of_imports_understands_every_form(tmp_path: Path) -> None:
    path = SOURCE / "engine" / "step.py"
    found = {name for _, name in imported(path)}
    assert {"_configs", "exceptions", "wire.shapes", "engine.operation", "engine.requests"} <= found


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_imports_respect_the_walls(path: Path) -> None:
    here = part(path)
    for line, name in imported(path):
        there = name.split(".")[0]
        where = f"{path}:{line} imports durably.{name}"
        if here == "wire":
            assert there == "wire", f"{where}: wire imports nothing of ours"
        elif here in SERVICE_HALF:
            assert there in SERVICE_HALF | {"wire", "_version"}, f"{where}: the service half knows only wire"
        elif here not in BOTH:
            assert there not in SERVICE_HALF, f"{where}: the SDK half does not know the service"
        if here not in BOTH:
            assert there not in BOTH, f"{where}: {there} is for people, nothing is built on it"


def test_service_does_not_know_its_workers() -> None:
    for path in (SOURCE / "service").rglob("*.py"):
        assert not [name for _, name in imported(path) if name.split(".")[0] == "workers"], path


# ---- time and chance ------------------------------------------------------------------------------------

CLOCKS = {"engine/clock.py", "service/clock.py", "client/clock.py", "_random.py"}
"""Where time and chance are let in."""

FORBIDDEN = {
    ("time", "time"),
    ("time", "time_ns"),
    ("time", "monotonic"),
    ("time", "sleep"),
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
    ("uuid", "uuid1"),
    ("uuid", "uuid4"),
    ("os", "urandom"),
}
FORBIDDEN_MODULES = {"random", "secrets"}
PURE = [path for path in MODULES if part(path) in {"engine", "context", "service", "wire", "serdes", "concurrency"}]


@pytest.mark.parametrize("path", PURE, ids=[str(path.relative_to(SOURCE)) for path in PURE])
def test_time_and_chance_are_injected(path: Path) -> None:
    if path.relative_to(SOURCE).as_posix() in CLOCKS:
        return
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        where = f"{path}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) not in FORBIDDEN, f"{where}: ask the injected clock or ids"
        if isinstance(node, ast.Import):
            assert not {alias.name for alias in node.names} & FORBIDDEN_MODULES, f"{where}: chance is injected"
        if isinstance(node, ast.ImportFrom) and not node.level:
            assert node.module not in FORBIDDEN_MODULES, f"{where}: chance is injected"
            for alias in node.names:
                assert (node.module, alias.name) not in FORBIDDEN, f"{where}: ask the injected clock or ids"


# ---- every module ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_every_module_is_a_small_room_with_a_sign_on_its_door(path: Path) -> None:
    text = path.read_text("utf-8")
    tree = ast.parse(text)
    assert len(text.splitlines()) < 500, f"{path} is too long to be read in one sitting: split it"
    docstring = ast.get_docstring(tree)
    assert docstring, f"{path} has no docstring"
    if any(isinstance(node, (ast.AnnAssign, ast.FunctionDef, ast.AsyncFunctionDef)) for node in ast.walk(tree)):
        first = tree.body[1]
        starts_right = isinstance(first, ast.ImportFrom) and first.module == "__future__"
        starts_right = starts_right or 'No "from __future__ import annotations" here:' in text  # and says why
        assert starts_right, f"{path}: `from __future__ import annotations` comes first"
