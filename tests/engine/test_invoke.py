"""Chained invokes."""

from __future__ import annotations

import pytest

from durably import Duration, InvokeConfig, InvokeError, SerDesError

from .harness import Flavour


def double(payload):
    if payload == "bad":
        raise ValueError("cannot double that")
    return {"doubled": payload * 2}


def test_invoke_returns_the_other_functions_result(flavour: Flavour) -> None:
    def handler(event, ctx):
        return (yield ctx.invoke("double", 21, name="call"))

    world = flavour.run(handler, functions={"double": double})
    assert world.value == {"doubled": 42}
    assert world.outputs[0] == {"Status": "PENDING"}
    assert world.updates == [
        {
            "Id": world.named("call")["Id"],
            "Type": "CHAINED_INVOKE",
            "Action": "START",
            "SubType": "ChainedInvoke",
            "Name": "call",
            "Payload": "21",
            "ChainedInvokeOptions": {"FunctionName": "double"},
        }
    ]


def test_a_failure_of_the_other_function(flavour: Flavour) -> None:
    seen = []

    def handler(event, ctx):
        try:
            yield ctx.invoke("double", "bad")
        except InvokeError as error:
            seen.append((str(error), error.error_type))
        yield ctx.wait(Duration.from_seconds(1))

    world = flavour.run(handler, functions={"double": double})
    assert world.status == "SUCCEEDED"
    assert seen[0] == seen[1] == ("cannot double that", "ValueError")


def test_an_unknown_function(flavour: Flavour) -> None:
    def handler(event, ctx):
        try:
            yield ctx.invoke("nobody", None)
        except InvokeError as error:
            return error.error_type

    assert flavour.run(handler).value == "ResourceNotFoundException"


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "STOPPED", "CANCELLED"])
def test_every_bad_end_without_an_error_gets_a_message(flavour: Flavour, status: str) -> None:
    def handler(event, ctx):
        try:
            yield ctx.invoke("double", 1, name="call")
        except InvokeError as error:
            return str(error)

    def edit(call, answer):
        operations = [
            dict(one, Status=status, ChainedInvokeDetails={}) for one in answer["NewExecutionState"]["Operations"]
        ]
        return {**answer, "NewExecutionState": {"Operations": operations}}

    world = flavour.world(handler, functions={"double": double})
    world.link.edit = edit
    world.run()
    assert status in world.value
    assert "double" in world.value


def test_tenant_and_typed_result(flavour: Flavour) -> None:
    def handler(event, ctx):
        value = yield ctx.invoke(
            "double", (1,), config=InvokeConfig(tenant_id="acme"), result_type=dict[str, tuple[int, ...]]
        )
        return type(value["doubled"]).__name__

    world = flavour.run(handler, functions={"double": double})
    assert world.value == "tuple"
    assert world.updates[0]["ChainedInvokeOptions"] == {"FunctionName": "double", "TenantId": "acme"}
    assert world.updates[0]["Payload"] == "[1]"


def test_a_payload_that_cannot_be_written_is_recorded_nowhere(flavour: Flavour) -> None:
    def handler(event, ctx):
        try:
            yield ctx.invoke("double", {"a": object()})
        except SerDesError as error:
            return str(error)

    world = flavour.run(handler, functions={"double": double})
    assert "a" in world.value
    assert world.updates == []


def test_the_payload_is_written_only_by_the_first_run(flavour: Flavour) -> None:
    def handler(event, ctx):
        payload = {"n": 1} if world.invocations == 1 else {"n": object()}
        return (yield ctx.invoke("double", payload["n"]))

    world = flavour.world(handler, functions={"double": double})
    world.run()
    assert world.value == {"doubled": 2}
