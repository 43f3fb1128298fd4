"""From a file, a module or one function of them to functions that can be served, or a message that helps."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from durably.workers.loader import LoadError, load_functions

App = Callable[..., Path]

DURABLE = """
class Durable:
    is_async = False
    def __init__(self, name, **options):
        self.__name__ = name
        if options: self.durable_options = options
    def __call__(self, event, context): return {}
    def run_sync(self, event, context, *, client=None): return {}
    async def run_async(self, event, context, *, client=None): return {}
"""

OFFICIAL = """
import functools
class DurableContext: ...
def durable_execution(f):
    @functools.wraps(f)
    def wrapper(event, context): return f(event, context)
    return wrapper
"""


def names(path: Path) -> dict[str, bool]:
    return {name: function.spec.durable for name, function in load_functions(str(path)).functions.items()}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        pytest.param("def f(event, context): ...", {"f": False}, id="plain"),
        pytest.param("async def f(event, context): ...", {"f": False}, id="plain async"),
        pytest.param("def f(_event, _context): ...\ndef g(event, _): ...", {"f": False, "g": False}, id="underscores"),
        pytest.param("def f(event, context, more=1, *, x=2): ...", {"f": False}, id="optional parameters"),
        pytest.param(DURABLE + "process = Durable('process')", {"process": True}, id="durable"),
        pytest.param(DURABLE + "process = Durable('p'); handler = process", {"process": True}, id="alias"),
        pytest.param(DURABLE + "handler = p = Durable('p')", {"p": True}, id="alias goes by its own name"),
        pytest.param(DURABLE + "a = Durable('x'); b = Durable('x')", {"a": True, "b": True}, id="two durable"),
        pytest.param(
            OFFICIAL + "@durable_execution\ndef f(event, ctx: DurableContext): ...", {"f": True}, id="official"
        ),
        pytest.param(
            "from __future__ import annotations\n"
            + OFFICIAL
            + "@durable_execution\ndef f(event, ctx: 'DurableContext'): ...",
            {"f": True},
            id="official, annotations as strings",
        ),
        pytest.param(
            OFFICIAL + "def child(item, ctx: DurableContext): ...\ndef f(event, context): ...",
            {"f": False},
            id="a child function is no handler",
        ),
        pytest.param(
            "from unittest.mock import MagicMock\nm = MagicMock()\ndef f(event, context): ...",
            {"f": False},
            id="an object that has any attribute",
        ),
        pytest.param(
            "class Lazy:\n  def __getattr__(self, n): raise RuntimeError\nx = Lazy()\ndef f(event, context): ...",
            {"f": False},
            id="an object that raises when touched",
        ),
        pytest.param(
            "from os.path import join\nimport json\ndef _f(event, context): ...\ndef g(a, b): ...\n"
            "def h(event, context, more): ...\ndef i(event): ...\ndef k(*, event, context): ...\n"
            "class event_context: ...\ndef z(event, context): ...",
            {"z": False},
            id="what is not a handler",
        ),
    ],
)
def test_what_is_found(app: App, source: str, found: dict[str, bool]) -> None:
    assert names(app(source)) == found


def test_functions_imported_from_elsewhere(app: App) -> None:
    """Durable ones count, that is how an app gathers its flows; plain ones may be anybody's."""
    path = app(
        {
            "app.py": "from flows import order, plain",
            "flows.py": DURABLE + "order = Durable('order')\ndef plain(event, context): ...",
        }
    )
    loaded = load_functions(str(path))
    assert list(loaded.functions) == ["order"]
    assert loaded.functions["order"].reference == "app:order"
    assert set(loaded.files) == {path, path.with_name("flows.py")}


def test_options(app: App) -> None:
    path = app(
        DURABLE + "f = Durable('f', timeout_seconds=2.5, execution_timeout_seconds=60, retention_days=3, memory_mb=512)"
    )
    spec = load_functions(str(path)).functions["f"].spec
    assert (spec.timeout_seconds, spec.execution_timeout_seconds, spec.retention_days, spec.memory_mb) == (
        2.5,
        60,
        3,
        512,
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("timeout=3", "unknown option 'timeout'"),
        ("retention_days=91", "retention_days=91 is out of range"),
        ("retention_days=1.5", "whole number"),
        ("execution_timeout_seconds=0", "1 to 3.16224e+07"),
        ("timeout_seconds=True", "timeout_seconds=True"),
        ("memory_mb=None", "memory_mb=None"),
    ],
)
def test_bad_options(app: App, options: str, told: str) -> None:
    with pytest.raises(LoadError) as caught:
        load_functions(str(app(DURABLE + f"f = Durable('f', {options})")))
    assert told in str(caught.value)


# ---- targets -----------------------------------------------------------------------------------------------


def test_ways_to_name_it(app: App, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    app(
        {
            "shop/__init__.py": "",
            "shop/orders.py": "from .parts import x\ndef f(event, context): ...\ndef g(event, context): ...",
        }
    )
    (tmp_path / "shop" / "parts.py").write_text("x = 1")
    monkeypatch.chdir(tmp_path)
    for target in ("shop.orders", "shop/orders.py", str(tmp_path / "shop" / "orders.py")):
        loaded = load_functions(target)
        assert (loaded.module, loaded.import_root, list(loaded.functions)) == ("shop.orders", tmp_path, ["f", "g"])
        one = load_functions(f"{target}:g")
        assert list(one.functions) == ["g"]
        assert one.functions["g"].reference == "shop.orders:g"
    assert load_functions("shop.orders").target == "shop.orders"


def test_any_callable_of_two_may_be_named(app: App) -> None:
    path = app("def f(a, b, c=1): ...\nclass C:\n  def __call__(self, e, c): ...\ng = C()")
    assert load_functions(f"{path}:f").functions["f"].spec.durable is False
    assert load_functions(f"{path}:g").functions["g"].spec.name == "g"


@pytest.mark.parametrize(
    ("files", "target", "told"),
    [
        ({"app.py": ""}, "other.py", ["other.py does not exist", "app.py"]),
        ({"app.py": ""}, "sub/app.py", ["sub/app.py does not exist"]),
        ({"sub/app.py": ""}, "sub/", ["is a directory", "sub/app.py"]),
        ({"app.py": "x = 1"}, "app.py", ["app.py has no function to serve", "@durable_execution", "(event, context)"]),
        (
            {"app.py": "class DurableContext: ...\ndef f(order, ctx: DurableContext): ..."},
            "app.py",
            ["f takes a durable context but is not decorated", "@durable_execution"],
        ),
        ({"app.py": "def proces(event, context): ..."}, "app.py:process", ["no attribute 'process'", "app.py:proces?"]),
        ({"app.py": "x = 1\ndef f(event, context): ..."}, "app.py:x", ["not a function", "of type int"]),
        ({"app.py": "def f(event): ..."}, "app.py:f", ["cannot be called with two arguments"]),
        ({"app.py": "class F: ..."}, "app.py:F", ["not a function", "the class F"]),
        ({"app.py": "def f(event, context): ..."}, "app.py:f.x", ["'f.x' is not a Python name"]),
        ({"app.py": "def f(event, context): ..."}, "app.py:", ["not a Python name"]),
        ({"app.py": ""}, ":f", ["names no file"]),
        ({"app.py": ""}, "no.such.module", ["no module 'no'", "no/such/module.py"]),
        ({"shop/__init__.py": ""}, "shop.nothing", ["no module 'shop.nothing'"]),
        ({"app.py": ""}, "what is this", ["neither a Python file nor"]),
        ({"app.txt": ""}, "app.txt", ["not a Python file"]),
        ({"my.app.py": ""}, "my.app.py", ["dot in its name", "my_app.py"]),
        ({"json.py": ""}, "json.py", ["'json'", "Python's own", "json_app.py"]),
        ({"app.py": "def größe(event, context): ..."}, "app.py", ["'größe' cannot be the name", "Rename"]),
    ],
)
def test_bad_targets(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], target: str, told: list[str]
) -> None:
    app(files)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LoadError) as caught:
        load_functions(target)
    for part in told:
        assert part in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("def f(event, context):\n  return (", ["line 2", "SyntaxError", "Correct the syntax"]),
        ("import surely_not_installed", ["surely_not_installed", "Install", "line 1"]),
        ("def deep():\n  return 1 / 0\ndeep()", ["line 2", "ZeroDivisionError", "deep()", "in deep"]),
        ("import sys\nsys.exit(4)", ["ends the process", "__main__", "line 2"]),
        ("raise BaseException('odd')", ["odd"]),
        ("from sibling import gone", ["gone", "ImportError"]),
    ],
)
def test_what_does_not_import(app: App, source: str, told: list[str]) -> None:
    path = app({"app.py": source, "sibling.py": ""})
    before = set(sys.modules)
    with pytest.raises(LoadError) as caught:
        load_functions(str(path))
    for part in told:
        assert part in str(caught.value)
    assert "importlib" not in str(caught.value)
    assert "_importing.py" not in str(caught.value)
    assert not {"app", "sibling"} & (set(sys.modules) - before)


# ---- reload --------------------------------------------------------------------------------------------------


def test_reload_is_fresh_and_whole(app: App) -> None:
    """An edit of the same length within the same second counts too, in a sibling as well."""
    path = app({"app.py": "from part import x\ndef f(event, context): return x", "part.py": "x = 1"})
    first = load_functions(str(path)).functions["f"].handler
    stamp = path.with_name("part.py").stat()
    path.with_name("part.py").write_text("x = 2")
    os.utime(path.with_name("part.py"), ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    second = load_functions(str(path)).functions["f"].handler
    assert (first({}, None), second({}, None)) == (1, 2)


def test_a_failed_reload_leaves_the_old_modules(app: App) -> None:
    path = app(
        {"app.py": "import part\ndef f(event, context):\n  import part as late\n  return late is part", "part.py": ""}
    )
    old = load_functions(str(path)).functions["f"].handler
    path.write_text("import part\n1/0")
    with pytest.raises(LoadError):
        load_functions(str(path))
    assert old({}, None) is True


def test_two_apps_of_one_name(tmp_path: Path) -> None:
    loaded: list[Any] = []
    for value in ("1", "2"):
        (tmp_path / value).mkdir()
        (tmp_path / value / "part.py").write_text(f"x = {value}")
        (tmp_path / value / "app.py").write_text("from part import x\ndef f(event, context): return x")
        loaded.append(load_functions(str(tmp_path / value / "app.py")).functions["f"].handler)
    assert [f({}, None) for f in loaded] == [1, 2]


def test_the_host_programs_modules_stay(app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = app({"app.py": "def f(event, context): ...", "host_part.py": ""})
    monkeypatch.syspath_prepend(str(tmp_path))
    import host_part  # type: ignore[import-not-found]

    for _ in range(2):
        load_functions(str(path))
        assert sys.modules["host_part"] is host_part
