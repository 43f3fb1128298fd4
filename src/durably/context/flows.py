"""Operations over blocks of operations, without the waiting: with_retry and sagas."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from durably._configs import ChildConfig
from durably.engine.operation import Op
from durably.engine.scope import CURRENT
from durably.exceptions import ContextMisuseError, ValidationError
from durably.wire.limits import MAX_NAME_LENGTH

from .arguments import check_callable, check_config, check_name
from .base import ContextBase, Protocol

if TYPE_CHECKING:
    from durably.config import StepConfig
    from durably.retries import WithRetryConfig

__all__ = ["Compensations", "FlowOperations"]

_LONGEST_NAME: Final = MAX_NAME_LENGTH - len("-backoff-1000")


class FlowOperations(ContextBase):
    """What both contexts do to start them."""

    _compensations: Compensations | None = None

    @property
    def _registry(self) -> Compensations:
        """What this context has registered; child contexts have their own."""
        if self._compensations is None:
            self._compensations = Compensations()
        return self._compensations

    # ---- with_retry ------------------------------------------------------------------------------------------

    def _with_retry(
        self, func: Callable[..., Any], name: str | None, config: WithRetryConfig[Any] | None, result_type: Any
    ) -> Any:
        from durably.engine.child import child
        from durably.engine.with_retry import attempts
        from durably.retries import WithRetryConfig, create_retry_strategy

        what = "the function to run, called with a context and the attempt's number"
        check_callable(func, "with_retry", what, 2)
        config = WithRetryConfig() if config is None else check_config(config, WithRetryConfig, "with_retry")
        strategy = config.retry_strategy or create_retry_strategy()

        def inside(context: FlowOperations) -> Any:
            scope = CURRENT.get()
            assert scope is not None

            def number_wait(attempt: int) -> Op:
                return context._op("WAIT", "Wait", f"{name}-backoff-{attempt}" if name else None)

            return context.run.drive(attempts(lambda attempt: func(context, attempt), strategy, scope, number_wait))

        if name and len(name) > _LONGEST_NAME:
            raise ValidationError(
                f"with_retry()'s name may have {_LONGEST_NAME} characters, so that '-backoff-1' and so on can follow; "
                f"{name[:40]!r}... has {len(name)}"
            )
        if not config.wrap_with_run_in_child_context:
            name = check_name(name or "")
            if self._check_use().preset_id is not None:
                raise ContextMisuseError(
                    "start() starts exactly one operation, and with_retry() without its child context is none: leave "
                    "out wrap_with_run_in_child_context=False"
                )
            return _later(inside, self) if self.run.is_async else inside(self)
        child_config: ChildConfig[Any] = config.child_context_config or ChildConfig()
        op = self._op("CONTEXT", child_config.sub_type or "RunInChildContext", name)
        codec = self._result_codec(child_config.serdes, func, op, result_type)
        context = self._child(op, child_config.is_virtual, child_config.operation_serdes)
        return self._drive(child(op, inside, context, child_config, codec), op)

    # ---- sagas -----------------------------------------------------------------------------------------------

    def _step_with_compensation(
        self,
        func: Callable[..., Any],
        compensate: Callable[..., Any],
        name: str | None,
        config: StepConfig | None,
        result_type: Any,
        registry: Compensations | Place,
    ) -> Any:
        check_callable(func, "step_with_compensation", "the function to run")
        what = "the compensation, called with a context and the result"
        check_callable(compensate, "step_with_compensation", what, 2)
        op, protocol = self._make_step(func, name, config, result_type)
        place = registry.reserve()

        def registered() -> Protocol:
            value = yield from protocol
            place.take(op.name, lambda context: compensate(context, value))
            return value

        return self._drive(registered(), op)

    def _run_compensations(self, registry: Compensations, sub_type: str = "Compensation") -> Any:
        from durably.engine.saga import run_compensations

        todo: list[tuple[Op, Callable[[Any], Any], Any]] = []
        for name, compensate in registry.take():
            op = self._op("CONTEXT", sub_type, name)
            todo.append((op, _recording_no_result(compensate), self._child(op, False)))
        self._check_use()
        return self.run.drive(run_compensations(todo))


async def _later(call: Callable[[Any], Awaitable[Any]], context: Any) -> Any:
    """In the task that awaits it, whose operations are numbered for themselves."""
    return await call(context)


def _recording_no_result(func: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """What a compensation returns nobody reads, so it need not be of a kind that can be recorded."""

    def called(context: Any) -> Any:
        value = func(context)
        return _awaited(value) if hasattr(value, "__await__") else None

    called.__wrapped__ = func  # type: ignore[attr-defined]  # tells the driver whether it blocks
    return called


async def _awaited(value: Awaitable[Any]) -> None:
    await value


class Place:
    """Where a compensation is entered once its step has succeeded: in the order of the calls, not of their ends."""

    __slots__ = ("entry",)

    def __init__(self) -> None:
        self.entry: tuple[str | None, Callable[[Any], Any]] | None = None

    def reserve(self) -> Place:
        return self

    def take(self, name: str | None, compensate: Callable[[Any], Any]) -> None:
        self.entry = (name, compensate)


class Compensations:
    """What has been registered in one context or saga, and not been run."""

    __slots__ = ("_places",)

    def __init__(self) -> None:
        self._places: list[Place] = []

    def reserve(self) -> Place:
        place = Place()
        self._places.append(place)
        return place

    def add(self, name: str | None, compensate: Callable[[Any], Any]) -> None:
        self.reserve().take(name, compensate)

    def take(self) -> list[tuple[str | None, Callable[[Any], Any]]]:
        """All of them, last registered first; they are not run twice."""
        entries = [place.entry for place in reversed(self._places) if place.entry is not None]
        self._places = [place for place in self._places if place.entry is None]
        return entries

    def __len__(self) -> int:
        return sum(place.entry is not None for place in self._places)
