"""``durably dev template.yaml``: functions in several languages, each with its own configuration."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from interop.javascript import node_directory

from .processes import Dev, durably, json_of, replace

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Greeting: {Type: String, Default: hello}
Globals:
  Function:
    Timeout: 30
    Environment: {Variables: {GREETING: !Ref Greeting}}
Resources:
  Orders: {Type: AWS::DynamoDB::Table}
  Greet:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: python/
      Handler: greet.handler
      Runtime: python3.13
      DurableConfig: {ExecutionTimeout: 60}
      Environment: {Variables: {SHOUT: !GetAtt Shout.Arn, TABLE: !Ref Orders}}
  Shout:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: javascript/, Handler: shout.handler, Runtime: nodejs22.x, AutoPublishAlias: live}
"""

GREET = """
import os
from durably import DurableContext, durable_execution

@durable_execution
def handler(event: str, ctx: DurableContext) -> str:
    text = ctx.step(lambda step: f"{os.environ['GREETING']} {event} of {os.environ['TABLE']}", name="compose")
    return ctx.invoke(os.environ["SHOUT"] + ":live", text, name="shout")
"""

SHOUT = "export const handler = async (event) => { console.log('shouting'); return event.toUpperCase() + '!'; };"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in {"template.yaml": TEMPLATE, "python/greet.py": GREET, "javascript/shout.mjs": SHOUT}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def launch(project: Path) -> Iterator[Callable[..., Dev]]:
    begun: list[Dev] = []

    def start(*options: str) -> Dev:
        path = f"{node_directory()}{os.pathsep}{os.environ['PATH']}"
        begun.append(Dev("template.yaml", *options, cwd=project, environment={"PATH": path}))
        return begun[-1]

    yield start
    for dev in begun:
        dev.kill()


def greeting(dev: Dev, project: Path) -> str:
    invoked = json_of(durably("invoke", "Greet", '"you"', "--json", cwd=project, url=dev.url))
    return str(json.loads(invoked["Result"]))


def test_functions_of_two_languages_call_each_other(launch: Callable[..., Dev], project: Path) -> None:
    dev = launch("--parameter", "Orders=orders-here").ready()
    assert "functions  Greet\n             Shout  (not durable)\n" in dev.output
    assert "store      .durably/durably.db" in dev.output
    assert greeting(dev, project) == "HELLO YOU OF ORDERS-HERE!"
    dev.until("Shout.*shouting")
    assert dev.stop() == 0


def test_the_example(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "examples" / "template" / "template.yaml"
    assert (example.parent / "orders" / "checkout.py").exists()
    path = f"{node_directory()}{os.pathsep}{os.environ['PATH']}"
    options = ("--parameter", "Currency=CHF", "--store", ":memory:", "--no-reload")
    dev = Dev(str(example), *options, cwd=tmp_path, environment={"PATH": path})
    try:
        dev.ready()
        done = json_of(durably("invoke", "Order", '{"book": 3, "pen": 2}', "--json", cwd=tmp_path, url=dev.url))
        assert done["Result"] == '"42 CHF"'
    finally:
        dev.kill()


def test_code_and_template_are_watched(launch: Callable[..., Dev], project: Path) -> None:
    dev = launch("--parameter", "Orders=t", "--store", ":memory:").ready()
    assert greeting(dev, project) == "HELLO YOU OF T!"
    replace(project / "javascript" / "shout.mjs", SHOUT.replace("'!'", "'?'"))
    dev.until(r"reload  shout\.mjs changed; serving Greet, Shout")
    assert greeting(dev, project) == "HELLO YOU OF T?"
    replace(project / "template.yaml", TEMPLATE.replace("Default: hello", "Default: bye"))
    dev.until(r"reload  template\.yaml changed; serving Greet, Shout")
    assert greeting(dev, project) == "BYE YOU OF T?"
    replace(project / "template.yaml", TEMPLATE.replace("Handler: greet", "Handler: gret"))
    dev.until(r"reload  failed, still serving the code from before: template\.yaml: Greet: there is no .*/gret\.py")
    assert greeting(dev, project) == "BYE YOU OF T?"
    replace(project / "template.yaml", TEMPLATE)
    dev.until(r"reload  template\.yaml changed; serving Greet, Shout")
    assert dev.stop() == 0


@pytest.mark.parametrize(
    ("options", "complaint", "remedy"),
    [
        (["template.yaml"], "the name of Orders (AWS::DynamoDB::Table) is not known here", "--parameter Orders=VALUE"),
        (["template.yaml", "--parameter", "Ordres=x"], "neither a parameter nor a resource 'Ordres'", "Greeting"),
        (["template.yaml", "--parameter", "Orders"], "--parameter 'Orders' assigns nothing", "NAME=VALUE"),
        (["absent.yaml"], "absent.yaml cannot be read", "Check it"),
        (["python/greet.py", "--parameter", "A=b"], "--parameter is for templates", ""),
    ],
)
def test_what_is_wrong_is_said(project: Path, options: list[str], complaint: str, remedy: str) -> None:
    done = durably("dev", *options, "--port", "0", cwd=project)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert remedy in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_yaml_parser_it_says_what_to_install(project: Path) -> None:
    program = "import sys\nsys.modules['yaml'] = None\nfrom durably.cli.main import main\nmain()"
    command = [sys.executable, "-c", program, "dev", "template.yaml", "--port", "0", "--store", ":memory:"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=project)
    assert done.returncode == 1
    assert done.stderr == "error: templates need PyYAML: pip install 'durably[service]'.\n"
