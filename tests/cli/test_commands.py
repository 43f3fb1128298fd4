"""Every command against a real service, as a person and as a program would use it."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from durably.client import LambdaApi

from .conftest import Run, parsed


def started(run: Run, function: str, name: str, given: str = "null") -> str:
    arn: str = parsed(run("invoke", function, given, "--name", name, "--detach", "--json"))["DurableExecutionArn"]
    return arn


def callback_of(run: Run, name: str) -> str:
    """The id of the callback the execution waits for."""
    while True:
        shown = parsed(run("show", name, "--json"))
        for operation in shown["Operations"]:
            if operation["Type"] == "Callback":
                return str(operation["CallbackId"])


# ---- invoke ---------------------------------------------------------------------------------------------


def test_invoke_shows_each_event_and_the_result(run: Run) -> None:
    result = run("invoke", "greet", '"you"', "--name", "shown")
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == "greet  shown"
    assert [re.sub(r"^ *\+\d+\.\d\d s  ", "", line) for line in lines[1:4]] == [
        '▶ execution  started  "you"',
        "● compose  step started",
        '✓ compose  step succeeded  "hello you"',
    ]
    assert lines[-2:] == ["", '"hello you"']


def test_invoke_takes_a_file_or_standard_input(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "in.json"
    path.write_text('"file"')
    assert run("invoke", "greet", f"@{path}").stdout.endswith('\n"hello file"\n')
    assert run("invoke", "greet", "-", stdin='"pipe"').stdout.endswith('\n"hello pipe"\n')
    assert run("invoke", "greet", "null").stdout.endswith('\n"hello None"\n')


def test_without_input_it_is_an_empty_object_as_without_a_payload_on_lambda(run: Run) -> None:
    assert run("invoke", "greet").stdout.endswith('\n"hello {}"\n')
    assert run("invoke", "plain").stdout == '{\n  "got": {}\n}\n'


def test_invoke_indents_what_happens_inside(run: Run) -> None:
    output = run("invoke", "outer", '"x"').stdout
    assert re.search(r"s  ▸ around  child context started\n", output)
    assert re.search(r's    → inner  invoking greet:\$LATEST  "x"\n', output)
    assert re.search(r's    ✓ inner  invoke succeeded.*"hello x"\n', output)


def test_a_failed_execution_is_exit_code_1_and_its_error_is_harmless(run: Run) -> None:
    result = run("invoke", "fail")
    assert result.exit_code == 1
    assert "✗ boil  step failed: ValueError: the kettle is" in result.stdout
    assert re.search(r"\nFAILED  .*the kettle is", result.stdout)
    assert "\x1b[31m" not in result.stdout


def test_invoke_json_is_the_execution_at_its_end(run: Run) -> None:
    ended = parsed(run("invoke", "greet", '"you"', "--name", "in-json", "--json"))
    assert (ended["Status"], ended["Result"], ended["DurableExecutionName"]) == ("SUCCEEDED", '"hello you"', "in-json")
    assert isinstance(ended["StartTimestamp"], int)
    failed = run("invoke", "fail", "--json")
    assert failed.exit_code == 1
    assert json.loads(failed.stdout)["Status"] == "FAILED"


def test_the_same_name_starts_only_once(run: Run) -> None:
    first, second = (run("invoke", "greet", "1", "--name", "once", "--json") for _ in range(2))
    assert parsed(first)["DurableExecutionArn"] == parsed(second)["DurableExecutionArn"]
    other = run("invoke", "greet", "2", "--name", "once")
    assert other.exit_code == 2
    assert "another payload" in other.stderr


def test_a_name_stands_for_the_same_input_however_it_is_given(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "in.json"
    path.write_text('{"id": 7}\n')
    inline = run("invoke", "greet", '{"id": 7}', "--name", "any-way", "--json")
    for again in (
        run("invoke", "greet", f"@{path}", "--name", "any-way", "--json"),
        run("invoke", "greet", "-", "--name", "any-way", "--json", stdin='{"id": 7}\n'),
    ):
        assert parsed(again)["DurableExecutionArn"] == parsed(inline)["DurableExecutionArn"]


def test_a_misspelt_function_is_met_with_the_one_that_was_meant(run: Run) -> None:
    for command in (("invoke", "gret"), ("invoke", "gret:$LATEST"), ("invoke", "gret", "--detach")):
        result = run(*command)
        assert result.exit_code == 2
        assert f"there is no function '{command[1]}'" in result.stderr
        assert "Did you mean 'greet'? Functions served: ask, burst, fail, greet, outer, plain." in result.stderr


def test_invalid_json_is_refused_before_anything_is_sent(run: Run) -> None:
    result = run("invoke", "greet", "{'id': 7}")
    assert result.exit_code == 2
    assert "INPUT is not valid JSON" in result.stderr
    assert "    {'id': 7}\n     ^\n" in result.stderr


def test_detach_says_how_to_follow(run: Run) -> None:
    result = run("invoke", "greet", "--name", "detached", "--detach")
    assert result.stdout == "greet  detached  started\nFollow it:  durably follow detached\n"


def test_a_timeout_leaves_it_running_and_says_how_to_follow(run: Run) -> None:
    result = run("invoke", "ask", "--name", "slow", "--timeout", "0.2")
    assert result.exit_code == 4
    assert "Still running after 0.2 s. Follow it again:  durably follow slow" in result.stderr
    assert parsed(run("show", "slow", "--json"))["Execution"]["Status"] == "RUNNING"
    run("stop", "slow")


def test_a_plain_function_is_called_and_its_answer_shown(run: Run) -> None:
    assert run("invoke", "plain", '{"a": 1}').stdout == '{\n  "got": {\n    "a": 1\n  }\n}\n'
    assert parsed(run("invoke", "plain", "1", "--json"))["Payload"] == '{"got": 1}'
    broken = run("invoke", "plain", '"break"')
    assert broken.exit_code == 1
    assert "RuntimeError" in broken.stdout
    assert run("invoke", "plain", "--detach").exit_code == 2


# ---- look -----------------------------------------------------------------------------------------------


def test_list_is_newest_first_over_all_functions(run: Run) -> None:
    started(run, "greet", "list-1")
    started(run, "outer", "list-2")
    names = [execution["DurableExecutionName"] for execution in parsed(run("list", "--json", "-n", "1000"))]
    assert names.index("list-2") < names.index("list-1")
    lines = run("list", "-n", "1000").stdout.splitlines()
    assert lines[0].split() == ["STATUS", "FUNCTION", "EXECUTION", "STARTED", "TOOK"]
    assert any(line.split()[1:3] == ["outer", "list-2"] for line in lines)


def test_list_filters(run: Run) -> None:
    run("invoke", "fail", "--name", "failed-one")
    failed = parsed(run("list", "--json", "--status", "failed", "--function", "fail"))
    assert "failed-one" in {execution["DurableExecutionName"] for execution in failed}
    assert {execution["Status"] for execution in failed} == {"FAILED"}
    assert len(parsed(run("list", "--json", "-n", "1"))) == 1
    assert run("list", "-f", "plain").stdout == "No executions match.\n"


def test_show_has_head_and_tree(run: Run) -> None:
    run("invoke", "outer", '"x"', "--name", "tree")
    output = run("show", "tree").stdout
    assert output.startswith("tree  SUCCEEDED\n  function  outer:$LATEST\n")
    rows = [line.split() for line in output.splitlines() if "SUCCEEDED" in line][1:]
    assert rows[0][:4] == ["around", "child", "context", "SUCCEEDED"]
    assert rows[1][:3] == ["inner", "invoke", "SUCCEEDED"]
    assert '  result    "hello x"\n' in output
    assert re.search(r"\n  inner ", output)


def test_show_json_has_parents_and_times(run: Run) -> None:
    run("invoke", "outer", '"x"', "--name", "tree-json")
    shown = parsed(run("show", "tree-json", "--json"))
    around, inner = shown["Operations"]
    assert (around["Kind"], inner["Kind"], inner["ParentId"]) == ("child context", "invoke", around["Id"])
    assert inner["Result"] == '"hello x"'
    assert inner["StartTimestamp"] <= inner["EndTimestamp"]


def test_history_numbers_the_events(run: Run) -> None:
    run("invoke", "greet", "1", "--name", "told")
    lines = run("history", "told").stdout.splitlines()
    assert [int(line.split()[0]) for line in lines] == list(range(1, len(lines) + 1))
    assert "▶ execution  started  1" in lines[0]
    events = parsed(run("history", "told", "--json"))
    assert events["Events"][0]["EventType"] == "ExecutionStarted"
    assert isinstance(events["Events"][0]["EventTimestamp"], int)


def test_an_execution_is_found_by_arn_name_or_part_of_either(run: Run) -> None:
    arn = started(run, "greet", "findable-one")
    identifier = arn.rsplit("/", 1)[1]
    for given in (arn, "findable-one", "findable", identifier, identifier[:13], identifier[-12:]):
        assert parsed(run("show", given, "--json"))["Execution"]["DurableExecutionArn"] == arn


@pytest.mark.parametrize("command", ["stop", "pause", "resume", "delete"])
def test_what_changes_an_execution_wants_its_whole_name_or_enough_of_its_id(run: Run, command: str) -> None:
    arn = started(run, "ask", f"cut-{command}-1")
    identifier = arn.rsplit("/", 1)[1]
    for given in (f"cut-{command}", identifier[:3], identifier[-3:]):
        refused = run(command, given)
        assert refused.exit_code == 2
        assert f"there is no execution '{given}', and a part does not do here" in refused.stderr
        assert f"cut-{command}-1  (id {identifier})" in refused.stderr
    assert "there is no execution 'never-was'.\n" in run(command, "never-was").stderr
    if command == "resume":
        run("pause", identifier)
    if command == "delete":
        run("stop", identifier)
    given = {"stop": identifier[:13], "pause": identifier[-12:], "resume": f"cut-{command}-1", "delete": arn}[command]
    assert run(command, given).exit_code == 0
    if command != "delete":
        run("stop", arn)


def test_an_ambiguous_name_lists_what_it_could_be(run: Run) -> None:
    started(run, "greet", "twin-a")
    started(run, "greet", "twin-b")
    result = run("show", "twin")
    assert result.exit_code == 2
    assert "'twin' stands for 2 executions" in result.stderr
    assert "twin-a" in result.stderr
    assert "twin-b" in result.stderr


def test_the_same_name_under_two_functions_is_told_apart_by_function(run: Run) -> None:
    started(run, "greet", "both")
    arn = started(run, "outer", "both")
    assert run("show", "both").exit_code == 2
    assert parsed(run("show", "both", "-f", "outer", "--json"))["Execution"]["DurableExecutionArn"] == arn


def test_an_unknown_execution_is_met_with_the_newest(run: Run) -> None:
    started(run, "greet", "newest-known")
    result = run("history", "no-such")
    assert result.exit_code == 2
    assert "there is no execution 'no-such'" in result.stderr
    assert "newest-known" in result.stderr


# ---- follow, callback, stop -------------------------------------------------------------------------------


def test_follow_tells_a_finished_execution_from_its_beginning(run: Run) -> None:
    run("invoke", "greet", "1", "--name", "past")
    result = run("follow", "past")
    assert result.exit_code == 0
    assert "▶ execution  started" in result.stdout
    assert result.stdout.endswith('\n"hello 1"\n')
    events = [json.loads(line) for line in run("follow", "past", "--json").stdout.splitlines()]
    assert [event["EventId"] for event in events][:3] == [1, 2, 3]


def test_a_waiting_callback_shows_its_id_and_how_to_answer(run: Run) -> None:
    started(run, "ask", "asked")
    callback_id = callback_of(run, "asked")
    assert f"id {callback_id}" in run("show", "asked").stdout
    assert f"durably callback succeed {callback_id} RESULT" in run("history", "asked").stdout
    assert run("callback", "heartbeat", callback_id).stdout == "Heartbeat sent.\n"
    assert run("callback", "succeed", callback_id, "yes").stdout == "Succeeded.\n"
    assert run("follow", "asked").stdout.endswith('\n"they said yes"\n')
    again = run("callback", "succeed", callback_id, "yes")
    assert again.exit_code == 2
    assert again.stderr.startswith("error: ")


def test_a_callback_result_may_come_from_a_file(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "answer"
    path.write_text("from a file")
    started(run, "ask", "asked-by-file")
    answered = run("callback", "succeed", callback_of(run, "asked-by-file"), f"@{path}", "--json")
    assert parsed(answered)["Sent"] == "Success"
    assert "they said from a file" in run("follow", "asked-by-file").stdout


def test_a_failed_callback_carries_type_and_message(run: Run) -> None:
    started(run, "ask", "refused")
    callback_id = callback_of(run, "refused")
    sent = run("callback", "fail", callback_id, "--error-type", "Refused", "--message", "not today", "--data", "d")
    assert sent.stdout == "Failed.\n"
    result = run("follow", "refused")
    assert result.exit_code == 1
    assert "✗ question  callback failed: Refused: not today" in result.stdout


@pytest.mark.parametrize("callback_id", ["bm8tc3VjaA==", "?"])
def test_an_unknown_callback_is_refused(run: Run, callback_id: str) -> None:
    result = run("callback", "succeed", callback_id, "x")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")


def test_a_stopped_execution_is_told_with_its_reason(run: Run) -> None:
    started(run, "ask", "to-stop")
    callback_of(run, "to-stop")
    assert run("stop", "to-stop", "--error-type", "Operator", "--message", "enough").stdout == "Stopped to-stop.\n"
    result = run("follow", "to-stop")
    assert result.exit_code == 1
    assert re.search(r"■ execution  stopped after .*: Operator: enough\n", result.stdout)
    assert "\nSTOPPED  Operator: enough\n" in result.stdout


def test_pause_resume_and_delete(run: Run) -> None:
    started(run, "ask", "halted")
    callback_id = callback_of(run, "halted")
    assert re.search(r"\n  started   .* ago\n", run("show", "halted").stdout)
    assert run("pause", "halted", "--reason", "lunch").stdout == "Paused halted.\n"
    paused = run("show", "halted").stdout
    assert paused.startswith("halted  PAUSED\n")
    assert re.search(r"\n  started   .* ago\n", paused), "it has not ended"
    run("callback", "succeed", callback_id, "yes")
    assert run("follow", "halted", "--timeout", "0.2").exit_code == 4
    assert run("resume", "halted").stdout == "Resumed halted.\n"
    output = run("follow", "halted").stdout
    assert "‖ execution  paused" in output
    assert "▶ execution  resumed" in output
    assert re.search(r"\n  started   .*, took ", run("show", "halted").stdout)
    assert run("delete", "halted").stdout == "Deleted halted.\n"
    assert run("show", "halted").exit_code == 2


def test_a_service_that_is_not_durably_still_answers_by_arn(run: Run, url: str) -> None:
    """Only the API proper is needed when the ARN is given, as on AWS."""
    arn = started(run, "greet", "by-arn")
    api = LambdaApi(endpoint_url=url)
    before: dict[str, Any] = api.call("GetDurableExecution", DurableExecutionArn=arn)
    assert parsed(run("show", arn, "--json"))["Execution"]["StartTimestamp"] == before["StartTimestamp"]
    api.close()


# ---- colours -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terminal", "no_color", "coloured"),
    [(True, None, True), (True, "", True), (True, "1", False), (False, None, False), (False, "", False)],
)
def test_colours_are_for_terminals_and_for_who_wants_them(
    run: Run, url: str, terminal: bool, no_color: str | None, coloured: bool
) -> None:
    run("invoke", "greet", "1", "--name", "coloured")
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    environment |= {"AWS_ENDPOINT_URL_LAMBDA": url, "PYTHONUTF8": "1"}
    if no_color is not None:
        environment["NO_COLOR"] = no_color
    for arguments in (("follow", "coloured"), ("list",), ("show", "no-such")):
        command = [sys.executable, "-m", "durably.cli.main", *arguments]
        shown = _in_terminal(command, environment) if terminal else _in_pipe(command, environment)
        assert {"follow": '"hello 1"', "list": "STATUS", "show": "error:"}[arguments[0]] in shown
        assert ("\x1b[" in shown) is coloured, shown


def _in_terminal(command: list[str], environment: dict[str, str]) -> str:
    master, slave = pty.openpty()
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment) as process:
        os.close(slave)
        shown = b""
        with suppress(OSError):  # how Linux says that the other side is closed
            while data := os.read(master, 65536):
                shown += data
        process.wait(60)
    os.close(master)
    return shown.decode()


def _in_pipe(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr
