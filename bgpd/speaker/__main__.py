"""`python -m bgpd.speaker`: the reflex, as ExaBGP starts it."""

import argparse
import asyncio
import shlex
import sys
from importlib.metadata import version
from pathlib import Path

from bgpd.model.errors import BgpdError
from bgpd.model.member import NodeName
from bgpd.speaker.service import Options, Service


def _options(arguments: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog="bgpd.speaker", description=__doc__)
    parser.add_argument("--node", required=True)
    parser.add_argument("--run-dir", type=Path, required=True)
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--mesh-key-file", type=Path, required=True)
    parser.add_argument("--socket-group")
    parser.add_argument("--log-level", default="info")
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
    )


async def _serve(options: Options) -> None:
    await Service(options).run()


def main() -> int:
    """Run the reflex and return its exit status."""
    try:
        asyncio.run(_serve(_options(sys.argv[1:])))
    except BgpdError as error:
        sys.stderr.write(f"bgpd speaker: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
