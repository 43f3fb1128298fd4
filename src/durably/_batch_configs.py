"""The configuration of map and parallel: the official SDK's fields, order and defaults, ours keyword-only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, overload

from ._completion import CompletionConfig, check_count
from ._config_checks import check_callable, check_result_type, check_serdes
from ._configs import SummaryGenerator
from ._values import Value
from .exceptions import ValidationError
from .wire.limits import REPLAY_CHILDREN_ABOVE

if TYPE_CHECKING:
    from typing_extensions import TypeVar as TypeVarWithDefault

    from .concurrency.models import BatchResult
    from .serdes import SerDes

    Context_contra = TypeVarWithDefault("Context_contra", contravariant=True, default=Any)
else:
    Context_contra = TypeVar("Context_contra", contravariant=True)

T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)

BatchSummary: TypeAlias = "SummaryGenerator[BatchResult[Any]]"


class NestingType(Enum):
    """Whether each item or branch of a batch has a record of its own."""

    NESTED = "NESTED"
    """Each is a context in the history, with its result."""
    FLAT = "FLAT"
    """Only its operations are recorded: about a third fewer records, and its function runs again on every replay."""


class ItemBatcher(Value):
    """How a map packs its items into batches, so that many small items share one branch.

    Parameters:
        max_items_per_batch: at most this many items.
        max_bytes_per_batch: at most this many bytes, as JSON; an item larger than that is a batch by itself.
    """

    __slots__ = ("max_bytes_per_batch", "max_items_per_batch")
    _fields = ("max_items_per_batch", "max_bytes_per_batch")
    _defaults = {  # noqa: RUF012 - declared in the base
        "max_items_per_batch": 100,
        "max_bytes_per_batch": REPLAY_CHILDREN_ABOVE,
    }

    max_items_per_batch: int
    max_bytes_per_batch: int

    def __init__(self, max_items_per_batch: int = 100, max_bytes_per_batch: int = REPLAY_CHILDREN_ABOVE) -> None:
        for field, value in (
            ("max_items_per_batch", max_items_per_batch),
            ("max_bytes_per_batch", max_bytes_per_batch),
        ):
            if value is None:
                raise ValidationError(f"{field} is None: leave it out for the default, or pass a large int")
            check_count(value, field, minimum=1)
        self._set(max_items_per_batch=max_items_per_batch, max_bytes_per_batch=max_bytes_per_batch)

    def batches(self, items: Sequence[T], size_of: Callable[[T], int]) -> list[tuple[int, list[T]]]:
        """The items in batches, in order, each with the index of its first item.

        A batch is as long as the limits allow before the next begins.

        Parameters:
            items: what to pack.
            size_of: bytes of an item.
        """
        batches: list[tuple[int, list[T]]] = []
        current: list[T] = []
        room = 0
        for index, item in enumerate(items):
            size = size_of(item)
            if not current or size > room or len(current) >= self.max_items_per_batch:
                current = []
                batches.append((index, current))
                room = self.max_bytes_per_batch
            current.append(item)
            room -= size
        return batches


class ParallelBranch(Value, Generic[R_co, Context_contra]):
    """A branch of a parallel with a name. ``ParallelBranch[R]`` is one whose function returns R.

    Parameters:
        func: gets the branch's context.
        name: what history calls the branch, instead of ``parallel-branch-<index>``.
    """

    __slots__ = ("func", "name")
    __match_args__ = _fields = ("func", "name")

    func: Callable[[Context_contra], R_co]
    name: str | None

    def __init__(self, func: Callable[[Context_contra], R_co], name: str | None = None) -> None:
        if not callable(func):
            raise ValidationError(f"func is {func!r}, and must be a function of the branch's context")
        if name is not None and not isinstance(name, str):
            raise ValidationError(f"name is {name!r}, and must be a string")
        self._set(func=func, name=name)

    def __call__(self, context: Context_contra, /, *args: Any, **kwargs: Any) -> R_co:
        func: Callable[..., R_co] = self.func
        return func(context, *args, **kwargs)

    if not TYPE_CHECKING:

        def __class_getitem__(cls, types):
            return super().__class_getitem__(types if isinstance(types, tuple) else (types, Any))


class ParallelConfig(Value):
    """Configuration of a parallel.

    Parameters:
        max_concurrency: how many branches may be under way at once, suspended ones included; None for all.
        completion_config: when the parallel is complete; by default with the first failure, or when all succeeded.
        serdes: writes and reads the whole BatchResult and, without ``item_serdes``, each branch's result.
        item_serdes: writes and reads each branch's result.
        summary_generator: describes a result above 256 KiB (see ChildConfig), e.g. ``parallel_summary``.
        nesting_type: whether each branch has a record of its own.
        result_type: the type of every branch's result, instead of the return annotations.
    """

    __slots__ = (
        "completion_config",
        "item_serdes",
        "max_concurrency",
        "nesting_type",
        "result_type",
        "serdes",
        "summary_generator",
    )
    _fields = (
        "max_concurrency",
        "completion_config",
        "serdes",
        "item_serdes",
        "summary_generator",
        "nesting_type",
        "result_type",
    )
    _keyword_only = ("result_type",)
    _defaults = {  # noqa: RUF012 - declared in the base
        "completion_config": CompletionConfig.all_successful(),
        "nesting_type": NestingType.NESTED,
    }

    max_concurrency: int | None
    completion_config: CompletionConfig
    serdes: SerDes[Any] | None
    item_serdes: SerDes[Any] | None
    summary_generator: BatchSummary | None
    nesting_type: NestingType
    result_type: Any

    def __init__(
        self,
        max_concurrency: int | None = None,
        completion_config: CompletionConfig = CompletionConfig.all_successful(),  # noqa: B008 - frozen
        serdes: SerDes[Any] | None = None,
        item_serdes: SerDes[Any] | None = None,
        summary_generator: BatchSummary | None = None,
        nesting_type: NestingType = NestingType.NESTED,
        *,
        result_type: Any = None,
    ) -> None:
        _check_batch(
            max_concurrency, completion_config, serdes, item_serdes, summary_generator, nesting_type, result_type
        )
        self._set(
            max_concurrency=max_concurrency,
            completion_config=completion_config,
            serdes=serdes,
            item_serdes=item_serdes,
            summary_generator=summary_generator,
            nesting_type=nesting_type,
            result_type=result_type,
        )


class MapConfig(Value, Generic[T]):
    """Configuration of a map.

    Parameters:
        max_concurrency: how many items may be under way at once, suspended ones included; None for all.
        completion_config: when the map is complete; by default with the first failure, or when all are done.
        serdes: writes and reads the whole BatchResult and, without ``item_serdes``, each item's result.
        item_serdes: writes and reads each item's result.
        summary_generator: describes a result above 256 KiB (see ChildConfig), e.g. ``map_summary``.
        nesting_type: whether each item has a record of its own.
        item_namer: names an item, from the item and its index, instead of ``map-item-<index>``. It is called for
            every item on every replay, and must give the same name each time.
        item_batcher: pack items into batches that share one branch.
        result_type: the type of every item's result, instead of the function's return annotation.
    """

    __slots__ = (
        "completion_config",
        "item_batcher",
        "item_namer",
        "item_serdes",
        "max_concurrency",
        "nesting_type",
        "result_type",
        "serdes",
        "summary_generator",
    )
    _fields = (
        "max_concurrency",
        "completion_config",
        "serdes",
        "item_serdes",
        "summary_generator",
        "nesting_type",
        "item_namer",
        "item_batcher",
        "result_type",
    )
    _keyword_only = ("item_batcher", "result_type")
    _defaults = {  # noqa: RUF012 - declared in the base
        "completion_config": CompletionConfig(),
        "nesting_type": NestingType.NESTED,
    }

    max_concurrency: int | None
    completion_config: CompletionConfig
    serdes: SerDes[Any] | None
    item_serdes: SerDes[Any] | None
    summary_generator: BatchSummary | None
    nesting_type: NestingType
    item_namer: Callable[[T, int], str] | None
    item_batcher: ItemBatcher | None
    result_type: Any

    @overload
    def __init__(
        self: MapConfig[Any],
        max_concurrency: int | None = None,
        completion_config: CompletionConfig = ...,
        serdes: SerDes[Any] | None = None,
        item_serdes: SerDes[Any] | None = None,
        summary_generator: BatchSummary | None = None,
        nesting_type: NestingType = ...,
        item_namer: None = None,
        *,
        item_batcher: ItemBatcher | None = None,
        result_type: Any = None,
    ) -> None: ...
    @overload
    def __init__(
        self,
        max_concurrency: int | None = None,
        completion_config: CompletionConfig = ...,
        serdes: SerDes[Any] | None = None,
        item_serdes: SerDes[Any] | None = None,
        summary_generator: BatchSummary | None = None,
        nesting_type: NestingType = ...,
        item_namer: Callable[[T, int], str] | None = None,
        *,
        item_batcher: ItemBatcher | None = None,
        result_type: Any = None,
    ) -> None: ...
    def __init__(
        self,
        max_concurrency: int | None = None,
        completion_config: CompletionConfig = CompletionConfig(),  # noqa: B008 - frozen
        serdes: SerDes[Any] | None = None,
        item_serdes: SerDes[Any] | None = None,
        summary_generator: BatchSummary | None = None,
        nesting_type: NestingType = NestingType.NESTED,
        item_namer: Callable[[T, int], str] | None = None,
        *,
        item_batcher: ItemBatcher | None = None,
        result_type: Any = None,
    ) -> None:
        _check_batch(
            max_concurrency, completion_config, serdes, item_serdes, summary_generator, nesting_type, result_type
        )
        check_callable(item_namer, "item_namer", "lambda item, index: f'order-{item.id}'", ("item", "index"))
        if item_batcher is not None and not isinstance(item_batcher, ItemBatcher):
            raise ValidationError(f"item_batcher is {item_batcher!r}: pass an ItemBatcher")
        self._set(
            max_concurrency=max_concurrency,
            completion_config=completion_config,
            serdes=serdes,
            item_serdes=item_serdes,
            summary_generator=summary_generator,
            nesting_type=nesting_type,
            item_namer=item_namer,
            item_batcher=item_batcher,
            result_type=result_type,
        )


def _check_batch(
    max_concurrency: Any,
    completion_config: Any,
    serdes: Any,
    item_serdes: Any,
    summary_generator: Any,
    nesting_type: Any,
    result_type: Any,
) -> None:
    check_count(max_concurrency, "max_concurrency", minimum=1)
    if not isinstance(completion_config, CompletionConfig):
        raise ValidationError(
            f"completion_config is {completion_config!r}: pass a CompletionConfig, "
            "e.g. CompletionConfig.all_completed()"
        )
    check_serdes(serdes, "serdes")
    check_serdes(item_serdes, "item_serdes")
    check_callable(summary_generator, "summary_generator", "map_summary", ("result",))
    if not isinstance(nesting_type, NestingType):
        raise ValidationError(f"nesting_type is {nesting_type!r}: pass NestingType.NESTED or NestingType.FLAT")
    check_result_type(item_serdes, result_type, "results", "item_serdes")
    if item_serdes is None:
        check_result_type(serdes, result_type, "results")
