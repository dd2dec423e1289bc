"""The command line of the lab: `scripts/lab faults | up | exec | down | run`."""

import argparse
import json
import os
import signal
import sys
import textwrap
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests.cluster.binaries import SERVER
from tests.cluster.build import build
from tests.cluster.error import ClusterError
from tests.lab import world
from tests.lab.arguments import EX_USAGE, between, fault_named, parser, plan_of
from tests.lab.attempt import strike
from tests.lab.fault import Fault
from tests.lab.faults import FAULTS
from tests.lab.plan import EX_CONFIG, LabError, Plan
from tests.lab.report import LEGEND, TERMINAL, Run, progress, report, table
from tests.lab.routers import missing_programs
from tests.lab.run import Lab

_NAMES_WIDE = 21
_PATIENCE = 20.0
"""Seconds that `up` waits for routes and mesh before it leaves the lab to its user."""


def main(arguments: Sequence[str]) -> int:
    """Do what *arguments* say; return the exit status."""
    options = parser().parse_args(arguments)
    match options.command:
        case "faults":
            for fault in FAULTS.values():
                first, others = f"{fault.name:<{_NAMES_WIDE}}  ", " " * (_NAMES_WIDE + 2)
                print(
                    textwrap.fill(
                        fault.sentence,
                        TERMINAL,
                        initial_indent=first,
                        subsequent_indent=others,
                        break_on_hyphens=False,
                    )
                )
            return 0
        case "exec":
            words = options.words[1:] if options.words[:1] == ["--"] else options.words
            if not words:
                raise LabError("nothing to run: scripts/lab exec n1 -- bgpctl status", EX_USAGE)
            return world.enter(world.load(options.name), options.target, words)
        case "down":
            world.down(options.name)
            return 0
        case _:
            return _in_world(options, arguments)


def _in_world(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    fault = fault_named(options.fault) if options.command == "run" else None
    plan = plan_of(options, fault)
    if fault:
        between("--repeat", options.repeat, 1, 100000)
        for file in (options.json, options.record):
            _writable(file)
        if options.scrape and not (options.scrape.is_dir() or options.scrape.parent.is_dir()):
            raise LabError(f"{options.scrape}: cannot be made; name a directory", EX_USAGE)
    if missing := missing_programs(plan.router):
        raise LabError(
            f"the lab with {plan.router} needs {', '.join(missing)}, which this machine has not: "
            "scripts/demo and scripts/test install them when root",
            EX_CONFIG,
        )
    if plan.api:
        _build_cluster()
    if world.INSIDE in os.environ:
        return _inside(options, plan, fault)
    if options.command == "up":
        state = world.start_in_background(arguments, options.name)
        print(f"up: {plan.router} and {', '.join(plan.names)}; logs in {state.directory}")
        print(f"try: scripts/lab exec {plan.names[0]} -- bgpctl status")
        return 0
    return world.run_inside(arguments)


def _build_cluster() -> None:
    try:
        build(_say_aside, SERVER)
    except ClusterError as error:
        raise LabError(str(error), error.status) from None


def _inside(options: argparse.Namespace, plan: Plan, fault: Fault | None) -> int:
    directory = world.become_world()
    lab = Lab(plan, directory)
    lab.start()
    if options.command == "up":
        with suppress(LabError):  # a lab to explore is of use even where something is broken
            lab.steady(_PATIENCE)
        (directory / "ready").touch()
        while True:
            signal.pause()
    if options.command == "serve":
        return _serve(lab)
    assert fault is not None
    return _run(lab, fault, options)


def _run(lab: Lab, fault: Fault, options: argparse.Namespace) -> int:
    _say(f"{fault.name}: building the lab ...")
    told = f"{fault.sentence}; at {lab.plan.site.sentence}" if lab.plan.site else fault.sentence
    for line in textwrap.wrap(told, TERMINAL - 2):
        _say(f"  {line}")
    lab.scrapes = options.scrape and options.scrape.absolute()
    lab.steady()
    runs: list[Run] = []
    error = ""
    for number in range(1, options.repeat + 1):
        seed = options.seed + number - 1
        try:
            runs.append(strike(lab, fault, seed=seed, number_=number, say=_say))
        except LabError as stuck:
            error = str(stuck)
            break
        _say(progress(runs[-1], verbose=options.verbose))
    reported = report(lab.plan, fault, runs, error)
    if options.json:
        options.json.write_text(json.dumps(reported, indent=1) + "\n")
    if options.record and lab.record:
        options.record.write_text(json.dumps({"begin": lab.strike_time, **lab.record}))
    print(table(reported))
    if any(run.traffic for run in runs):
        print(LEGEND)
    lab.stop()
    if reported["summary"]["ok"]:
        return 0
    if error:
        print(error, file=sys.stderr)
    print(f"logs are in {lab.directory}", file=sys.stderr)
    return 1


def _serve(lab: Lab) -> int:
    """Obey lines like {"fault": "power-loss", "seed": 1}: the tests' way in."""
    lab.steady()
    held = True
    print(json.dumps({"ready": True, "directory": str(lab.directory)}), flush=True)
    for line in sys.stdin:
        try:
            fault, seed = order(line)
            run = strike(lab, fault, seed=seed, number_=1, say=_say_aside, figures=False)
            answer = run.as_json()
        except LabError as error:
            answer = {"ok": False, "problems": [str(error)]}
        held = held and bool(answer["ok"])
        print(json.dumps(answer), flush=True)
    lab.stop()
    return 0 if held else 1


def order(line: str) -> tuple[Fault, int]:
    """Return the fault and the seed that *line* orders, or raise with a sentence."""
    try:
        read = json.loads(line)
    except ValueError:
        read = None
    if not isinstance(read, dict) or not isinstance(read.get("seed", 1), int):
        raise LabError(
            f'{line.strip()[:60]!r}: no order; write a line like {{"fault": "power-loss", '
            '"seed": 1}',
            EX_USAGE,
        )
    return fault_named(str(read.get("fault"))), read.get("seed", 1)


def _say(line: str) -> None:
    print(line, flush=True)


def _say_aside(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _writable(file: Path | None) -> None:
    if file and (file.is_dir() or not os.access(file.parent, os.W_OK)):
        raise LabError(f"{file}: cannot be written; name a file in a directory of yours", EX_USAGE)


def _quiet_reader() -> int:
    """Return the status for a reader that has read enough: nothing more can be said to it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 128 + signal.SIGPIPE


if __name__ == "__main__":
    try:
        status = main(sys.argv[1:])
        sys.stdout.flush()
    except LabError as error:
        print(error, file=sys.stderr)
        status = error.status
    except BrokenPipeError:
        status = _quiet_reader()
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)
