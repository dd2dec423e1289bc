"""The command lines of `bgpctl get` and `bgpctl describe`."""

import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from bgpd.ctl.options import (
    RUN_DIR,
    Agent,
    AllNodes,
    Context,
    EitherTimeout,
    Form,
    Kubeconfig,
    NoHeaders,
    RunDir,
    Watch,
    note,
    socket_path,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bgpd.ctl.listcolumns import Shape
    from bgpd.ctl.resource import Noun
    from bgpd.ctl.scene import Scene
    from bgpd.ctl.way import Way

NOUNS: Final = "elasticips, peers, sessions, routes, nodes, members, pools, healthchecks, host"
EXIT_CODES: Final = (
    "Exit status: 0 fine, 1 nothing has that name, 2 usage, 3 degraded (get host), "
    "75 try again, 78 change the configuration, 130 interrupted."
)

Word = Annotated[str, typer.Argument(metavar="NOUN", help=f"{NOUNS}; or one of them.")]
Names = Annotated[list[str] | None, typer.Argument(metavar="NAME", help="Only these.")]
Space = Annotated[
    str,
    typer.Option(
        "--namespace",
        "-n",
        help="Only of this namespace: elasticips of its Services, its healthchecks.",
        metavar="NAME",
    ),
]
Spaces = Annotated[
    bool, typer.Option("--all-namespaces", "-A", help="Give namespaces a column of their own.")
]


def get_command(  # noqa: PLR0913 - one for each option
    noun: Word,
    names: Names = None,
    *,
    output: Annotated[Form, typer.Option("-o", "--output", help="The form.")] = Form.TABLE,
    no_headers: NoHeaders = False,
    watch: Watch = False,
    namespace: Space = "",
    all_namespaces: Spaces = False,
    all_nodes: AllNodes = False,
    kubeconfig: Kubeconfig = None,
    context: Context = "",
    run_dir: RunDir = RUN_DIR,
    agent: Agent = "",
    timeout: EitherTimeout = None,
) -> None:
    """List what this node, or with --all-nodes every one, has.

    Examples: `bgpctl get sessions`, `bgpctl get elasticip 203.0.113.9 -o yaml`,
    `bgpctl get elasticips --all-nodes`, `bgpctl get routes -o wide`, `bgpctl get host`.
    """
    from bgpd.ctl.listcolumns import Shape  # noqa: PLC0415
    from bgpd.ctl.resource import HOST, noun_of  # noqa: PLC0415
    from bgpd.ctl.way import Way  # noqa: PLC0415

    way = Way(
        run_dir=run_dir,
        agent=socket_path(agent) if agent else None,
        timeout=timeout,
        all_nodes=all_nodes,
        kubeconfig=kubeconfig,
        context=context,
    )
    if noun.lower() == HOST:
        _host(way, output)
    asked = noun_of(noun)
    _check(asked, way, namespace)
    shape = Shape(
        wide=output is Form.WIDE,
        whole=way.whole,
        spaced=all_namespaces,
        headers=not no_headers,
    )
    wanted = names or []

    def look() -> "Sequence[Any]":
        return _chosen(asked, _look(asked, way), wanted, namespace)[0]

    def text(found: "Sequence[Any]", headers: bool) -> str:
        single = len(wanted) == 1
        told = _text(asked, found, replace(shape, headers=headers), output, single=single)
        return f"---\n{told}" if watch and output is Form.YAML else told

    if watch:
        _watch(asked, way, look, text)
    scene = _look(asked, way)
    _doubt(scene)
    found, missing = _chosen(asked, scene, wanted, namespace)
    _lament(asked, missing)
    if found or not missing:
        sys.stdout.write(text(found, shape.headers))
    if missing:
        raise typer.Exit(1)


def describe_command(  # noqa: PLR0913 - one for each option
    noun: Word,
    names: Names = None,
    *,
    namespace: Space = "",
    all_nodes: AllNodes = False,
    kubeconfig: Kubeconfig = None,
    context: Context = "",
    run_dir: RunDir = RUN_DIR,
    agent: Agent = "",
    timeout: EitherTimeout = None,
) -> None:
    """Show all that is known of one thing, or of each.

    Examples: `bgpctl describe session tor-a`, `bgpctl describe elasticip 203.0.113.9`.
    """
    from bgpd.ctl.describe import describe  # noqa: PLC0415
    from bgpd.ctl.listdocument import item_document  # noqa: PLC0415
    from bgpd.ctl.resource import HOST, noun_of  # noqa: PLC0415
    from bgpd.ctl.way import Way  # noqa: PLC0415

    way = Way(
        run_dir=run_dir,
        agent=socket_path(agent) if agent else None,
        timeout=timeout,
        all_nodes=all_nodes,
        kubeconfig=kubeconfig,
        context=context,
    )
    if noun.lower() == HOST:
        _host(way, Form.TABLE)
    asked = noun_of(noun)
    _check(asked, way, namespace)
    scene = _look(asked, way)
    _doubt(scene)
    found, missing = _chosen(asked, scene, names or [], namespace)
    _lament(asked, missing)
    now = time.time()
    sys.stdout.write("\n".join(describe(item_document(asked.kind, one), now=now) for one in found))
    if missing:
        raise typer.Exit(1)


def _host(way: "Way", output: Form) -> None:
    """Show what was added to the host, and exit: it is one thing and no list."""
    from bgpd.ctl.hostcommands import show_host  # noqa: PLC0415

    if output is Form.NAME:
        raise typer.BadParameter("a host has one name only", param_hint="--output")
    if way.whole:
        raise typer.BadParameter("what a host has is told by itself", param_hint="--all-nodes")
    show_host(way.agent_socket, output.value, timeout=way.near_seconds)


def _check(asked: "Noun", way: "Way", namespace: str) -> None:
    if way.whole and not asked.fleet:
        sentence = f"agents do not tell the cluster of {asked.plural}; ask a node"
        raise typer.BadParameter(sentence, param_hint="--all-nodes")
    if namespace and asked.spaces is None:
        raise typer.BadParameter(f"{asked.plural} have no namespace", param_hint="--namespace")


def _look(asked: "Noun", way: "Way") -> "Scene":
    from bgpd.ctl import scenelook  # noqa: PLC0415

    if way.whole:
        if asked.partly:
            note(asked.partly)
        return scenelook.far(way, asked.paths)[0]
    return scenelook.near(way, inventory=asked.inventory, routes=asked.routes)


def _doubt(scene: "Scene") -> None:
    """Say of which nodes what is listed may be old, and why."""
    for place in scene.places:
        for sentence in place.doubts:
            note(f"{place.node}: {sentence}")


def _chosen(
    asked: "Noun", scene: "Scene", names: "Sequence[str]", namespace: str
) -> "tuple[tuple[Any, ...], Sequence[str]]":
    """Return what was asked for, and the names that nothing has."""
    from bgpd.ctl.resource import named  # noqa: PLC0415

    every = asked.items(scene)
    if namespace and asked.spaces is not None:
        every = tuple(one for one in every if namespace in asked.spaces(one))
    return named(every, names)


def _lament(asked: "Noun", missing: "Sequence[str]") -> None:
    for name in missing:
        note(f"there is no {asked.singular} {name!r} here; try `bgpctl explain {name}`")


def _text(
    asked: "Noun", found: "Sequence[Any]", shape: "Shape", output: Form, *, single: bool
) -> str:
    from bgpd.ctl.document import dump  # noqa: PLC0415
    from bgpd.ctl.listdocument import item_document, list_document  # noqa: PLC0415

    if output is Form.NAME:
        return "".join(f"{asked.singular}/{one.name}\n" for one in found)
    if output in {Form.TABLE, Form.WIDE}:
        if not found:
            note(f"there are no {asked.plural} here")
            return ""
        return asked.table(found, now=time.time(), shape=shape)
    if single and len(found) == 1:
        return dump(item_document(asked.kind, found[0]), output.value)
    return dump(list_document(asked.kind, found), output.value)


def _watch(
    asked: "Noun",
    way: "Way",
    look: "Callable[[], Sequence[Any]]",
    text: "Callable[[Sequence[Any], bool], str]",
) -> None:
    from bgpd.ctl import watch  # noqa: PLC0415
    from bgpd.ctl.listcolumns import mark  # noqa: PLC0415

    watch.follow(
        watch.Watched(
            look=look,
            text=text,
            mark=lambda one: mark(asked.columns, one),
            name=lambda one: f"{asked.singular}/{one.name}",
            every=watch.FAR_SECONDS if way.whole else watch.NEAR_SECONDS,
        )
    )
