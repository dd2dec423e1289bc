"""`bgpctl drain` and `undrain`: what they ask, print, wait for, and end with."""

import asyncio
import json
import os
import pty
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bgpd.ctl.drainview import named, progress, refusal
from bgpd.ipc.message import Answer, Ask
from bgpd.model.cluster import DRAIN_TAINT
from bgpd.model.prefix import Prefix
from bgpd.model.status import DrainPhase, DrainStatus
from tests.ctl.fakes import PATIENCE, Result, bgpctl, environment, serving
from tests.ctl.samples import NODE, SPEAKER
from tests.fakes.apiserver import FakeApiServer, served

ONE, TWO = Prefix("203.0.113.9/32"), Prefix("203.0.113.10/32")
BEGUN = DrainStatus(phase=DrainPhase.DEMOTED, cause="a person asked for it")
STATUS = Answer(content=SPEAKER)
REFUSED = Answer(ok=False, error="no other", content={"alone": (ONE,)})
NODES = "/api/v1/nodes"
STATUSES = "/apis/bgpd.io/v1alpha1/bgpnodestatuses"


def run(tmp_path: Path, speaker: dict[str, Answer], *words: str) -> tuple[Result, list[Ask]]:
    """Return what bgpctl did on a node whose speaker gives these answers, and what it asked."""

    async def story() -> tuple[Result, list[Ask]]:
        agent = {"status": Answer(content=NODE)}
        async with serving(tmp_path, agent=agent, speaker={"status": STATUS, **speaker}) as both:
            result = await bgpctl(*words, "--run-dir", str(tmp_path))
            asked = [one for one in both["speaker"].asked if one.question != "status"]
            return result, asked

    return asyncio.run(story())


def test_a_drain_asks_the_speaker_of_this_node(tmp_path: Path) -> None:
    """With the name or without it: no API is needed."""
    for words in (["drain"], ["drain", "n1"]):
        result, asked = run(tmp_path, {"drain": Answer(content={"drain": BEGUN})}, *words)
        assert (result.status, result.errors) == (0, "")
        assert result.output.startswith("n1 is being drained (a person asked for it)")
        assert asked == [Ask(question="drain")]


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        pytest.param(["--force"], {"force": "true"}, id="by force"),
        pytest.param(["--patient"], {"patient": "true"}, id="with patience"),
        pytest.param(["--until-boot"], {"until": "boot"}, id="for this boot"),
    ],
)
def test_what_a_person_wants_reaches_the_speaker(
    tmp_path: Path, words: list[str], arguments: dict[str, str]
) -> None:
    """A script that says --force has been asked already."""
    result, asked = run(tmp_path, {"drain": Answer(content={"drain": BEGUN})}, "drain", *words)
    assert result.status == 0
    assert asked == [Ask(question="drain", arguments=arguments)]


def test_the_last_carrier_is_refused_with_prefix_and_service(tmp_path: Path) -> None:
    """Exit status 1, one sentence, nothing on standard output."""
    result, _ = run(tmp_path, {"drain": REFUSED}, "drain", "--wait")
    assert (result.status, result.output) == (1, "")
    assert "203.0.113.9/32 (shop/cart, shop/checkout-with-a-rather-long-name)" in result.errors
    assert "--force" in result.errors


def test_a_rehearsal_changes_nothing(tmp_path: Path) -> None:
    """It ends as the drain would."""
    free, nobody = Answer(content={"alone": ()}), Answer(content={"alone": (ONE,)})
    result, asked = run(tmp_path, {"drain": free}, "drain", "--dry-run")
    assert (result.status, result.output) == (0, "n1 would be drained\n")
    assert asked == [Ask(question="drain", arguments={"dry-run": "true"})]
    assert run(tmp_path, {"drain": nobody}, "drain", "--dry-run")[0].status == 1
    forced, _ = run(tmp_path, {"drain": nobody}, "drain", "--dry-run", "--force")
    assert (forced.status, "203.0.113.9/32" in forced.output) == (0, True)
    result, asked = run(tmp_path, {}, "undrain", "--dry-run")
    assert (result.status, asked) == (0, [])


def test_undrain_says_why_a_node_stays_drained(tmp_path: Path) -> None:
    """A person's request is one cause of several."""
    cordoned = replace(BEGUN, cause="node n1 is cordoned")
    for drain, words in ((DrainStatus(), "not drained any more"), (cordoned, "n1 is cordoned")):
        result, asked = run(tmp_path, {"undrain": Answer(content={"drain": drain})}, "undrain")
        assert (result.status, asked) == (0, [Ask(question="undrain")])
        assert words in result.output


def test_no_speaker_is_no_drain(tmp_path: Path) -> None:
    """75: nothing was decided, and the agent's copy of a status does not count."""
    assert asyncio.run(bgpctl("drain", "--run-dir", str(tmp_path))).status == 75


def waiting(tmp_path: Path, *steps: tuple[DrainStatus, int], words: tuple[str, ...]) -> Result:
    """Return what `drain --wait` did while the speaker went through *steps*, the last for ever."""

    async def story() -> Result:
        begun = {"status": STATUS, "drain": Answer(content={"drain": BEGUN})}
        async with serving(tmp_path, agent={"status": Answer(content=NODE)}, speaker=begun) as both:
            speaker = both["speaker"]
            running = bgpctl("drain", "--wait", *words, "--run-dir", str(tmp_path))
            async with asyncio.TaskGroup() as group:
                task = group.create_task(running)
                for drain, left in steps:
                    status = replace(SPEAKER, drain=drain, routes=SPEAKER.routes[:left])
                    speaker.answers["status"] = Answer(content=status)
                    seen = len(speaker.asked)
                    while not task.done() and len(speaker.asked) < seen + 4:  # noqa: ASYNC110
                        await asyncio.sleep(0.02)
            return task.result()

    return asyncio.run(story())


ALONE = DrainStatus(phase=DrainPhase.WAITING, cause="x", alone=(ONE,))
GONE = DrainStatus(phase=DrainPhase.DRAINED, cause="x")


def test_waiting_shows_each_step_and_ends_with_the_drain(tmp_path: Path) -> None:
    """What it waits for is named; every line fits a terminal or is one sentence."""
    result = waiting(tmp_path, (BEGUN, 3), (ALONE, 1), (GONE, 0), words=())
    assert (result.status, result.errors) == (0, "")
    assert all(len(line) <= 80 for line in result.output.splitlines())
    first, *steps = result.output.replace("\n  ", " ").splitlines()
    assert first.startswith("n1 is being drained")
    assert steps[0] == "3 routes left; routers move the traffic"
    assert steps[1].startswith("1 route left; another node has to carry 203.0.113.9/32 (shop/cart")
    assert steps[-1] == "drained: all routes are withdrawn, the sessions stay"


def test_waiting_has_an_end(tmp_path: Path) -> None:
    """75 when the time is over: the drain itself goes on."""
    result = waiting(tmp_path, (ALONE, 1), words=("--timeout", "3"))
    assert result.status == 75
    assert "n1 is not drained after 3 s: 1 route left" in result.errors


def test_a_drain_that_somebody_took_back_is_not_waited_for(tmp_path: Path) -> None:
    """1: the node is not drained."""
    result = waiting(tmp_path, (BEGUN, 3), (DrainStatus(), 3), words=())
    assert result.status == 1
    assert "took it back" in result.errors


@pytest.mark.parametrize(("letter", "drained"), [("n", False), ("y", True)])
def test_a_person_at_a_terminal_is_asked_before_the_last_one_goes(
    tmp_path: Path, letter: str, drained: bool
) -> None:
    """--force is typed quickly."""
    alone = Answer(content={"alone": (ONE,)})

    def at_terminal() -> None:
        ours, theirs = pty.openpty()
        try:
            os.write(ours, f"{letter}\n".encode())
            subprocess.run(
                [sys.executable, "-m", "bgpd.ctl", "drain", "--force", "--run-dir", tmp_path],
                stdin=theirs,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment(),
                check=False,
            )
        finally:
            os.close(ours)
            os.close(theirs)

    async def story() -> list[Ask]:
        answers = {"status": STATUS, "drain": alone}
        async with serving(tmp_path, agent={}, speaker=answers) as both:
            both["agent"].answers["status"] = Answer(content=NODE)
            await asyncio.to_thread(at_terminal)
            return [one for one in both["speaker"].asked if one.question == "drain"]

    asked = asyncio.run(story())
    assert asked[0].arguments == {"dry-run": "true"}
    assert [one.arguments for one in asked[1:]] == ([{"force": "true"}] if drained else [])


# Another node


def through_api(tmp_path: Path, *words: str, taints: list[dict[str, str]]) -> tuple[Result, object]:
    """Return what bgpctl did to Node n9, and the taints that it then had."""

    async def story() -> tuple[Result, object]:
        async with served() as server:
            _known(server, taints)
            config = {
                "clusters": [
                    {"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.port}"}}
                ],
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                "users": [{"name": "u", "user": {}}],
                "current-context": "c",
            }
            (tmp_path / "config").write_text(json.dumps(config))
            result = await bgpctl(
                *words, "--run-dir", str(tmp_path), "--kubeconfig", str(tmp_path / "config")
            )
            (node,) = server.objects(NODES)
            return result, node["spec"].get("taints")

    return asyncio.run(story())


def _known(server: FakeApiServer, taints: list[dict[str, str]]) -> None:
    server.install(NODES, STATUSES)
    server.apply(NODES, {"metadata": {"name": "n9"}, "spec": {"taints": taints}})
    drained = {"draining": True, "counts": {"routes": 0}}
    server.apply(STATUSES, {"metadata": {"name": "n9"}, "status": drained})


OTHER = {"key": "example.com/gpu", "effect": "NoSchedule"}
OURS = {"key": DRAIN_TAINT, "effect": "PreferNoSchedule"}


def test_another_node_is_drained_by_a_taint(tmp_path: Path) -> None:
    """Taints of other people stay; what is there already is not written again."""
    result, taints = through_api(tmp_path, "drain", "n9", "--wait", taints=[OTHER])
    assert (result.status, result.errors) == (0, "")
    assert result.output.splitlines()[-1].startswith("drained: ")
    assert taints == [OTHER, OURS]
    result, taints = through_api(tmp_path, "drain", "n9", taints=[OURS])
    assert (result.status, taints) == (0, [OURS])
    assert "already" in result.output
    result, taints = through_api(tmp_path, "undrain", "n9", taints=[OTHER, OURS])
    assert (result.status, taints) == (0, [OTHER])
    result, taints = through_api(tmp_path, "drain", "n9", "--dry-run", taints=[OTHER])
    assert (result.status, taints) == (0, [OTHER])


@pytest.mark.parametrize(
    ("words", "status"),
    [
        pytest.param(["drain", "n8"], 78, id="a node that is not there"),
        pytest.param(["drain", "n9", "--force"], 2, id="force needs the node itself"),
        pytest.param(["drain", "n9", "--until-boot"], 2, id="and so does a boot"),
        pytest.param(["drain", "n9", "--timeout", "0"], 2, id="no time at all"),
    ],
)
def test_wrong_use_changes_nothing(tmp_path: Path, words: list[str], status: int) -> None:
    """A sentence, and no traceback."""
    result, taints = through_api(tmp_path, *words, taints=[OTHER])
    assert (result.status, result.output, taints) == (status, "", [OTHER])
    assert "Traceback" not in result.errors


@pytest.mark.parametrize("verb", ["drain", "undrain"])
@pytest.mark.parametrize(
    ("node", "words"),
    [
        pytest.param("n2", "this is n1", id="a member"),
        pytest.param("n2", "run it on n2, or name a kubeconfig with --kubeconfig", id="what to do"),
        pytest.param("n9", "n1 knows no member n9 of the mesh, only n1, n2, n3", id="no member"),
    ],
)
def test_without_an_api_another_node_is_out_of_reach(
    tmp_path: Path, verb: str, node: str, words: str
) -> None:
    """A person who types another node's name learns what to do, not what a file lacks."""

    async def story() -> Result:
        answers = {"status": STATUS}
        async with serving(tmp_path, agent={"status": Answer(content=NODE)}, speaker=answers):
            return await bgpctl(
                verb, node, "--run-dir", str(tmp_path),
                HOME=str(tmp_path), KUBECONFIG="", KUBERNETES_SERVICE_HOST="",
            )  # fmt: skip

    result = asyncio.run(story())
    assert (result.status, result.output) == (78, "")
    assert words in result.errors


def test_interrupting_the_wait_leaves_the_drain_as_it_is(tmp_path: Path) -> None:
    """Ctrl-C ends with 130 and one sentence, and asks the speaker for nothing."""

    async def story() -> tuple[int, str, list[Ask]]:
        status = replace(SPEAKER, drain=ALONE, routes=SPEAKER.routes[:1])
        answers = {"status": Answer(content=status), "drain": Answer(content={"drain": BEGUN})}
        agent = {"status": Answer(content=NODE)}
        async with serving(tmp_path, agent=agent, speaker=answers) as both:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bgpd.ctl", "drain", "--wait", "--run-dir", str(tmp_path)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=environment(),
            )
            try:
                async with asyncio.timeout(PATIENCE):
                    assert process.stdout is not None
                    # The second sentence is what it waits for: it waits by now.
                    while b"another node has to carry" not in await process.stdout.readline():
                        assert not process.stdout.at_eof()
                    process.send_signal(signal.SIGINT)
                    _, errors = await process.communicate()
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
            asked = [one for one in both["speaker"].asked if one.question != "status"]
            return process.returncode or 0, errors.decode(), asked

    status, errors, asked = asyncio.run(story())
    assert errors == "bgpctl: not waited for any longer; the drain of n1 goes on\n"
    assert status == 130
    assert asked == [Ask(question="drain")], "nothing was taken back"


# Sentences


def test_a_long_list_is_cut() -> None:
    """Three are named, the others counted."""
    many = tuple(Prefix(f"203.0.113.{number}/32") for number in range(1, 6))
    assert named(many, {}) == "203.0.113.1/32, 203.0.113.2/32, 203.0.113.3/32 and 2 more"
    assert named((ONE,), {ONE: ("a/b",)}) == "203.0.113.9/32 (a/b)"
    assert refusal("n1", (ONE,), {}).startswith("n1 is not drained: no other live, undrained node")


@pytest.mark.parametrize("phase", DrainPhase)
def test_every_phase_has_a_sentence(phase: DrainPhase) -> None:
    """Whatever a speaker says can be shown."""
    assert progress(DrainStatus(phase=phase, alone=(ONE,), busy=(TWO,)), 2, {})
