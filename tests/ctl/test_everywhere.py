"""`bgpd host cleanup --all-nodes` waits for every node and names those that are not clean."""

from typing import Any

import pytest

from bgpd.ctl.everywhere import STATUSES, Left, leave
from bgpd.kube.nodestatus import LEAVE_ANNOTATION
from bgpd.model.errors import TransientError

NODES = "/api/v1/nodes"


class Fake:
    """A cluster whose agents leave after some looks, and a clock that runs by sleeping."""

    def __init__(self, **after: int | None) -> None:
        """*after*: how many looks each node's agent takes; None: it never answers."""
        self.after = after
        self.now = 1000.0
        self.looks = 0
        self.ready = dict.fromkeys(after, True)
        self.annotations: dict[str, str | None] = {}
        self.ever: set[str] = set()
        self.broken = False

    def every(self, path: str) -> list[dict[str, Any]]:
        """Return all objects."""
        if path == NODES:
            return [
                {
                    "metadata": {"name": name},
                    "status": {
                        "conditions": [{"type": "Ready", "status": "True" if fine else "Unknown"}]
                    },
                }
                for name, fine in self.ready.items()
            ]
        assert path == STATUSES
        self.looks += 1
        return [self._status(name, looks) for name, looks in self.after.items()]

    def _status(self, name: str, looks: int | None) -> dict[str, Any]:
        conditions = []
        if name in self.ever:
            done = looks is not None and self.looks > looks
            said = {"status": "True" if done else "False", "message": f"{name} is at it"}
            conditions = [] if looks is None else [{"type": "Cleaned", **said}]
        return {"metadata": {"name": name}, "status": {"conditions": conditions}}

    def merge(self, path: str, patch: Any) -> dict[str, Any]:
        """Change annotations."""
        if self.broken:
            raise TransientError("away")
        name = path.rpartition("/")[2]
        self.annotations[name] = patch["metadata"]["annotations"][LEAVE_ANNOTATION]
        if self.annotations[name]:
            self.ever.add(name)
        return {}

    def run(self, seconds: float = 30.0) -> tuple[Left, list[str]]:
        """Ask everybody."""
        said: list[str] = []

        def sleep(for_: float) -> None:
            self.now += for_

        left = leave(
            self,
            seconds=seconds,
            say=said.append,
            clock=lambda: self.now,
            wall=lambda: 1_800_000_000.0,
            sleep=sleep,
        )
        return left, said


def test_everybody_is_asked_and_waited_for() -> None:
    """Each node is named when it is clean, and the requests are taken back."""
    fake = Fake(a=1, b=4)
    left, said = fake.run()
    assert (left.cleaned, dict(left.unclean)) == (("a", "b"), {})
    assert said == ["a: clean", "b: clean"]
    assert fake.ever == {"a", "b"}
    assert fake.annotations == {"a": None, "b": None}


def test_who_does_not_answer_is_named_with_a_reason() -> None:
    """A person learns where to go: what the agent said, or that the machine is away."""
    fake = Fake(fine=1, slow=99, dead=None, gone=None, mute=None)
    fake.ready["dead"] = False
    del fake.ready["gone"]
    left, _ = fake.run(seconds=5)
    assert left.cleaned == ("fine",)
    assert dict(left.unclean) == {
        "dead": "its agent says nothing; the Node is not ready",
        "gone": "there is no such Node any more; if the machine lives: bgpd host cleanup on it",
        "mute": "its agent says nothing; where none is to run: bgpd host cleanup on the node, then"
        " kubectl delete bgpnodestatus mute",
        "slow": "slow is at it",
    }
    assert set(fake.annotations.values()) == {None}


def test_a_request_ends_by_itself_where_it_cannot_be_taken_back() -> None:
    """The time in it is that of the wait and a minute."""
    fake = Fake(a=0)
    asked: list[str | None] = []
    merge = fake.merge

    def once(path: str, patch: Any) -> dict[str, Any]:
        asked.append(patch["metadata"]["annotations"][LEAVE_ANNOTATION])
        found = merge(path, patch)
        fake.broken = True
        return found

    fake.merge = once  # type: ignore[method-assign]
    left, _ = fake.run(seconds=30)
    assert left.cleaned == ("a",)
    assert asked == ["2027-01-15T08:01:30Z", None]


@pytest.mark.parametrize("part", ["every", "merge"])
def test_an_api_server_that_is_away_for_a_moment_is_asked_again(part: str) -> None:
    """As at the start of a pod, whose network may not be there yet; nobody is asked twice."""
    fake = Fake(a=1, b=2)
    asked: list[str] = []
    failures = iter([True, False, True, True])
    whole = getattr(fake, part)

    def sometimes(path: str, *words: Any) -> Any:
        if next(failures, False):
            raise TransientError("away")
        asked.append(path)
        return whole(path, *words)

    setattr(fake, part, sometimes)
    left, said = fake.run()
    assert (left.cleaned, dict(left.unclean)) == (("a", "b"), {})
    assert said == ["a: clean", "b: clean"]
    assert part == "every" or sorted(asked) == sorted([f"{STATUSES}/{one}" for one in "ab"] * 2)


def test_an_api_server_that_stays_away_is_an_error() -> None:
    """After the whole time, with what is in the way."""
    fake = Fake(a=1)
    fake.broken = True
    with pytest.raises(TransientError, match="away"):
        fake.run(seconds=5)
    assert fake.now >= 1005


def test_a_cluster_without_any_node_of_ours_is_clean() -> None:
    """Nothing to wait for is no reason to wait."""
    left, said = Fake().run()
    assert (left.cleaned, dict(left.unclean), said) == ((), {}, [])
