"""Functions in processes of their own, driven over the real Lambda Runtime API."""

from .workers import LambdaWorkers, RuntimeFunction

__all__ = ["LambdaWorkers", "RuntimeFunction"]
