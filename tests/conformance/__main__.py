"""`scripts/conformance FILE...`: exit 0 when all cases pass, 1 when one fails, 2 for a bad file."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.conformance.case import Case, UnreadableError, cases_in
from tests.conformance.report import lines_of, sum_of
from tests.conformance.run import Verdict, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cases of the files; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        cases = [case for path in options.files for case in _wanted(path, options)]
    except UnreadableError as error:
        print(error, file=sys.stderr)
        return 2
    if not cases:
        print("no case is like that", file=sys.stderr)
        return 2
    try:
        results = list(run(cases))
    except KeyboardInterrupt:
        return 130
    for line in lines_of(results):
        print(line)
    print(sum_of(results))
    return 1 if any(one.verdict is Verdict.FAILED for one in results) else 0


def _wanted(path: Path, options: argparse.Namespace) -> list[Case]:
    return [
        case
        for case in cases_in(path)
        if (not options.area or case.area in options.area)
        and (not options.case or case.id in options.case)
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/conformance",
        description="Run cases of load-balancer behavior against bgpd's own code.",
        epilog="exit status: 0 all passed, 1 a case failed, 2 a file cannot be read",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--area", action="append", help="only the cases of this area")
    parser.add_argument("--case", action="append", metavar="ID", help="only this case")
    return parser


if __name__ == "__main__":
    sys.exit(main())
