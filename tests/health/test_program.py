"""Programs as probes: their environment, their output, their children, their end."""

import asyncio
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bgpd.health.job import Job
from bgpd.health.outcome import Fault
from bgpd.health.program import PATH
from bgpd.health.programs import MOST_AT_ONCE, Programs
from bgpd.model.health import Exec, Health, HTTPGet, Rhythm
from tests.health.asking import Asking, asking, healthy, job, serving, until
from tests.lacking import lacking

_SHELL = "/bin/sh"
_LONG = Rhythm(period_milliseconds=3_600_000, timeout_milliseconds=30_000, failure_threshold=1)
_SHORT = replace(_LONG, timeout_milliseconds=1500)


def program(*command: str, rhythm: Rhythm = _LONG, key: str = "job") -> Job:
    """Return a job that runs *command*."""
    return job(Exec(command=command), 8080, key=key, rhythm=rhythm)


def script(text: str, *, rhythm: Rhythm = _LONG, key: str = "job") -> Job:
    """Return a job that has a shell run *text*."""
    return program(_SHELL, "-c", text, rhythm=rhythm, key=key)


def outcome_of(asked_for: Job, check: Callable[[Asking], None]) -> None:
    """Run *asked_for* until it has an outcome, and *check* what is known then."""

    async def body() -> None:
        async with asking(asked_for) as asked:
            await asked.until_asked(1)
            check(asked)

    asyncio.run(body())


def said(asked_for: Job) -> tuple[Health, Fault | None, str]:
    """Return what is known of *asked_for* after one run."""
    known: list[tuple[Health, Fault | None, str]] = []

    def note(asked: Asking) -> None:
        state = asked.states["job"]
        known.append((state.health, state.fault, state.message))

    outcome_of(asked_for, note)
    return known[0]


@pytest.mark.parametrize(
    ("asked_for", "expected"),
    [
        pytest.param(
            script("exit 0"), (Health.HEALTHY, None, "/bin/sh exited with 0"), id="it succeeds"
        ),
        pytest.param(
            script("echo no lease; exit 3"),
            (Health.UNHEALTHY, Fault.UNEXPECTED, '/bin/sh exited with 3, printed "no lease"'),
            id="it fails and says why",
        ),
        pytest.param(
            script("echo oops >&2; kill -9 $$"),
            (Health.UNHEALTHY, Fault.UNEXPECTED, '/bin/sh was ended by signal 9, printed "oops"'),
            id="it is killed",
        ),
        pytest.param(
            script("echo began; sleep 60", rhythm=_SHORT),
            (
                Health.UNHEALTHY,
                Fault.OVERDUE,
                '/bin/sh did not end (it printed "began·") within 1500 ms',
            ),
            id="it hangs",
        ),
        pytest.param(
            program("/nonexistent/probe"),
            (
                Health.UNKNOWN,
                Fault.NOT_ASKED,
                "/nonexistent/probe was not run: it, or what its first line names, does not exist",
            ),
            id="it does not exist",
        ),
        pytest.param(
            program("/etc/passwd"),
            (Health.UNKNOWN, Fault.NOT_ASKED, "/etc/passwd was not run: we may not execute it"),
            id="it is not executable",
        ),
        pytest.param(
            program("probe"),
            (
                Health.UNKNOWN,
                Fault.NOT_ASKED,
                "probe was not asked: command: must begin with the absolute path of a program",
            ),
            id="its path is relative",
        ),
    ],
)  # fmt: skip
def test_outcomes(asked_for: Job, expected: tuple[Health, Fault | None, str]) -> None:
    """The exit status decides; what we cannot run is Unknown, with a threshold of 1."""
    assert said(replace(asked_for, rhythm=asked_for.rhythm)) == expected


def test_a_file_that_is_no_program(tmp_path: Path) -> None:
    """An executable file of no known format is not run, and no shell guesses at it."""
    path = tmp_path / "probe"
    path.write_text("exit 0\n")
    path.chmod(0o755)
    assert said(program(str(path)))[2] == f"{path} was not run: Exec format error"


def test_the_environment_is_five_variables(tmp_path: Path) -> None:
    """Nothing of the agent's environment reaches a program, and it runs in `/`."""
    path = tmp_path / "environment"
    ids = "echo $$ $(cut -d' ' -f5,6 /proc/$$/stat)"
    assert said(script(f"(/usr/bin/env; pwd; {ids}) > {path}"))[0] is Health.HEALTHY
    assert "HOME" in os.environ, "there is something that could be inherited"
    *variables, directory, numbers = path.read_text().splitlines()
    assert {line for line in variables if not line.startswith(("PWD=", "_=", "SHLVL="))} == {
        "SERVICE=default/web",
        "NODE=n1",
        "ADDRESS=127.0.0.1",
        "PORT=8080",
        f"PATH={PATH}",
    }
    assert directory == "/"
    assert len(set(numbers.split())) == 1, "process, group and session are its own"


@pytest.mark.parametrize(
    ("text", "health"),
    [
        pytest.param("head -c 300000 /dev/zero", Health.HEALTHY, id="more than a pipe holds"),
        pytest.param("exec cat /dev/zero", Health.UNHEALTHY, id="gigabytes"),
    ],
)
def test_output_without_end(text: str, health: Health) -> None:
    """A program that prints much is neither blocked nor given the loop: others are asked on."""

    async def body() -> None:
        rhythm = replace(_LONG, timeout_milliseconds=3000)
        cpu = time.process_time()
        async with serving(healthy) as port:
            beside = job(HTTPGet(), port, key="beside")
            async with asking(script(text, rhythm=rhythm), beside) as asked:
                state = await asked.until_health(health)
                await asked.until_asked(5, "beside")
                assert asked.states["beside"].failures == 0
                assert len(state.message) < 200
        assert time.process_time() - cpu < 0.5, "the rest is looked at now and then"

    asyncio.run(body())


@pytest.mark.parametrize(
    ("text", "health"),
    [
        pytest.param("sleep 1000 & echo $!", Health.HEALTHY, id="which has ended"),
        pytest.param("sleep 1000 & echo $!; sleep 1000", Health.UNHEALTHY, id="which hangs"),
        pytest.param(
            "trap '' TERM HUP INT; sleep 1000 & echo $!; wait", Health.UNHEALTHY, id="which is deaf"
        ),
    ],
)
def test_children_end_with_a_program(text: str, health: Health, tmp_path: Path) -> None:
    """A child that holds our pipe neither delays the outcome nor outlives the program."""
    path = tmp_path / "child"

    async def body() -> None:
        rhythm = _LONG if health is Health.HEALTHY else _SHORT
        async with asking(script(text.replace("$!", f"$! > {path}"), rhythm=rhythm)) as asked:
            state = await asked.until_asked(1)
            assert state.health is health
            child = int(path.read_text())
            await until(lambda: not _runs(child), lambda: f"{child} still runs")

    asyncio.run(body())


def _runs(pid: int) -> bool:
    """Return whether *pid* is there and not merely unreaped by whoever adopted it."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


def test_few_run_at_once_and_all_get_their_turn() -> None:
    """Forty programs of half a second: never more than the places, none forgotten."""

    async def body() -> None:
        most = 0
        jobs = [script("sleep 0.5", key=str(number)) for number in range(40)]
        async with asking(*jobs) as asked:
            assert asked.prober._running is None

            def all_asked() -> bool:
                nonlocal most
                assert asked.prober._running is not None
                most = max(most, len(asked.prober._running.kinds._programs))
                return all(state.probes for state in asked.states.values())

            await asyncio.sleep(0)
            await asked.until(all_asked)
            assert all(state.health is Health.HEALTHY for state in asked.states.values())
        assert most == MOST_AT_ONCE

    asyncio.run(body())


def test_programs_that_do_not_exist_are_in_nobodys_way() -> None:
    """Five hundred of them wait behind programs that run: the first free place has all told."""

    async def body() -> None:
        errors: list[object] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, about: errors.append(about))
        slow = [script("sleep 60", key=str(number)) for number in range(MOST_AT_ONCE)]
        gone = [program("/nonexistent/probe", key=f"gone{number}") for number in range(500)]

        async with asking(*slow) as asked:

            def programs() -> Programs:
                assert asked.prober._running is not None
                return asked.prober._running.kinds._programs

            await asyncio.sleep(0)
            await asked.until(lambda: len(programs()) == MOST_AT_ONCE)
            asked.prober.set([*slow, *gone])
            await asked.until(lambda: len(programs()._queue) == len(gone))
            asked.prober.drop("0")
            await asked.until(lambda: all(asked.states[one.key].unasked for one in gone))
            assert len(programs()) == MOST_AT_ONCE - 1
        assert not errors

    asyncio.run(body())


def test_a_command_that_no_kernel_takes_leaves_the_others_asked() -> None:
    """Half of a character is no text of a command: no document has it, and nothing hangs on it."""

    async def body() -> None:
        often = Rhythm(period_milliseconds=100, timeout_milliseconds=30_000, failure_threshold=2)
        wrong = program("/bin/true", "\ud800", key="wrong", rhythm=often)
        async with serving(healthy) as port:
            good = job(HTTPGet(), port, key="good", rhythm=often)
            async with asking(wrong, good) as asked:
                state = await asked.until_asked(3, "wrong")
                await asked.until_asked(3, "good")
                assert asked.prober._running is not None
                assert not len(asked.prober._running.kinds._programs)
        assert (state.health, state.failures) == (Health.UNKNOWN, 0)
        assert "was not judged, by a mistake of bgpd's: UnicodeEncodeError" in state.message

    asyncio.run(body())


def test_programs_end_with_the_prober() -> None:
    """Cancelled in the middle of a run: nothing runs on, nothing is left to reap."""

    async def body() -> None:
        async with asking(script("sleep 1000")) as asked:
            await asyncio.sleep(0)
            running = asked.prober._running
            assert running is not None
            await asked.until(lambda: len(running.kinds._programs) == 1)
            (one,) = running.kinds._programs._places.values()
            pid = one._process.pid  # type: ignore[attr-defined]
        pids.append(pid)

    pids: list[int] = []
    asyncio.run(body())
    with pytest.raises(ChildProcessError):
        os.waitpid(pids[0], os.WNOHANG)


_FIRST_PROCESS = """
    import asyncio, os, pathlib, sys
    from tests.health.asking import asking
    from tests.health.test_program import script, _SHORT
    from bgpd.model.health import Rhythm

    os.system("mount -t proc proc /proc")
    fork = "for i in 1 2 3 4 5; do (sleep 1000 &) ; done; "
    often = Rhythm(period_milliseconds=100, timeout_milliseconds=400)

    def others():
        pids = {int(p.name) for p in pathlib.Path("/proc").iterdir() if p.name.isdigit()}
        return pids - {1}

    async def body():
        assert os.getpid() == 1
        jobs = [script(fork, rhythm=often, key="ends"),
                script(fork + "sleep 1000", rhythm=often, key="hangs")]
        async with asking(*jobs) as asked:
            await asked.until_asked(3, "ends")
            await asked.until_asked(3, "hangs")
        left = others()
        assert not left, [pathlib.Path(f"/proc/{pid}/stat").read_text() for pid in left]
        print("nothing is left")

    asyncio.run(body())
"""


def test_the_first_process_of_a_container_is_left_without_zombies() -> None:
    """As PID 1 we inherit the children of programs: all are killed and reaped."""
    unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
    if os.geteuid() != 0:
        unshare[1:1] = ["--user", "--map-root-user"]
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode != 0:
        lacking("no namespaces here", unproven="that an agent as PID 1 reaps", in_ci=True)
    done = subprocess.run(
        [*unshare, sys.executable, "-c", textwrap.dedent(_FIRST_PROCESS)],
        capture_output=True, text=True, check=False, timeout=50,
        cwd=Path(__file__).parents[2], env={**os.environ, "PYTHONPATH": "."},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "nothing is left\n"), done.stderr
