"""Drives the official conformance runner against the handlers of this folder, served by the embedded service.

Two processes, because two sets of packages: the service with the handlers in the project's environment, the official
runner in one of its own. ``main`` starts both; a function's log lines travel through files (``logs``).
"""
