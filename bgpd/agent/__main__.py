"""`python -m bgpd.agent`: the agent, as `bgpd agent` becomes it."""

import argparse
import asyncio
import gc
import sys
from importlib.metadata import version
from pathlib import Path

from bgpd.agent.options import Options
from bgpd.agent.service import Service
from bgpd.model.errors import BgpdError
from bgpd.model.member import NodeName


def _options(arguments: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog="bgpd.agent", description=__doc__)
    parser.add_argument("--node", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--cluster-uid", required=True)
    parser.add_argument("--run-dir", type=Path, required=True)
    parser.add_argument("--state-dir", type=Path)
    parser.add_argument("--load-balancer-class")
    parser.add_argument("--ignore-exclude-lb", choices=("yes", "no"), default="no")
    parser.add_argument("--socket-group")
    parser.add_argument("--log-level", default="info")
    parsed = parser.parse_args(arguments)
    return Options(
        node=NodeName(parsed.node),
        source=parsed.source,
        cluster_uid=parsed.cluster_uid,
        run_dir=parsed.run_dir,
        state_dir=parsed.state_dir,
        program=f"bgpd-agent/{version('bgpd')}",
        load_balancer_class=parsed.load_balancer_class,
        ignore_exclude_label=parsed.ignore_exclude_lb == "yes",
        socket_group=parsed.socket_group,
        log_level=parsed.log_level,
    )


async def _serve(options: Options) -> None:
    # What a start makes is kept, so there is nothing to collect in it; the service goes on with it.
    gc.disable()
    await Service(options).run()


def _sentences(error: BaseException) -> list[BgpdError]:
    """Return our own errors in *error*, which a task group may have wrapped."""
    if isinstance(error, BaseExceptionGroup):
        return [one for inner in error.exceptions for one in _sentences(inner)]
    return [error] if isinstance(error, BgpdError) else []


def main() -> int:
    """Run the agent and return its exit status."""
    try:
        asyncio.run(_serve(_options(sys.argv[1:])))
    except (BgpdError, BaseExceptionGroup) as error:
        found = _sentences(error)
        if not found:
            raise
        for one in found:
            sys.stderr.write(f"bgpd agent: {one}\n")
        return found[0].exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
