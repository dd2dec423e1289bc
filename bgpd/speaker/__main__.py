"""`python -m bgpd.speaker`: the reflex, as ExaBGP starts it."""

import argparse
import shlex
import sys
from importlib.metadata import version
from pathlib import Path

from bgpd.model.member import NodeName
from bgpd.running import run
from bgpd.speaker.options import Options
from bgpd.speaker.service import Service
from bgpd.telemetry.metricsarguments import add_arguments, metrics_options


def _options(arguments: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog="bgpd.speaker", description=__doc__)
    parser.add_argument("--node", required=True)
    parser.add_argument("--run-dir", type=Path, required=True)
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--mesh-key-file", type=Path, required=True)
    parser.add_argument("--socket-group")
    parser.add_argument("--log-level", default="info")
    parser.add_argument("--log-format", choices=("auto", "text", "json"), default="text")
    add_arguments(parser)
    parsed = parser.parse_args(arguments)
    return Options(
        node=NodeName(parsed.node),
        run_dir=parsed.run_dir,
        state_dir=parsed.state_dir,
        mesh_key_file=parsed.mesh_key_file,
        command=shlex.join([sys.executable, "-m", "bgpd.speaker", *arguments]),
        program=f"bgpd-speaker/{version('bgpd')}",
        socket_group=parsed.socket_group,
        log_level=parsed.log_level,
        log_format=parsed.log_format,
        metrics=metrics_options(parsed),
    )


async def _serve(options: Options) -> None:
    await Service(options).run()


def main() -> int:
    """Run the reflex and return its exit status."""
    return run("bgpd speaker", lambda: _serve(_options(sys.argv[1:])))


if __name__ == "__main__":
    sys.exit(main())
