"""map and parallel, without the waiting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from durably.concurrency.codec import BatchCodec
from durably.config import MapConfig, ParallelBranch, ParallelConfig
from durably.engine.batch import Batch, BranchSpec, batch
from durably.engine.items import items_in_turn
from durably.engine.operation import Op
from durably.engine.scope import CURRENT
from durably.exceptions import ValidationError
from durably.serdes import MISSING, SerDesCodec, SerDesContext, codec_for, return_annotation

from .base import ContextBase, check_callable, check_name

if TYPE_CHECKING:
    from durably.serdes import Codec, SerDes

__all__ = ["BatchOperations", "MapFunction"]

C = TypeVar("C")
U = TypeVar("U")
T = TypeVar("T")
MapFunction = Callable[[C, U], T] | Callable[[C, U, int], T] | Callable[[C, U, int, Sequence[U]], T]

_MAP: Final[MapConfig[Any]] = MapConfig()
_PARALLEL: Final = ParallelConfig()


class BatchOperations(ContextBase):
    """What both contexts do to start a map or a parallel."""

    def _map(
        self, inputs: Sequence[Any], func: Callable[..., Any], name: str | None, config: MapConfig[Any] | None
    ) -> Any:
        check_callable(func, "map", "the function to run for each item")
        config = config or _MAP
        items = _sequence(inputs, "map", "items")
        config.completion_config.validate_for_total(len(items))
        call = _with_arity(func, items)
        annotation = _annotation(config, func)

        def item_name(item: Any, index: int) -> str | None:
            return None if config.item_namer is None else check_name(config.item_namer(item, index))

        def one(index: int, item: Any) -> BranchSpec:
            label = item_name(item, index)
            return BranchSpec(
                label or f"map-item-{index}", lambda context: call(context, item, index), index, None, label
            )

        def several(number: int, first: int, chunk: list[Any]) -> BranchSpec:
            def body(context: BatchOperations) -> Any:
                scope = CURRENT.get()
                assert scope is not None
                codec = _item_codec(config, annotation, None)
                protocol = items_in_turn(
                    lambda item, index: call(context, item, index), chunk, first, scope, codec, item_name
                )
                return context.run.drive(protocol)

            return BranchSpec(f"map-batch-{number}", body, first, len(chunk))

        if config.item_batcher is None:
            specs = [one(index, item) for index, item in enumerate(items)]
        else:
            size_of = codec_for(MISSING)
            chunks = config.item_batcher.batches(items, lambda item: len(size_of.encode(item).encode()))
            specs = [several(number, first, chunk) for number, (first, chunk) in enumerate(chunks)]
        op = self._op("CONTEXT", "Map", name or getattr(func, "_original_name", None))
        return self._batch(op, "MapIteration", "MapResult", specs, len(items), config, lambda index: annotation)

    def _parallel(self, functions: Sequence[Any], name: str | None, config: ParallelConfig | None) -> Any:
        config = config or _PARALLEL
        branches = _sequence(functions, "parallel", "functions")
        config.completion_config.validate_for_total(len(branches))
        specs: list[BranchSpec] = []
        for index, branch in enumerate(branches):
            func, label = (branch.func, branch.name) if isinstance(branch, ParallelBranch) else (branch, None)
            check_callable(func, "parallel", f"functions; number {index}")
            label = None if label is None else check_name(label)
            specs.append(BranchSpec(label or f"parallel-branch-{index}", func, index, None, label))
        op = self._op("CONTEXT", "Parallel", name)
        annotations = [_annotation(config, spec.func) for spec in specs]
        return self._batch(op, "ParallelBranch", "ParallelResult", specs, len(specs), config, annotations.__getitem__)

    def _batch(
        self,
        op: Op,
        sub_type: str,
        result_type: str,
        specs: list[BranchSpec],
        total: int,
        config: MapConfig[Any] | ParallelConfig,
        annotation_of: Callable[[int], Any],
    ) -> Any:
        batched = any(spec.size is not None for spec in specs)

        def branch_codec(index: int, branch: Op) -> Codec:
            if batched:  # then it is a map, whose items are all of one type
                return BatchCodec(lambda item: _item_codec(config, annotation_of(item), branch))
            return _item_codec(config, annotation_of(index), branch)

        codec: Codec = BatchCodec(lambda item: _item_codec(config, annotation_of(item), op))
        if config.serdes is not None:
            codec = SerDesCodec(config.serdes, SerDesContext(op.id, op.run.arn))
        plan = Batch(sub_type, result_type, specs, total, config, branch_codec, codec, self._child)
        return self._drive(batch(op, plan), op)


def _annotation(config: MapConfig[Any] | ParallelConfig, func: Callable[..., Any]) -> Any:
    return return_annotation(func) if config.result_type is None else config.result_type


def _item_codec(config: MapConfig[Any] | ParallelConfig, annotation: Any, op: Op | None) -> Codec:
    """``serdes`` alone is for the items too, as in the official SDK."""
    serdes: SerDes[Any] | None = config.item_serdes or config.serdes
    if serdes is None:
        return codec_for(annotation)
    return SerDesCodec(serdes, SerDesContext() if op is None else SerDesContext(op.id, op.run.arn))


def _sequence(given: Any, operation: str, what: str) -> Sequence[Any]:
    if isinstance(given, (list, tuple, range)):
        return given
    if isinstance(given, (str, bytes, dict)) or not hasattr(given, "__getitem__") or not hasattr(given, "__len__"):
        raise ValidationError(
            f"{operation}() takes a list of {what}, not {type(given).__name__}: its length and order must be the same "
            "on every replay. Make it a list, e.g. sorted(...) of a set"
        )
    return given  # type: ignore[no-any-return]  # anything with a length and an order


def _with_arity(func: Callable[..., Any], items: Sequence[Any]) -> Callable[[Any, Any, int], Any]:
    """``func`` with as many of (context, item, index, items) as it takes."""
    code = getattr(getattr(func, "__func__", func), "__code__", None)
    if code is None or code.co_flags & 0x04:
        return lambda context, item, index: func(context, item, index, items)
    count = code.co_argcount - (getattr(func, "__self__", None) is not None)
    required = count - len(getattr(func, "__defaults__", None) or ())
    if required > 4 or count < 2:
        raise ValidationError(
            f"the function of a map takes (context, item), (context, item, index) or (context, item, index, items); "
            f"{func!r} takes {count} parameters"
        )
    if required <= 2:
        return lambda context, item, index: func(context, item)
    if required == 3:
        return lambda context, item, index: func(context, item, index)
    return lambda context, item, index: func(context, item, index, items)
