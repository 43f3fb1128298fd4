"""What killing services leaves behind in this process."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def broken_connections() -> Iterator[None]:
    """botocore leaves a connection that broke to the garbage collector: here, not in the middle of another test."""
    yield
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "unclosed <socket", ResourceWarning)
        gc.collect()
