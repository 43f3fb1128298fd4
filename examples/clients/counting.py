"""A client of your own: anything with `checkpoint` and `get_state` is how a function reaches its service.

    durably dev examples/clients/counting.py
    durably invoke counted 3
    python examples/clients/counting.py

Here one that counts, around the client of the service in this process. The same two methods could speak another
protocol or encrypt. Errors are raised as `durably.wire.api_errors.ApiError`.
"""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from durably import DurableContext, DurableServiceClient, durable_execution
from durably.client.in_process import InProcessClient
from durably.service.kernel import Service
from durably.service.store.memory import MemoryStore
from durably.workers.in_process import InProcessWorker


class CountingClient:
    """Counts calls and updates, and passes them on."""

    def __init__(self, inner: DurableServiceClient) -> None:
        self.inner = inner
        self.seen: Counter[str] = Counter()

    def checkpoint(self, arn: str, token: str, updates: Sequence[Any], client_token: str | None) -> Any:
        self.seen["calls"] += 1
        self.seen.update(f"{update['Type']} {update['Action']}" for update in updates)
        return self.inner.checkpoint(arn, token, updates, client_token)

    def get_state(self, arn: str, token: str, marker: str | None, max_items: int = 1000) -> Any:
        self.seen["pages"] += 1
        return self.inner.get_state(arn, token, marker, max_items)


@durable_execution
def counted(steps: int, ctx: DurableContext) -> int:
    return sum(ctx.step(lambda step, number=number: number) for number in range(steps))  # type: ignore[misc]


def main() -> None:
    service = Service(MemoryStore())
    client = CountingClient(InProcessClient(service))
    service.attach(InProcessWorker({"counted": counted}, client_factory=lambda: client))
    service.start()
    try:
        answer = service.call("Invoke", FunctionName="counted:$LATEST", Payload=json.dumps(3))
        print("result", answer["Payload"], dict(client.seen))
    finally:
        service.close()


if __name__ == "__main__":
    main()
