"""The durable execution service as a pure machine."""
