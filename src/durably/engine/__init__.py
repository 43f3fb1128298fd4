"""Replay: the journal, the checkpoint writer, suspension and the protocol of each operation.

A *protocol* is a generator, one module per operation (``step.py``, ``wait.py``, ...), free of threads and
event loops. It reads the journal, adds updates to the run, and yields a request where it must wait
(:mod:`durably.engine.requests`). Two drivers run protocols: :class:`durably.engine.sync_run.SyncRun` for plain
functions, :class:`durably.engine.async_run.AsyncRun` for coroutines. An operation that is already recorded
finishes inside the generator's first step: no lock, no thread, no event loop.

The laws of replay, cited by the tests:

R1  The result of a recorded operation is returned; its body does not run again.
R2  An id depends only on the structure of the program: the context, the order of calls in it, the order in
    which tasks were created. Never on timing.
R3  A recorded operation and the call that meets it agree in type, subtype, name and parent, or the execution
    fails with NonDeterministicExecutionError, whoever catches it. So it does when code returns before it has come
    to all that was recorded of it.
R4  Updates are sent in the order in which they were made, one call at a time, each call with the token of the
    answer before.
R5  What must be durable before the program goes on is acknowledged before the program goes on.
R6  Once an invocation has ended, for whatever reason, nothing of it records anything more.
R7  A suspension reaches the service as PENDING whatever user code does with exceptions.
R8  The first run returns what replay will return: a value is taken through its serialized form.
R9  On replay, completions reach concurrent tasks in the order in which they were recorded, and the program's timers
    strike among them in that order.
"""
