"""Become ExaBGP, with our parts in the seats where its own would fail us.

`bgpd speaker` executes `python -m bgpd.exabgp.launcher --configuration PATH --reflex COMMAND`.
This process then holds the sessions; the reflex, its child, decides what they say. As the first
process of a container it leaves that seat to `first`, which can do without being killed.
Nothing of ExaBGP's environment file or variables applies.

Exit status: 0 after an orderly end, 75 when the reflex cannot be started, that of the reflex when
its first start ends with 75 or 78, else ExaBGP's own.
"""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from types import SimpleNamespace

import bgpd.exabgp.unnamed  # noqa: F401  isort: skip  before anything of ExaBGP
import exabgp.bgp.timer
import exabgp.reactor.loop
import exabgp.reactor.peer
import exabgp.reactor.protocol
import exabgp.rib
from exabgp.environment import base, getenv
from exabgp.logger import log

from bgpd import stderr
from bgpd.exabgp import first
from bgpd.exabgp.boot import SpeakerCapabilities, ran_in_this_boot
from bgpd.exabgp.conversation import SessionProtocol
from bgpd.exabgp.lines import Lines
from bgpd.exabgp.mends import Mend
from bgpd.exabgp.process import FIRST_PING_SECONDS, ReflexProcess
from bgpd.exabgp.reactor import SpeakerReactor
from bgpd.exabgp.rib import AdjRibOut
from bgpd.exabgp.session import Session
from bgpd.exabgp.transport import PeerConnection

TERM_SECONDS = 30.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until told to stop; return the exit status."""
    options = _parser().parse_args(arguments)
    if os.getpid() == 1:
        first.stay_behind()
    without = frozenset(Mend(name) for name in options.without_mend)
    if Mend.STDERR not in without:
        # Before ExaBGP's log takes hold of the stream.
        sys.stdout = sys.stderr = stderr.install() or sys.stderr
        stderr.wrap(Lines(options.log_format))
    set_environment(options.log_level)
    install(without)
    SpeakerCapabilities.forwarding = Mend.FORWARDING in without or ran_in_this_boot(
        Path(options.configuration).absolute().parent
    )
    reactor = SpeakerReactor(
        Path(options.configuration).absolute(),
        shlex.split(options.reflex),
        term_timeout=options.term_timeout,
        without=without,
    )
    exabgp.reactor.loop.Processes = lambda: ReflexProcess(
        reactor, without, first_ping=options.first_ping
    )
    status = reactor.run()
    return int(status) if reactor.fatal is None else reactor.fatal


def install(without: frozenset[Mend] = frozenset()) -> None:
    """Put our parts into ExaBGP's seats."""
    for part in (AdjRibOut, PeerConnection, Session):
        part.without = without
    exabgp.rib.OutgoingRIB = AdjRibOut
    exabgp.reactor.loop.Peer = Session
    exabgp.reactor.peer.Protocol = SessionProtocol
    exabgp.reactor.protocol.Outgoing = PeerConnection
    exabgp.reactor.protocol.Capabilities = SpeakerCapabilities
    if Mend.CLOCK not in without:
        # Hold and keepalive timers read the wall clock: when NTP sets it forward by a hold
        # time, every session expires at once.
        exabgp.bgp.timer.time = SimpleNamespace(time=monotonic)


def set_environment(level: str) -> None:
    """Set ExaBGP's own settings, whatever its files and variables say; log from *level* up."""
    base.ENVFILE = os.devnull
    for name in list(os.environ):
        if name.startswith(("exabgp.", "exabgp_")):
            del os.environ[name]
    environment = getenv()
    environment.api.ack = False
    environment.api.cli = False
    environment.api.respawn = True
    environment.api.terminate = False
    environment.bgp.passive = False
    environment.cache.attributes = False
    environment.daemon.daemonize = False
    environment.daemon.drop = False
    environment.daemon.pid = ""
    environment.daemon.umask = _umask()
    environment.log.all = False
    environment.log.configuration = False  # it would write each line of the file, keys too
    environment.log.parser = False
    environment.log.destination = "stderr"
    environment.log.level = level
    environment.log.short = True
    environment.tcp.attempts = 0
    environment.tcp.bind = []
    log.init(environment)


def _umask() -> int:
    # ExaBGP sets 0137, and the reflex inherits it: its directories would not be searchable.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bgpd.exabgp.launcher", description="Hold BGP sessions.")
    parser.add_argument(
        "--configuration", required=True, metavar="PATH", help="ExaBGP's configuration file"
    )
    parser.add_argument(
        "--reflex", required=True, metavar="COMMAND", help="the command that decides on routes"
    )
    parser.add_argument(
        "--log-level",
        default="WARNING",
        type=str.upper,
        choices=["CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG"],
        help="what ExaBGP writes to stderr",
    )
    parser.add_argument(
        "--log-format",
        default="text",
        type=stderr.chosen,
        choices=("text", "json"),
        help="how a line of ours and of ExaBGP's looks; auto: text at a terminal, else JSON",
    )
    parser.add_argument(
        "--term-timeout",
        type=float,
        default=TERM_SECONDS,
        metavar="SECONDS",
        help="how long the reflex may drain after SIGTERM",
    )
    parser.add_argument(
        "--first-ping",
        type=float,
        default=FIRST_PING_SECONDS,
        metavar="SECONDS",
        help="how long the reflex may take to start before it is taken for hung",
    )
    parser.add_argument(
        "--without-mend",
        action="append",
        default=[],
        choices=[mend.value for mend in Mend],
        help=argparse.SUPPRESS,
    )
    return parser


if __name__ == "__main__":
    with suppress(BrokenPipeError):
        sys.exit(main())
