"""`python -m bgpd.controller`: the controller, as `bgpd controller` becomes it."""

import argparse
import os
import socket
import sys
import uuid
from collections.abc import Coroutine
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bgpd.controller.service import Options, Service
from bgpd.exabgp import first
from bgpd.running import run
from bgpd.telemetry.metricsarguments import add_arguments, metrics_options


def _options(arguments: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog="bgpd.controller", description=__doc__)
    parser.add_argument("--source", required=True)
    parser.add_argument("--documents", type=Path)
    parser.add_argument("--load-balancer-class", default="")
    parser.add_argument("--log-level", default="info")
    parser.add_argument("--log-format", choices=("auto", "text", "json"), default="text")
    add_arguments(parser)
    parsed = parser.parse_args(arguments)
    return Options(
        source=parsed.source,
        documents=parsed.documents,
        # A restarted pod keeps its name, but not what its last process knew.
        identity=f"{socket.gethostname()}_{uuid.uuid4()}",
        program=f"bgpd-controller/{version('bgpd')}",
        load_balancer_class=parsed.load_balancer_class,
        log_level=parsed.log_level,
        log_format=parsed.log_format,
        metrics=metrics_options(parsed),
    )


def _started() -> Coroutine[Any, Any, None]:
    options = _options(sys.argv[1:])
    if os.getpid() == 1:
        # The kernel spares the first process of a container from its own timer's SIGKILL.
        first.stay_behind()
    return _serve(options)


async def _serve(options: Options) -> None:
    await Service(options).run()


def main() -> int:
    """Run the controller and return its exit status."""
    return run("bgpd controller", _started)


if __name__ == "__main__":
    sys.exit(main())
