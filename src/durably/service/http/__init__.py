"""The service over HTTP: the paths, bodies and errors of AWS Lambda's durable execution API."""

from .app import App, create_app
from .server import CannotListen, HttpServer, PortInUse

__all__ = ["App", "CannotListen", "HttpServer", "PortInUse", "create_app"]
