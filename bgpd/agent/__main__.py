"""`python -m bgpd.agent`: the agent, as `bgpd agent` becomes it."""

import argparse
import gc
import sys
from importlib.metadata import version
from pathlib import Path

from bgpd.agent.options import Options
from bgpd.agent.service import Service
from bgpd.model.member import NodeName
from bgpd.running import run
from bgpd.telemetry.metricsarguments import add_arguments, metrics_options
from bgpd.telemetry.metricsoptions import MOST_ELASTIC_IPS


def _options(arguments: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog="bgpd.agent", description=__doc__)
    parser.add_argument("--node", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--documents", type=Path)
    parser.add_argument("--cluster-uid", required=True)
    parser.add_argument("--run-dir", type=Path, required=True)
    parser.add_argument("--state-dir", type=Path)
    parser.add_argument("--load-balancer-class")
    parser.add_argument("--ignore-exclude-lb", choices=("yes", "no"), default="no")
    parser.add_argument("--socket-group")
    parser.add_argument("--log-level", default="info")
    parser.add_argument("--log-format", choices=("auto", "text", "json"), default="text")
    add_arguments(parser)
    parser.add_argument("--metrics-elastic-ips", type=int, default=MOST_ELASTIC_IPS)
    parsed = parser.parse_args(arguments)
    return Options(
        node=NodeName(parsed.node),
        source=parsed.source,
        documents=parsed.documents,
        cluster_uid=parsed.cluster_uid,
        run_dir=parsed.run_dir,
        state_dir=parsed.state_dir,
        program=f"bgpd-agent/{version('bgpd')}",
        load_balancer_class=parsed.load_balancer_class,
        ignore_exclude_label=parsed.ignore_exclude_lb == "yes",
        socket_group=parsed.socket_group,
        log_level=parsed.log_level,
        log_format=parsed.log_format,
        metrics=metrics_options(parsed),
        metrics_elastic_ips=parsed.metrics_elastic_ips,
    )


async def _serve(options: Options) -> None:
    # What a start makes is kept, so there is nothing to collect in it; the service goes on with it.
    gc.disable()
    await Service(options).run()


def main() -> int:
    """Run the agent and return its exit status."""
    return run("bgpd agent", lambda: _serve(_options(sys.argv[1:])))


if __name__ == "__main__":
    sys.exit(main())
