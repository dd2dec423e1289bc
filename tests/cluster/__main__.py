"""The command line of the test cluster: `scripts/cluster build | up | exec | load | … | down`."""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from tests.cluster import background, control
from tests.cluster.binaries import NODES, PROGRAMS, SERVER, found, required
from tests.cluster.build import build
from tests.cluster.error import EX_USAGE, ClusterError
from tests.tool import end

EX_DOWN = 4
_MOST = 20
_POWER = {
    "off": "take the power of a node: all of it ends, without a word",
    "on": "start a node again, with what it had on its disk",
    "cut": "unplug a node from the network, without loss of carrier",
    "heal": "plug it in again",
}


class Parser(argparse.ArgumentParser):
    """Says one sentence about wrong usage."""

    def error(self, message: str) -> NoReturn:
        """End with status 2."""
        raise ClusterError(f"{message} ({self.prog} --help tells more)", EX_USAGE)


def parser() -> Parser:
    """Return the parser of `scripts/cluster`."""
    top = Parser(
        prog="scripts/cluster",
        description="A real Kubernetes for tests: an API server, or a cluster with nodes.",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    made = commands.add_parser("build", help="get the programs: found, or built with Go, once")
    made.add_argument("--nodes", action="store_true", help="also those of nodes")
    up = commands.add_parser("up", help="start a cluster and print the path of its kubeconfig")
    _name_option(up)
    up.add_argument("--port", type=int, default=0, help="of the API server; any free one")
    up.add_argument("--controllers", action="store_true", help="start the controller manager too")
    up.add_argument(
        "--nodes", type=int, default=0, metavar="N", help="kubelets, a router and a client, too"
    )
    down = commands.add_parser("down", help="end the cluster, and verify that it is gone")
    _name_option(down)
    load = commands.add_parser("load", help="give all nodes an image: the file of scripts/image")
    _name_option(load)
    load.add_argument("image", type=Path, metavar="FILE")
    inside = commands.add_parser("exec", help="run a command in a node, the router or the client")
    _name_option(inside)
    inside.add_argument("place", help="n1, …, router, client or control")
    inside.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND")
    commands.add_parser("kubectl", help="run kubectl as the administrator, with all its words")
    for verb, what in _POWER.items():
        one = commands.add_parser(verb, help=what)
        _name_option(one)
        one.add_argument("node")
    status = commands.add_parser("status", help="tell what runs; exit status 0 if all does, else 4")
    status.add_argument("--name", help="which cluster (all of them)")
    return top


def main(arguments: Sequence[str]) -> int:
    """Do what *arguments* say; return the exit status."""
    if arguments[:1] == ["kubectl"]:  # whose options are none of ours
        return _kubectl(arguments[1:])
    options = parser().parse_args(arguments)
    match options.command:
        case "build":
            build(_say, NODES if options.nodes else PROGRAMS)
            for name, path in found().items():
                print(f"{name:<26}{path}")
        case "up":
            _up(options)
        case "down":
            background.down(background.place(options.name))
        case "load":
            _load(background.place(options.name), options.image.absolute())
        case "exec":
            return _exec(background.place(options.name), options.place, options.words)
        case verb if verb in _POWER:
            control.ask(background.place(options.name), verb, options.node)
        case _:
            return _statuses([options.name] if options.name else background.names())
    return 0


def _up(options: argparse.Namespace) -> None:
    if not 0 <= options.nodes <= _MOST:
        raise ClusterError(f"--nodes {options.nodes}: must be between 0 and {_MOST}", EX_USAGE)
    if not 0 <= options.port <= 65535:
        raise ClusterError(f"--port {options.port}: must be between 0 and 65535", EX_USAGE)
    directory = background.place(options.name)
    few = PROGRAMS if options.controllers else SERVER
    build(_say, NODES if options.nodes else few)
    began = time.monotonic()
    state = background.up(
        directory, port=options.port, controllers=options.controllers, nodes=options.nodes
    )
    _say(f"up: {state.url}, ready in {time.monotonic() - began:.1f} s; logs in {directory}")
    print(state.kubeconfig)


def _load(directory: Path, image: Path) -> None:
    if not image.is_file():
        raise ClusterError(f"{image}: no such file; scripts/image makes one", EX_USAGE)
    began = time.monotonic()
    control.ask(directory, "load", str(image))
    _say(f"loaded {image.name} in {time.monotonic() - began:.1f} s")


def _exec(directory: Path, place: str, words: Sequence[str]) -> int:
    """Become the command, so that its exit status and its terminal are the caller's."""
    command = [word for number, word in enumerate(words) if number or word != "--"]
    if not command:
        raise ClusterError("which command? scripts/cluster exec client -- ip route", EX_USAGE)
    line = [*control.ask(directory, "inside", place), *command]
    os.execvp(line[0], line)  # noqa: S606 - a person's own command


def _kubectl(words: Sequence[str]) -> int:
    """Run kubectl; the cluster is `--name NAME` before its own words."""
    rest, name = list(words), "default"
    if rest[:1] == ["--name"] and len(rest) > 1:
        name, rest = rest[1], rest[2:]
    state = background.load(background.place(name))
    if state is None:
        raise ClusterError(f"no cluster {name} is up", EX_USAGE)
    build(_say, ("kubectl",))
    line = [str(required(["kubectl"])["kubectl"]), f"--kubeconfig={state.kubeconfig}", *rest]
    return subprocess.run(line, check=False).returncode


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
    end(lambda: main(sys.argv[1:]))
