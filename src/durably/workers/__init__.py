"""Who runs functions for the embedded service: threads and an event loop of this process, or processes of their
own that speak the Lambda Runtime API.

A worker gets an :class:`~durably.service.ports.Invocation` and answers once with its result. It knows nothing of
executions, histories or tokens: a function that hangs, exits or is killed costs its own invocation only, and what
it might still write afterwards is fenced by its checkpoint token.
"""
