"""`python -m bgpd.controller`: the controller, as `bgpd controller` becomes it."""

import argparse
import asyncio
import os
import socket
import sys
import uuid
from importlib.metadata import version

from bgpd.controller.service import Options, Service
from bgpd.exabgp import first
from bgpd.model.errors import BgpdError


def _options(arguments: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog="bgpd.controller", description=__doc__)
    parser.add_argument("--source", required=True)
    parser.add_argument("--load-balancer-class", default="")
    parser.add_argument("--log-level", default="info")
    parsed = parser.parse_args(arguments)
    return Options(
        source=parsed.source,
        # A restarted pod keeps its name, but not what its last process knew.
        identity=f"{socket.gethostname()}_{uuid.uuid4()}",
        program=f"bgpd-controller/{version('bgpd')}",
        load_balancer_class=parsed.load_balancer_class,
        log_level=parsed.log_level,
    )


async def _serve(options: Options) -> None:
    await Service(options).run()


def _sentences(error: BaseException) -> list[BgpdError]:
    """Return our own errors in *error*, which a task group may have wrapped."""
    if isinstance(error, BaseExceptionGroup):
        return [one for inner in error.exceptions for one in _sentences(inner)]
    return [error] if isinstance(error, BgpdError) else []


def main() -> int:
    """Run the controller and return its exit status."""
    options = _options(sys.argv[1:])
    if os.getpid() == 1:
        # The kernel spares the first process of a container from its own timer's SIGKILL.
        first.stay_behind()
    try:
        asyncio.run(_serve(options))
    except (BgpdError, BaseExceptionGroup) as error:
        found = _sentences(error)
        if not found:
            raise
        for one in found:
            sys.stderr.write(f"bgpd controller: {one}\n")
        return found[0].exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
