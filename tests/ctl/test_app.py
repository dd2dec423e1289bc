"""Facts about bgpctl as people and scripts run it."""

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

from bgpd.ipc.message import Answer, Ask
from tests.ctl.fakes import Result, bgpctl, bgpd, command, environment, serving, shown
from tests.ctl.samples import AGENT_DEAD, FAILOVERS, NODE, SICK, SPEAKER, SPEAKER_DEAD
from tests.lacking import need_root
from tests.powerless import POWERLESS

STATUS = {"status": Answer(content=NODE)}
SPEAKING = {
    "status": Answer(content=SPEAKER),
    "timeline": Answer(content=FAILOVERS),
    "generation-reset": Answer(),
}


def test_a_fine_node_exits_with_zero(tmp_path: Path) -> None:
    """Both answer, and nothing is written to stderr."""

    async def story() -> Result:
        async with serving(tmp_path, agent=STATUS, speaker=SPEAKING):
            return await bgpctl("status", "--run-dir", str(tmp_path))

    result = asyncio.run(story())
    assert (result.status, result.errors) == (0, "")
    assert result.output.startswith("n1 is fine: 2 of 2 sessions established")


def test_a_degraded_node_exits_with_three(tmp_path: Path) -> None:
    """A script need not read the screen."""

    async def story() -> Result:
        async with serving(tmp_path, agent={"status": Answer(content=SICK.agent)}):
            return await bgpctl("status", BGPD_RUN_DIR=str(tmp_path))

    result = asyncio.run(story())
    assert result.status == 3
    assert "- member n3 is Dead\n" in result.output


def test_the_speaker_answers_for_a_dead_agent(tmp_path: Path) -> None:
    """When the agent is dead the status comes from the speaker and says so."""
    alone = {"status": Answer(content=AGENT_DEAD.speaker)}

    async def story(*words: str) -> Result:
        async with serving(tmp_path, speaker=alone):
            return await bgpctl("status", "--run-dir", str(tmp_path), *words)

    result = asyncio.run(story())
    assert result.status == 3
    assert "\n- the agent does not answer" in result.output
    assert "203.0.113.9/32" in result.output
    as_json = asyncio.run(story("-o", "json"))
    assert as_json.status == 3
    assert json.loads(as_json.output)["agent"] is None
    assert "the agent does not answer" in as_json.errors
    assert as_json.errors.count("\n") == 1


def test_the_speaker_answers_for_a_hung_agent(tmp_path: Path) -> None:
    """An agent that accepts and never answers costs the timeout and no more."""

    async def story() -> Result:
        async with serving(tmp_path, agent={}, speaker={"status": Answer(content=SPEAKER)}):
            return await bgpctl("status", "--run-dir", str(tmp_path), "--timeout", "3")

    result = asyncio.run(story())
    assert result.status == 3
    assert "no answer within 3 s" in " ".join(result.output.split())


def test_an_agent_that_lost_its_speaker_is_believed_about_itself(tmp_path: Path) -> None:
    """The speaker is asked directly; if it is gone as well, the agent's part is shown."""

    async def story() -> Result:
        async with serving(tmp_path, agent={"status": Answer(content=SPEAKER_DEAD.agent)}):
            return await bgpctl("status", "--run-dir", str(tmp_path))

    result = asyncio.run(story())
    assert result.status == 4
    assert result.output.startswith("n1 is down: the speaker does not answer\n")
    assert "NoLocalEndpoints" in result.output


def test_a_node_without_an_answer_exits_with_four(tmp_path: Path) -> None:
    """Neither socket answers: that is down, in every form."""
    for words in ((), ("-o", "json")):
        result = asyncio.run(bgpctl("status", "--run-dir", str(tmp_path), *words))
        assert result.status == 4
        assert "Traceback" not in result.errors


def test_a_socket_that_is_not_there_says_nothing_of_the_node(tmp_path: Path) -> None:
    """Whoever names a socket learns that nothing can be asked there, and may try again."""
    path = tmp_path / "nonexistent"
    result = asyncio.run(bgpctl("status", "--socket", str(path)))
    assert (result.status, result.output) == (75, "")
    assert result.errors == f"bgpctl: {path}: no such socket; nothing listens here\n"


def test_a_file_that_is_no_socket_is_told_from_one_that_nobody_serves(tmp_path: Path) -> None:
    """Trying again would not help."""
    path = tmp_path / "agent.yaml"
    path.touch()
    result = asyncio.run(bgpctl("status", "--socket", str(path)))
    assert (result.status, result.output) == (78, "")
    assert result.errors == f"bgpctl: {path}: is no socket; name agent.sock or speaker.sock\n"


def test_the_speaker_is_asked_itself(tmp_path: Path) -> None:
    """The agent's copy of what it said last is for when it does not answer, and says so."""
    fresh = replace(SPEAKER, sessions=SPEAKER.sessions[:1])

    async def story(**more: dict[str, Answer]) -> Result:
        async with serving(tmp_path, agent=STATUS, **more):
            return await bgpctl("status", "--run-dir", str(tmp_path))

    both = asyncio.run(story(speaker={"status": Answer(content=fresh)}))
    assert "1 of 1 session established" in both.output
    alone = asyncio.run(story())
    assert alone.status == 3
    assert "2 of 2 sessions established" in alone.output
    assert "as the agent heard it last, some seconds ago" in " ".join(alone.output.split())


STRANGER = """
import os, sys
from pathlib import Path
from bgpd.ctl import observe, program
directory = Path(sys.argv[1])
agent, speaker = directory / "agent.sock", directory / "speaker.sock"
os.setgroups([])
os.setresgid(12345, 12345, 12345)
os.setresuid(12345, 12345, 12345)
if sys.argv[2] == "both":
    program.run("bgpctl", lambda: observe.observe(agent=agent, speaker=speaker, timeout=20))
program.run("bgpctl", lambda: observe.observe_one(agent, timeout=20))
"""


def test_a_node_that_we_may_not_look_at_is_not_down(tmp_path: Path) -> None:
    """Without the permission to ask, nothing is claimed about the node."""
    need_root(unproven="a node that another user may not look at is not called down")

    async def story(sockets: str) -> Result:
        async with serving(tmp_path, agent=STATUS, speaker=SPEAKING):
            return await command((sys.executable, "-c", STRANGER, str(tmp_path), sockets))

    for sockets in ("both", "one"):
        result = asyncio.run(story(sockets))
        assert result.status == 78
        assert result.errors.endswith(
            "agent.sock: permission denied; use root or the socket's group\n"
        )


@pytest.mark.parametrize("name", ["agent", "speaker"])
def test_one_socket_may_be_asked_alone(tmp_path: Path, name: str) -> None:
    """Whoever listens there answers, agent or speaker, and the other is not missed."""

    async def story() -> Result:
        async with serving(tmp_path, agent=STATUS, speaker={"status": Answer(content=SPEAKER)}):
            return await bgpctl("status", "--socket", f"unix:{tmp_path}/{name}.sock")

    assert asyncio.run(story()).status == 0


def test_json_and_yaml_hold_the_same(tmp_path: Path) -> None:
    """Both forms are read back to the same document."""
    import yaml  # noqa: PLC0415

    async def story(form: str) -> str:
        async with serving(tmp_path, agent=STATUS):
            return (await bgpctl("status", "--run-dir", str(tmp_path), "-o", form)).output

    document = json.loads(asyncio.run(story("json")))
    assert document["kind"] == "NodeStatus"
    assert yaml.safe_load(asyncio.run(story("yaml"))) == document


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param({"source": "x"}, "is this bgpctl older", id="an answer of another shape"),
        pytest.param([], "is this bgpctl older", id="an answer that is no status"),
    ],
)
def test_an_answer_that_is_not_understood_is_a_sentence(
    tmp_path: Path, content: object, words: str
) -> None:
    """A newer agent may say what we cannot read; the speaker is asked then."""

    async def story() -> Result:
        async with serving(
            tmp_path,
            agent={"status": Answer(content=content)},
            speaker={"status": Answer(content=SPEAKER)},
        ):
            return await bgpctl("status", "--run-dir", str(tmp_path))

    result = asyncio.run(story())
    assert result.status == 3
    assert words in " ".join(result.output.split())
    assert "203.0.113.9/32" in result.output


def test_the_timeline_is_the_speakers(tmp_path: Path) -> None:
    """It is there without the agent, the newest last, as many as asked for."""

    async def story(*words: str) -> Result:
        async with serving(tmp_path, speaker=SPEAKING):
            return await bgpctl("timeline", "--run-dir", str(tmp_path), *words)

    both = asyncio.run(story())
    assert both.status == 0
    assert both.output.index("raise") < both.output.index("withdraw")
    newest = json.loads(asyncio.run(story("--last", "1", "-o", "json")).output)
    assert newest["kind"] == "FailoverList"
    assert [item["kind"] for item in newest["items"]] == ["withdraw"]


def test_the_timeline_comes_through_the_agent_where_it_must(tmp_path: Path) -> None:
    """An agent that knows the failovers answers when the speaker does not."""

    async def story(**served: dict[str, Answer]) -> Result:
        async with serving(tmp_path, **served):
            return await bgpctl("timeline", "--run-dir", str(tmp_path))

    assert asyncio.run(story(agent={"timeline": Answer(content=FAILOVERS)})).status == 0
    nobody = asyncio.run(story())
    assert nobody.status == 75
    assert (
        nobody.errors == f"bgpctl: {tmp_path}/speaker.sock: no such socket; nothing listens here\n"
    )


def test_a_reset_needs_a_yes(tmp_path: Path) -> None:
    """Off a terminal nothing is reset without --yes; with it, the speaker is told the number."""

    async def story(*words: str) -> tuple[Result, list[Ask]]:
        async with serving(tmp_path, speaker=SPEAKING) as handlers:
            run_dir = ("--run-dir", str(tmp_path))
            result = await bgpctl("generation", "reset", "5", *run_dir, *words)
            return result, handlers["speaker"].asked

    refused, asked = asyncio.run(story())
    assert (refused.status, asked) == (2, [])
    done, asked = asyncio.run(story("--yes"))
    assert (done.status, done.output) == (0, "generation reset to 5\n")
    assert asked == [Ask(question="generation-reset", arguments={"to": "5"})]


def test_a_refused_reset_is_a_sentence(tmp_path: Path) -> None:
    """What the speaker does not accept is said in its words."""
    refusing = {"generation-reset": Answer(ok=False, error="the mesh is not configured yet")}

    async def story() -> Result:
        async with serving(tmp_path, speaker=refusing):
            run_dir = ("--run-dir", str(tmp_path))
            return await bgpctl("generation", "reset", "5", "--yes", *run_dir)

    result = asyncio.run(story())
    assert result.status == 1
    assert result.errors.endswith("speaker.sock: the mesh is not configured yet\n")


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("status", "--bogus"), id="an option that is none"),
        pytest.param(("frobnicate",), id="a command that is none"),
        pytest.param(("status", "-o", "xml"), id="a form that is none"),
        pytest.param(("status", "--timeout", "0"), id="a timeout out of range"),
        pytest.param(("status", "--timeout", "inf"), id="a timeout without end"),
        pytest.param(("events", "--timeout", "1e18"), id="a timeout beyond what sockets know"),
        pytest.param(("top", "--interval", "1e18"), id="looks further apart than clocks count"),
        pytest.param(("generation", "reset", "0"), id="a generation below the range"),
        pytest.param(("generation", "reset", "8388608"), id="a generation above the range"),
        pytest.param(("show", "rib", "-x"), id="the words of OpenBGPD's bgpctl"),
    ],
)
def test_a_wrong_command_line_exits_with_two(words: tuple[str, ...]) -> None:
    """Usage errors go to stderr, without boxes, without a traceback."""
    result = asyncio.run(bgpctl(*words, TERM="xterm"))
    assert (result.status, result.output) == (2, "")
    assert result.errors.isascii()
    assert (result.errors[:6], result.errors.count("\n")) == ("bgpctl", 1)


def test_ctrl_c_exits_with_130(tmp_path: Path) -> None:
    """A person who does not want to wait ends it without a traceback."""

    async def story() -> Result:
        async with serving(tmp_path, agent={}, speaker={}) as handlers:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bgpd.ctl", "status"),
                *("--run-dir", str(tmp_path), "--timeout", "30"),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=environment(),
                # A shell starts what runs in its background deaf to Ctrl-C, and so these tests.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
            try:
                async with asyncio.timeout(30):
                    while not handlers["agent"].asked:  # noqa: ASYNC110 - the fake has no event
                        await asyncio.sleep(0.01)
                    process.send_signal(signal.SIGINT)
                    output, errors = await process.communicate()
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        return Result(status=process.returncode, output=output.decode(), errors=errors.decode())

    result = asyncio.run(story())
    assert result.status == 130
    assert "Traceback" not in result.errors


@pytest.mark.parametrize(
    ("extra", "words", "colored"),
    [
        pytest.param({"TERM": "xterm"}, (), True, id="a terminal that can"),
        pytest.param({"TERM": "xterm", "NO_COLOR": "1"}, (), False, id="NO_COLOR"),
        pytest.param({"TERM": "dumb"}, (), False, id="a dumb terminal"),
        pytest.param({"TERM": "xterm"}, ("--no-color",), False, id="--no-color"),
    ],
)
def test_color_is_for_terminals_that_want_it(
    tmp_path: Path, extra: dict[str, str], words: tuple[str, ...], *, colored: bool
) -> None:
    """Only the headline is colored, and only where a person sees it."""
    ours, theirs = pty.openpty()
    try:
        subprocess.run(
            [sys.executable, "-m", "bgpd.ctl", "status", "--run-dir", str(tmp_path), *words],
            stdout=theirs,
            stdin=subprocess.DEVNULL,
            env=environment(**extra),
            check=False,
        )
        text = shown(ours, theirs)
    finally:
        os.close(ours)
    assert "this node is down" in text
    assert ("\x1b[" in text) is colored


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    """`bgpctl status | head -0` leaves no traceback behind."""
    line = f'"$0" -m bgpd.ctl status --run-dir {tmp_path} | true'
    result = asyncio.run(command(("sh", "-c", line, sys.executable)))
    assert result.errors == ""


@pytest.mark.parametrize(
    ("redirected", "status", "said"),
    [
        pytest.param(">&-", 4, "", id="an output that is closed"),
        pytest.param(
            ">/dev/full",
            1,
            "bgpctl: the answer cannot be written: No space left on device\n",
            id="a disk that is full",
        ),
        pytest.param("2>&- >/dev/null", 4, "", id="no place for errors"),
    ],
)
def test_an_output_that_takes_nothing_is_no_traceback(
    tmp_path: Path, redirected: str, status: int, said: str
) -> None:
    """What was asked is judged all the same where somebody has closed the output on purpose."""
    line = f'"$0" -m bgpd.ctl status --run-dir {tmp_path} {redirected}'
    result = asyncio.run(command(("sh", "-c", line, sys.executable)))
    assert (result.status, result.output, result.errors) == (status, "", said)


def test_help_loads_only_what_it_needs() -> None:
    """`bgpctl --help` is instant because nothing that asks, decodes or draws is imported."""
    script = (
        "import sys\n"
        "from bgpd.ctl.app import app\n"
        "try: app(['--help'], prog_name='bgpctl')\n"
        "except SystemExit: pass\n"
        "print(sorted({'asyncio', 'msgspec', 'yaml', 'rich', 'pydantic', 'exabgp', 'pyroute2',"
        " 'kubernetes', 'importlib.metadata'} & set(sys.modules)))\n"
    )
    result = asyncio.run(command((sys.executable, "-c", script)))
    assert result.output.splitlines()[-1] == "[]"
    assert "Exit status: 0 fine, 1 failed, 2 usage, 3 degraded, 4 down" in result.output


def test_the_version_is_the_packages() -> None:
    """Both command lines say which release they are."""
    from importlib.metadata import version  # noqa: PLC0415

    for word in ("version", "--version"):
        assert asyncio.run(bgpctl(word)).output == f"bgpctl {version('bgpd')}\n"
        assert asyncio.run(bgpd(word)).output == f"bgpd {version('bgpd')}\n"


def test_a_long_error_is_folded_at_a_terminal(tmp_path: Path) -> None:
    """No line is wider than 80 columns there; in a log it stays one line."""
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "bgpd.ctl", "status", "--socket", f"{tmp_path}/{'no/' * 30}x"]
    try:
        subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            env=environment(),
            check=False,
        )
        at_terminal = shown(ours, theirs)
    finally:
        os.close(ours)
    lines = at_terminal.splitlines()
    assert len(lines) > 1
    assert max(map(len, lines)) <= 80
    piped = subprocess.run(words, capture_output=True, text=True, env=environment(), check=False)
    assert piped.stderr.count("\n") == 1
    assert "".join(at_terminal.split()) == "".join(piped.stderr.split())


@pytest.mark.parametrize("forbidden", ["agent", "speaker"])
def test_who_may_ask_only_one_of_the_two_sees_what_it_says(tmp_path: Path, forbidden: str) -> None:
    """That the other may not be asked says nothing of the node: it is fine, and why is said."""
    need_root(unproven="a node of which one socket may not be asked is not called degraded")
    socket = tmp_path / f"{forbidden}.sock"

    async def story() -> Result:
        async with serving(tmp_path, agent=STATUS, speaker=SPEAKING):
            os.chown(socket, 65534, 65534)
            socket.chmod(0o600)
            line = (sys.executable, "-m", "bgpd.ctl", "status", "--run-dir", str(tmp_path))
            return await command((*POWERLESS, *line))

    result = asyncio.run(story())
    told = " ".join(result.output.split())
    assert (result.status, result.errors) == (0, "")
    assert told.startswith("n1 is fine: 2 of 2 sessions established")
    # A path that is longer than a line is broken.
    unbroken = told.replace(" ", "")
    assert f"not asked: {socket}: permission denied; use root".replace(" ", "") in unbroken
