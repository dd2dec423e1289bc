"""Facts about what `bgpd` checks, and what it becomes."""

import asyncio
import os
import shlex
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bgpd.ctl.daemonline import speaker_line
from bgpd.ctl.daemonoptions import TERM_SECONDS
from bgpd.exabgp import launcher
from tests.ctl.fakes import Result, bgpd, command
from tests.lacking import need_root

RECORD = """#!/bin/sh
echo "$$"
for word; do echo "$word"; done
"""
BECOME = """
import sys
import time
sys.executable = sys.argv.pop(1)
from bgpd.ctl.daemon import main
main()
"""


def key_file(directory: Path) -> Path:
    """Return a good key file."""
    path = directory / "mesh key"
    path.write_text("a pass phrase of some length\n")
    path.chmod(0o600)
    return path


def directories(path: Path) -> tuple[str, ...]:
    """Return the options for directories below *path*, with names that need quoting."""
    return ("--state-dir", f"{path}/state dir", "--run-dir", f"{path}/run 'dir'")


async def become(directory: Path, *words: str, **extra: str) -> list[str]:
    """Run bgpd with a Python that only records what it was started with."""
    recorder = directory / "recorder"
    recorder.write_text(RECORD)
    recorder.chmod(0o755)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", BECOME, str(recorder), *words),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **extra},
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    pid, *recorded = output.decode().splitlines()
    assert int(pid) == process.pid, "a supervisor has to see the process that it started"
    return recorded


def test_the_speaker_becomes_the_launcher(tmp_path: Path) -> None:
    """The process that the supervisor started is the launcher; no typer stays behind."""
    words = asyncio.run(
        become(
            tmp_path,
            *("speaker", "--node", "n1", "--mesh-key-file", str(key_file(tmp_path))),
            *directories(tmp_path),
        )
    )
    module, configuration, form, patience, reflex = words[1:]
    assert words[0] == "-m"
    assert module == "bgpd.exabgp.launcher"
    assert form == "--log-format=auto"
    assert patience == "--term-timeout=30"
    assert configuration == f"--configuration={tmp_path}/state dir/exabgp.conf"
    assert shlex.split(reflex.removeprefix("--reflex=")) == [
        f"{tmp_path}/recorder",
        "-m",
        "bgpd.speaker",
        f"--state-dir={tmp_path}/state dir",
        "--node=n1",
        f"--run-dir={tmp_path}/run 'dir'",
        f"--mesh-key-file={tmp_path}/mesh key",
        "--log-level=info",
        "--log-format=auto",
        "--metrics-address=127.0.0.1:7180",
    ]
    assert (tmp_path / "state dir").is_dir()
    # The speaker makes this one, for the group of its socket.
    assert not (tmp_path / "run 'dir'").exists()


def test_a_second_speaker_on_a_node_ends_before_it_speaks_to_a_router(tmp_path: Path) -> None:
    """ExaBGP opens its sessions half a second before its reflex finds the socket taken."""
    run_dir = tmp_path / "run 'dir'"
    run_dir.mkdir()
    recorder = tmp_path / "recorder"
    recorder.write_text(RECORD)
    recorder.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as first:
        first.bind(str(run_dir / "speaker.sock"))
        first.listen()
        words = (sys.executable, "-c", BECOME, str(recorder), *speaker(tmp_path))
        result = asyncio.run(command(words))
    assert (result.status, result.output) == (78, "")
    assert f"another bgpd speaker is running (pid {os.getpid()})" in result.errors
    assert not list((tmp_path / "state dir").iterdir())


def test_what_a_speaker_left_behind_keeps_no_other_from_starting(tmp_path: Path) -> None:
    """A socket that nobody answers on, and one that is closed a moment later, are no speaker."""
    run_dir = tmp_path / "run 'dir'"
    run_dir.mkdir()
    key_file(tmp_path)
    first = socket.socket(socket.AF_UNIX)
    first.bind(str(run_dir / "speaker.sock"))
    first.listen()
    leaving = threading.Timer(0.2, first.close)
    leaving.start()
    words = asyncio.run(become(tmp_path, *speaker(tmp_path)))
    leaving.join()
    assert "bgpd.exabgp.launcher" in words
    assert "bgpd.exabgp.launcher" in asyncio.run(become(tmp_path, *speaker(tmp_path)))


def test_the_agent_becomes_its_module(tmp_path: Path) -> None:
    """Options come from the environment as well, and an empty one is left out."""
    words = asyncio.run(
        become(
            tmp_path,
            *("agent", "--source", f"directory:{tmp_path}", *directories(tmp_path)),
            BGPD_NODE="n7",
            BGPD_CLUSTER_UID="uid-1",
            BGPD_LOG_LEVEL="debug",
            BGPD_LOG_FORMAT="text",
            BGPD_METRICS_ADDRESS="10.0.0.1:7181,127.0.0.1:7181",
            BGPD_METRICS_TLS_CERT="chain.pem",
            BGPD_METRICS_TLS_KEY="key.pem",
            BGPD_METRICS_ELASTIC_IPS="7",
        )
    )
    assert words == [
        "-m",
        "bgpd.agent",
        "--node=n7",
        f"--source=directory:{tmp_path}",
        "--cluster-uid=uid-1",
        f"--run-dir={tmp_path}/run 'dir'",
        f"--state-dir={tmp_path}/state dir",
        "--log-level=debug",
        "--log-format=text",
        "--metrics-elastic-ips=7",
        "--metrics-address=10.0.0.1:7181,127.0.0.1:7181",
        f"--metrics-tls-cert={Path('chain.pem').absolute()}",
        f"--metrics-tls-key={Path('key.pem').absolute()}",
    ]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param(("--metrics-address", "here"), "--metrics-address: 'here'", id="an address"),
        pytest.param(
            ("--metrics-tls-cert", "c.pem"),
            "--metrics-tls-cert: means nothing without --metrics-tls-key",
            id="half of TLS",
        ),
    ],
)
def test_what_cannot_be_served_on_is_for_a_person_to_change(
    words: tuple[str, str], sentence: str, tmp_path: Path
) -> None:
    """Before anything is started; a file that is not there yet is the process's to wait for."""
    line = (sys.executable, "-m", "bgpd.ctl.daemon", "controller")
    source = f"--source=directory:{tmp_path}"
    run = subprocess.run((*line, source, *words), capture_output=True, text=True, check=False)
    assert run.returncode == 78
    assert sentence in run.stderr


def test_an_interpreter_that_the_user_may_not_run_is_one_sentence(tmp_path: Path) -> None:
    """Such as one below /root, for any other user."""
    recorder = tmp_path / "recorder"
    recorder.write_text(RECORD)
    line = (sys.executable, "-c", BECOME, str(recorder))
    run = subprocess.run(
        (*line, "controller", f"--source=directory:{tmp_path}"), capture_output=True, check=False
    )
    assert run.returncode == 78
    assert run.stderr.decode().startswith(f"bgpd: {recorder}: cannot be run by user")
    assert "Traceback" not in run.stderr.decode()


@pytest.mark.parametrize(
    "value", ["plain", "two words", "a'b", 'a"b', "$(reboot)", "-n", "a;b", "ü", "a\\b"]
)
def test_every_value_survives_the_line_that_exabgp_splits(value: str) -> None:
    """ExaBGP starts the reflex by a line of text; no value can become two words, or a command."""
    line = speaker_line(state_dir=Path("/state"), node=value)
    reflex = shlex.split(line[-1].removeprefix("--reflex="))
    assert f"--node={value}" in reflex
    assert len(reflex) == 5


def test_a_speaker_may_take_as_long_to_end_as_whoever_starts_it_says(tmp_path: Path) -> None:
    """ExaBGP, which hears SIGTERM, is told, and not the reflex; else it is as ever."""
    for words, seconds in (((), 30), (("--term-timeout", "605"), 605)):
        line = asyncio.run(become(tmp_path, *speaker(tmp_path, *words)))
        assert f"--term-timeout={seconds}" in line
        assert "term-timeout" not in line[-1]
    assert TERM_SECONDS == launcher.TERM_SECONDS


def speaker(tmp_path: Path, *words: str) -> tuple[str, ...]:
    """Return a speaker's command line that is right but for *words*."""
    good = ("--node", "n1", "--mesh-key-file", str(key_file(tmp_path)), *directories(tmp_path))
    return ("speaker", *good, *words)


def agent(tmp_path: Path, *words: str) -> tuple[str, ...]:
    """Return an agent's command line that is right but for *words*."""
    good = ("--source", f"directory:{tmp_path}", "--cluster-uid", "u", *directories(tmp_path))
    return ("agent", "--node", "n1", *good, *words)


@pytest.mark.parametrize(
    ("program", "words", "sentence"),
    [
        pytest.param(
            speaker,
            ("--mesh-key-file", "/nowhere/key"),
            "--mesh-key-file: /nowhere/key: the mesh key cannot be read: No such file or directory",
            id="no key file",
        ),
        pytest.param(speaker, ("--node", "a b"), "--node: 'a b' is not a node's name", id="a node"),
        pytest.param(
            speaker,
            ("--state-dir", "/proc/self/state"),
            "--state-dir: cannot create /proc/self/state",
            id="a state directory that cannot be made",
        ),
        pytest.param(
            speaker,
            ("--run-dir", "/dev/null"),
            "--run-dir: /dev/null is not a directory",
            id="a run directory that is a file",
        ),
        pytest.param(
            agent,
            ("--source", "etcd:here"),
            "'etcd:here' is not known; use directory:",
            id="source",
        ),
        pytest.param(
            agent,
            ("--source", "directory:/nowhere"),
            "--source: /nowhere is not a directory",
            id="a source that is not there",
        ),
        pytest.param(
            agent,
            ("--source", "kubernetes:WRONG"),
            "--source: WRONG: no such file",
            id="a kubeconfig that is not there",
        ),
        pytest.param(
            agent,
            ("--source", "kubernetes:"),
            "kubernetes: names no file; use kubernetes:KUBECONFIG",
            id="a kubeconfig without a name",
        ),
        pytest.param(agent, ("--cluster-uid", ""), "--cluster-uid: empty", id="no cluster uid"),
    ],
)
def test_what_a_person_has_to_change_is_one_sentence(
    tmp_path: Path, program: Callable[..., tuple[str, ...]], words: tuple[str, ...], sentence: str
) -> None:
    """The last of two equal options wins, so each row is a good command line made bad."""
    result = asyncio.run(bgpd(*program(tmp_path, *words)))
    assert result.status == 78
    assert result.output == ""
    assert sentence in result.errors
    assert result.errors.count("\n") == 1


STRANGER = """
import os, sys
from contextlib import suppress
from bgpd.ctl import daemon
from bgpd.model.errors import ConfigError
with suppress(ConfigError):  # so that everything is imported while we may read it
    daemon.app(["speaker", "--mesh-key-file", "/nowhere"], prog_name="bgpd")
os.setgroups([])
os.setresgid(12345, 12345, 12345)
os.setresuid(12345, 12345, 12345)
daemon.main()
"""


def test_a_key_file_that_we_may_not_read_is_configuration(tmp_path: Path) -> None:
    """As one that is missing: the command line is right, the file is not."""
    need_root(unproven="a key file of another user is a mistake in the configuration")
    path = key_file(tmp_path)
    words = ("speaker", "--node", "n1", "--mesh-key-file", str(path))
    result = asyncio.run(command((sys.executable, "-c", STRANGER, *words)))
    assert result.status == 78
    assert result.errors.startswith(f"bgpd: --mesh-key-file: {path}: ")
    assert "Permission denied" in result.errors


READ_ONLY = """
mount -t tmpfs none "$1"
shift
if [ -n "$KEPT" ]; then echo kept > "$KEPT"; fi
mount -o remount,ro "$DIRECTORY"
exec "$@"
"""


@pytest.mark.parametrize("program", ["speaker", "agent"])
@pytest.mark.parametrize("kept", ["objects.json", ""])
def test_a_disk_that_turned_read_only_ends_no_process(
    tmp_path: Path, program: str, kept: str
) -> None:
    """What is remembered is used; where nothing is, a person named the wrong place."""
    need_root(unproven="a file system that turns read-only keeps no process from starting")
    state = tmp_path / "state dir"
    state.mkdir()
    recorder = tmp_path / "recorder"
    recorder.write_text(RECORD)
    recorder.chmod(0o755)
    words = {"speaker": speaker, "agent": agent}[program](tmp_path)
    line = (
        *("env", f"DIRECTORY={state}", f"KEPT={state / kept if kept else ''}"),
        *("unshare", "--mount", "sh", "-e", "-c", READ_ONLY, "sh", str(state)),
        *(sys.executable, "-c", BECOME, str(recorder), *words),
    )
    result = asyncio.run(command(line))
    if kept:
        assert result.status == 0, result.errors
        assert f"{state} is on a read-only file system" in result.errors
    else:
        assert result.status == 78
        assert f"cannot write to {state}" in result.errors


def test_an_open_key_file_is_a_warning(tmp_path: Path) -> None:
    """The speaker starts, and says what to change."""
    words = speaker(tmp_path)
    (tmp_path / "mesh key").chmod(0o644)
    recorder = tmp_path / "recorder"
    recorder.write_text(RECORD)
    recorder.chmod(0o755)

    async def story() -> Result:
        return await command((sys.executable, "-c", BECOME, str(recorder), *words))

    result = asyncio.run(story())
    assert result.status == 0
    assert "lets everyone on this host use the mesh key" in result.errors


@pytest.mark.parametrize(
    "words", [("agent",), ("speaker", "--bogus"), ("speaker", "--log-level", "loud")]
)
def test_a_wrong_command_line_exits_with_two(words: tuple[str, ...]) -> None:
    """Usage errors are told apart from wrong configuration."""
    assert asyncio.run(bgpd(*words)).status == 2


def test_mesh_key_prints_a_key_that_is_accepted(tmp_path: Path) -> None:
    """The command's output is a key file."""
    from bgpd.mesh.keys import load  # noqa: PLC0415

    result = asyncio.run(bgpd("mesh-key"))
    path = tmp_path / "key"
    path.write_text(result.output)
    assert len(load(path)[0]) == 32


def test_a_process_may_open_as_many_files_as_its_runtime_lets_it(tmp_path: Path) -> None:
    """Runtimes of containers start programs at 1,024 of many more; the agent asks for its own."""
    (tmp_path / "documents").mkdir()
    line = (
        *("prlimit", "--nofile=1024:20000", "--", sys.executable, "-m", "bgpd.ctl.daemon", "agent"),
        *("--cluster-uid=c", f"--source=directory:{tmp_path / 'documents'}"),
        *(f"--run-dir={tmp_path}", f"--state-dir={tmp_path}", "--metrics-address=none"),
    )
    agent = subprocess.Popen(line, stderr=subprocess.DEVNULL, cwd=Path(__file__).parents[2])
    try:
        end = time.monotonic() + 30
        while not (tmp_path / "agent.sock").exists() and time.monotonic() < end:
            time.sleep(0.02)
        limits = Path(f"/proc/{agent.pid}/limits").read_text().splitlines()
    finally:
        agent.terminate()
        agent.wait()
    (files,) = (one.split() for one in limits if one.startswith("Max open files"))
    assert files[3:5] == ["16384", "20000"]


@pytest.mark.parametrize("process", ["agent", "controller"])
def test_files_stand_beside_the_api_or_are_the_source(tmp_path: Path, process: str) -> None:
    """Two directories would leave open which of them holds; a missing one is named."""
    uid = ["--cluster-uid=c"] if process == "agent" else []
    both = [f"--source=directory:{tmp_path}", f"--documents={tmp_path}"]
    found = asyncio.run(bgpd(process, *uid, *both))
    assert found.status == 78
    assert "--documents: is for files beside the API" in found.errors
    (tmp_path / "kubeconfig").write_text("{}")
    missing = [f"--source=kubernetes:{tmp_path / 'kubeconfig'}", f"--documents={tmp_path / 'no'}"]
    found = asyncio.run(bgpd(process, *uid, *missing))
    assert found.status == 78
    assert f"--documents: {tmp_path / 'no'} is not a directory" in found.errors
