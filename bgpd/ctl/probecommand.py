"""`bgpctl probe`: find out on a live network which lever moves the router's traffic."""

import select
import signal
import socket
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer

from bgpd.ctl.program import INTERRUPTED, ListOutput, complain
from bgpd.model.errors import BgpdError
from bgpd.model.port import PROBE_PORT

EXIT_CODES: Final = (
    "Exit status: 0 the configured lever moves the traffic, 1 it does not, 2 wrong usage or "
    "could not be done, 130 interrupted."
)
_RUN_DIR: Final = Path("/run/bgpd")
_KEY_FILE: Final = Path("/etc/bgpd/mesh-key")
_CALL_SECONDS: Final = 5.0
_SILENCE_SECONDS: Final = 10.0
"""Our own route has gone long before: it is prolonged only while the other node speaks."""
_FAILED: Final = 2


def probe_command(  # noqa: PLR0913 - its options
    *,
    address: Annotated[
        str, typer.Option("--address", help="A spare elastic IP.", metavar="ADDRESS")
    ] = "",
    partner: Annotated[
        str,
        typer.Option("--partner", help="The node that listens: member or address.", metavar="NODE"),
    ] = "",
    listen: Annotated[
        bool, typer.Option("--listen", help="Be the partner of one probe, then end.")
    ] = False,
    port: Annotated[
        int, typer.Option("--port", min=1, max=65535, help="TCP, both nodes.")
    ] = PROBE_PORT,
    peer: Annotated[
        list[str] | None, typer.Option("--peer", help="Only this peer; may be repeated.")
    ] = None,
    community: Annotated[
        list[str] | None,
        typer.Option(
            "--community",
            help="Try this one, too: less wanted, or BETTER=WORSE.",
            metavar="COMMUNITY",
        ),
    ] = None,
    patience: Annotated[
        float, typer.Option("--patience", min=1, max=600, help="Seconds a router is given.")
    ] = 5.0,
    ttl: Annotated[
        int, typer.Option("--ttl", min=2, max=64, help="Of datagrams, to begin with.")
    ] = 2,
    from_client: Annotated[
        bool, typer.Option("--from-client", help="A third machine sends; says what to run there.")
    ] = False,
    output: Annotated[
        ListOutput, typer.Option("-o", "--output", help="The form.")
    ] = ListOutput.TABLE,
    mesh_key_file: Annotated[
        Path,
        typer.Option(
            "--mesh-key-file",
            envvar="BGPD_MESH_KEY_FILE",
            help="What both nodes know each other by.",
            metavar="PATH",
        ),
    ] = _KEY_FILE,
    run_dir: Annotated[
        Path,
        typer.Option("--run-dir", envvar="BGPD_RUN_DIR", help="Of the sockets.", metavar="PATH"),
    ] = _RUN_DIR,
) -> None:
    """Find out which attribute moves the router's traffic, with a spare elastic IP.

    On one node: bgpctl probe --listen. On another one, as root:
    bgpctl probe --address 203.0.113.9 --partner n2. Everything is put back.
    """
    from bgpd.mesh import keys  # noqa: PLC0415

    if listen == bool(address or partner) or (not listen and not (address and partner)):
        _fail("say --listen on one node, --address and --partner on the other")
    try:
        known = keys.load(mesh_key_file)
        _end_as_at_ctrl_c()
        if listen:
            _listen(run_dir, known, port)
            return
        options = {
            "peers": tuple(peer or ()),
            "communities": tuple(community or ()),
            "patience": patience,
            "ttl": ttl,
            "from_client": from_client,
        }
        status = _lead(run_dir, known, (partner, port), address, options, output)
    except BgpdError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        complain("bgpctl", "interrupted; the spare route is withdrawn")
        raise typer.Exit(INTERRUPTED) from None
    raise typer.Exit(status)


def _lead(
    run_dir: Path,
    known: tuple[bytes, ...],
    partner: tuple[str, int],
    address: str,
    options: dict[str, Any],
    output: ListOutput,
) -> int:
    from bgpd.ctl import document, probelink, probetable  # noqa: PLC0415
    from bgpd.ctl.proberoom import Room  # noqa: PLC0415
    from bgpd.ctl.proberun import Probe, Wish  # noqa: PLC0415
    from bgpd.model.prefix import parse_address  # noqa: PLC0415

    wish = Wish(address=parse_address(address), **options)
    room = Room(run_dir)
    where = room.members.get(partner[0], partner[0])
    with probelink.call(where, partner[1], known, seconds=_CALL_SECONDS) as link:
        outcome = Probe(wish, room, link, _say).run()
    if output is ListOutput.TABLE:
        sys.stdout.write(probetable.report(outcome))
    else:
        sys.stdout.write(document.dump(probetable.document(outcome), output.value))
    return outcome.exit_code


def _listen(run_dir: Path, known: tuple[bytes, ...], port: int) -> None:
    from bgpd.ctl import probelink  # noqa: PLC0415
    from bgpd.ctl.probepartner import Partner  # noqa: PLC0415
    from bgpd.ctl.probeplan import ProbeError  # noqa: PLC0415
    from bgpd.ctl.proberoom import Room  # noqa: PLC0415

    room = Room(run_dir)
    with _listener(port) as listener:
        _say(f"{room.node} waits on port {port}; on another node: bgpctl probe --partner")
        while True:
            sock, caller = listener.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                link = probelink.answer(sock, known)
            except ProbeError as error:
                sock.close()
                _say(f"{caller[0]}: {error}")
                continue
            with link:
                # As the node is now: it may have waited for long.
                Partner(Room(run_dir), link, _say).run(_wait, _SILENCE_SECONDS)
            _say("the probe is over, and the spare route withdrawn")
            return


def _listener(port: int) -> socket.socket:
    try:
        if socket.has_dualstack_ipv6():
            return socket.create_server(
                ("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=4
            )
        return socket.create_server(("", port), backlog=4)
    except OSError as error:
        _fail(f"port {port}: {error.strerror or error}; choose another one with --port")


def _wait(sockets: Iterable[Any], seconds: float) -> None:
    with suppress(InterruptedError):
        select.select(list(sockets), [], [], seconds)


def _end_as_at_ctrl_c() -> None:
    """Let SIGTERM and SIGHUP, as of a connection that is lost, put everything back, too."""

    def end(*_: object) -> NoReturn:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, end)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)  # noqa: T201


def _fail(sentence: str) -> NoReturn:
    complain("bgpctl", sentence)
    raise typer.Exit(_FAILED)
