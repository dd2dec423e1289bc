"""/metrics for Prometheus, /livez and /readyz for the kubelet: the same for each process.

No page waits for anything, and none is asked for by more than `listener` lets in. That the port is
taken, or a certificate cannot be read, is a sentence in the log and a condition; it is tried again
and never ends the process.
"""

import asyncio
import errno
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Protocol

from bgpd.model.status import Condition
from bgpd.telemetry import commonmetrics, logs
from bgpd.telemetry.exposition import Family, complete, one
from bgpd.telemetry.httpconnection import Connection, Dropped
from bgpd.telemetry.httprequest import (
    BadRequestError,
    Check,
    Request,
    Response,
    checked,
    permitted,
    refused,
)
from bgpd.telemetry.listener import Listener
from bgpd.telemetry.metricsoptions import HostPort, MetricsOptions
from bgpd.telemetry.scrape import Scrape
from bgpd.telemetry.secrets import Secrets

AGAIN_SECONDS: Final = 5.0
"""How soon what could not be served is tried again."""
_PAGES: Final = ("/metrics", "/livez", "/readyz", "/healthz")
_REASONS: Final = {
    errno.EADDRINUSE: "PortTaken",
    errno.EADDRNOTAVAIL: "AddressMissing",
}


class Pages(Protocol):
    """What a process has to show."""

    def families(self) -> Iterable[Family]:
        """Return its metrics; the samples of a family are a copy, for they are read later."""

    def live(self) -> Iterable[Check]:
        """Return whether it works at all; that there is an answer says that the loop turns."""

    def ready(self) -> Iterable[Check]:
        """Return whether it can do what it is there for."""


class Http:
    """The metrics port of one process; open and close it inside a running loop."""

    def __init__(self, options: MetricsOptions, pages: Pages, log: logging.Logger) -> None:
        self._pages = pages
        self._log = log
        self._secrets = Secrets(options)
        self._listeners = [
            Listener(address, self, context=lambda: self._secrets.context)
            for address in options.addresses
        ]
        self._scrape = Scrape(self._families, failed=self._failed)
        self._requests: Counter[tuple[str, str]] = Counter()
        self._dropped: Counter[Dropped] = Counter()
        self._told: tuple[str, ...] = ()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Listen; what cannot be listened on is tried again until `close`."""
        if self._timer is not None:
            self._timer.cancel()
        self._secrets.look(self._loop.time())
        for listener in self._listeners:
            if self._secrets.usable and not listener.is_open:
                listener.open()
        self._tell()
        if self._listeners:
            self._timer = self._loop.call_later(AGAIN_SECONDS, self.open)

    def close(self) -> None:
        """Stop."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for listener in self._listeners:
            listener.close()

    @property
    def addresses(self) -> tuple[HostPort, ...]:
        """Where somebody can connect now."""
        return tuple(HostPort(one.address.host, one.port) for one in self._listeners if one.is_open)

    def conditions(self) -> Iterator[Condition]:
        """Yield what a person should know."""
        secrets = self._secrets
        if secrets.problem and self._listeners:
            served = secrets.usable
            yield Condition(
                type="MetricsSecretOutdated" if served else "MetricsNotServed",
                status=True,
                reason="SecretRefused",
                message=f"{secrets.problem}; until then what was read before stays in force"
                if served
                else f"metrics are not served: {secrets.problem}",
            )
        for listener in self._listeners:
            if listener.problem:
                reason = _REASONS.get(listener.error, "NotListening")
                yield Condition(
                    type="MetricsNotServed", status=True, reason=reason, message=listener.problem
                )

    # For connections

    def answer(self, request: Request, reply: Callable[[Response], None]) -> None:
        """Answer *request* (`bgpd.telemetry.httpconnection` Clerk)."""
        page = request.path if request.path in _PAGES else "other"

        def counted(response: Response) -> None:
            self._requests[page, str(response.code)] += 1
            reply(response)

        if page == "/metrics":
            self._secrets.look(self._loop.time())
            if permitted(request, self._secrets.token):
                self._scrape.ask(counted)
            else:
                counted(refused(401, "a bearer token is asked for, and this is not it"))
        elif page == "other":
            counted(refused(404, f"there is no such page; there are {', '.join(_PAGES)}"))
        else:
            counted(self._health(request))

    def refuse(self, error: BadRequestError, reply: Callable[[Response], None]) -> None:
        """Answer what is no request (`bgpd.telemetry.httpconnection` Clerk)."""
        self._requests["other", str(error.code)] += 1
        reply(refused(error.code, str(error)))

    def over(self, connection: Connection, dropped: Dropped | None) -> None:
        """Note that *connection* is over (`bgpd.telemetry.httpconnection` Clerk)."""
        if dropped is not None:
            self._dropped[dropped] += 1
        for listener in self._listeners:
            listener.forget(connection)

    def _health(self, request: Request) -> Response:
        verbose = "verbose" in {word.partition("=")[0] for word in request.query.split("&")}
        if request.path == "/readyz":
            return checked(self._pages.ready(), what="readyz", verbose=verbose)
        loop = Check("loop")  # it turned, to come here
        return checked((loop, *self._pages.live()), what="livez", verbose=verbose)

    def _families(self) -> Iterator[Family]:
        yield from self._pages.families()
        yield Family(commonmetrics.HTTP_REQUESTS, sorted(self._requests.items()))
        dropped = [((str(why),), n) for why, n in self._dropped.items()]
        yield complete(commonmetrics.HTTP_DROPPED, dropped)
        yield one(commonmetrics.EXPOSITION_SECONDS, self._scrape.seconds)

    # For people

    def _tell(self) -> None:
        now = tuple(condition.message for condition in self.conditions())
        for message in now:
            if message not in self._told:
                logs.write(self._log, "error", "metrics_not_served", [("reason", message)])
        if self._told and not now:
            served = ", ".join(str(address) for address in self.addresses)
            logs.write(self._log, "info", "metrics_served", [("address", served)])
        self._told = now

    def _failed(self, error: Exception) -> None:
        reason = f"{type(error).__name__}: {error}"
        logs.write(self._log, "error", "metrics_failed", [("reason", reason)])
