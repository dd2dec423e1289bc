"""The metrics port of a process, over real sockets."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable

from bgpd.telemetry import commonmetrics
from bgpd.telemetry.exposition import Family, one
from bgpd.telemetry.http import Http
from bgpd.telemetry.httprequest import Check, encode, refused
from bgpd.telemetry.metricsoptions import HostPort, MetricsOptions

ANYWHERE = HostPort("127.0.0.1", 0)
LOG = logging.getLogger("test-http")


class Pages:
    """A process that is well, or not."""

    def __init__(self, problem: str = "") -> None:
        self.problem = problem

    def families(self) -> Iterable[Family]:
        """Return one metric, or fail."""
        if self.problem == "crash":
            raise ZeroDivisionError
        yield one(commonmetrics.START_TIME, 12.5)

    def live(self) -> Iterable[Check]:
        """Return nothing but that the loop turns."""
        return ()

    def ready(self) -> Iterable[Check]:
        """Return two checks."""
        return (Check("configuration"), Check("exabgp", self.problem))


def served(
    story: Callable[[Http], Awaitable[None]],
    pages: Pages | None = None,
    options: MetricsOptions | None = None,
) -> None:
    """Tell *story* to a server on a port of the kernel's choice."""

    async def told() -> None:
        http = Http(options or MetricsOptions(addresses=(ANYWHERE,)), pages or Pages(), LOG)
        http.open()
        try:
            await story(http)
        finally:
            http.close()

    asyncio.run(told())


async def ask(
    http: Http, line: str, *fields: str, context: ssl.SSLContext | None = None
) -> tuple[int, str]:
    """Return the status and the body that *line* is answered with."""
    to = http.addresses[0]
    reader, writer = await asyncio.open_connection(to.host, to.port, ssl=context)
    writer.write("\r\n".join((line, *fields, "", "")).encode("latin-1"))
    answer = (await asyncio.wait_for(reader.read(), 20)).decode()
    writer.close()
    head, _, body = answer.partition("\r\n\r\n")
    return int(head.split(" ")[1]), body


def test_metrics_are_text_that_prometheus_reads() -> None:
    """A scrape has HELP, TYPE and samples of the process and of the port itself."""

    async def story(http: Http) -> None:
        status, body = await ask(http, "GET /metrics HTTP/1.1", "Host: here")
        assert status == 200
        assert "# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds 12.5\n" in body
        assert 'bgpd_http_connections_dropped_total{reason="slow"} 0\n' in body

    served(story)


def test_what_is_ready_says_ok_and_in_full_when_asked() -> None:
    """`?verbose` names each check; without it there is one word."""

    async def story(http: Http) -> None:
        assert await ask(http, "GET /readyz HTTP/1.1") == (200, "ok")
        status, body = await ask(http, "GET /readyz?verbose HTTP/1.1")
        assert (status, body) == (200, "[+]configuration ok\n[+]exabgp ok\nreadyz check passed\n")
        assert await ask(http, "GET /livez?verbose HTTP/1.1") == (
            200,
            "[+]loop ok\nlivez check passed\n",
        )
        assert (await ask(http, "GET /healthz HTTP/1.1"))[0] == 200

    served(story)


def test_what_is_not_ready_names_the_check_that_fails() -> None:
    """A machine reads 503, a person the name and the sentence; livez has nothing to do with it."""

    async def story(http: Http) -> None:
        status, body = await ask(http, "GET /readyz HTTP/1.1")
        assert status == 503
        assert body == "[-]exabgp failed: it is gone\nreadyz check failed\n"
        assert await ask(http, "GET /livez HTTP/1.1") == (200, "ok")

    served(story, Pages("it is gone"))


def test_a_mistake_in_a_number_is_an_answer_and_no_end() -> None:
    """The process lives on, and so does the port."""

    async def story(http: Http) -> None:
        assert (await ask(http, "GET /metrics HTTP/1.1"))[0] == 500
        assert (await ask(http, "GET /livez HTTP/1.1"))[0] == 200

    served(story, Pages("crash"))


def test_what_nobody_should_send_is_refused_with_a_sentence() -> None:
    """Another method, another page, a head without end, no HTTP at all."""

    async def story(http: Http) -> None:
        assert (await ask(http, "POST /metrics HTTP/1.1"))[0] == 405
        assert (await ask(http, "GET /etc/passwd HTTP/1.1"))[0] == 404
        assert (await ask(http, "hello"))[0] == 400
        assert (await ask(http, "GET /metrics HTTP/1.1", "no colon"))[0] == 400
        assert (await ask(http, "GET / HTTP/1.1", "X: " + "a" * 9000))[0] == 431
        assert (await ask(http, "HEAD /livez HTTP/1.1")) == (200, "")

    served(story)


def test_another_method_learns_which_there_are() -> None:
    """An answer of 405 has to name them (RFC 9110 section 15.5.6)."""
    assert b"\r\nAllow: GET, HEAD\r\n" in encode(refused(405, "only GET and HEAD are answered"))


def test_a_taken_port_is_a_condition_and_is_tried_again() -> None:
    """Nobody is served until the port is free, and then everybody is."""

    async def told() -> None:
        other = socket.create_server(("127.0.0.1", 0))
        port = other.getsockname()[1]
        http = Http(MetricsOptions(addresses=(HostPort("127.0.0.1", port),)), Pages(), LOG)
        http.open()
        try:
            (condition,) = http.conditions()
            assert (condition.type, condition.reason) == ("MetricsNotServed", "PortTaken")
            assert f"127.0.0.1:{port}: another program listens there" in condition.message
            other.close()
            http.open()
            assert not list(http.conditions())
            assert await ask(http, "GET /livez HTTP/1.1") == (200, "ok")
        finally:
            http.close()
            other.close()

    asyncio.run(told())
