"""What an event says, in a line a person can read. Used live and afterwards alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from .terminal import clean, clock_time, duration, error_text, mark, preview, style
from .tree import ExecutionTree, Node

__all__ = ["Line", "Narrator"]

_STYLES: Final[dict[str, dict[str, Any]]] = {
    "start": {},
    "good": {"fg": "green"},
    "bad": {"fg": "red"},
    "wait": {"fg": "yellow"},
    "quiet": {"dim": True},
}


@dataclass(frozen=True, slots=True)
class Line:
    """``depth`` counts the contexts around it."""

    at: int
    depth: int
    glyph: str
    tone: str
    subject: str
    text: str

    def render(self, prefix: str = "") -> str:
        """With colours; :func:`click.echo` drops them where they do not belong."""
        head = style(f"{mark(self.glyph)} {self.subject}", **_STYLES[self.tone])
        return f"{prefix}{'  ' * self.depth}{head}  {self.text}".rstrip()


class Narrator:
    """Tells one execution.

    Parameters:
        options: how to name the service on the command line, for the commands it suggests.
    """

    def __init__(self, options: str = "", *, width: int = 100) -> None:
        self.tree: ExecutionTree = ExecutionTree()
        self._options = options
        self._width = width

    def tell(self, event: Any) -> Line | None:
        """The line for ``event``; None when there is nothing to say about it."""
        kind = event["EventType"]
        node = self.tree.apply(event)
        at: int = event["EventTimestamp"]
        if kind == "InvocationCompleted":
            error = (event.get("InvocationCompletedDetails") or {}).get("Error")
            if not error:
                return None
            text = f"invocation failed: {error_text(error.get('Payload'))}"
            return Line(at, 0, "⚠", "bad", "function", text + "; it is invoked again unless the execution has ended")
        if node is None:
            return self._execution(kind, at)
        glyph, tone, text = self._operation(kind, node, at)
        return Line(at, node.depth, glyph, tone, clean(node.label), text)

    def status(self, now_ms: int) -> str:
        """What the execution is busy with now, in a few words."""
        parts: list[str] = []
        for node in self.tree.open()[:4]:
            label = clean(node.label)
            if node.until is not None:
                left = max(0, node.until - now_ms)
                verb = "retry of " if node.type == "Step" else ""
                parts.append(f"{verb}{label} in {duration(left // 1000 * 1000) if left >= 1000 else 'a moment'}")
            elif node.type == "Callback":
                parts.append(f"waiting for callback {label}")
            else:
                parts.append(f"{label} runs")
        if self.tree.status == "PAUSED":
            parts.insert(0, "paused")
        return "  " + "; ".join(parts) if parts else ""

    def _execution(self, kind: str, at: int) -> Line | None:
        tree = self.tree
        took = f" after {duration(at - tree.started)}" if tree.started is not None else ""
        match kind:
            case "ExecutionStarted":
                return Line(at, 0, "▶", "start", "execution", f"started  {self._short(tree.input)}".rstrip())
            case "ExecutionSucceeded":
                return Line(at, 0, "✓", "good", "execution", f"succeeded{took}  {self._short(tree.result)}".rstrip())
            case "ExecutionFailed":
                return Line(at, 0, "✗", "bad", "execution", f"failed{took}: {error_text(tree.error)}")
            case "ExecutionTimedOut":
                return Line(at, 0, "✗", "bad", "execution", f"timed out{took}")
            case "ExecutionStopped":
                why = f": {error_text(tree.error)}" if tree.error else ""
                return Line(at, 0, "■", "bad", "execution", f"stopped{took}{why}")
            case "ExecutionPaused":
                return Line(at, 0, "‖", "wait", "execution", "paused")
            case "ExecutionResumed":
                return Line(at, 0, "▶", "start", "execution", "resumed")
            case _:
                return None

    def _operation(self, kind: str, node: Node, at: int) -> tuple[str, str, str]:
        if kind.endswith("Started"):
            return self._started(node, at)
        took = duration(at - node.started)
        named = f"{node.kind} " if node.name else ""
        if node.status == "PENDING":
            again = f"again in {duration((node.until or at) - at)}"
            if node.error is not None:
                return "↻", "wait", f"attempt {node.attempt} failed: {error_text(node.error)}; {again}"
            return "↻", "quiet", f"{named}not yet; {again}  {self._short(node.result)}".rstrip()
        if node.status == "SUCCEEDED":
            if node.type == "Wait":
                return "✓", "good", f"waited {took}"
            attempts = f" at attempt {node.attempt}" if node.type == "Step" and node.attempt > 1 else ""
            # A step that fits into one checkpoint is recorded as begun and done at the same moment.
            lasted = f" in {took}" if at > node.started else ""
            return "✓", "good", f"{named}succeeded{attempts}{lasted}  {self._short(node.result)}".rstrip()
        if node.status == "CANCELLED":
            return "■", "quiet", f"{named}cancelled"
        verb = {"FAILED": "failed", "TIMED_OUT": "timed out", "STOPPED": "was stopped"}[node.status]
        attempts = f" for good at attempt {node.attempt}" if node.type == "Step" and node.attempt > 1 else ""
        why = f": {error_text(node.error)}" if node.error else ""
        return "✗", "bad", f"{named}{verb}{attempts}{why}"

    def _started(self, node: Node, at: int) -> tuple[str, str, str]:
        if node.type == "Wait" and node.until is not None:
            left = duration(node.until - at)
            return "◷", "wait", f"waiting {left}, until {clock_time(node.until, now_ms=at)}"
        if node.type == "Callback":
            answer = f"durably callback succeed{self._options} {node.callback_id} RESULT"
            return "✉", "wait", f"waiting for an answer; give it with:  {answer}"
        if node.type == "ChainedInvoke":
            target = f"invoking {clean(node.target)}" if node.target else "invoking another function"
            return "→", "start", f"{target}  {self._short(node.input)}".rstrip()
        if node.type == "Context":
            return "▸", "quiet", f"{node.kind} started" if node.name else "started"
        attempt = f", attempt {node.attempt + 1}" if node.error is not None else ""
        return "●", "quiet", (f"{node.kind} started" if node.name else "started") + attempt

    def _short(self, payload: str | None) -> str:
        return preview(payload, self._width)
