"""Templates become functions that can be run, or an error that names the place and the way out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from durably.service.ports import FunctionSpec
from durably.workers.loader import LoadError
from durably.workers.runtime_api import RuntimeFunction
from durably.workers.template import LoadedTemplate, load_template
from durably.workers.template.runtimes import NODE_CLIENT

Project = Callable[..., LoadedTemplate]

SAM = "AWS::Serverless::Function"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A template beside its code; ``properties`` are the function Caller's, ``more`` the template's."""
    (tmp_path / "code").mkdir()
    for name in ("app.py", "index.mjs", "page.ts"):
        (tmp_path / "code" / name).touch()

    def load(
        properties: dict[str, Any] | None = None,
        parameters: dict[str, str] | None = None,
        resource: dict[str, Any] | None = None,
        **more: Any,
    ) -> LoadedTemplate:
        caller = {"Type": SAM, "Properties": {"Handler": "app.caller", **(properties or {})}, **(resource or {})}
        document = {
            "Globals": {
                "Function": {
                    "Runtime": "python3.13",
                    "CodeUri": "code/",
                    "Timeout": 60,
                    "DurableConfig": {"ExecutionTimeout": 3600, "RetentionPeriodInDays": 7},
                    "Environment": {"Variables": {"SHARED": {"Ref": "Directory"}}},
                }
            },
            **more,
            "Parameters": {
                "Directory": {"Type": "String", "Default": "/tmp"},
                "Unset": {"Type": "String"},
                "Secret": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/secret"},
                "Stage": {"Type": "String", "Default": "dev"},
            },
            "Resources": {
                "Caller": caller,
                "Target": {"Type": SAM, "Properties": {"Handler": "app.target", "FunctionName": "the-target"}},
                "Table": {"Type": "AWS::DynamoDB::Table"},
                **more.get("Resources", {}),
            },
        }
        path = tmp_path / "template.json"
        path.write_text(json.dumps(document))
        return load_template(path, parameters)

    return load


def caller(loaded: LoadedTemplate) -> RuntimeFunction:
    return loaded.functions["Caller"]


def variable(project: Project, expression: Any, parameters: dict[str, str] | None = None, **more: Any) -> str:
    function = caller(project({"Environment": {"Variables": {"NAME": expression}}}, parameters, **more))
    return function.spec.environment["NAME"]


# ---- functions ----------------------------------------------------------------------------------------------


def test_only_functions_are_taken_and_globals_apply(project: Project, tmp_path: Path) -> None:
    loaded = project()
    assert list(loaded.functions) == ["Caller", "the-target"]
    assert loaded.functions["the-target"] == RuntimeFunction(
        FunctionSpec(
            "the-target",
            timeout_seconds=60,
            execution_timeout_seconds=3600,
            retention_days=7,
            environment={"SHARED": "/tmp"},
        ),
        "app.target",
        tmp_path / "code",
    )
    assert loaded.specs()["Caller"].name == "Caller"


def test_a_function_adds_to_what_is_shared_and_replaces_scalars(project: Project) -> None:
    own = {"Timeout": 5, "MemorySize": "256", "DurableConfig": {"ExecutionTimeout": 10}}
    spec = caller(project({**own, "Environment": {"Variables": {"OWN": True, "N": 7}}})).spec
    assert spec.environment == {"SHARED": "/tmp", "OWN": "true", "N": "7"}
    assert (spec.timeout_seconds, spec.memory_mb) == (5, 256)
    assert (spec.execution_timeout_seconds, spec.retention_days) == (10, 7)


def test_without_durable_config_a_function_is_plain_and_lambdas_defaults_apply(tmp_path: Path) -> None:
    (tmp_path / "app.py").touch()
    path = tmp_path / "template.yaml"
    path.write_text(
        f"Resources: {{F: {{Type: {SAM}, Properties: {{Handler: app.f, CodeUri: ., Runtime: python3.12}}}}}}"
    )
    assert load_template(path).specs() == {"F": FunctionSpec("F", durable=False, timeout_seconds=3)}


def test_yaml_with_short_tags(tmp_path: Path) -> None:
    (tmp_path / "app.py").touch()
    path = tmp_path / "template.yml"
    path.write_text(
        """
        Parameters: {Stage: {Type: String, Default: dev}}
        Conditions: {Dev: !Equals [!Ref Stage, dev]}
        Resources:
          F:
            Type: AWS::Serverless::Function
            Properties:
              Handler: app.f
              CodeUri: ./
              Runtime: python3.12
              Environment:
                Variables:
                  ARN: !GetAtt F.Arn
                  TEXT: !Sub "${Stage}-${F}"
                  BOTH: !Join ["/", [!Ref Stage, !If [Dev, yes, no]]]
        """
    )
    assert load_template(path, region="eu-west-1", account="123456789012").specs()["F"].environment == {
        "ARN": "arn:aws:lambda:eu-west-1:123456789012:function:F",
        "TEXT": "dev-F",
        "BOTH": "dev/true",
    }


def test_plain_cloudformation_and_what_the_cdk_synthesizes(project: Project, tmp_path: Path) -> None:
    (tmp_path / "asset.1").mkdir()
    (tmp_path / "asset.1" / "index.js").touch()
    shared = {"Type": "AWS::Lambda::Function"}
    loaded = project(
        Resources={
            "Plain": {**shared, "Properties": {"Handler": "app.f", "Runtime": "python3.13", "Code": "code"}},
            "Cdk": {
                **shared,
                "Properties": {
                    "Handler": "index.handler",
                    "Runtime": "nodejs22.x",
                    "Code": {"S3Bucket": {"Fn::Sub": "cdk-${AWS::AccountId}"}, "S3Key": "1.zip"},
                },
                "Metadata": {"aws:asset:path": "asset.1", "aws:asset:property": "Code"},
            },
        }
    )
    plain, cdk = loaded.functions["Plain"], loaded.functions["Cdk"]
    assert (plain.spec.environment, plain.spec.timeout_seconds) == ({}, 3), "Globals are SAM's"
    assert (cdk.task_root, cdk.handler) == (tmp_path / "asset.1", "index.handler")


@pytest.mark.parametrize(
    ("properties", "files", "command"),
    [
        ({"Handler": "app.f", "Runtime": "python3.12"}, {}, None),
        ({"Handler": "part/app.f", "Runtime": "python3.12"}, {"part/app.py": ""}, None),
        ({"Handler": "part.f", "Runtime": "python3.12"}, {"part/__init__.py": ""}, None),
        ({"Handler": "index.handler", "Runtime": "nodejs22.x"}, {}, ["/bin/node", str(NODE_CLIENT), "{handler}"]),
        (
            {"Handler": "a/b.c.d", "Runtime": "nodejs24.x"},
            {"a/b.cjs": ""},
            ["/bin/node", str(NODE_CLIENT), "{handler}"],
        ),
        ({"Handler": "any", "Runtime": "provided.al2023"}, {"bootstrap": "#!"}, ["CODE/bootstrap"]),
    ],
)
def test_how_a_runtime_is_run(
    project: Project,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    properties: dict[str, Any],
    files: dict[str, str],
    command: list[str] | None,
) -> None:
    monkeypatch.setattr("shutil.which", lambda program: f"/bin/{program}")
    for name, text in files.items():
        place = tmp_path / "code" / name
        place.parent.mkdir(exist_ok=True)
        place.write_text(text)
        place.chmod(0o755)
    function = caller(project(properties))
    expected = command and [word.replace("CODE", str(tmp_path / "code")) for word in command]
    assert function.command == expected
    told = {} if command is None else {"AWS_EXECUTION_ENV": f"AWS_Lambda_{properties['Runtime']}"}
    assert function.environment == told


def test_a_command_of_its_own_serves_any_runtime(project: Project) -> None:
    metadata = {"Metadata": {"Durably": {"Command": ["java", "-jar", "client.jar", "{handler}"]}, "BuildMethod": "x"}}
    function = caller(project({"Handler": "Shop::order", "Runtime": "java21"}, resource=metadata))
    assert (function.command, function.handler) == (["java", "-jar", "client.jar", "{handler}"], "Shop::order")


def test_logging_is_what_the_runtime_reads_from_its_environment(project: Project) -> None:
    logging = {"LogFormat": "Text", "ApplicationLogLevel": {"Ref": "Stage"}}
    environment = caller(project({"LoggingConfig": logging})).spec.environment
    assert (environment["AWS_LAMBDA_LOG_FORMAT"], environment["AWS_LAMBDA_LOG_LEVEL"]) == ("Text", "dev")


def test_aliases(project: Project) -> None:
    alias = {"Type": "AWS::Lambda::Alias", "Properties": {"Name": "stable", "FunctionName": {"Ref": "Caller"}}}
    loaded = project({"AutoPublishAlias": {"Ref": "Stage"}}, Resources={"Stable": alias})
    assert caller(loaded).spec.aliases == ("dev", "stable")
    assert loaded.functions["the-target"].spec.aliases == ()


def test_a_function_whose_condition_does_not_hold_is_left_out(project: Project) -> None:
    conditions = {"Live": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Stage"}, "dev"]}]}}
    only_live = {"Condition": "Live"}
    assert list(project(resource=only_live, Conditions=conditions).functions) == ["the-target"]
    assert "Caller" in project(None, {"Stage": "prod"}, only_live, Conditions=conditions).functions


# ---- references ---------------------------------------------------------------------------------------------

TARGET_ARN = "arn:aws:lambda:us-east-1:000000000000:function:the-target"


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ({"Ref": "Target"}, "the-target"),
        ({"Ref": "Directory"}, "/tmp"),
        ({"Ref": "AWS::Region"}, "us-east-1"),
        ({"Ref": "Target.Version"}, "$LATEST"),
        ({"Ref": "Target.Alias"}, f"{TARGET_ARN}:$LATEST"),
        ({"Fn::GetAtt": ["Target", "Arn"]}, TARGET_ARN),
        ({"Fn::GetAtt": "Target.Arn"}, TARGET_ARN),
        ({"Fn::Sub": "${Target}:$LATEST"}, "the-target:$LATEST"),
        ({"Fn::Sub": "${Target.Arn}:${!Literal}${Directory}"}, f"{TARGET_ARN}:${{Literal}}/tmp"),
        ({"Fn::Sub": ["${A}-${Stage}", {"A": {"Ref": "Target"}}]}, "the-target-dev"),
        ({"Fn::Join": [":", [{"Ref": "Target"}, 1]]}, "the-target:1"),
        ({"Fn::Select": ["1", {"Fn::Split": [",", "a,b"]}]}, "b"),
        ({"Fn::FindInMap": ["Sizes", {"Ref": "Stage"}, "Lines"]}, "3"),
        ({"Fn::If": ["IsDev", "yes", {"Ref": "Table"}]}, "yes"),
    ],
)
def test_references_are_resolved(project: Project, expression: Any, value: str) -> None:
    conditions = {
        "IsDev": {"Fn::And": [{"Condition": "Plain"}, {"Fn::Or": [{"Condition": "Plain"}, {"Condition": "Plain"}]}]},
        "Plain": {"Fn::Equals": [{"Ref": "Stage"}, "dev"]},
    }
    mappings = {"Sizes": {"dev": {"Lines": 3}}}
    assert variable(project, expression, Conditions=conditions, Mappings=mappings) == value


def test_no_value_leaves_a_property_out(project: Project) -> None:
    function = caller(project({"DurableConfig": {"ExecutionTimeout": {"Ref": "AWS::NoValue"}}}))
    assert function.spec.execution_timeout_seconds == FunctionSpec("f").execution_timeout_seconds
    assert not caller(project({"DurableConfig": {"Ref": "AWS::NoValue"}})).spec.durable


@pytest.mark.parametrize(
    ("expression", "parameters", "value"),
    [
        ({"Ref": "Directory"}, {"Directory": "/elsewhere"}, "/elsewhere"),
        ({"Ref": "Unset"}, {"Unset": "now=set"}, "now=set"),
        ({"Ref": "Secret"}, {"Secret": "s"}, "s"),
        ({"Ref": "Table"}, {"Table": "orders"}, "orders"),
        ({"Fn::Sub": "${Table}/${Table.Arn}"}, {"Table": "orders", "Table.Arn": "arn:x"}, "orders/arn:x"),
        ({"Fn::GetAtt": ["Table", "StreamArn"]}, {"Table.StreamArn": "arn:y"}, "arn:y"),
    ],
)
def test_parameters_and_resources_take_the_given_value(
    project: Project, expression: Any, parameters: dict[str, str], value: str
) -> None:
    assert variable(project, expression, parameters) == value


@pytest.mark.parametrize(
    ("expression", "complaint", "remedy"),
    [
        ({"Ref": "Nobody"}, "'Nobody' is neither a resource nor a parameter", "Caller, Target, Directory"),
        ({"Ref": "Unset"}, "the parameter Unset has no default", "--parameter Unset=VALUE"),
        ({"Ref": "Secret"}, "AWS looks up the parameter Secret", "--parameter Secret=VALUE"),
        ({"Ref": "Table"}, "the name of Table (AWS::DynamoDB::Table) is not known here", "--parameter Table=VALUE"),
        ({"Fn::Sub": "x${Table.Arn}"}, "the attribute Arn of Table", "--parameter Table.Arn=VALUE"),
        ({"Fn::GetAtt": ["Target", "Nothing"]}, "the attribute Nothing of Target", "--parameter Target.Nothing=VALUE"),
        ({"Fn::GetAtt": "Target"}, "names no attribute", "Resource.Attribute"),
        ({"Fn::ImportValue": "x"}, "Fn::ImportValue of 'x' cannot be resolved", "parameter"),
        ({"Fn::Transform": {"Name": "x"}}, "Fn::Transform", "parameter"),
        ({"Fn::FindInMap": ["Sizes", "dev", "Lines"]}, "Fn::FindInMap of ['Sizes', 'dev', 'Lines'] finds", "Correct"),
        ({"Fn::Select": [9, ["a"]]}, "Fn::Select of [9, ['a']] finds nothing", "Correct"),
        ({"Fn::Sub": 3}, "Fn::Sub of 3 is not a text", "text"),
        ({"Fn::If": ["Absent", "a", "b"]}, "no Condition 'Absent'", "none"),
        ("{{resolve:ssm:/x}}", "is looked up by AWS", "no account"),
        (["a"], "['a'] is not a text", "text"),
    ],
)
def test_what_cannot_be_known_is_refused(project: Project, expression: Any, complaint: str, remedy: str) -> None:
    with pytest.raises(LoadError) as refusal:
        variable(project, expression)
    assert refusal.value.message.startswith(str(Path(refusal.value.message.split(": ")[0])))
    assert "template.json: Caller: Environment" in refusal.value.message
    assert complaint in refusal.value.message
    assert remedy in refusal.value.remedy


def test_references_that_nothing_needs_are_not_looked_at(project: Project) -> None:
    assert caller(project({"Role": {"Fn::ImportValue": "x"}, "Events": {"E": {"Ref": "Nobody"}}}))


# ---- what can be wrong ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("properties", "complaint"),
    [
        ({"Handler": "nothing.f"}, "there is no "),
        ({"Handler": "app"}, "the Handler 'app' is not one"),
        ({"Handler": ""}, "Handler: '' is not one"),
        ({"Handler": "page.handler", "Runtime": "nodejs22.x"}, "page.ts must be built first"),
        ({"Handler": "none.handler", "Runtime": "nodejs22.x"}, "none.js, .mjs or .cjs"),
        ({"Handler": "index", "Runtime": "nodejs22.x"}, "the Handler 'index' is not one"),
        ({"Runtime": None}, "Runtime: '' is not one"),
        ({"Runtime": "java21"}, "the Runtime 'java21' is none that is started by itself"),
        ({"Runtime": "provided.al2023"}, "which is no program"),
        ({"CodeUri": "absent"}, "there is no directory"),
        ({"CodeUri": "s3://bucket/key"}, "'s3://bucket/key' is not a directory of this machine"),
        ({"CodeUri": {"Bucket": "b", "Key": "k"}}, "is not a directory of this machine"),
        ({"CodeUri": None, "InlineCode": "def f(): ..."}, "InlineCode) is not served"),
        ({"PackageType": "Image"}, "container images are not served"),
        ({"Timeout": 901}, "Timeout: 901 is out of range"),
        ({"Timeout": True}, "Timeout: True is out of range"),
        ({"Timeout": "soon"}, "Timeout: 'soon' is out of range"),
        ({"MemorySize": 0}, "MemorySize: 0 is out of range"),
        ({"DurableConfig": {"ExecutionTimeout": 0}}, "ExecutionTimeout: 0 is out of range"),
        ({"DurableConfig": {"RetentionPeriodInDays": 91}}, "RetentionPeriodInDays: 91 is out of range"),
        ({"DurableConfig": True}, "DurableConfig: True is not a map"),
        ({"Environment": {"Variables": "A=1"}}, "has no map of Variables"),
        ({"FunctionName": "white space"}, "FunctionName: 'white space' is not 1 to 64"),
        ({"FunctionName": "the-target"}, "two functions are called 'the-target'"),
    ],
)
def test_a_function_that_cannot_be_served_is_named(project: Project, properties: Any, complaint: str) -> None:
    with pytest.raises(LoadError) as refusal:
        project(properties)
    assert complaint in refusal.value.message
    assert "template.json: " in refusal.value.message
    assert refusal.value.remedy


@pytest.mark.parametrize("own", [{}, {"Command": "node x"}, {"Command": []}, {"Command": ["x"], "Comand": 1}, "x"])
def test_a_command_that_is_none_is_refused(project: Project, own: Any) -> None:
    with pytest.raises(LoadError, match="Metadata: Durably"):
        project(resource={"Metadata": {"Durably": own}})


def test_node_must_be_there(project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LoadError, match="needs the program node"):
        project({"Handler": "index.handler", "Runtime": "nodejs22.x"})


def test_an_unknown_parameter_is_refused(project: Project) -> None:
    with pytest.raises(LoadError, match="neither a parameter nor a resource 'Dir'") as refusal:
        project(None, {"Dir": "/tmp"})
    assert refusal.value.remedy == "Its parameters: Directory, Unset, Secret, Stage."


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: [", "is not YAML"),
        ("!!python/object:os.system {}", "is not YAML"),
        ("just text", "has no Resources"),
        ("Resources: [1]", "has no Resources"),
        ("Resources: {A: 1}", "has no Resources"),
        ("Resources: {T: {Type: AWS::SQS::Queue}}", "it has no function"),
        ("Resources: {'Fn::ForEach::F': {}}", "Fn::ForEach::F cannot be resolved here"),
    ],
)
def test_a_file_that_is_no_template(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(text)
    with pytest.raises(LoadError) as refusal:
        load_template(path)
    assert complaint in refusal.value.message
    assert str(path) in refusal.value.message


def test_a_template_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"absent\.yaml cannot be read: No such file"):
        load_template(tmp_path / "absent.yaml")


# ---- what is watched --------------------------------------------------------------------------------------


def test_what_is_watched(project: Project, tmp_path: Path) -> None:
    for name in ("code/part/deep", "code/node_modules/x", "code/.venv/x", "code/__pycache__"):
        (tmp_path / name).mkdir(parents=True)
    loaded = project()
    below = {str(place.relative_to(tmp_path)) for place in loaded.directories()}
    assert below == {".", "code", "code/part", "code/part/deep"}
    seen = ["template.json", "code/app.py", "code/index.mjs", "code/part", "code/bootstrap"]
    assert all(loaded.is_code(str(tmp_path / name)) for name in seen)
    assert not any(loaded.is_code(str(tmp_path / name)) for name in ["data.db", "code/ledger.txt", ".durably.log"])
