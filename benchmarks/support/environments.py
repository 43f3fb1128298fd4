"""The virtual environments: one per side, since their pins conflict. Made on first use, kept in ``.venvs``."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROJECT = ROOT.parent
PLACE = ROOT / ".venvs"


@dataclass(frozen=True)
class Side:
    """``requirements`` as pip takes them; ``shows`` are the distributions whose versions the report names."""

    title: str
    requirements: tuple[str, ...]
    shows: tuple[str, ...]
    editable: bool = False


SIDES = {
    "durably": Side("durably", (f"{PROJECT}[service,aws]",), ("durably", "msgspec", "botocore"), editable=True),
    "official": Side(
        "official SDK",
        ("aws-durable-execution-sdk-python>=3,<4", "boto3"),
        ("aws-durable-execution-sdk-python", "boto3"),
    ),
    "official-testing": Side(
        "official testing SDK",
        ("aws-durable-execution-sdk-python-testing>=1.4,<2",),
        ("aws-durable-execution-sdk-python-testing", "aws-durable-execution-sdk-python"),
    ),
    "async": Side(
        "async-durable-execution", ("async-durable-execution>=2,<3",), ("async-durable-execution", "botocore")
    ),
    "dbos": Side("DBOS", ("dbos",), ("dbos", "SQLAlchemy")),
}


def ensure(name: str, durably_python: str | None = None) -> str:
    """The interpreter of a side, its environment made if it is missing or was made for other requirements."""
    if name == "durably" and durably_python:
        return durably_python
    side = SIDES[name]
    place = PLACE / name
    python = place / "bin" / "python"
    stamp = place / "made-for"
    wanted = hashlib.sha256(json.dumps([sys.version, side.requirements, _pyproject(side)]).encode()).hexdigest()
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return str(python)
    print(f"making the environment of {side.title} ...", file=sys.stderr, flush=True)
    venv.create(place, with_pip=True, clear=True)
    options = ["--editable"] if side.editable else []
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *options]
    done = subprocess.run([*command, *side.requirements], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{side.title} cannot be installed:\n{done.stderr.strip()}")
    stamp.write_text(wanted)
    return str(python)


def versions(name: str, python: str) -> dict[str, str]:
    script = (
        "import sys, json; from importlib.metadata import version; "
        "print(json.dumps({n: version(n) for n in sys.argv[1:]}))"
    )
    shows = SIDES[name].shows
    done = subprocess.run([python, "-c", script, *shows], capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else {}


def _pyproject(side: Side) -> str:
    return (PROJECT / "pyproject.toml").read_text() if side.editable else ""
