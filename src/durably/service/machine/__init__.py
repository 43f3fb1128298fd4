"""The durable execution service as a pure machine.

Functions of an execution, a command and an :class:`~.env.Env` (time, ids, settings: all given from outside). They
change the execution in place, only after the command has been found good, and leave in it the events to append, the
records to write and the :class:`~.model.Effect` list to carry out. A command that is refused raises ApiError and has
changed nothing.

The laws (tests cite them by number):

 1. Atomic: a checkpoint is applied whole or not at all.
 2. Single use: a checkpoint token is good for one checkpoint; its successor comes with the answer.
 3. Fenced: when an invocation begins, no token of an older one can write anything.
 4. Answered twice: the latest checkpoint sent again with its ClientToken within 15 minutes changes nothing and gets
    the same token.
 5. Terminal is final: an operation or execution that has ended never changes.
 6. Identity: type, subtype, name and parent of an operation never change.
 7. Order: EventId counts from 1 without gaps, in the order in which things happened; the end of the execution is its
    last event.
 8. Told once: an answer carries everything that changed since the answer before, by last change.
 9. No lost wake-up: an execution that has not ended, is not paused and has no invocation running has a timer set or
    waits for a callback or a chained invoke.
10. One at a time: at most one invocation of an execution runs.
11. Durable: what was answered has been committed; what was refused or failed to commit has left no trace.
12. Suspended for a reason: PENDING is accepted only while something is pending or untold; else the invocation has
    failed, and the third such answer in a row fails the execution.
13. Attempts: StepDetails.Attempt counts the attempts that ended.
14. A chained invoke ends in the same commit as its target's execution.
15. Paused: a paused execution completes waits and callbacks but is not invoked.
"""
