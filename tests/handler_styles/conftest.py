from __future__ import annotations

import pytest

from engine.harness import Flavour


@pytest.fixture(params=["sync", "async"])
def flavour(request: pytest.FixtureRequest) -> Flavour:
    """Each test that asks for it runs twice: as a plain handler and as a coroutine."""
    return Flavour(request.param)
