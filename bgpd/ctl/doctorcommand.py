"""`bgpctl doctor`: look at everything on this node, judge it, and say what to do next."""

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from bgpd.ctl.options import LONGEST
from bgpd.ctl.program import ListOutput

EXIT_CODES: Final = (
    "Exit status: 0 nothing failed (there may be warnings), 1 something failed, 2 usage,"
    " 130 interrupted."
)


def doctor_command(
    *,
    only: Annotated[
        list[str],
        typer.Option(
            "--only",
            help="Only these checks, separated by commas, or given again.",
            metavar="CHECK",
        ),
    ] = [],  # noqa: B006 - typer copies it
    output: Annotated[
        ListOutput, typer.Option("-o", "--output", help="The form.")
    ] = ListOutput.TABLE,
    run_dir: Annotated[
        Path,
        typer.Option(
            "--run-dir",
            envvar="BGPD_RUN_DIR",
            help="Where agent.sock and speaker.sock are.",
            metavar="PATH",
        ),
    ] = Path("/run/bgpd"),
    state_dir: Annotated[
        Path,
        typer.Option(
            "--state-dir",
            envvar="BGPD_STATE_DIR",
            help="What outlives a restart; read where the speaker does not answer.",
            readable=False,  # it is root's, and not to be read is no wrong usage
            metavar="PATH",
        ),
    ] = Path("/var/lib/bgpd"),
    timeout: Annotated[
        float,
        typer.Option("--timeout", min=0.1, max=LONGEST, help="Seconds to wait for each answer."),
    ] = 2.0,
) -> None:
    """Check this node from its documents to its packets, and say what to do.

    Works without agent, speaker, root or network: it says what it could not look at.
    It changes nothing, and disturbs no session that is up.
    """
    from bgpd.ctl import doctor, doctorchecks, doctorlook, observe  # noqa: PLC0415
    from bgpd.ctl.document import dump  # noqa: PLC0415

    wanted = _known(only, doctorchecks.NAMES)
    facts = doctorlook.look(
        doctorlook.Where(
            agent=run_dir / observe.AGENT_SOCKET,
            speaker=run_dir / observe.SPEAKER_SOCKET,
            state=state_dir,
            timeout=timeout,
        )
    )
    findings = doctor.examine(facts, doctorchecks.CHECKS, wanted)
    node = facts.view.node
    if output is ListOutput.TABLE:
        sys.stdout.write(doctor.report(findings, node))
    else:
        sys.stdout.write(dump(doctor.document(findings, node), output.value))
    raise typer.Exit(doctor.exit_status(findings))


def _known(only: list[str], names: tuple[str, ...]) -> frozenset[str]:
    """Return the checks that were asked for; a word that is none is wrong usage."""
    wanted = [word.strip() for words in only for word in words.split(",") if word.strip()]
    strange = [word for word in wanted if word not in names]
    if strange:
        raise typer.BadParameter(
            f"{strange[0]!r} is no check; there are {', '.join(names)}", param_hint="--only"
        )
    return frozenset(wanted)
