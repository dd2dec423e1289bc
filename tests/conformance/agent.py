"""One node's agent and speaker in virtual time: documents in, what each router is offered out.

Between the documents and the routes runs what a node runs: the store, the planner with its
policy, and the reflex with its mesh. ExaBGP alone is the one that answers at once.
"""

import json
import random
from collections import deque
from collections.abc import Iterable
from typing import Any, Final

from bgpd.agent.planner import Planner
from bgpd.ipc.message import Beat, Delta, Desired
from bgpd.kube.documents import Documents, read
from bgpd.kube.happening import Happening, happenings
from bgpd.kube.store import Changes, Store, union
from bgpd.mesh.machine import Mesh
from bgpd.mesh.settings import Keys
from bgpd.model.member import NodeName
from bgpd.model.peer import PeerName
from bgpd.model.prefix import Prefix
from bgpd.model.route import Attributes
from bgpd.model.status import NodeStatus
from bgpd.speaker import effect
from bgpd.speaker.desired import DesiredState
from bgpd.speaker.reflex import Reflex
from bgpd.speaker.situation import mesh_settings
from bgpd.speaker.status import observe, rows_of
from bgpd.speaker.timeline import Timeline
from tests.conformance.documents import NAMESPACE, Document, no_strangers
from tests.fakes.exabgp import FakeExabgp

_KEY: Final = b"0123456789abcdef"
_STEP: Final = 0.02
_SETTLE: Final = 1.0
"""Longer than a speaker waits for word from a member that is not there."""


class Agent:
    """A node; `put` and `drop` are what somebody does with kubectl."""

    def __init__(self, me: str, **options: Any) -> None:
        self.me = NodeName(me)
        self.store = Store()
        self.planner = Planner(node=self.me, cluster_uid="c", **options)
        self.exabgp = FakeExabgp(strict=False)
        self.events: list[Happening] = []
        self.last = Changes()
        """What changed with the last `put` or `drop`."""
        self.spoken = 0
        """How often the speaker was told something."""
        self._documents: dict[str, Document] = {}
        self._now = 1000.0
        self._seen: NodeStatus | None = None
        self._reflex = Reflex(
            node=self.me,
            command="reflex",
            make_mesh=self._mesh,
            timeline=Timeline(),
            now=self._now,
            wall_offset=1e9,
        )
        self._reflex.start(configuration="", saved=None, now=self._now)

    # What is done to it

    def put(self, *documents: Document) -> Changes:
        """Create or replace *documents*, and let the node come to rest."""
        return self._change(documents, ())

    def drop(self, kind: str, name: str) -> Changes:
        """Delete an object; a Service is known as `namespace/name`."""
        return self._change((), [_file_of_key(kind, name)])

    def pass_again(self) -> None:
        """Let the node look at a world that has not changed, as a resync does."""
        self._tell(self.planner.configure(Changes(), self.store.objects, {}))
        self.rest()

    def document(self, kind: str, name: str) -> Document:
        """Return what was put last; a Service is known as `namespace/name`."""
        return self._documents[_file_of_key(kind, name)]

    # What it shows

    @property
    def sessions(self) -> list[str]:
        """The names of the peers that ExaBGP has a session for."""
        by_address = {peer.address: peer.name for peer in self._peers()}
        return sorted(by_address[one] for one in self.exabgp.peers() if one in by_address)

    @property
    def routes(self) -> dict[str, dict[Prefix, Attributes]]:
        """What each peer is offered on the wire."""
        found = {peer.name: self.exabgp.routes.get(peer.address, {}) for peer in self._peers()}
        return {name: found[PeerName(name)] for name in self.sessions}

    def session(self, name: str) -> str:
        """Return the part of ExaBGP's configuration that is about the peer *name*."""
        address = next((peer.address for peer in self._peers() if peer.name == name), None)
        sections = self.exabgp.configuration.split("\n\n")
        return next((one for one in sections if one.startswith(f"neighbor {address} ")), "")

    def reasons(self, service: str) -> list[str]:
        """Return why *service* is not advertised."""
        return [one.reason.value for one in self.planner.withheld if one.service == service]

    @property
    def status(self) -> NodeStatus:
        """What people see of the node."""
        rows = rows_of(self._reflex)
        while not rows.complete:
            rows.go_on()
        speaker = observe(
            self._reflex,
            now=self._now,
            version="0",
            started=0.0,
            exabgp_pid=1,
            counters={},
            rows=rows,
        )
        return NodeStatus(
            node=self.me,
            version="0",
            source="kubernetes",
            synced=True,
            speaker=speaker,
            withheld=self.planner.withheld,
            conditions=(*self.store.conditions, *self.planner.conditions),
            documents=len(self.store.objects),
            services=self.planner.services,
        )

    @property
    def refusals(self) -> list[str]:
        """What is wrong with the configuration, a sentence each."""
        context = self.planner.context
        problems = [one.message for one in self.store.problems if one.refused]
        found = [self.planner.problem] if self.planner.problem else []
        return problems + found + list(context.errors if context else ())

    def rest(self) -> None:
        """Let time pass until nothing moves any more."""
        end = self._now + _SETTLE
        while self._now < end:
            self._now += _STEP
            self._reflex.orders.take(Beat(), self._now)
            mesh = self._reflex.mesh
            if mesh is not None and (mesh.deadline() or 0) <= self._now:
                mesh.handle_timer(self._now)
            if self._reflex.deadline(self._now) <= self._now:
                self._reflex.handle_timer(self._now)
            self._settle()
            if mesh is not None:
                mesh.datagrams_to_send()
        after = self.status
        if self._seen is not None:
            self.events += happenings(self._seen, after, namespace=NAMESPACE)
        self._seen = after

    # Inside

    def _change(self, documents: Iterable[Document], gone: Iterable[str]) -> Changes:
        found: list[Changes] = []
        taken: set[str] = set()
        for one in documents:
            name = _file_of(one)
            while name in taken:
                # The same name twice at once: two files that contradict each other.
                name = f"again-{name}"
            taken.add(name)
            self._documents[name] = one
            found.append(self.store.apply(name, self._read(name, one)))
        for name in gone:
            del self._documents[name]
            found.append(self.store.remove(name))
        changes = self.last = union(found)
        objects = self.store.objects
        if self.planner.context is None:
            self.planner.configure(changes, objects, {})
            self._tell(self.planner.desired())
        elif changes.configuration:
            self._tell(self.planner.configure(changes, objects, {}))
        else:
            self._tell(self.planner.update(changes, objects))
        self.rest()
        return changes

    def _read(self, name: str, one: Document) -> Documents:
        return no_strangers(read(name, json.dumps(one).encode()))

    def _tell(self, message: Desired | Delta | None) -> None:
        if message is None:
            return
        self.spoken += 1
        self._reflex.orders.take(message, self._now)
        self._settle()

    def _peers(self) -> tuple[Any, ...]:
        return self.planner.context.peers if self.planner.context else ()

    def _mesh(self, desired: DesiredState, now: float) -> Mesh:
        return Mesh(
            mesh_settings(self.me, desired),
            keys=Keys(sending=_KEY, accepted=(_KEY,)),
            incarnation=1,
            now=now,
            random=random.Random(1).random,
            members=desired.members,
            generation=1,
            resets=0,
        )

    def _settle(self) -> None:
        self._reflex.after_mesh(self._now)
        pending = deque(self._reflex.effects())
        while pending:
            match pending.popleft():
                case effect.Send(command):
                    for message in self.exabgp.answer(command):
                        self._reflex.exabgp(message, self._now)
                case effect.WriteConfiguration(text):
                    self.exabgp.configuration = text
                    self._reflex.configuration_written(text, self._now)
                case _:
                    pass
            pending.extend(self._reflex.effects())


def _file_of_key(kind: str, name: str) -> str:
    home, _, own = name.rpartition("/")
    return _file(kind, home or ("" if kind == "Node" else NAMESPACE), own)


def _file_of(document: Document) -> str:
    metadata = document["metadata"]
    return _file(document["kind"], metadata.get("namespace", ""), metadata.get("name", ""))


def _file(kind: str, namespace: str, name: str) -> str:
    return f"{kind}/{namespace}/{name}.json"
