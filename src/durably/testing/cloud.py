"""CloudRunner: a deployed function, run to its end in a test. The same interface as LocalRunner's, in real time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

from durably.client.clock import Clock
from durably.client.credentials import MissingCredentials
from durably.serdes import json_codec_for
from durably.wire.api_errors import CONNECTION_ERROR, ApiError
from durably.wire.ids import ExecutionArn
from durably.wire.limits import EXECUTION_NAME_PATTERN

from ._deployed import Deployed
from ._durations import Span, as_ms
from ._runner_base import RunnerBase
from ._threads import in_thread
from .errors import RunTimeout, TestingError
from .executions import AsyncLocalExecution, LocalExecution
from .export import Api, api_of
from .history import History

if TYPE_CHECKING:
    from durably.execution import DurableFunction
    from durably.wire.shapes import ErrorObject

    from .operations import Operations, RecordedOperation
    from .result import RunResult

__all__ = ["AsyncCloudExecution", "CloudError", "CloudExecution", "CloudRunner"]

_NOT_DURABLE: Final = (
    "is not a durable function, so there is no execution to follow. On AWS a function is durable if it was created "
    "with a DurableConfig, on the local service if it is decorated with @durable_execution"
)
In = TypeVar("In")
Out = TypeVar("Out")


class CloudError(TestingError):
    """The deployed function cannot be run: it is not there, not durable, or cannot be reached."""


class CloudExecution(LocalExecution[Out]):
    """A started execution of a deployed function. Made by :meth:`CloudRunner.start`.

    It goes on by itself. ``status``, ``operations`` and ``snapshot()`` ask the service how it stands; methods that let
    time pass wait until what they are for has come. Those raise RunTimeout when the runner's timeout is over.
    """

    def __init__(self, world: Deployed) -> None:
        super().__init__(cast(Any, world), cast(Any, world), cast(Any, None))
        self._deployed = world

    @property
    def status(self) -> str:
        return self.snapshot().status

    def snapshot(self) -> RunResult[Out]:
        self.settle()
        return self.last()

    def last(self) -> RunResult[Out]:
        """As it was when the service was last asked."""
        return self._deployed.snapshot()

    def stop(self, error: BaseException | ErrorObject | str | None = None) -> RunResult[Out]:
        super().stop(error)
        return self.result()

    def wait_for(self, name: str, index: int = 0, *, ended: bool = False) -> RecordedOperation:
        """Wait until the operation number ``index`` of that name has begun, or ended.

        Raises:
            OperationNotFound: the execution has ended without it.
            RunTimeout: it did not come.
        """

        def there() -> bool:
            found = self.last().operations.named(name)
            return index < len(found) and not (ended and found[index].is_open)

        self._deployed.drive(there)
        return self.last().operations.get(name, index)

    @property
    def history(self) -> History:
        """Its record so far."""
        return History.of_run(self.snapshot())

    def __repr__(self) -> str:
        from .printing import report

        return f"<CloudExecution {self.arn}\n{report(self.last())}\n>"


class AsyncCloudExecution(AsyncLocalExecution[Out]):
    """As :class:`CloudExecution`, to be awaited. ``status``, ``operations`` and ``snapshot()`` tell what was last seen.

    Made by :meth:`CloudRunner.astart`; ``await execution.settle()`` asks the service how it stands.
    """

    _execution: CloudExecution[Out]

    @property
    def status(self) -> str:
        return self._execution.last().status

    @property
    def operations(self) -> Operations:
        return self._execution.last().operations

    def snapshot(self) -> RunResult[Out]:
        return self._execution.last()

    async def wait_for(self, name: str, index: int = 0, *, ended: bool = False) -> RecordedOperation:
        """See :meth:`CloudExecution.wait_for`."""
        return await in_thread(lambda: self._execution.wait_for(name, index, ended=ended))


class CloudRunner(RunnerBase, Generic[In, Out]):
    """Runs a function that is deployed: on AWS, or on any service that speaks the API.

    Parameters:
        function: its name or ARN; with a version or alias (``order:prod``), else ``$LATEST``.
        handler: the durable function in this program, if it is at hand: input and result are typed as its own.
            Otherwise both are plain JSON.
        client: a boto3 Lambda client, or a :class:`~durably.client.api.LambdaApi`. By default the service that
            ``endpoint_url`` or AWS_ENDPOINT_URL_LAMBDA names, or AWS Lambda in ``region``.
        callbacks: answers by the callback's name, as :class:`LocalRunner` takes them; ``after`` is real time here.
            Those of the executions that the function invokes are not answered.
        timeout: of real time, for a run and for everything else that is waited for.
        poll_interval: between two looks while nothing happens; at first they come much faster.
        stop_on_timeout: stop the execution of a :meth:`run` that took too long.
    """

    def __init__(
        self,
        function: str,
        *,
        handler: DurableFunction[In, Out] | None = None,
        client: Any = None,
        region: str | None = None,
        endpoint_url: str | None = None,
        callbacks: Mapping[str | None, Any] | None = None,
        timeout: Span = 300,
        poll_interval: Span = 1,
        stop_on_timeout: bool = True,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(callbacks)
        self.function = function
        self._handler = handler
        self._own = client is None
        self._api = _connect(client, region, endpoint_url)
        self._timeout = as_ms(timeout, "timeout") / 1000
        self._slowest = max(0.05, as_ms(poll_interval, "poll_interval") / 1000)
        self._stop_on_timeout = stop_on_timeout
        self._clock = clock or Clock()

    # ---- running -------------------------------------------------------------------------------------------

    def run(self, input: In | None = None, *, name: str | None = None) -> RunResult[Out]:
        """Start an execution and wait until it has ended.

        Parameters:
            input: as the handler takes it.
            name: of the execution; by default one of its own. The same name with the same input joins an execution
                that has been started with it.

        Raises:
            CloudError: the function is not there, not durable, or cannot be reached.
            RunTimeout: it did not end in time; the message says what it waits for.
        """
        execution = self.start(input, name=name)
        try:
            return execution.result()
        except RunTimeout:
            if self._stop_on_timeout:
                self._api.call("StopDurableExecution", DurableExecutionArn=execution.arn)
            raise

    async def arun(self, input: In | None = None, *, name: str | None = None) -> RunResult[Out]:
        """As :meth:`run`, while this thread's event loop goes on."""
        return await in_thread(lambda: self.run(input, name=name))

    def start(self, input: In | None = None, *, name: str | None = None) -> CloudExecution[Out]:
        """Start an execution and return at once."""
        arn = self._invoke(self._encode(input), name)
        execution: CloudExecution[Out] = self.attach(arn)
        execution.settle()
        return execution

    async def astart(self, input: In | None = None, *, name: str | None = None) -> AsyncCloudExecution[Out]:
        """As :meth:`start`, to be awaited."""
        return AsyncCloudExecution(await in_thread(lambda: self.start(input, name=name)))

    def attach(self, arn: str) -> CloudExecution[Out]:
        """An execution that somebody else has started."""
        ExecutionArn.parse(arn)
        world = Deployed(
            self._api,
            arn,
            answer_for=self._answer_for,
            decode=self._decode,
            slowest=self._slowest,
            timeout=self._timeout,
            clock=self._clock,
        )
        return CloudExecution(world)

    # ---- callbacks -----------------------------------------------------------------------------------------

    # ---- inside ----------------------------------------------------------------------------------------------

    def _encode(self, input: Any) -> str:
        return (json_codec_for() if self._handler is None else self._handler.input_codec).encode(input)

    @property
    def _decode(self) -> Callable[[str], Any]:
        return (json_codec_for() if self._handler is None else self._handler.output_codec).decode

    def _invoke(self, payload: str, name: str | None) -> str:
        if name is not None and not EXECUTION_NAME_PATTERN.fullmatch(name):
            raise CloudError(f"an execution's name is 1 to 64 of letters, digits, '-' and '_', not {name!r}")
        function, qualifier = _qualified(self.function)
        try:
            answer = self._api.call(
                "Invoke",
                FunctionName=function,
                Qualifier=qualifier,
                InvocationType="Event",
                DurableExecutionName=name or f"test-{self._clock.token()}",
                Payload=payload,
            )
        except MissingCredentials as error:
            raise CloudError(f"{self.function} cannot be invoked: {error}") from error
        except ApiError as error:
            raise self._explained(error) from error
        arn = answer.get("DurableExecutionArn")
        if arn is None:
            raise CloudError(f"{self.function} was invoked, but {_NOT_DURABLE}")
        return str(arn)

    def _explained(self, error: ApiError) -> Exception:
        place = getattr(self._api, "endpoint_url", "the service of the client")
        if error.code == CONNECTION_ERROR:
            return CloudError(
                f"nothing answers at {place} ({error.message}). Start the service there (`durably dev app.py`), or say "
                "which one is meant: endpoint_url=, region=, client= or AWS_ENDPOINT_URL_LAMBDA"
            )
        if error.code == "ResourceNotFoundException":
            return CloudError(
                f"there is no function {self.function!r} at {place} ({error.message}). Deploy it, or check name, "
                "version or alias, region and account"
            )
        if error.code == "InvalidParameterValueException" and "not a durable" in error.message:
            return CloudError(f"{self.function} {_NOT_DURABLE} ({error.message})")
        if error.status in (401, 403):
            return CloudError(f"the credentials do not allow to invoke {self.function} at {place}: {error.message}")
        return error

    # ---- its life ------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the connections, unless the client was given. Executions go on."""
        close = getattr(self._api, "close", None)
        if self._own and close is not None:
            close()

    def __repr__(self) -> str:
        return f"<CloudRunner of {self.function}>"


def _connect(client: Any, region: str | None, endpoint_url: str | None) -> Api:
    if client is not None:
        if region is not None or endpoint_url is not None:
            raise CloudError("client= already says where the function is: leave out region= and endpoint_url=")
        return api_of(client)
    from durably.client.api import LambdaApi

    try:
        return LambdaApi(region, endpoint_url)
    except ValueError as error:
        raise CloudError(f"{error}") from error


def _qualified(function: str) -> tuple[str, str | None]:
    """Name and qualifier: a durable function is invoked by a version or alias."""
    if function.startswith("arn:"):
        return function, None if function.count(":") == 7 else "$LATEST"
    name, _, qualifier = function.partition(":")
    return name, qualifier or "$LATEST"
