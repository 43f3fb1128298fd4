"""Our routes and request shapes against botocore's service model."""

from __future__ import annotations

import re
import typing
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from durably.service.http import members, requests
from durably.service.http.routes import ROUTES, Route
from durably.wire import limits

from .contract import MODEL

BODIES = {
    "CheckpointDurableExecution": members.CheckpointBody,
    "PauseDurableExecution": members.PauseBody,
    "ResumeDurableExecution": members.ResumeBody,
}


def test_routes_are_the_models_thirteen_operations() -> None:
    modelled = {name for name in MODEL.operation_names if "DurableExecution" in name} | {"Invoke"}
    assert {route.action for route in ROUTES} == modelled


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.action)
def test_method_path_and_status(route: Route) -> None:
    operation = MODEL.operation_model(route.action).http
    assert (route.method, route.path, route.status) == (
        operation["method"],
        operation["requestUri"],
        operation["responseCode"],
    )


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.action)
def test_every_member_is_read_from_where_the_model_puts_it(route: Route) -> None:
    shape = MODEL.operation_model(route.action).input_shape
    payload = shape.serialization.get("payload")
    outside = {name for name, member in shape.members.items() if "location" in member.serialization}
    extra = {"TraceId"} if route.action == "Invoke" else set[str]()
    assert typing.get_type_hints(route.shape).keys() == outside | extra
    inside = shape.members.keys() - outside - {payload}
    if inside:
        assert typing.get_type_hints(BODIES[route.action]).keys() == inside


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.action)
def test_types_lengths_and_required_members(route: Route) -> None:
    shape = MODEL.operation_model(route.action).input_shape
    for ours in (route.shape, BODIES.get(route.action)):
        if ours is not None:
            _compare(ours, shape, f"{route.action}")
            wanted = {name for name in shape.required_members if name in typing.get_type_hints(ours)}
            assert ours.__required_keys__ == wanted


def test_the_error_object() -> None:
    _compare(members.Error, MODEL.shape_for("ErrorObject"), "ErrorObject")


def _compare(ours: Any, shape: Any, where: str) -> None:
    for name, hint in typing.get_type_hints(ours, include_extras=True).items():
        if name != "TraceId":  # a header that every AWS request may carry
            _compare_member(hint, shape.members[name], f"{where}.{name}")


LONGER = {"CheckpointDurableExecution.Updates.Payload": limits.MAX_RECORDED_RESULT}
"""A result that no answer can carry is recorded; the machine holds all other payloads to less than the model does."""

PYTHON = {"string": str, "integer": int, "boolean": bool, "timestamp": str}


def _compare_member(hint: Any, shape: Any, where: str) -> None:
    metas: list[msgspec.Meta] = []
    while hasattr(hint, "__metadata__") or typing.get_origin(hint) in (typing.Required, typing.NotRequired):
        metas += getattr(hint, "__metadata__", ())
        hint = hint.__origin__ if hasattr(hint, "__metadata__") else typing.get_args(hint)[0]
    meta = metas[0] if metas else msgspec.Meta()
    if shape.type_name == "structure":
        _compare(hint, shape, where)
        assert hint.__required_keys__ == set(shape.required_members), where
        assert typing.get_type_hints(hint).keys() == shape.members.keys(), where
        return
    if shape.type_name == "list":
        assert typing.get_origin(hint) is list, where
        _compare_member(typing.get_args(hint)[0], shape.member, where)
    else:
        assert hint is PYTHON[shape.type_name], where
    lowest = meta.ge if shape.type_name == "integer" else meta.min_length
    highest = meta.le if shape.type_name == "integer" else meta.max_length
    assert (lowest or 0) == shape.metadata.get("min", 0), where
    assert highest == LONGER.get(where, shape.metadata.get("max")), where
    if "enum" in shape.metadata:
        assert meta.pattern is not None
        for value in shape.enum:
            assert re.search(meta.pattern, value), where
        assert meta.pattern.count("|") + 1 == len(shape.enum), where
    else:
        assert (meta.pattern is None) == ("pattern" not in shape.metadata), where


PATTERNS = [
    (members.Arn, "DurableExecutionArn"),
    (members.CallbackId, "CallbackId"),
    (members.ClientToken, "ClientToken"),
    (members.ExecutionName, "DurableExecutionName"),
    (members.FunctionName, "NamespacedFunctionName"),
    (members.OperationId, "OperationId"),
    (members.Qualifier, "NumericLatestPublishedOrAliasQualifier"),
    (members.Tenant, "TenantId"),
    (members.Token, "CheckpointToken"),
]


@pytest.mark.parametrize(("ours", "name"), PATTERNS, ids=lambda value: value if isinstance(value, str) else "")
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_patterns_accept_what_the_models_accept(ours: Any, name: str, data: st.DataObject) -> None:
    theirs = re.compile(MODEL.shape_for(name).metadata["pattern"], re.ASCII)
    mine = re.compile(ours.__metadata__[0].pattern)
    accepted = data.draw(st.from_regex(theirs, fullmatch=True))
    assert mine.search(accepted)
    near = data.draw(st.sampled_from([accepted + "\n", accepted + "!", " " + accepted, accepted + "é", accepted[1:]]))
    assert bool(mine.search(near)) == bool(theirs.fullmatch(near))


def test_the_headers_of_invoke() -> None:
    shape = MODEL.operation_model("Invoke").input_shape
    modelled = {
        member.serialization["name"].lower()
        for member in shape.members.values()
        if member.serialization.get("location") == "header"
    }
    read = {header.decode() for header, _ in requests.INVOKE_HEADERS}
    assert read | {"x-amz-client-context"} == modelled | {"x-amzn-trace-id"}
