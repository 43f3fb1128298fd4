"""The public surface, frozen: a name that comes or goes does so on purpose, here."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import durably

SURFACE = Path(__file__).parent / "public_names.txt"
HEAVY = {"asyncio", "boto3", "botocore", "http.client", "inspect", "logging", "msgspec", "ssl", "typing_extensions"}

# Under the official SDK's module names: moving a program over means replacing the package's name in its imports.
FAMILIAR = {
    "config": ["StepConfig", "CallbackConfig", "ChildConfig", "InvokeConfig", "WaitForCallbackConfig", "Duration"],
    "context": ["DurableContext", "durable_step", "durable_wait_for_callback", "durable_with_child_context"],
    "exceptions": ["StepError", "InvokeError", "CallbackError", "ExecutionError", "InvocationError", "ValidationError"],
    "execution": ["durable_execution"],
    "retries": ["RetryPresets", "RetryDecision", "RetryStrategyConfig", "create_retry_strategy"],
    "serdes": ["SerDes", "SerDesContext", "JsonSerDes", "PassThroughSerDes", "ExtendedTypeSerDes"],
    "types": ["StepContext", "DurableContext", "WaitForCallbackContext", "Callback"],
}


def test_the_public_names_are_these() -> None:
    frozen = SURFACE.read_text("utf-8").split()
    assert sorted(durably.__all__) == frozen, f"if this is meant, write the new list to {SURFACE.name}"


@pytest.mark.parametrize("name", durably.__all__)
def test_every_public_name_is_there_and_looks_public(name: str) -> None:
    value = getattr(durably, name)
    assert name in dir(durably)
    module = getattr(value, "__module__", None)
    if isinstance(value, type) or callable(value):
        assert module is not None
        assert not any(part.startswith("_") for part in module.split(".")), f"{name} says it lives in {module}"
        assert module.split(".")[0] == "durably"
        assert value.__doc__, f"{name} has no docstring"


@pytest.mark.parametrize(("module", "name"), [(module, name) for module, names in FAMILIAR.items() for name in names])
def test_familiar_names_are_in_familiar_places(module: str, name: str) -> None:
    found = getattr(importlib.import_module(f"durably.{module}"), name)
    if name in durably.__all__:
        assert found is getattr(durably, name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'Nonsense'"):
        durably.Nonsense  # noqa: B018


def test_type_checkers_see_the_same_names() -> None:
    """The lazy table and the imports under TYPE_CHECKING name the same things."""
    import ast

    tree = ast.parse(Path(durably.__file__).read_text("utf-8"))
    seen = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level
        for alias in node.names
    }
    assert seen == set(durably.__all__)


def loaded_by(program: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_durably_is_cheap() -> None:
    bare = loaded_by("")
    assert not (loaded_by("import durably") - bare) & HEAVY


def test_a_sync_handler_does_not_load_asyncio() -> None:
    """A Lambda cold start of a sync function pays neither for the event loop nor for logging."""
    program = """
from durably import DurableContext, durable_execution
import json

class Client:
    def checkpoint(self, arn, token, updates, client_token):
        ops = [{"Id": u["Id"], "Type": u["Type"], "Status": "SUCCEEDED", "StartTimestamp": 1} for u in updates]
        return {"CheckpointToken": token, "NewExecutionState": {"Operations": ops}}

@durable_execution(client=Client())
def handler(event, ctx: DurableContext) -> int:
    return ctx.step(lambda step: 1)

state = {"Operations": [{"Id": "e", "Type": "EXECUTION", "Status": "STARTED", "StartTimestamp": 1}]}
assert handler({"DurableExecutionArn": "x", "CheckpointToken": "t", "InitialExecutionState": state}, None) == {
    "Status": "SUCCEEDED", "Result": "1"}
"""
    assert sorted(loaded_by(program) & {"asyncio", "boto3", "botocore", "http.client", "logging", "ssl"}) == []
