"""The command line of the test cluster: `scripts/cluster build | up | down | status`."""

import argparse
import sys
import time
from collections.abc import Sequence
from typing import NoReturn

from tests.cluster import background
from tests.cluster.binaries import PROGRAMS, SERVER, found
from tests.cluster.build import build
from tests.cluster.error import EX_USAGE, ClusterError

EX_DOWN = 4


class Parser(argparse.ArgumentParser):
    """Says one sentence about wrong usage."""

    def error(self, message: str) -> NoReturn:
        """End with status 2."""
        raise ClusterError(f"{message} ({self.prog} --help tells more)", EX_USAGE)


def parser() -> Parser:
    """Return the parser of `scripts/cluster`."""
    top = Parser(prog="scripts/cluster", description="A real Kubernetes API server for tests.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("build", help="get etcd and Kubernetes: found, or built with Go, once")
    up = commands.add_parser("up", help="start a cluster and print the path of its kubeconfig")
    _name_option(up)
    up.add_argument("--port", type=int, default=0, help="of the API server; any free one")
    up.add_argument("--controllers", action="store_true", help="start the controller manager too")
    up.add_argument("--nodes", type=int, default=0, help=argparse.SUPPRESS)
    down = commands.add_parser("down", help="end the cluster, and verify that it is gone")
    _name_option(down)
    status = commands.add_parser("status", help="tell what runs; exit status 0 if all does, else 4")
    status.add_argument("--name", help="which cluster (all of them)")
    return top


def main(arguments: Sequence[str]) -> int:
    """Do what *arguments* say; return the exit status."""
    options = parser().parse_args(arguments)
    match options.command:
        case "build":
            build(_say)
            for name, path in found().items():
                print(f"{name:<26}{path}")
        case "up":
            _up(options)
        case "down":
            background.down(background.place(options.name))
        case _:
            return _statuses([options.name] if options.name else background.names())
    return 0


def _up(options: argparse.Namespace) -> None:
    if options.nodes != 0:
        raise ClusterError(
            f"--nodes {options.nodes}: there are no nodes with kubelets; 0 is the API server alone",
            EX_USAGE,
        )
    if not 0 <= options.port <= 65535:
        raise ClusterError(f"--port {options.port}: must be between 0 and 65535", EX_USAGE)
    directory = background.place(options.name)
    build(_say, PROGRAMS if options.controllers else SERVER)
    began = time.monotonic()
    state = background.up(directory, port=options.port, controllers=options.controllers)
    _say(f"up: {state.url}, ready in {time.monotonic() - began:.1f} s; logs in {directory}")
    print(state.kubeconfig)


def _statuses(names: Sequence[str]) -> int:
    """Tell about each cluster; all of them must run."""
    if not names:
        print("no cluster is up")
        return EX_DOWN
    return max([_status(name) for name in names])


def _status(name: str) -> int:
    state = background.load(background.place(name))
    if state is None:
        print(f"{name}: down")
        return EX_DOWN
    print(f"{name}:")
    living = state.living
    for process, (pid, _) in state.started.items():
        print(f"  {process:<26}{f'runs as {pid}' if process in living else 'ended'}")
    print(f"  {'API server':<26}{state.url}\n  {'kubeconfig':<26}{state.kubeconfig}")
    return 0 if living.keys() == state.started.keys() else EX_DOWN


def _name_option(to: argparse.ArgumentParser) -> None:
    to.add_argument("--name", default="default", help="which cluster (%(default)s)")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ClusterError as error:
        print(error, file=sys.stderr)
        sys.exit(error.status)
    except KeyboardInterrupt:
        sys.exit(130)
