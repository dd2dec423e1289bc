"""The command line of `bgpctl debug bundle`: one file to send to whoever was not there."""

import os
import sys
import time
from pathlib import Path
from typing import Annotated, Final

import typer

from bgpd.ctl.options import EXIT_CODES, LONGEST, RUN_DIR, RunDir, note
from bgpd.ctl.program import SETTINGS, version

debug_app = typer.Typer(
    help="Gather what somebody needs who was not there.",
    context_settings=SETTINGS,
    no_args_is_help=True,
    rich_markup_mode=None,
)
_STATE_DIR: Final = Path("/var/lib/bgpd")
_MESH_KEY_FILE: Final = Path("/etc/bgpd/mesh-key")
_SHOWN: Final = 8


@debug_app.command(
    "bundle", epilog=EXIT_CODES, short_help="Pack all that tells what was, without secrets."
)
def bundle_command(  # noqa: PLR0913 - each is an option of the command line
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="Where to write it; - for standard output.  [default: bgpd-NODE-TIME.tar.gz]",
        ),
    ] = None,
    *,
    log: Annotated[
        list[Path] | None,
        typer.Option("--log", help="A log file to add; may be given again.", metavar="PATH"),
    ] = None,
    kubeconfig: Annotated[
        Path | None,
        typer.Option("--kubeconfig", help="The cluster to ask as well.", metavar="PATH"),
    ] = None,
    run_dir: RunDir = RUN_DIR,
    state_dir: Annotated[
        Path,
        typer.Option(
            "--state-dir",
            envvar="BGPD_STATE_DIR",
            help="What outlives a restart.",
            readable=False,  # it is root's, and not to be read is no wrong usage
            metavar="PATH",
        ),
    ] = _STATE_DIR,
    mesh_key_file: Annotated[
        Path,
        typer.Option(
            "--mesh-key-file",
            envvar="BGPD_MESH_KEY_FILE",
            help="Read to know what must not be in the bundle.",
            readable=False,
            metavar="PATH",
        ),
    ] = _MESH_KEY_FILE,
    timeout: Annotated[
        float,
        typer.Option("--timeout", min=0.1, max=LONGEST, help="Seconds to wait for each answer."),
    ] = 2.0,
) -> None:
    """Pack state, events, timelines, metrics, configuration and host into one archive.

    Passwords, keys and tokens are taken out. It works with agent, speaker and API server
    away: the manifest says what is missing, and why.
    """
    from bgpd.ctl import bundlegather, bundlepack, bundlepart  # noqa: PLC0415

    now = time.time()
    found, secrets = bundlegather.gather(
        bundlepart.Where(
            run_dir=run_dir,
            state_dir=state_dir,
            mesh_key_file=mesh_key_file,
            kubeconfig=kubeconfig,
            logs=tuple(log or ()),
            timeout=timeout,
        )
    )
    status = found.documents.get("status.json")
    node = str(status.get("node") or "") if isinstance(status, dict) else ""
    directory = bundlepack.name_of(node, now)
    facts = {"node": node, "made": directory.rpartition("-")[2], "bgpctl": version()}
    files = bundlepack.cleaned(found, secrets)
    files[bundlepack.MANIFEST] = bundlepack.manifest(files, found.missing, secrets, facts)
    content = bundlepack.archive(directory, files, now)
    path = file or Path(f"{directory}.tar.gz")
    _write(path, content)
    for name in sorted(found.missing)[:_SHOWN]:
        note(f"without {name}: {secrets.clean_text(found.missing[name])}")
    if len(found.missing) > _SHOWN:
        note(f"and without {len(found.missing) - _SHOWN} more parts, named in the manifest")
    if str(path) != "-":
        print(f"{path}: {len(files)} files, {len(content)} bytes, without secrets")  # noqa: T201


def _write(path: Path, content: bytes) -> None:
    from bgpd.model.errors import BgpdError  # noqa: PLC0415

    if str(path) == "-":
        sys.stdout.buffer.write(content)
        return
    try:
        # Others have no business with it, secrets or not.
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(number, "wb") as writer:  # noqa: PTH123 - opened above, for its mode
            writer.write(content)
    except OSError as error:
        raise BgpdError(f"{path}: cannot be written: {error.strerror}; name another") from None
