"""The names of ``durably.testing``: all there, loaded when they are used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import durably.testing


@pytest.mark.parametrize("name", durably.testing.__all__)
def test_every_name_is_there(name: str) -> None:
    found = getattr(durably.testing, name)
    assert getattr(found, "__name__", name) == name
    assert name in dir(durably.testing)


def test_others_are_not() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'LocalRuner'"):
        _ = durably.testing.LocalRuner  # type: ignore[attr-defined]


def run(program: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_it_costs_nothing() -> None:
    loaded = run("import sys, durably.testing; print(*sys.modules)")
    assert not {name for name in loaded if name.startswith(("durably.service", "durably.engine", "asyncio", "pytest"))}


def test_a_runner_needs_nothing_but_what_a_function_needs() -> None:
    loaded = run("import sys; from durably.testing import LocalRunner; print(*sys.modules)")
    heavy = {
        "pytest",
        "starlette",
        "uvicorn",
        "click",
        "rich",
        "httptools",
        "boto3",
        "botocore",
        "pydantic",
        "watchfiles",
    }
    assert "durably.service.kernel" in loaded
    assert not loaded & heavy
