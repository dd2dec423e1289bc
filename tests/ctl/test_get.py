"""Facts about `bgpctl get`, `describe` and `status --all-nodes` as people and scripts run them."""

import asyncio
import json
import os
import pty
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from bgpd.ctl.view import View
from bgpd.ipc.message import Answer
from bgpd.model.grounds import SpeakerRoutes
from bgpd.model.status import MemberState
from tests.agent.test_planner import service
from tests.ctl.apifake import NODES, STATUSES, Lists, api
from tests.ctl.fakes import Answering, Result, bgpctl, command, environment, serving
from tests.ctl.samples import CUT_OFF, FINE, ILL, NODE, SICK, SPEAKER, member
from tests.ctl.test_explain_pending import pool
from tests.ctl.test_fleet import node, written
from tests.ctl.test_listing import INVENTORY

ANSWERS = {
    "status": Answer(content=replace(NODE, health=ILL)),
    "inventory": Answer(content=INVENTORY),
}
SPEAKING = {"status": Answer(content=SPEAKER)}


def asked(directory: Path, *words: str, agent: Mapping[str, Answer] | None = ANSWERS) -> Result:
    """Return what a command does on a node that answers."""

    async def story() -> Result:
        async with serving(directory, agent=agent, speaker=SPEAKING):
            return await bgpctl(*words, "--run-dir", str(directory))

    return asyncio.run(story())


def everywhere(directory: Path, lists: Lists, *words: str) -> Result:
    """Return what a command does where there is no node, but a cluster."""
    with api(directory, lists) as config:
        line = (*words, "--run-dir", str(directory), "--kubeconfig", str(config))
        return asyncio.run(bgpctl(*line))


def cluster(**views: View) -> Lists:
    """Return the lists of a cluster whose agents wrote *views*."""
    return {
        NODES: [node(name) for name in views],
        STATUSES: [written(view, name) for name, view in views.items()],
    }


def test_names_are_what_other_commands_take(tmp_path: Path) -> None:
    """`-o name` prints one a line."""
    found = asked(tmp_path, "get", "sessions", "-o", "name")
    assert (found.status, found.output) == (0, "session/tor-a\nsession/tor-b\n")


@pytest.mark.parametrize(
    ("words", "signs"),
    [
        pytest.param(("get", "elasticips"), ("~",), id="what is cut"),
        pytest.param(("explain", "default/dns"), ("  x ", "  + "), id="what stops it"),
    ],
)
def test_a_locale_without_our_signs_has_others(
    tmp_path: Path, words: tuple[str, ...], signs: tuple[str, ...]
) -> None:
    """An old terminal gets the whole answer, and columns that are columns."""
    told = {**ANSWERS, "grounds": Answer(content=())}

    async def story() -> Result:
        routes = Answer(content=SpeakerRoutes(node="n1"))
        async with serving(tmp_path, agent=told, speaker={**SPEAKING, "routes": routes}):
            return await bgpctl(*words, "--run-dir", str(tmp_path), PYTHONIOENCODING="ascii")

    found = asyncio.run(story())
    assert (found.status, found.errors) == (0, "")
    assert found.output.isascii()
    assert all(one in found.output for one in signs)


def test_one_thing_is_a_document_and_several_are_a_list(tmp_path: Path) -> None:
    """As kubectl has it."""
    one = json.loads(asked(tmp_path, "get", "session", "tor-a", "-o", "json").output)
    assert (one["kind"], one["name"]) == ("Session", "tor-a")
    both = json.loads(asked(tmp_path, "get", "session", "tor-a", "tor-b", "-o", "json").output)
    assert (both["kind"], len(both["items"])) == ("SessionList", 2)


@pytest.mark.parametrize("verb", ["get", "describe"])
def test_a_name_that_nothing_has_is_said(tmp_path: Path, verb: str) -> None:
    """Exit status 1, as of kubectl, and what to try; what there is is shown."""
    found = asked(tmp_path, verb, "session", "tor-x")
    assert (found.status, found.output) == (1, "")
    assert found.errors == (
        "bgpctl: there is no session 'tor-x' here; try `bgpctl explain tor-x`\n"
    )
    half = asked(tmp_path, verb, "session", "tor-x", "tor-a")
    assert half.status == 1
    assert "tor-a" in half.output
    assert "there is no session 'tor-x'" in half.errors


def test_a_description_holds_all_of_it(tmp_path: Path) -> None:
    """Every field on a line, those below indented."""
    found = asked(tmp_path, "describe", "elasticip", "203.0.113.44")
    assert found.status == 0
    assert "State:     Withheld\n" in found.output
    assert "  - Node:     n1\n    Reason:   NoLocalEndpoints\n" in found.output


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param(("get", "sesions"), "did you mean `sessions`?", id="a noun that is none"),
        pytest.param(("get", "sessions", "-n", "x"), "have no namespace", id="no namespaces"),
        pytest.param(
            ("get", "peers", "--all-nodes"), "do not tell the cluster of peers", id="not told"
        ),
        pytest.param(("get", "host", "--all-nodes"), "told by itself", id="a host"),
        pytest.param(("get",), "NOUN is missing: elasticips, ", id="no noun"),
    ],
)
def test_what_cannot_be_asked_is_wrong_usage(
    tmp_path: Path, words: tuple[str, ...], sentence: str
) -> None:
    """Exit status 2, and a sentence that says why."""
    found = asked(tmp_path, *words)
    assert (found.status, found.output) == (2, "")
    assert sentence in " ".join(found.errors.split())


def test_a_namespace_chooses_what_belongs_to_its_services(tmp_path: Path) -> None:
    """Elastic IPs by their Services, health checks by their own."""
    shop = asked(tmp_path, "get", "elasticips", "-n", "shop", "-o", "name")
    assert shop.output == "elasticip/203.0.113.9\n"
    checks = asked(tmp_path, "get", "healthchecks", "-n", "shop", "-o", "name")
    assert checks.output == "healthcheck/shop/cart-answers\nhealthcheck/shop/idle\n"


def test_nobody_to_ask_is_an_error(tmp_path: Path) -> None:
    """Exit status 75: an empty list would say that there is nothing."""
    found = asyncio.run(bgpctl("get", "sessions", "--run-dir", str(tmp_path)))
    assert (found.status, found.output) == (75, "")
    assert found.errors.startswith("bgpctl: nothing answers (")


def test_an_agent_that_cannot_tell_costs_its_part_alone(tmp_path: Path) -> None:
    """An older agent knows no inventory: what else is known is shown, and what lacks is said."""
    older = {
        "status": ANSWERS["status"],
        "inventory": Answer(ok=False, error="the agent cannot answer 'inventory'"),
    }
    found = asked(tmp_path, "get", "peers", agent=older)
    assert found.status == 0
    assert [line.split()[0] for line in found.output.splitlines()] == ["NAME", "tor-a", "tor-b"]
    assert "the agent cannot answer 'inventory'" in found.errors


@pytest.mark.parametrize(
    ("views", "status", "word"),
    [
        pytest.param({"n1": FINE, "n2": FINE}, 0, "fine", id="all are fine"),
        pytest.param({"n1": FINE, "n2": SICK}, 3, "degraded", id="one is degraded"),
        pytest.param({"n1": FINE, "n2": CUT_OFF}, 4, "down", id="one is down"),
    ],
)
def test_the_status_of_a_cluster_is_that_of_its_worst_node(
    tmp_path: Path, views: Mapping[str, View], status: int, word: str
) -> None:
    """And each problem is said once, with the nodes that have it."""
    found = everywhere(tmp_path, cluster(**views), "status", "--all-nodes")
    assert (found.status, found.errors) == (status, "")
    assert f" is {word}: " in " ".join(found.output.split())
    assert max(map(len, found.output.splitlines())) <= 80
    told = json.loads(
        everywhere(tmp_path, cluster(**views), "status", "--all-nodes", "-o", "json").output
    )
    assert [one["name"] for one in told["nodes"]] == ["n1", "n2"]
    assert told["state"] == word


def test_a_node_that_never_wrote_is_a_problem(tmp_path: Path) -> None:
    """Nobody knows how it fares, which is not fine."""
    lists = {NODES: [node("n1"), node("n2")], STATUSES: [written(FINE, "n1")]}
    found = everywhere(tmp_path, lists, "status", "--all-nodes")
    assert found.status in {3, 4}
    assert "there is no BGPNodeStatus" in " ".join(found.output.split())


def test_an_elastic_ip_names_the_nodes_that_carry_it(tmp_path: Path) -> None:
    """Question 3: which nodes advertise this address now."""
    lists = cluster(n1=FINE, n2=FINE)
    found = everywhere(tmp_path, lists, "get", "elasticips", "203.0.113.9", "--all-nodes")
    assert found.status == 0
    assert found.output.splitlines()[1].split()[:3] == ["203.0.113.9", "Advertised", "n1,n2"]
    document = everywhere(
        tmp_path, lists, "get", "elasticip", "203.0.113.9", "--all-nodes", "-o", "json"
    )
    assert [one["node"] for one in json.loads(document.output)["carriers"]] == ["n1", "n2"]


def test_what_a_dead_node_told_is_marked_as_old(tmp_path: Path) -> None:
    """Its sessions stand there as it wrote them last, and a sentence says so."""
    assert FINE.speaker is not None
    assert FINE.speaker.mesh is not None
    dead = (member("n2", "10.0.0.2", state=MemberState.DEAD),)
    witness = replace(FINE.speaker, mesh=replace(FINE.speaker.mesh, members=dead))
    lists = cluster(n1=replace(FINE, speaker=witness), n2=FINE)
    for words in (("get", "sessions"), ("describe", "session", "tor-a")):
        found = everywhere(tmp_path, lists, *words, "--all-nodes")
        assert found.errors == "bgpctl: n2: its speaker is Dead, say n1\n"


@pytest.mark.parametrize("noun", ["sessions", "routes", "members", "nodes"])
def test_lists_of_a_cluster_say_which_node(tmp_path: Path, noun: str) -> None:
    """A row for each thing on each node."""
    found = everywhere(tmp_path, cluster(n1=FINE, n2=FINE), "get", noun, "--all-nodes")
    assert found.status == 0
    assert "n1" in found.output
    assert "n2" in found.output


def test_pools_of_a_cluster_come_from_its_documents(tmp_path: Path) -> None:
    """Question 16, from a workstation: which pool is nearly full."""
    lists = {
        **cluster(n1=FINE),
        "/apis/bgpd.io/v1alpha1/ipaddresspools": [pool("small", "203.0.113.0/30")],
        "/api/v1/services": [service("a", "203.0.113.0"), service("b", "203.0.113.1")],
    }
    found = everywhere(tmp_path, lists, "get", "pools", "--all-nodes")
    assert (found.status, found.errors) == (0, "")
    assert found.output.splitlines()[1].split() == [
        *("small", "203.0.113.0/30", "2/4", "<none>", "50%", "yes")
    ]


def test_checks_of_a_cluster_are_those_that_fail(tmp_path: Path) -> None:
    """And that the others are not told is said, lest somebody takes the list for whole."""
    sick = replace(FINE, agent=replace(NODE, health=ILL))
    found = everywhere(tmp_path, cluster(n1=sick), "get", "healthchecks", "--all-nodes")
    assert found.status == 0
    assert [line.split()[:3] for line in found.output.splitlines()[1:]] == [
        ["shop/cart-answers", "n1", "shop/cart"]
    ]
    assert found.errors == "bgpctl: agents tell the cluster only of health checks that fail\n"
    # How often it failed is not told: 0/0 would say that nobody ever asked.
    assert "  <unknown>  " in found.output
    assert "0/0" not in found.output
    words = ("explain", "shop/cart", "--node", "n1")
    assert "0 of 0" not in everywhere(tmp_path, cluster(n1=sick), *words).output


def test_kubectl_means_the_cluster_where_no_node_is_at_hand(tmp_path: Path) -> None:
    """`kubectl bgpd status` on a workstation needs no option; on a node, the node is meant."""
    plugin = tmp_path / "kubectl-bgpd"
    plugin.write_text(f"#!{sys.executable}\nfrom bgpd.ctl.start import main\nmain()\n")
    plugin.chmod(0o755)
    ours = {"PYTHONPATH": str(Path(__file__).parents[2]), "BGPD_RUN_DIR": str(tmp_path)}
    with api(tmp_path, cluster(n1=FINE)) as config:
        far = asyncio.run(command((str(plugin), "status"), KUBECONFIG=str(config), **ours))

        async def at_hand() -> Result:
            async with serving(tmp_path, agent=ANSWERS, speaker=SPEAKING):
                return await command((str(plugin), "status"), KUBECONFIG=str(config), **ours)

        near = asyncio.run(at_hand())
    assert far.output.startswith("the cluster at http://127.0.0.1")
    assert near.output.startswith("n1 is ")
    usage = asyncio.run(command((str(plugin), "--help"), **ours))
    assert usage.output.startswith("Usage: kubectl bgpd ")


def test_a_context_that_there_is_not_is_a_sentence(tmp_path: Path) -> None:
    """A person named it, and a person has to correct it."""
    lists = cluster(n1=FINE)
    found = everywhere(tmp_path, lists, "get", "nodes", "--all-nodes", "--context", "other")
    assert found.status == 78
    assert "other" in found.errors
    assert "Traceback" not in found.errors
    assert everywhere(tmp_path, lists, "get", "nodes", "--context", "x").status == 0


async def _watching(
    directory: Path, *words: str, until: bytes = b""
) -> tuple[str, str, int | None]:
    """Watch sessions in a pipe while one of them goes down; return both streams and the end.

    What is new has come with the next line, or with the next one that is *until*.
    """
    down = replace(SPEAKER, sessions=SPEAKER.sessions[1:])
    async with serving(directory, agent=ANSWERS, speaker=SPEAKING) as handlers:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bgpd.ctl", *words, "--run-dir", str(directory)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment(),
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        try:
            assert process.stdout is not None
            async with asyncio.timeout(30):
                first = [await process.stdout.readline() for _ in range(3)]
                changed = replace(down.sessions[0], hold_time=30)
                speaker = replace(SPEAKER, sessions=(changed,))
                handlers["speaker"].answers["status"] = Answer(content=speaker)
                first.append(await process.stdout.readline())
                while until and first[-1] not in {until, b""}:
                    first.append(await process.stdout.readline())
                await _until_asked_again(handlers["speaker"])
                process.send_signal(signal.SIGINT)
                output, errors = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    return (b"".join(first) + output).decode(), errors.decode(), process.returncode


async def _until_asked_again(handler: Answering) -> None:
    count = len(handler.asked)
    while len(handler.asked) == count:  # noqa: ASYNC110 - the fake has no event
        await asyncio.sleep(0.01)


def test_a_pipe_hears_what_changes(tmp_path: Path) -> None:
    """The list once, then a line for each item that is different, and who is gone."""
    output, errors, status = asyncio.run(_watching(tmp_path, "get", "sessions", "--watch"))
    lines = [line.split() for line in output.splitlines()]
    assert [line[0] for line in lines] == ["NAME", "tor-a", "tor-b", "tor-b"]
    assert "30s" in lines[3]
    assert errors == "bgpctl: session/tor-a is gone\n"
    assert status == 130


@pytest.mark.parametrize("words", [("get", "sessions"), ("status",)], ids=["a list", "the status"])
def test_a_program_that_watches_gets_whole_documents(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    """Without a mark between them two documents of YAML are one, with half of the content."""
    mark = b"---\n"
    output, _, _ = asyncio.run(_watching(tmp_path, *words, "-w", "-o", "yaml", until=mark))
    first, second = yaml.safe_load_all(output)
    assert first["kind"] == second["kind"]
    assert first != second


@pytest.mark.parametrize(
    "words", [("get", "sessions", "-w"), ("status", "-w")], ids=["a list", "the status"]
)
def test_a_terminal_is_drawn_anew(tmp_path: Path, words: tuple[str, ...]) -> None:
    """From its upper left corner, as often as there is a look."""

    async def story() -> bytes:
        async with serving(tmp_path, agent=ANSWERS, speaker=SPEAKING) as handlers:
            ours, theirs = pty.openpty()
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bgpd.ctl", *words, "--run-dir", str(tmp_path)),
                stdout=theirs,
                stdin=asyncio.subprocess.DEVNULL,
                env=environment(TERM="xterm", NO_COLOR="1"),
            )
            try:
                async with asyncio.timeout(30):
                    while len(handlers["speaker"].asked) < 3:  # noqa: ASYNC110
                        await asyncio.sleep(0.01)
                os.set_blocking(ours, False)
                found = b""
                with suppress(BlockingIOError):
                    while True:
                        found += os.read(ours, 65536)
                return found
            finally:
                process.kill()
                await process.wait()
                os.close(ours)
                os.close(theirs)

    screens = asyncio.run(story()).decode().split("\x1b[H\x1b[2J")
    assert len(screens) >= 3
    assert screens[0] == ""
    assert "tor-a" in screens[1]
    assert "tor-a" in screens[2]
