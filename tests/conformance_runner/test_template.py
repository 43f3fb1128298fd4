"""SAM templates become what the service needs to know, or an error that names the place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from driver import template


def document(**properties: Any) -> dict[str, Any]:
    return {
        "Parameters": {"Directory": {"Type": "String", "Default": "/tmp"}, "Unset": {"Type": "String"}},
        "Globals": {
            "Function": {
                "CodeUri": "../handlers/",
                "Timeout": 60,
                "DurableConfig": {"ExecutionTimeout": 3600, "RetentionPeriodInDays": 7},
                "Environment": {"Variables": {"SHARED": {"Ref": "Directory"}}},
            }
        },
        "Resources": {
            "Caller": {"Type": "AWS::Serverless::Function", "Properties": {"Handler": "app.caller", **properties}},
            "Target": {"Type": "AWS::Serverless::Function", "Properties": {"Handler": "app.target"}},
            "Table": {"Type": "AWS::DynamoDB::Table"},
        },
    }


def caller(**properties: Any) -> template.TemplateFunction:
    return template.functions(document(**properties), Path("/project/templates"), {})[0]


def test_only_functions_are_taken_and_globals_apply() -> None:
    found = template.functions(document(), Path("/project/templates"), {})
    assert [function.name for function in found] == ["Caller", "Target"]
    assert found[1] == template.TemplateFunction(
        name="Target",
        handler="app.target",
        code="/project/handlers",
        durable=True,
        timeout=60.0,
        memory=128,
        execution_timeout=3600,
        retention_days=7,
        environment={"SHARED": "/tmp"},
    )


def test_a_function_adds_to_the_shared_environment_and_replaces_scalars() -> None:
    own = caller(Timeout=5, Environment={"Variables": {"OWN": True}}, DurableConfig={"ExecutionTimeout": 10})
    assert own.timeout == 5.0
    assert own.environment == {"SHARED": "/tmp", "OWN": "true"}
    assert (own.execution_timeout, own.retention_days) == (10, 7)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ({"Ref": "Target"}, "Target"),
        ({"Fn::GetAtt": ["Target", "Arn"]}, "Target"),
        ({"Fn::Sub": "${Target}:$LATEST"}, "Target:$LATEST"),
        ({"Fn::Sub": "${Target.Arn}:${Directory}"}, "Target:/tmp"),
    ],
)
def test_references_are_resolved(expression: dict[str, Any], value: str) -> None:
    assert caller(Environment={"Variables": {"NAME": expression}}).environment["NAME"] == value


def test_parameters_take_the_given_value() -> None:
    found = template.functions(document(), Path(), {"Directory": "/elsewhere"})
    assert found[0].environment["SHARED"] == "/elsewhere"


def test_json_logging_is_what_the_runtime_reads_from_its_environment() -> None:
    logging = {"LogFormat": "JSON", "ApplicationLogLevel": "INFO"}
    environment = caller(LoggingConfig=logging).environment
    assert environment["AWS_LAMBDA_LOG_FORMAT"] == "JSON"
    assert environment["AWS_LAMBDA_LOG_LEVEL"] == "INFO"


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ({"Ref": "Nobody"}, "'Nobody' is neither a function nor a parameter"),
        ({"Ref": "Unset"}, "'Unset' is neither a function nor a parameter with a value"),
        ({"Fn::ImportValue": "x"}, "cannot resolve"),
        ({"Fn::GetAtt": ["Target", "Version"]}, "cannot resolve"),
    ],
)
def test_what_is_not_understood_is_refused(expression: dict[str, Any], complaint: str) -> None:
    with pytest.raises(template.TemplateError, match="Caller: ") as refusal:
        caller(Environment={"Variables": {"NAME": expression}})
    assert complaint in str(refusal.value)


def test_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(template.TemplateError, match="no parameter Dir; it has Directory, Unset"):
        template.functions(document(), Path(), {"Dir": "/tmp"})
