"""The command line of the image: `scripts/image`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.image.build import PLACE, build
from tests.tool import end


def parser() -> argparse.ArgumentParser:
    """Return the parser of `scripts/image`."""
    made = argparse.ArgumentParser(
        prog="scripts/image",
        description="Build bgpd's container image: no daemon, no registry, always the same bytes.",
    )
    made.add_argument(
        "--output", type=Path, default=PLACE, metavar="DIRECTORY", help="where to (build/image)"
    )
    called = "what it is loaded as (localhost/bgpd:VERSION)"
    made.add_argument("--name", default="", help=called, metavar="NAME:TAG")
    return made


def main(arguments: Sequence[str]) -> int:
    """Build; print the file's path on standard output, all else on standard error."""
    options = parser().parse_args(arguments)
    built = build(
        options.output, lambda line: print(line, file=sys.stderr, flush=True), name=options.name
    )
    print(built.file)
    return 0


if __name__ == "__main__":
    end(lambda: main(sys.argv[1:]))
