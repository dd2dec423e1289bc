"""The lab that is asked: in a world of its own, with a controller, obeying JSON lines.

`python -m tests.questions.world` builds it and says `{"ready": true}`. A line is one of

* `{"enter": STATE}`: let it be so (`tests.questions.states`), on top of what is so already;
* `{"leave": true}`: undo the newest of them, and wait until all is well again, by the cluster's
  word, too: what nodes told it of one state must not answer a question of the next;
* `{"run": COMMAND, "on": WHERE}`: run it to its end on a node, on the router, or where the
  operator is who has the cluster's kubeconfig and nothing else;
* `{"start": COMMAND, "on": WHERE}`: the same, and do not wait; it ends with the lab.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, Final

from tests.bench.controllers import kubeconfig
from tests.lab import world
from tests.lab.control import NETNS, ControlPlane
from tests.lab.nodes import PROGRAMS
from tests.lab.plan import LabError, Plan, SourceName
from tests.lab.run import Lab
from tests.lab.topology import inside
from tests.questions.states import STATES, Ground

OPERATOR: Final = "operator"
_AT_MOST: Final = 60.0
_PAUSE: Final = 0.2
_EVERYWHERE: Final = "bgpctl status --all-nodes"
_MODULE: Final = "tests.questions.world"
PLAN: Final = Plan(source=SourceName.KUBERNETES)


def main() -> int:
    """Be the world, or start it."""
    if world.INSIDE not in os.environ:
        return world.run_inside([], module=_MODULE)
    lab = Lab(PLAN, world.become_world())
    lab.start()
    control = lab.control
    assert control is not None
    controller = _controller(control, lab.directory)
    ground = Ground(lab=lab, control=control)
    # An Event tells what changed between two looks of an agent: it has to have had the first.
    _settle(ground)
    print(json.dumps({"ready": True, "directory": str(lab.directory)}), flush=True)
    try:
        _obey(ground)
    finally:
        controller.kill()
        controller.wait()
        lab.stop()
    return 0


def _settle(ground: Ground) -> None:
    """Wait until all is well: for the router, for the mesh, and in what nodes told the cluster."""
    if ground.lab.quarantined():  # for ten minutes: on a busy machine takeovers may be in vain
        ground.lab.renew()
    ground.lab.steady()
    end = time.monotonic() + _AT_MOST
    while (told := _run(ground, OPERATOR, _EVERYWHERE))["status"]:
        if time.monotonic() > end:
            raise LabError(f"within {_AT_MOST:g} s {_EVERYWHERE} did not say fine, but {told}")
        time.sleep(_PAUSE)


def _controller(control: ControlPlane, directory: Path) -> subprocess.Popen[bytes]:
    """Start a controller with the rights of the chart's."""
    config = kubeconfig(control.cluster, directory / "controller.kubeconfig")
    with (directory / "controller.log").open("wb") as log:
        return subprocess.Popen(
            [
                *inside(NETNS),
                *(str(PROGRAMS / "bgpd"), "controller", f"--source=kubernetes:{config}"),
                *("--metrics-address=none", "--log-format=text"),
            ],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip


def _obey(ground: Ground) -> None:
    entered: list[AbstractContextManager[object]] = []
    started: list[subprocess.Popen[bytes]] = []
    try:
        for line in sys.stdin:
            print(json.dumps(_answer(ground, json.loads(line), entered, started)), flush=True)
    finally:
        for process in started:
            process.kill()
            process.wait()
        while entered:
            with suppress(LabError):
                entered.pop().__exit__(None, None, None)


def _answer(
    ground: Ground,
    order: dict[str, Any],
    entered: list[AbstractContextManager[object]],
    started: list[subprocess.Popen[bytes]],
) -> dict[str, Any]:
    try:
        if "run" in order:
            return _run(ground, order["on"], order["run"])
        if "start" in order:
            started.append(_start(ground, order["on"], order["start"]))
        elif "enter" in order:
            state = STATES[order["enter"]](ground)
            state.__enter__()
            entered.append(state)
        else:
            entered.pop().__exit__(None, None, None)
            _settle(ground)
    except (LabError, OSError, subprocess.SubprocessError) as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {}


def _run(ground: Ground, where: str, command: str) -> dict[str, Any]:
    done = subprocess.run(
        _words(ground, where, command), env=_environment(ground, where),
        capture_output=True, text=True, check=False, timeout=_AT_MOST,
    )  # fmt: skip
    return {"status": done.returncode, "output": done.stdout, "errors": done.stderr}


def _start(ground: Ground, where: str, command: str) -> subprocess.Popen[bytes]:
    with (ground.lab.directory / "started.log").open("ab") as log:
        return subprocess.Popen(
            _words(ground, where, command), env=_environment(ground, where),
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip


def _words(ground: Ground, where: str, command: str) -> list[str]:
    shell = ("sh", "-c", f"cd {ground.desk} && {command}")
    if where in ground.lab.nodes:
        init = str(ground.lab.nodes[where].pid("init"))
        return ["nsenter", "--target", init, "--mount", "--net", "--", *shell]
    return [*inside(NETNS if where == OPERATOR else where), *shell]


def _environment(ground: Ground, where: str) -> dict[str, str]:
    path = f"{ground.desk / 'bin'}:{PROGRAMS}:{os.environ['PATH']}"
    found = {**os.environ, "PATH": path, "HOME": tempfile.gettempdir()}
    if where == OPERATOR:
        found["KUBECONFIG"] = str(ground.control.cluster.kubeconfig)
    if where in ground.lab.nodes:  # as `kubectl exec` into the agent's container
        found |= ground.control.of_node(where).environment
        found["BGPD_MESH_KEY_FILE"] = str(ground.lab.key_file)
    return found


if __name__ == "__main__":
    sys.exit(main())
