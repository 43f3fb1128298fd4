"""The wire contract as data: what the SDK and the service say to each other.

Nothing here does I/O, reads a clock or imports another part of durably; both halves of the house meet
only here. Dictionaries keep the service model's own PascalCase member names, so that an event from Lambda
is used as it arrives, without a translation layer.
"""
