"""The mesh's socket and keys: kept open, kept current, and what is wrong with them."""

import asyncio
import logging
import random
import secrets
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bgpd.mesh import keys as mesh_keys
from bgpd.mesh.machine import Mesh
from bgpd.mesh.route import route_source
from bgpd.mesh.settings import Keys
from bgpd.mesh.transport import Transport
from bgpd.model.errors import BgpdError
from bgpd.model.member import Member, NodeName
from bgpd.model.port import MESH_PORT
from bgpd.model.prefix import Address
from bgpd.model.status import Condition
from bgpd.speaker import path
from bgpd.speaker.desired import DesiredState
from bgpd.speaker.situation import mesh_settings
from bgpd.speaker.state import KeptMesh
from bgpd.telemetry import logs

_RETRY_SECONDS: Final = 0.2
"""How often the mesh address is tried while this host does not have it yet."""
_KEYS_SECONDS: Final = 1.0
"""How often the key file is looked at: a mounted Secret changes without a word."""

_PATH_SECONDS: Final = 30.0
"""How often the way of heartbeats is compared with the way to the peers."""

_NO_ADDRESS: Final = (
    "this node's own address is not known, so no member hears us and nobody would take over;"
    " the Node needs an address of type InternalIP"
)


class MeshWire:
    """Carries datagrams between the mesh and the network (`bgpd.mesh.transport` Receiver)."""

    def __init__(
        self,
        *,
        node: NodeName,
        key_file: Path,
        kept: KeptMesh,
        log: logging.Logger,
        stirred: Callable[[], None],
    ) -> None:
        """Follow the keys in *key_file*; *stirred* is called after something arrived."""
        self.mesh: Mesh | None = None
        self._node = node
        self._key_file = key_file
        self._kept = kept
        self._log = log
        self._stirred = stirred
        self._keys_problem = ""
        self._keys = self._first_keys()
        self.counters: Counter[str] = Counter()
        """Datagrams and errors, by name."""
        self._transport = self._new_transport()
        self._bound: tuple[Address, int] | None = None
        self._wanted: tuple[Address, int] | None = None
        self._listens_for: DesiredState | None = None
        self._bind_due = 0.0
        self._keys_due = 0.0
        self._socket_problem = ""
        self._path: Condition | None = None
        self._path_due = 0.0
        self._path_of: DesiredState | None = None
        self._loop = asyncio.get_running_loop()

    def make_mesh(self, desired: DesiredState, now: float) -> Mesh:
        """Return the mesh that *desired* belongs to, from what the disk remembers."""
        self.mesh = Mesh(
            mesh_settings(self._node, desired),
            keys=Keys(sending=self._keys[0], accepted=self._keys),
            incarnation=secrets.randbits(64),
            now=now,
            random=random.random,
            members=desired.members,
            generation=self._kept.generation,
            resets=self._kept.resets,
        )
        return self.mesh

    # What arrives

    def datagram(self, data: bytes, source: Address, at: float) -> None:
        """Take one heartbeat."""
        if self.mesh is not None:
            self.mesh.receive_datagram(data, source, at)

    def refused(self, address: Address, at: float) -> None:
        """Take a sign of life from a kernel whose speaker is gone."""
        if self.mesh is not None:
            self.mesh.refused(address, at)

    def echo_reply(self, address: Address, at: float) -> None:
        """Take a sign of life from a kernel."""
        if self.mesh is not None:
            self.mesh.echo_reply(address, at)

    # What is due

    def handle_timer(self) -> None:
        """Let the mesh judge, and look whether its keys changed."""
        # Drain first, then judge silence: what has arrived is no longer missing.
        self._transport.drain_routine()
        now = self._loop.time()
        if self.mesh is not None:
            if self.mesh.must_know_all(now):
                self._transport.drain()
                now = self._loop.time()
            self.mesh.handle_timer(now)
        self._look_at_keys(now)

    def deadline(self) -> float | None:
        """Return when `handle_timer`, or `listen`, wants to be called."""
        if self.mesh is None:
            return None
        due = self.mesh.deadline()
        return min(due, self._bind_due) if self.is_moving else due

    @property
    def is_moving(self) -> bool:
        """Whether we should listen elsewhere than we do."""
        return self._wanted is not None and self._wanted != self._bound

    def send(self) -> None:
        """Send what the mesh has to say."""
        if self.mesh is None:
            return
        if self.mesh.has_datagrams:
            if self._transport.is_behind:
                # Nobody is called silent whose heartbeats wait.
                self._transport.drain_routine()
            for datagram in self.mesh.datagrams_to_send():
                self._transport.send(datagram.address, datagram.port, datagram.payload)
        for address in self.mesh.probes_to_send():
            self._transport.probe(address)

    def listen(self, desired: DesiredState | None, now: float) -> None:
        """Listen where *desired* says; try again while the address is not there."""
        if desired is None:
            return
        if desired.mesh_address is None:
            missed = self._bound is None and len(desired.members) > 1
            self._socket_problem = _NO_ADDRESS if missed else ""
            self._listens_for, self._wanted = None, self._bound
            return
        if desired is not self._listens_for:
            self._listens_for = desired
            self._wanted = (desired.mesh_address, self._port(desired.members))
            if self._wanted == self._bound:
                self._socket_problem = ""  # the place that could not be had is wanted no more
        if self._wanted is not None and self.is_moving and now >= self._bind_due:
            self._bind_due = now + _RETRY_SECONDS
            self._bind(*self._wanted)
        if self._bound is not None and (desired is not self._path_of or now >= self._path_due):
            self._look_at_path(desired, self._bound[0], now)

    def _bind(self, address: Address, port: int) -> None:
        """Listen at a new place; until that works the old one stays open."""
        fresh = self._new_transport()
        try:
            fresh.open(address, port)
        except BgpdError as error:
            if str(error) != self._socket_problem:
                self._socket_problem = str(error)
                logs.write(self._log, "error", "mesh_not_bound", [("reason", error)])
            return
        self._transport.close()
        self._transport = fresh
        self._bound = (address, port)
        self._socket_problem = ""

    def _new_transport(self) -> Transport:
        transport = Transport(self, delivered=self._stirred)
        transport.counters = self.counters
        return transport

    def _port(self, members: tuple[Member, ...]) -> int:
        """Return our port in the list; one that does not name us is no reason to move."""
        kept = MESH_PORT if self._bound is None else self._bound[1]
        return next((member.port for member in members if member.name == self._node), kept)

    def _look_at_path(self, desired: DesiredState, bound: Address, now: float) -> None:
        self._path_due, self._path_of = now + _PATH_SECONDS, desired
        before, self._path = self._path, path.condition(desired, bound, route_source)
        if self._path is not None and self._path != before:
            keys = [("reason", self._path.reason), ("message", self._path.message)]
            logs.write(self._log, "warning", "mesh_path", keys)
        elif self._path is None and before is not None:
            logs.write(self._log, "info", "mesh_path_restored")

    def close(self) -> None:
        """Stop listening."""
        self._transport.close()

    def conditions(self) -> tuple[Condition, ...]:
        """Return what a person should know."""
        problems = (
            ("MeshNotListening", "NotBound", self._socket_problem),
            ("MeshKeysUnreadable", "KeyFileRefused", self._keys_problem),
        )
        own = (
            Condition(type=kind, status=True, reason=reason, message=problem)
            for kind, reason, problem in problems
            if problem
        )
        return (*own, *([] if self._path is None else [self._path]))

    def _first_keys(self) -> tuple[bytes, ...]:
        """Return the keys of the file, or one that nobody has until they can be read.

        `bgpd speaker` refuses a bad file. One that went bad since then must not keep a reflex that
        is started again from routes and withdrawals: it only is not heard.
        """
        try:
            return mesh_keys.load(self._key_file)
        except BgpdError as error:
            self._refuse_keys(error)
            return (secrets.token_bytes(mesh_keys.MAX_BYTES),)

    def _refuse_keys(self, error: BgpdError) -> None:
        if str(error) != self._keys_problem:
            self._keys_problem = str(error)
            logs.write(self._log, "error", "mesh_keys_refused", [("reason", error)])

    def _look_at_keys(self, now: float) -> None:
        if now < self._keys_due:
            return
        self._keys_due = now + _KEYS_SECONDS
        try:
            keys = mesh_keys.load(self._key_file)
        except BgpdError as error:
            self._refuse_keys(error)
            return
        self._keys_problem = ""
        if keys != self._keys:
            self._keys = keys
            logs.write(self._log, "info", "mesh_keys_loaded", [("count", len(keys))])
            if self.mesh is not None:
                self.mesh.configure(keys=Keys(sending=keys[0], accepted=keys), now=now)
