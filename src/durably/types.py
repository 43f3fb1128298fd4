"""Types that users name in annotations, under the official SDK's module name."""

from __future__ import annotations

from .context import Callback, DurableContext, StepContext, WaitForCallbackContext
from .logger import LoggerInterface

__all__ = ["Callback", "DurableContext", "LoggerInterface", "StepContext", "WaitForCallbackContext"]
