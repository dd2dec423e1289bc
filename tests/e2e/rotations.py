"""Change the mesh's key and a router's password as the pages say: with the pages' own commands.

What a pod sees of a Secret is brought by the kubelet of its node, which looks every few seconds
and when it likes: nodes have the new key at different times, and nothing may come of that.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

import yaml

from tests.cluster import net
from tests.cluster.error import ClusterError
from tests.cluster.router import ASN
from tests.cluster.second import SecondRouter
from tests.e2e import sight, workload
from tests.e2e.client import Client
from tests.e2e.helm import NAMESPACE
from tests.e2e.pages import Shell, commands
from tests.e2e.stage import AFTER, Stage, until

OLD: Final = "first-of-this-router"
"""The password that the second router begins with."""
_NEW: Final = "next-of-this-router"
_MESH: Final = "how-to/rotate-mesh-key.md"
_PEER: Final = "how-to/rotate-password.md"
_TELLING: Final = ("--event=member_*", "--event=generation_*", "--event=mesh_*")
_SEEN: Final = "See that it works"
_FIRST: Final = "peer-1"
"""What the chart calls the first router."""
_SECOND: Final = "tor-a"
"""What the page calls the router whose password changes."""
_ADDED: Final = {
    "peers": [
        f"{ASN}@{net.ROUTER}",
        {
            "name": _SECOND,
            "peerASN": ASN,
            "peerAddress": net.SECOND,
            "passwordFile": f"/etc/bgpd/passwords/{_SECOND}/password",
        },
    ],
    "passwordSecrets": {"mounted": [_SECOND]},
}
_POOL: Final = "203.0.113.0/26"


class Rotations:
    """Both chapters, while the client counts packets."""

    def __init__(self, stage: Stage) -> None:
        """Go on where *stage* is."""
        self._stage = stage
        helm = stage.helm
        self._shell = Shell(helm.home, helm.kubeconfig, helm.program)

    def change_mesh_key(self) -> None:
        """Change it twice, so that the key of the beginning is accepted nowhere any more.

        First as the chart does, and then as whoever has a Secret of their own.
        """
        with self._nothing_happens("mesh key changed twice"):
            self._turn_mesh_key("helm upgrade", commands(_MESH, "With the chart"))
            own = commands(_MESH, "With a Secret of your own (`mesh.existingSecret`)")
            self._turn_mesh_key("kubectl apply", own.replace("my-mesh", "bgpd-mesh"))
        told = self._shell.run(commands(_MESH, _SEEN))
        if told.count("mesh_key_changed") < 2 * len(self._stage.cluster.nodes):
            raise ClusterError(f"docs/{_MESH}: {_SEEN}: it does not say so:\n{told}")

    def change_password(self, second: SecondRouter) -> None:
        """Change it at the router by which the client comes, while the other has its routes."""
        self._join(second)
        cluster, secret = self._stage.cluster, commands(_PEER, "2. Change it here")
        client = cluster.inside("client")
        by_second = ["route", "add", _POOL, "via", net.BY_SECOND]
        cluster.run([*client, "ip", *by_second])
        with (
            sight.Routes(cluster, self._stage.address, "second") as routes,
            self._nothing_happens("password of a router changed"),
        ):
            began = time.monotonic()
            self._shell.run(secret, {"PASSWORD": _NEW})
            until("no node uses the old password", lambda: not second.established())
            self._stage.add(
                "password: from kubectl to the last node", time.monotonic() - began, "s"
            )
            told = time.monotonic()
            second.take_password(_NEW)
            until("sessions with the new password", lambda: self._all(second))
            self._stage.add("  from the router to the last session", time.monotonic() - told, "s")
        self._stage.say(f"next hops on the second router: {routes.told(began)}")
        cluster.run([*client, "ip", "route", "del", _POOL])
        self._shell.run(commands(_PEER, _SEEN))

    def _turn_mesh_key(self, how: str, script: str) -> None:
        began, before = time.time(), self._mesh_secret()
        self._shell.run(script)
        after = self._mesh_secret()
        if after["previous"] != before["key"] or after["key"] == before["key"]:
            raise ClusterError("bgpd-mesh: the new key is not beside the one before")
        until("all nodes send with the new key", lambda: self._sent_since(began), 0.5)
        brought = self._told("mesh_keys_loaded", began)
        took = max(self._told("mesh_key_changed", began))
        self._stage.add(f"mesh key: from {how} to the last node", took, "s")
        self._stage.add("  between first and last kubelet", max(brought) - min(brought), "s")

    def _join(self, second: SecondRouter) -> None:
        """Have the second router as a peer, with its password in a Secret that is mounted."""
        added = self._stage.helm.home / "second.yaml"
        added.write_text(yaml.safe_dump(_ADDED))
        self._shell.run(commands(_PEER, "2. Change it here"), {"PASSWORD": OLD})
        with Client(self._stage.cluster, self._stage.address, workload.PORT) as client:
            began = time.monotonic()
            self._stage.helm.upgrade("--reuse-values", "--values", str(added))
            until("sessions with the second router", lambda: self._all(second))
            until("routes of all nodes", self._stage.whole)
            self._stage.add("helm upgrade to a second router", time.monotonic() - began, "s")
            time.sleep(AFTER)
            record = client.record()
        self._stage.losses(record, began, 0)

    @contextmanager
    def _nothing_happens(self, what: str) -> Iterator[None]:
        """Note what a client lost meanwhile, what the mesh did, and which session ended."""
        cluster = self._stage.cluster
        before, starts, clock = self._noise(), self._stage.starts(), time.time()
        with Client(cluster, self._stage.address, workload.PORT) as client:
            time.sleep(1)
            began = time.monotonic()
            yield
            time.sleep(AFTER)
            self._stage.add(what, time.monotonic() - began, "s")
            record = client.record()
        self._stage.losses(record, began, 0)
        after = self._noise()
        for name, count in after.items():
            self._stage.add(f"  {name}", count - before[name], "", 0)
        if after != before:
            self._explain(clock)
        again = sum(self._stage.starts().values()) - sum(starts.values())
        new = self._stage.starts().keys() - starts.keys()
        self._stage.add("  containers started again", again + len(new), "", 0)

    def _noise(self) -> dict[str, float]:
        metrics = sight.speakers(self._stage.cluster)
        ignored = "bgpd_mesh_datagrams_ignored_total"
        moves = sight.total(metrics, "bgpd_bgp_session_transitions_total", peer=_FIRST)
        if not moves:
            raise ClusterError(f"no speaker knows a session with {_FIRST}")
        return {
            "takeovers": sight.total(metrics, "bgpd_takeovers_total"),
            "heartbeats refused for their key": sight.total(metrics, ignored, reason="bad_mac"),
            "changes of sessions with the other router": moves,
        }

    def _all(self, second: SecondRouter) -> bool:
        return second.established() == set(self._stage.cluster.nodes)

    def _mesh_secret(self) -> dict[str, str]:
        path = f"/api/v1/namespaces/{NAMESPACE}/secrets/bgpd-mesh"
        data: dict[str, Any] = self._stage.get(path)["data"]
        return {"previous": "", **data}

    def _sent_since(self, began: float) -> bool:
        return len(self._told("mesh_key_changed", began)) == len(self._stage.cluster.nodes)

    def _told(self, name: str, began: float) -> list[float]:
        """Return when each node had its last event *name*, in seconds after *began*."""
        found = []
        for node in self._stage.cluster.nodes:
            told = sight.events(self._stage.cluster, node, f"--event={name}")
            later = [at for one in told if (at := _seconds(one["time"]) - began) > 0]
            found += later[-1:]
        return found

    def _explain(self, began: float) -> None:
        """Say what speakers noticed since *began*: nobody can ask them later."""
        for node in self._stage.cluster.nodes:
            for one in sight.events(self._stage.cluster, node, *_TELLING):
                if (at := _seconds(one["time"]) - began) > 0:
                    self._stage.say(f"{node}, {at:.3f} s: {one['event']} {one['keys']}")


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
