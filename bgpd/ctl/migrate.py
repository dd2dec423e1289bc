"""`bgpctl migrate`: from MetalLB to bgpd, step by step, each step with its way back."""

import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from bgpd.ctl.options import LONGEST, Kubeconfig
from bgpd.ctl.program import SETTINGS, ListOutput, complain
from bgpd.model.errors import ConfigError, TransientError

if TYPE_CHECKING:
    from bgpd.ctl.cluster import Cluster
    from bgpd.migrate.check import Objection
    from bgpd.migrate.found import Found
    from bgpd.migrate.stand import Stand

NAMESPACE: Final = "bgpd-system"
_LOOK_EVERY: Final = 0.5
_SOMEBODYS: Final = "somebody else wrote it, and it says something else"
_EXIT_CODES: Final = (
    "Exit status: 0 fine, 1 something needs a person, 2 usage, 75 try again, "
    "78 change the configuration, 130 interrupted."
)

migrate_app = typer.Typer(
    help="Move a cluster from MetalLB to bgpd; alone: where it stands, and the next step.\n\n"
    "The order is check, copy, node after node, finish; docs/migrate-from-metallb.md.",
    epilog=_EXIT_CODES,
    context_settings=SETTINGS,
    invoke_without_command=True,
    rich_markup_mode=None,
)

Namespace = Annotated[
    str,
    typer.Option(
        "--namespace", "-n", envvar="BGPD_NAMESPACE", help="Where bgpd is.", metavar="NAME"
    ),
]
Output = Annotated[ListOutput, typer.Option("-o", "--output", help="The form.")]
Files = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="FILE",
        help="Manifests in place of a cluster: files, directories of them, or -.",
        readable=False,
    ),
]


@migrate_app.callback(epilog=_EXIT_CODES)
def walk_command(
    context: typer.Context,
    *,
    kubeconfig: Kubeconfig = None,
    namespace: Namespace = NAMESPACE,
    output: Output = ListOutput.TABLE,
) -> None:
    """Move a cluster from MetalLB to bgpd; alone: where it stands, and the next step.

    The order is check, copy, node after node, finish; docs/migrate-from-metallb.md.
    """
    if context.invoked_subcommand is not None:
        return
    from bgpd.ctl import document, migratetable, survey  # noqa: PLC0415
    from bgpd.migrate.walk import stand  # noqa: PLC0415

    with _cluster(kubeconfig) as cluster:
        at = stand(survey.of_cluster(cluster), namespace)
    if output is ListOutput.TABLE:
        sys.stdout.write(migratetable.stand_table(at))
    else:
        sys.stdout.write(document.dump(migratetable.stand_document(at), output.value))


@migrate_app.command(
    "check", epilog=_EXIT_CODES, short_help="Say what carries over, what differs, what blocks."
)
def check_command(
    files: Files = None,
    *,
    kubeconfig: Kubeconfig = None,
    output: Output = ListOutput.TABLE,
) -> None:
    """Say what of a MetalLB cluster carries over, what differs, and what does not work.

    It changes nothing. Exit status 1 says that something needs a person first.
    """
    from bgpd.ctl import document, migratetable  # noqa: PLC0415
    from bgpd.migrate.check import check  # noqa: PLC0415

    found = check(_found(files, kubeconfig), _judge)
    if output is ListOutput.TABLE:
        sys.stdout.write(migratetable.check_table(found))
    else:
        sys.stdout.write(document.dump(migratetable.check_document(found), output.value))
    raise typer.Exit(0 if found.ready else 1)


@migrate_app.command("copy", epilog=_EXIT_CODES)
def copy_command(
    files: Files = None,
    *,
    kubeconfig: Kubeconfig = None,
    namespace: Namespace = NAMESPACE,
    output: Annotated[
        ListOutput, typer.Option("-o", "--output", help="yaml or json: print, write nothing.")
    ] = ListOutput.TABLE,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be written, and write nothing.")
    ] = False,
    finished: Annotated[
        bool, typer.Option("--finished", help="With FILE: without the mark that holds the lever.")
    ] = False,
) -> None:
    """Write bgpd's objects from MetalLB's, under the same names.

    They win over MetalLB's from then on, so that these can go later. Do it again whenever
    MetalLB's objects change. Passwords are copied into the cluster, and never printed.
    """
    from bgpd.migrate.copy import copies  # noqa: PLC0415
    from bgpd.migrate.walk import holds_at_copy  # noqa: PLC0415

    if files and output is ListOutput.TABLE:
        raise typer.BadParameter("what comes from files is printed: say -o yaml", param_hint="-o")
    if finished and not files:
        raise typer.BadParameter("is for files; a cluster knows it", param_hint="--finished")
    found = _found(files, kubeconfig)
    made = copies(found, namespace, hold=not finished if files else holds_at_copy(found))
    if output is not ListOutput.TABLE:
        sys.stdout.write(_printed(made.documents, output))
        names = ", ".join(one["metadata"]["name"] for one in made.secrets)
        _note(f"Secrets are not printed: {names}" if names else "")
    else:
        act = _plan if dry_run else _apply
        with _cluster(kubeconfig) as cluster:
            _tell(act(cluster, (*made.secrets, *made.documents)))
    for one in made.left:
        _note(f"not copied: {one['kind']} {one['metadata']['name']}; see bgpctl migrate check")
    raise typer.Exit(1 if made.left else 0)


@migrate_app.command("finish", epilog=_EXIT_CODES, short_help="Turn the takeover on everywhere.")
def finish_command(
    *,
    kubeconfig: Kubeconfig = None,
    namespace: Namespace = NAMESPACE,
    undo: Annotated[bool, typer.Option("--undo", help="Turn it off again.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also where MetalLB still runs.")] = False,
    timeout: Annotated[
        float,
        typer.Option("--timeout", min=0.1, max=LONGEST, help="Seconds to wait for all nodes."),
    ] = 60.0,
) -> None:
    """Turn the takeover on everywhere, at one generation: MetalLB carries nothing any more.

    bgpd's controller gives addresses from then on.
    """
    from bgpd.ctl import survey  # noqa: PLC0415
    from bgpd.migrate.walk import finish_is_early, stand  # noqa: PLC0415

    with _cluster(kubeconfig) as cluster:
        found = survey.of_cluster(cluster)
        early = () if undo or force else finish_is_early(stand(found, namespace), found)
        if early:
            for reason in early:
                _note(reason)
            _note("nothing was changed; --force does it all the same")
            raise typer.Exit(1)
        _mark(cluster, found, on=undo)
        _tell([_settled(cluster, found, namespace, on=not undo, seconds=timeout)])


def _mark(cluster: "Cluster", found: "Found", *, on: bool) -> None:
    """Put the mark on every pool of ours, or take it off every pool that has it."""
    from bgpd.migrate.walk import marked  # noqa: PLC0415
    from bgpd.model.migration import FROM_METALLB, MIGRATING  # noqa: PLC0415

    pools = found.ours("IPAddressPool") or found.metallb("IPAddressPool")
    chosen = list(pools) if on else list(marked(found))
    if on and not chosen:
        raise ConfigError("there is no IPAddressPool to put the mark on")
    patch = {"metadata": {"annotations": {MIGRATING: FROM_METALLB if on else None}}}
    for pool in chosen:
        cluster.merge(_pool_path(pool), patch)


def _pool_path(pool: Mapping[str, Any]) -> str:
    metadata = pool["metadata"]
    inside = f"namespaces/{metadata['namespace']}/ipaddresspools/{metadata['name']}"
    return f"/apis/{pool['apiVersion']}/{inside}"


def _settled(
    cluster: "Cluster", found: "Found", namespace: str, *, on: bool, seconds: float
) -> str:
    """Wait until the agent of every node says that the lever is *on*; return the last sentence."""
    from bgpd.ctl import survey  # noqa: PLC0415
    from bgpd.migrate.walk import behind, stand  # noqa: PLC0415

    end = time.monotonic() + seconds
    while True:
        at = stand(survey.again(cluster, found), namespace)
        late = behind(at, on=on)
        if not late:
            return _done(at, on=on)
        if time.monotonic() > end:
            word = "on" if on else "off"
            raise TransientError(
                f"the mark is {'off' if on else 'on'}, but {', '.join(late)} did not say that"
                f" the lever is {word}; bgpctl status there says more"
            )
        time.sleep(_LOOK_EVERY)


def _done(at: "Stand", *, on: bool) -> str:
    nodes = [one for one in at.nodes if one.reported and not one.metallb]
    if not nodes:
        return "done; no agent of bgpd reports yet"
    generation = nodes[0].generation
    if on:
        return f"the lever is on, on {len(nodes)} nodes, at generation {generation}"
    return f"the lever is off, on {len(nodes)} nodes; bgpctl migrate finish turns it on"


def _found(files: list[Path] | None, kubeconfig: Path | None) -> "Found":
    from bgpd.ctl import survey  # noqa: PLC0415

    if files:
        if kubeconfig is not None:
            raise typer.BadParameter("name files or a cluster", param_hint="--kubeconfig")
        return survey.of_files(files)
    with _cluster(kubeconfig) as cluster:
        return survey.of_cluster(cluster)


def _judge(document: Mapping[str, Any]) -> Iterator["Objection"]:
    """Read a copy as an agent would."""
    import json  # noqa: PLC0415

    from bgpd.kube.documents import read  # noqa: PLC0415
    from bgpd.migrate.check import Objection  # noqa: PLC0415

    for one in read("copy.json", json.dumps(document).encode()).problems:
        what = one.message.partition(": ")[2]
        if one.path:
            what = what.removeprefix(f"{one.path}: ")
        yield Objection(path=one.path, what=what, refused=one.refused)


def _apply(cluster: "Cluster", documents: Iterable[dict[str, Any]]) -> Iterator[str]:
    from bgpd.ctl.survey import path_of  # noqa: PLC0415
    from bgpd.migrate.copy import MANAGER, somebodys  # noqa: PLC0415

    for one in documents:
        there = cluster.get(path_of(one))
        if there is not None and somebodys(one, there):
            yield f"{_name(one)}: left as it is: {_SOMEBODYS}"
            continue
        made = cluster.apply(one, path_of(one), MANAGER)
        if there is None:
            yield f"{_name(one)}: written"
        else:
            yield f"{_name(one)}: {'is there' if _version(there) == _version(made) else 'changed'}"


def _plan(cluster: "Cluster", documents: Iterable[dict[str, Any]]) -> Iterator[str]:
    from bgpd.ctl.survey import path_of  # noqa: PLC0415
    from bgpd.migrate.copy import same, somebodys  # noqa: PLC0415

    for one in documents:
        there = cluster.get(path_of(one))
        if there is None:
            yield f"{_name(one)}: would be written"
        elif somebodys(one, there):
            yield f"{_name(one)}: would be left as it is: {_SOMEBODYS}"
        else:
            yield f"{_name(one)}: {'is there' if same(one, there) else 'would be changed'}"


def _name(document: Mapping[str, Any]) -> str:
    return f"{document['kind']} {document['metadata']['name']}"


def _version(document: Mapping[str, Any]) -> object:
    return document["metadata"].get("resourceVersion")


def _printed(documents: tuple[dict[str, Any], ...], output: ListOutput) -> str:
    from bgpd.ctl.document import dump  # noqa: PLC0415

    if output is ListOutput.JSON:
        return dump({"apiVersion": "v1", "kind": "List", "items": list(documents)}, "json")
    return "".join(f"---\n{dump(one, 'yaml')}" for one in documents)


def _cluster(kubeconfig: Path | None) -> "Cluster":
    from bgpd.ctl.cluster import Cluster, access_of  # noqa: PLC0415

    return Cluster(access_of(kubeconfig))


def _tell(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, flush=True)  # noqa: T201


def _note(sentence: str) -> None:
    if sentence:
        complain("bgpctl", sentence)
