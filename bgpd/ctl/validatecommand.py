"""The command line of `bgpctl validate`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from bgpd.ctl.options import note
from bgpd.ctl.program import ListOutput


def validate_command(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH",
            help="Files, directories of them, or - for standard input.",
            # What cannot be read is an error beside others, not the end of the command.
            readable=False,
        ),
    ],
    *,
    output: Annotated[
        ListOutput, typer.Option("-o", "--output", help="The form.")
    ] = ListOutput.TABLE,
) -> None:
    """Check documents as the agent would read them.

    YAML or JSON; each mistake with its line and column.

    Other people's kinds are skipped, and named on standard error; where nothing else
    is found, that is an error.
    """
    from bgpd.ctl import validate  # noqa: PLC0415
    from bgpd.ctl.document import dump  # noqa: PLC0415

    findings = validate.validate(paths)
    if output is not ListOutput.TABLE:
        sys.stdout.write(dump(validate.document(findings), output.value))
    else:
        for line in validate.report(findings):
            print(line)  # noqa: T201
    if skipped := validate.skipped(findings):
        note(skipped)
    raise typer.Exit(1 if findings.errors else 0)
