"""The durable execution service: a pure machine, stores, timers, dispatch, and its HTTP API."""
