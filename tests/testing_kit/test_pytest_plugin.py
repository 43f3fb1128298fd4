"""The pytest plugin, in pytest runs of its own."""

from __future__ import annotations

import textwrap

import pytest

pytest_plugins = ["pytester"]

WORKFLOW = """
    import asyncio
    from datetime import timedelta
    from durably import AsyncDurableContext, DurableContext, durable_execution
    from durably.testing import LocalRunner

    effects = []

    @durable_execution
    def order(event: str, ctx: DurableContext) -> list:
        def charge(step):
            if event not in effects:
                effects.append(event)
            return event
        receipt = ctx.step(charge, name="charge")
        ctx.wait(timedelta(days=1), name="cooling off")
        return [receipt, ctx.step(lambda s: 2, name="ship")]

    @durable_execution
    async def async_order(event: str, ctx: AsyncDurableContext) -> str:
        await ctx.wait(timedelta(days=1))
        return await ctx.step(lambda s: event, name="only")
"""


@pytest.fixture
def run(pytester: pytest.Pytester):  # type: ignore[no-untyped-def]
    def runner(tests: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(
            workflow=textwrap.dedent(WORKFLOW), test_it="from workflow import *\n" + textwrap.dedent(tests)
        )
        return pytester.runpytest_subprocess("-p", "no:randomly", "-p", "no:cacheprovider", *options)

    return runner


SAFE = """
    import pytest

    @pytest.fixture(autouse=True)
    def clean():
        effects.clear()

    def test_order():
        result = LocalRunner(order).run("A7")
        assert result.value == ["A7", 2]
        assert effects == ["A7"]

    def test_async_order():
        assert LocalRunner(async_order).run("A7").value == "A7"
"""


@pytest.mark.parametrize("options", [(), ("--durably-replay=always",), ("--durably-crash=every",)])
def test_safe_tests_pass_in_every_mode(run, options: tuple[str, ...]) -> None:  # type: ignore[no-untyped-def]
    run(SAFE, *options).assert_outcomes(passed=2)


UNSAFE = """
    def test_counts():
        charges = []

        @durable_execution
        def twice(event: None, ctx: DurableContext) -> None:
            ctx.step(lambda s: charges.append(1), name="charge")

        LocalRunner(twice).run()
        assert charges == [1]
"""


def test_a_crash_that_a_test_does_not_survive(run) -> None:  # type: ignore[no-untyped-def]
    run(UNSAFE).assert_outcomes(passed=1)
    run(UNSAFE, "--durably-replay=always").assert_outcomes(passed=1)
    result = run(UNSAFE, "--durably-crash=every")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*with a crash before call *STEP SUCCEED charge*; without a crash the test passes*",
            "*twice SUCCEEDED after*",
            "*charge*Step*ok*",
        ]
    )


def test_a_replay_that_a_test_does_not_survive(run) -> None:  # type: ignore[no-untyped-def]
    tests = """
        def test_state():
            @durable_execution
            def forgets(event: None, ctx: DurableContext) -> list:
                seen = []
                ctx.step(lambda s: seen.append(1), name="charge")
                ctx.step(lambda s: 2, name="ship")
                return seen

            assert LocalRunner(forgets).run().value == [1]
    """
    run(tests).assert_outcomes(passed=1)
    result = run(tests, "--durably-replay=always")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*durable executions*", "*forgets SUCCEEDED*"])


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--durably-replay=always", "--durably-crash=every"])
def test_marked_tests_are_left_alone(run, option: str) -> None:  # type: ignore[no-untyped-def]
    tests = """
        import pytest

        @pytest.mark.durably_no_faults
        def test_invocations():
            effects.clear()
            assert len(LocalRunner(order).run("A7").invocations) == 2
            assert effects == ["A7"]
    """
    run(tests, option, "--strict-markers").assert_outcomes(passed=1)


@pytest.mark.slow
def test_what_fails_anyway_fails_once(run) -> None:  # type: ignore[no-untyped-def]
    tests = """
        def test_wrong():
            assert LocalRunner(order).run("A7").value == "else"
    """
    for options in ((), ("--durably-crash=every",)):
        result = run(tests, *options)
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(
            ["*durable executions*", "*order SUCCEEDED after 1 d*", "*charge*", "*cooling off*"]
        )
        result.stdout.no_fnmatch_line("*durably: with a crash*")


@pytest.mark.slow
def test_fixtures_of_every_scope_are_made_and_torn_down(run, pytester: pytest.Pytester) -> None:  # type: ignore[no-untyped-def]
    tests = """
        import pytest

        def note(text):
            with open("notes", "a") as file:
                file.write(text + "\\n")

        @pytest.fixture(scope="module")
        def module():
            note("module")
            yield
            note("module down")

        @pytest.fixture
        def function(module):
            note("function")
            effects.clear()
            yield
            note("function down")

        def test_order(function):
            assert LocalRunner(order).run("A7").succeeded

        def test_unsafe(function):
            LocalRunner(order).run("A7")
            LocalRunner(order).run("B8")
            assert effects == ["A7", "B8"]
    """
    run(tests, "--durably-crash=every").assert_outcomes(passed=2)
    notes = (pytester.path / "notes").read_text().splitlines()
    assert notes[0] == "module"
    assert notes[-1] == "module down"
    assert notes.count("module") == notes.count("module down") == 1
    assert notes.count("function") == notes.count("function down") > 10


@pytest.mark.slow
def test_a_failing_crash_run_tears_everything_down(run, pytester: pytest.Pytester) -> None:  # type: ignore[no-untyped-def]
    tests = (
        UNSAFE
        + """
    import pytest

    @pytest.fixture(scope="module", autouse=True)
    def module():
        yield
        open("down", "w").close()

    def test_next():
        assert LocalRunner(order).run("A7").succeeded
    """
    )
    run(tests, "--durably-crash=every").assert_outcomes(failed=1, passed=1)
    assert (pytester.path / "down").exists()


@pytest.mark.slow
def test_async_tests(run) -> None:  # type: ignore[no-untyped-def]
    tests = """
        import pytest

        @pytest.mark.anyio
        async def test_async():
            assert (await LocalRunner(async_order).arun("A7")).value == "A7"

        @pytest.mark.asyncio
        async def test_pytest_asyncio():
            assert (await LocalRunner(async_order).arun("A7")).value == "A7"

        @pytest.fixture
        def anyio_backend():
            return "asyncio"
    """
    for options in ((), ("--durably-replay=always",), ("--durably-crash=every",)):
        run(tests, *options).assert_outcomes(passed=2)


@pytest.mark.slow
def test_the_runner_fixture_closes_what_it_makes(run) -> None:  # type: ignore[no-untyped-def]
    tests = """
        made = []

        def test_fixture(local_runner):
            runner = local_runner(order)
            made.append(runner)
            assert runner.run("A7").succeeded
            assert runner.start("B8").status == "RUNNING"

        def test_closed():
            assert made[0].world._closed
    """
    run(tests).assert_outcomes(passed=2)


@pytest.mark.slow
def test_a_session_without_durable_functions_loads_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_plain():
            heavy = ("durably.engine", "durably.service", "durably.context", "durably.execution")
            assert not [name for name in sys.modules if name.startswith(heavy)]
        """
    )
    pytester.runpytest_subprocess("-p", "no:randomly").assert_outcomes(passed=1)


@pytest.mark.slow
def test_unittest(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(workflow=textwrap.dedent(WORKFLOW))
    program = pytester.makepyfile(
        test_unit="""
        import unittest
        from workflow import *

        class OrderTest(unittest.TestCase):
            def test_order(self):
                self.assertEqual(LocalRunner(order).run("A7").value, ["A7", 2])

        class AsyncOrderTest(unittest.IsolatedAsyncioTestCase):
            async def test_order(self):
                self.assertEqual((await LocalRunner(async_order).arun("A7")).value, "A7")

        if __name__ == "__main__":
            unittest.main()
        """
    )
    result = pytester.runpython(program)
    result.stderr.fnmatch_lines(["Ran 2 tests*", "OK"])
