"""The tests' end of the lab that is asked, and what an answer is."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest

from tests.lab.nodes import PROGRAMS, ROOT

OPERATOR: Final = "operator"
_PATIENCE: Final = 60.0
_QUESTION: Final = "question"

Test = TypeVar("Test", bound=Callable[..., None])


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command said."""

    status: int
    text: str
    """Both outputs, each run of white space a space: the layout is no fact."""
    lines: tuple[str, ...]

    def row(self, *words: str) -> list[str]:
        """Return the cells of the first line that has all of *words*."""
        found = (line.split() for line in self.lines if all(word in line for word in words))
        return next(found, [])


class Asked:
    """A lab with a cluster in a world of its own, which obeys JSON lines."""

    def __init__(self) -> None:
        """Build it, and wait until all is well in it."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.questions.world"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            self.directory = self._read()["directory"]
        except BaseException:
            self.stop()
            raise

    @contextmanager
    def state(self, name: str) -> Iterator[None]:
        """Let it be so for a while."""
        self._order(enter=name)
        try:
            yield
        finally:
            self._order(leave=True)

    def start(self, command: str, *, on: str) -> None:
        """Run *command* beside what follows."""
        self._order(start=command, on=on)

    def run(self, command: str, *, on: str) -> Answer:
        """Run *command* to its end."""
        told = self._order(run=command, on=on)
        return _answer(told["status"], told["output"] + told["errors"])

    def until(self, command: str, *facts: str, on: str, patience: float = _PATIENCE) -> Answer:
        """Ask until the answer tells all *facts*, regular expressions; fail after a while.

        What nodes tell the cluster takes a second or two.
        """
        end = time.monotonic() + patience
        while True:
            answer = self.run(command, on=on)
            missing = [fact for fact in facts if not re.search(fact, answer.text)]
            if not missing:
                return answer
            if time.monotonic() > end:
                told = "\n".join(answer.lines)
                pytest.fail(f"{command}: not told: {missing}; status {answer.status}:\n{told}")

    def stop(self) -> None:
        """End the world and all that is in it."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.terminate()
            self._process.wait(20)

    def _order(self, **order: object) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._read()
        if "error" in answer:
            pytest.fail(f"{order}: {answer['error']}")
        return answer

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            pytest.fail(f"the lab ended with status {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def typed(command: str, *, kubeconfig: Path) -> Answer:
    """Run *command* outside any lab, as somebody who has a cluster's kubeconfig."""
    path = f"{PROGRAMS}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", command], env={**os.environ, "PATH": path, "KUBECONFIG": str(kubeconfig)},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return _answer(done.returncode, done.stdout + done.stderr)


def _answer(status: int, output: str) -> Answer:
    return Answer(status=status, text=" ".join(output.split()), lines=tuple(output.splitlines()))


def question(number: int, *commands: str) -> Callable[[Test], Test]:
    """Mark the test that asks question *number* by *commands*, as docs/questions.md prints them."""

    def mark(test: Test) -> Test:
        setattr(test, _QUESTION, (number, commands))
        return test

    return mark


def asked_by(test: object) -> tuple[int, tuple[str, ...]]:
    """Return the number and the commands of a test; 0: it asks none."""
    found: tuple[int, tuple[str, ...]] = getattr(test, _QUESTION, (0, ()))
    return found
