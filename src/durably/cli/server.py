"""What ``durably dev`` starts and stops: service, HTTP server, worker, watcher and log, in the right order.

The port is decided before the user's code is imported, since a boto3 client made at import must find the endpoint in
the environment. The service starts last: what its recovery starts finds the HTTP API and the functions there, and
whoever calls before is told to try again.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import click

from durably._version import __version__

from .dev import is_template, load, store_for
from .failures import CannotServe, Failure
from .log import EventLog
from .terminal import clean, style

__all__ = ["Server"]

_QUIET: Final = ("watchfiles", "botocore", "boto3", "urllib3", "asyncio", "uvicorn")


class Server:
    """Parameters as the command's."""

    def __init__(
        self,
        target: str,
        host: str,
        port: int,
        store: str | None,
        workers: int | None,
        json_: bool,
        parameters: dict[str, str] | None = None,
    ) -> None:
        self._target = target
        self._parameters = parameters or {}
        self._host = host
        self._port = port
        self._store = store
        # A template's functions have an environment, a language, code of their own: processes.
        self._workers = 8 if workers is None and is_template(target) else workers
        self._json = json_
        self._closers: list[Any] = []
        self._worker: Any = None
        self._serving = False

    def start(self, *, reload: bool) -> None:
        from durably.service.http.server import CannotListen, HttpServer
        from durably.service.kernel import Service
        from durably.service.store.base import StoreError

        _set_up_logging()
        port = self._port or _free_port(self._host)
        url_host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "[::1]"}.get(self._host, self._host)
        url = f"http://{url_host}:{port}"
        region = _set_environment(url)
        log = EventLog(
            as_json=self._json,
            options="" if port == 9014 else f" --endpoint-url {url}",
            history=lambda arn: _history(service, arn),
        )
        if self._json:
            # What the functions print must not come between the documents.
            self._closers.append(partial(setattr, sys, "stdout", sys.stdout))
            sys.stdout = sys.stderr
        app = load(self._target, self._parameters, region)
        store, self._store_name = store_for(self._store, self._target)
        service = Service(store)
        service.subscribe(log.listener)
        server = HttpServer(service, self._host, port)
        self._worker = self._make_worker(app, service, url, region, log)
        self._closers += [log.close, service.close, server.stop, self._worker.close]
        service.attach(self._worker)
        try:
            server.start()
        except CannotListen as exc:
            raise CannotServe(f"{exc}.") from exc
        try:
            service.start()
        except StoreError as exc:
            raise CannotServe(f"{exc}") from exc
        self._announce(app, url, log)
        log.start()
        self._serving = True
        if reload:
            from durably.workers.watch import watch

            self._closers.append(watch(app, lambda changed: self._reload(changed, region, log)).close)

    def stop(self) -> None:
        """Release everything, last come first gone. Says how to go on."""
        serving, self._serving = self._serving, False
        closers, self._closers = self._closers, []
        for close in reversed(closers):
            close()
        if serving and not self._json:
            again = "" if self._store == ":memory:" else " Unfinished executions continue when you start it again."
            click.echo(f"Stopped.{again}")

    def _make_worker(self, app: Any, service: Any, url: str, region: str, log: EventLog) -> Any:
        if self._workers is not None:
            from durably.workers.runtime_api import LambdaWorkers

            try:
                return LambdaWorkers(
                    _for_processes(app),
                    endpoint_url=url,
                    concurrency=self._workers,
                    max_processes=max(32, self._workers),
                    region=region,
                    on_log=log.worker_message,
                )
            except RuntimeError as exc:
                raise CannotServe(f"{exc}.") from exc
        from durably.client.in_process import InProcessClient
        from durably.workers.in_process import InProcessWorker

        return InProcessWorker(app.functions, client_factory=lambda: InProcessClient(service))

    def _reload(self, changed: frozenset[Path], region: str, log: EventLog) -> Any:
        try:
            app = load(self._target, self._parameters, region)
        except Failure as exc:
            log.say("reload", f"failed, still serving the code from before: {exc.message}\n{exc.remedy}", bad=True)
            return None
        self._worker.replace(_for_processes(app) if self._workers is not None else app.functions)
        names = ", ".join(sorted(path.name for path in changed)[:3])
        log.say("reload", f"{names} changed; serving {', '.join(app.functions)}")
        return app

    def _announce(self, app: Any, url: str, log: EventLog) -> None:
        if self._json:
            log.emit(
                {
                    "Event": "Serving",
                    "Url": url,
                    "Store": self._store_name,
                    "Functions": list(app.functions),
                    "Pid": os.getpid(),
                }
            )
            return
        from durably.service.http.guard import is_loopback

        click.echo(f"{style('durably', bold=True)} {__version__}  {style(url, fg='cyan')}")
        click.echo(f"  store      {self._store_name}")
        for number, (name, function) in enumerate(app.functions.items()):
            kind = "" if function.spec.durable else "  (not durable)"
            click.echo(f"  {'functions' if number == 0 else '         '}  {clean(name)}{kind}")
        durable = [name for name, function in app.functions.items() if function.spec.durable]
        first = (durable or list(app.functions))[0]
        where = "" if url == "http://127.0.0.1:9014" else f" --endpoint-url {url}"
        if not is_loopback(self._host):
            click.echo(style("Whoever can reach this address can run these functions.", fg="yellow"))
        click.echo(f"Start one:  durably invoke{where} {first} '{{}}'      Stop: Ctrl-C")


def _for_processes(app: Any) -> Any:
    """What LambdaWorkers take of it."""
    from durably.workers.loader import LoadedApp

    return app if isinstance(app, LoadedApp) else list(app.functions.values())


def _history(service: Any, arn: str) -> Iterator[Any]:
    marker: str | None = None
    while True:
        page = service.call("GetDurableExecutionHistory", DurableExecutionArn=arn, MaxItems=1000, Marker=marker)
        yield from page["Events"]
        marker = page.get("NextMarker")
        if not marker:
            return


def _set_environment(url: str) -> str:
    """Let boto3 clients made by the functions find this service. Returns the region they are told.

    The endpoint is this service's, whatever was exported: handlers of the official SDK checkpoint there, and one that
    belongs to another service would take their checkpoints away. Credentials are left alone where there are any.
    """
    from durably.client.credentials import profile_region
    from durably.client.urls import region_of
    from durably.workers._credentials import stand_in_credentials

    config = Path(os.environ.get("AWS_CONFIG_FILE") or "~/.aws/config").expanduser()
    region = region_of(os.environ, None) or (profile_region() if config.exists() else None) or "us-east-1"
    os.environ.update(AWS_ENDPOINT_URL_LAMBDA=url, AWS_REGION=region, AWS_DEFAULT_REGION=region)
    os.environ.update(stand_in_credentials(os.environ))
    return region


def _set_up_logging() -> None:
    """Show what functions log. Handlers that the user's code installs are left alone."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s  %(levelname)-7s %(message)s", datefmt="%H:%M:%S")
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _free_port(host: str) -> int:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host or None, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.bind(address)
            port: int = probe.getsockname()[1]
            return port
    except OSError as exc:
        raise CannotServe(
            f"cannot listen on {host}: {exc.strerror or exc}.", "Give an address of this machine."
        ) from exc
