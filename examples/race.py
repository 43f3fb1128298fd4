"""An order that needs approval: a manager's answer or three days, whichever comes first, while the price is asked for.

    durably dev examples/race.py
    durably invoke buy '{"article": "lamp"}'
    durably callback succeed ID '"fine by me"'

If the answer comes first, the deadline is cancelled at the service; if the deadline comes first, the manager is not
waited for any more. Either is recorded, so every replay decides the same way.
"""

from dataclasses import dataclass
from datetime import timedelta

from durably import DurableContext, StepContext, WaitForCallbackContext, durable_execution, durable_step


@dataclass(frozen=True)
class Wish:
    article: str


@dataclass(frozen=True)
class Bought:
    article: str
    price: int
    answer: str


@durable_step
def ask_price(step: StepContext, shop: str, article: str) -> int:
    return len(shop) * 10


def send_mail(callback_id: str, context: WaitForCallbackContext) -> None:
    print(f"to approve: durably callback succeed {callback_id} '\"fine by me\"'")


@durable_execution
def buy(wish: Wish, ctx: DurableContext) -> Bought | None:
    approval = ctx.start(ctx.wait_for_callback, send_mail, name="approval")
    deadline = ctx.start(ctx.wait, timedelta(days=3), name="deadline")
    prices = ctx.all(
        [ctx.start(ctx.step, ask_price(shop, wish.article), name=f"price at {shop}") for shop in ("Ikon", "Lumen")],
        name="prices",
    )
    answer = ctx.race([approval, deadline], name="approval or deadline")
    return None if answer is None else Bought(wish.article, min(prices), answer)
