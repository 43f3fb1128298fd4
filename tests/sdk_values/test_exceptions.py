from __future__ import annotations

import copy
import inspect
import json
import pickle

import pytest

import durably.exceptions as exceptions
from durably.exceptions import (
    CallbackExternalError,
    CheckpointError,
    ChildContextError,
    DurableExecutionsError,
    DurableOperationError,
    ExecutionError,
    InvocationError,
    NonDeterministicExecutionError,
    SerDesError,
    StepError,
    StepInterruptedError,
    StepTimeoutError,
    TerminationReason,
    UnrecoverableError,
    ValidationError,
    error_object,
    operation_error,
)
from durably.wire.api_errors import ApiError

CLASSES = [
    entry
    for entry in (getattr(exceptions, name) for name in exceptions.__all__)
    if inspect.isclass(entry) and issubclass(entry, BaseException)
]


def make(cls: type[DurableExecutionsError]) -> DurableExecutionsError:
    if cls is UnrecoverableError:
        return UnrecoverableError("it broke", TerminationReason.UNHANDLED_ERROR)
    return cls("it broke")


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
class TestEveryClass:
    def test_looks_public(self, cls: type[DurableExecutionsError]) -> None:
        import durably

        assert cls.__module__ == "durably"
        assert getattr(durably, cls.__name__) is cls

    def test_has_a_stable_code_of_its_own(self, cls: type[DurableExecutionsError]) -> None:
        assert cls.code == cls.code.upper()
        assert cls.code.replace("_", "").isalpha()
        assert [other for other in CLASSES if other.code == cls.code] == [cls]

    @pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
    def test_survives_pickling_and_copying(self, cls: type[DurableExecutionsError], duplicate: object) -> None:
        error = make(cls)
        error.extra = [1]  # type: ignore[attr-defined]
        twin = duplicate(error)  # type: ignore[operator]
        assert type(twin) is cls
        assert str(twin) == "it broke"
        assert vars(twin) == vars(error)

    def test_is_drawn_in_the_tree(self, cls: type[DurableExecutionsError]) -> None:
        assert f" {cls.__name__}" in (exceptions.__doc__ or "")


def test_the_tree_above_all_else() -> None:
    assert issubclass(ValidationError, ValueError)
    assert issubclass(StepTimeoutError, TimeoutError)
    assert issubclass(NonDeterministicExecutionError, ExecutionError)
    assert issubclass(StepInterruptedError, InvocationError)
    assert issubclass(CallbackExternalError, exceptions.CallbackError)
    assert not issubclass(SerDesError, DurableOperationError)


def test_a_checkpoint_error_is_retriable_as_the_service_answered() -> None:
    assert CheckpointError("no answer").retriable
    assert CheckpointError("no answer").is_retryable()
    assert CheckpointError("slow down", ApiError("TooManyRequestsException", "")).retriable
    assert not CheckpointError("bad", ApiError("InvalidParameterValueException", "Id is too long")).retriable
    assert CheckpointError("no answer").termination_reason is TerminationReason.CHECKPOINT_FAILED


class OutOfStock(Exception):
    def __init__(self, sku: str, error_data: object = None) -> None:
        super().__init__(f"{sku} is out of stock")
        self.error_data = error_data


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


class TestErrorObject:
    def test_a_builtin_is_named_bare(self) -> None:
        assert error_object(ValueError("no")) == {"ErrorType": "ValueError", "ErrorMessage": "no"}

    def test_a_users_class_is_qualified(self) -> None:
        assert error_object(OutOfStock("x"))["ErrorType"] == f"{__name__}.OutOfStock"

    @pytest.mark.parametrize(
        ("data", "recorded"),
        [("as it is", "as it is"), ({"sku": "x"}, '{"sku":"x"}'), ([1, None], "[1,null]"), (7, "7")],
    )
    def test_user_data_travels_in_error_data(self, data: object, recorded: str) -> None:
        assert error_object(OutOfStock("x", data))["ErrorData"] == recorded

    def test_user_data_without_a_json_form_is_described(self) -> None:
        assert "object object at" in error_object(OutOfStock("x", object()))["ErrorData"]

    def test_without_user_data_there_is_no_member(self) -> None:
        assert "ErrorData" not in error_object(OutOfStock("x"))

    def test_the_stack_trace_shows_the_users_frames(self) -> None:
        lines = error_object(raised(ValueError("no")))["StackTrace"]
        assert len(lines) == 1
        assert lines[0].startswith(f'File "{__file__}", line ')
        assert lines[0].endswith("in raised: raise error")

    def test_frames_of_durably_are_left_out(self) -> None:
        from durably.config import Duration

        try:
            Duration(-1)
        except ValidationError as error:
            lines = error_object(error)["StackTrace"]
        assert len(lines) == 1
        assert "Duration(-1)" in lines[0]

    def test_notes_and_causes_are_kept(self) -> None:
        try:
            try:
                raise KeyError("sku")
            except KeyError as cause:
                cause.add_note("while pricing")
                raise OutOfStock("x") from cause
        except OutOfStock as error:
            error.add_note("second shelf")
            record = error_object(error)
        lines = record["StackTrace"]
        assert record["ErrorMessage"] == "x is out of stock"
        assert lines.index("note: second shelf") < lines.index("caused by: KeyError: 'sku'")
        assert lines[-1] == "note: while pricing"

    def test_an_exception_group_names_its_parts(self) -> None:
        lines = error_object(ExceptionGroup("two", [ValueError("a"), KeyError("b")]))["StackTrace"]
        assert lines == ["  sub-exception 1: ValueError: a", "  sub-exception 2: KeyError: 'b'"]

    def test_a_circle_of_causes_ends(self) -> None:
        first, second = ValueError("1"), ValueError("2")
        first.__cause__, second.__cause__ = second, first
        assert error_object(first)["StackTrace"] == ["caused by: ValueError: 2"]

    def test_a_failing_str_is_survived(self) -> None:
        class Mute(Exception):
            def __str__(self) -> str:
                raise RuntimeError("no words")

        assert error_object(Mute())["ErrorMessage"].endswith("Mute: its __str__ raised RuntimeError>")

    def test_whatever_an_exception_does_when_it_is_looked_at_it_is_told(self) -> None:
        class Proxy(Exception):
            def __getattr__(self, name: str) -> object:
                raise KeyError(name)

        class NoData(Exception):
            @property
            def error_data(self) -> str:
                raise RuntimeError("no data")

        class Shy:
            def __repr__(self) -> str:
                raise RuntimeError("no words")

        class ShyData(Exception):
            error_data = Shy()

        for error in (Proxy("what happened"), NoData("what happened"), ShyData("what happened")):
            record = error_object(raised(error))
            assert record["ErrorType"].endswith(type(error).__name__)
            assert record["ErrorMessage"] == "what happened"
            assert record["StackTrace"][-1].endswith("in raised: raise error")
        assert "its __repr__ raised RuntimeError" in record["ErrorData"]

    def test_notes_that_are_no_text_are_told_as_far_as_they_can_be(self) -> None:
        class Shy:
            def __str__(self) -> str:
                raise RuntimeError("no words")

        error = ValueError("x")
        error.__notes__ = [3, Shy()]
        assert error_object(error)["StackTrace"][0] == "note: 3"
        assert error_object(error)["StackTrace"][1].endswith("Shy: its __str__ raised RuntimeError>")

    def test_a_deep_stack_is_cut_in_the_middle(self) -> None:
        def dig(depth: int) -> None:
            if depth == 0:
                raise ValueError("bottom")
            dig(depth - 1)

        try:
            dig(500)
        except ValueError as error:
            lines = error_object(error)["StackTrace"]
        assert len(lines) <= 60
        assert any("lines left out" in line for line in lines)
        assert lines[-1].endswith('raise ValueError("bottom")')

    def test_long_messages_and_data_are_bounded(self) -> None:
        record = error_object(OutOfStock("x" * 10_000_000, "y" * 10_000_000))
        assert len(str(record)) < 100_000
        assert record["ErrorMessage"].endswith("(shortened)")
        assert "ErrorData" not in record
        assert any("error_data of 10000000 bytes" in line for line in record["StackTrace"])

    def test_lone_surrogates_do_not_break_the_transport(self) -> None:
        record = error_object(OutOfStock("\ud800", "\ud800"))
        record["ErrorMessage"].encode()
        record["ErrorData"].encode()

    def test_an_operation_error_is_recorded_one_level_up_under_its_own_name(self) -> None:
        inner = operation_error(StepError, error_object(OutOfStock("x", "data")))
        record = error_object(raised(inner))
        assert record == {
            "ErrorType": "durably.StepError",
            "ErrorMessage": "x is out of stock",
            "ErrorData": "data",
            "StackTrace": [f"originally: {__name__}.OutOfStock"],
        }

    def test_a_stand_in_that_stands_for_nothing_else_is_recorded_as_it_is(self) -> None:
        assert error_object(raised(StepError("m", stack_trace=["line"])))["StackTrace"] == ["line"]

    def test_a_serdes_error_is_pinned_to_its_base(self) -> None:
        class Mine(SerDesError):
            pass

        assert error_object(Mine("no"))["ErrorType"] == "durably.SerDesError"


class TestOperationError:
    def test_the_wrapper_carries_the_record(self) -> None:
        error = operation_error(
            StepError, {"ErrorType": "shop.Gone", "ErrorMessage": "m", "ErrorData": "d", "StackTrace": ["line"]}
        )
        assert type(error) is StepError
        assert (error.message, error.error_type, error.data, error.stack_trace) == ("m", "shop.Gone", "d", ["line"])
        assert str(error) == "m"
        assert type(error.__cause__) is DurableOperationError
        assert vars(error.__cause__) == vars(error)

    @pytest.mark.parametrize("module", ["durably", "aws_durable_execution_sdk_python.exceptions"])
    def test_the_cause_is_rebuilt_by_name(self, module: str) -> None:
        error = operation_error(ChildContextError, {"ErrorType": f"{module}.StepError", "ErrorMessage": "m"})
        assert type(error) is ChildContextError
        assert type(error.__cause__) is StepError
        assert error.__cause__.message == "m"

    @pytest.mark.parametrize("module", ["durably", "aws_durable_execution_sdk_python.exceptions"])
    def test_a_serdes_error_surfaces_as_itself(self, module: str) -> None:
        error = operation_error(StepError, {"ErrorType": f"{module}.SerDesError", "ErrorMessage": "m"})
        assert type(error) is SerDesError
        assert str(error) == "m"

    @pytest.mark.parametrize("record", [None, {}])
    def test_without_a_record_the_default_message_speaks(self, record: object) -> None:
        error = operation_error(
            exceptions.CallbackTimeoutError,
            record,  # type: ignore[arg-type]
            default_message="no answer within 60 s",
        )
        assert str(error) == "no answer within 60 s"
        assert error.error_type == "durably.CallbackTimeoutError"
        assert error.__cause__ is None

    def test_the_type_survives_every_level(self) -> None:
        """A step in a child context in a child context: each level knows what escaped it, down to the first."""
        step = operation_error(StepError, error_object(raised(OutOfStock("x", "data"))))
        child = operation_error(ChildContextError, error_object(step))
        outer = operation_error(ChildContextError, json.loads(json.dumps(error_object(child))))
        chain: list[tuple[str, str]] = []
        error: BaseException | None = outer
        while isinstance(error, DurableOperationError):
            chain.append((type(error).__name__, error.error_type))
            assert (error.message, error.data) == ("x is out of stock", "data")
            error = error.__cause__
        assert chain == [
            ("ChildContextError", "durably.ChildContextError"),
            ("ChildContextError", "durably.StepError"),
            ("StepError", f"{__name__}.OutOfStock"),
            ("DurableOperationError", f"{__name__}.OutOfStock"),
        ]

    def test_only_an_error_of_ours_stands_for_another(self) -> None:
        record = {"ErrorType": "shop.Gone", "ErrorMessage": "m", "StackTrace": ["originally: durably.StepError"]}
        cause = operation_error(CallbackExternalError, record).__cause__  # type: ignore[arg-type]
        assert type(cause) is DurableOperationError
        assert (cause.error_type, cause.stack_trace) == ("shop.Gone", ["originally: durably.StepError"])

    def test_first_run_and_replay_agree(self) -> None:
        record = error_object(raised(OutOfStock("x", {"a": 1})))
        first, replayed = operation_error(StepError, record), operation_error(StepError, copy.deepcopy(record))
        assert vars(first) == vars(replayed)
        assert first.stack_trace
