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
from bgpd.mesh.settings import Keys
from bgpd.mesh.transport import Transport
from bgpd.model.errors import BgpdError
from bgpd.model.member import MESH_PORT, Member, NodeName
from bgpd.model.prefix import Address
from bgpd.model.status import Condition
from bgpd.speaker.desired import DesiredState
from bgpd.speaker.situation import mesh_settings
from bgpd.speaker.state import KeptMesh
from bgpd.telemetry import logs

_RETRY_SECONDS: Final = 0.2
"""How often the mesh address is tried while this host does not have it yet."""
_KEYS_SECONDS: Final = 1.0
"""How often the key file is looked at: a mounted Secret changes without a word."""


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
        """Read the keys in *key_file*; *stirred* is called after each datagram."""
        self.mesh: Mesh | None = None
        self._node = node
        self._key_file = key_file
        self._kept = kept
        self._log = log
        self._stirred = stirred
        self._keys = mesh_keys.load(key_file)
        self._transport = Transport(self)
        self._bound: tuple[Address, int] | None = None
        self._bind_due = 0.0
        self._keys_due = 0.0
        self._socket_problem = ""
        self._keys_problem = ""
        self._loop = asyncio.get_running_loop()

    @property
    def counters(self) -> Counter[str]:
        """Datagrams and errors, by name."""
        return self._transport.counters

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
            self._stirred()

    def refused(self, address: Address, at: float) -> None:
        """Take a sign of life from a kernel whose speaker is gone."""
        if self.mesh is not None:
            self.mesh.refused(address, at)
            self._stirred()

    def echo_reply(self, address: Address, at: float) -> None:
        """Take a sign of life from a kernel."""
        if self.mesh is not None:
            self.mesh.echo_reply(address, at)
            self._stirred()

    # What is due

    def handle_timer(self) -> None:
        """Let the mesh judge, and look whether its keys changed."""
        # Drain first, then judge silence: what has arrived is no longer missing.
        self._transport.drain()
        now = self._loop.time()
        if self.mesh is not None:
            self.mesh.handle_timer(now)
        self._look_at_keys(now)

    def deadline(self) -> float | None:
        """Return when `handle_timer`, or `listen`, wants to be called."""
        if self.mesh is None:
            return None
        dues = [self.mesh.deadline(), self._bind_due if self._bound is None else None]
        return min((due for due in dues if due is not None), default=None)

    def send(self) -> None:
        """Send what the mesh has to say."""
        if self.mesh is None:
            return
        for datagram in self.mesh.datagrams_to_send():
            self._transport.send(datagram.address, datagram.port, datagram.payload)
        for address in self.mesh.probes_to_send():
            self._transport.probe(address)

    def listen(self, desired: DesiredState | None, now: float) -> None:
        """Listen where *desired* says; try again while the address is not there."""
        if desired is None or desired.mesh_address is None:
            return
        wanted = (desired.mesh_address, port_of(self._node, desired.members))
        if wanted == self._bound or now < self._bind_due:
            return
        self._bind_due = now + _RETRY_SECONDS
        self._bound = None
        try:
            self._transport.open(*wanted)
        except BgpdError as error:
            if str(error) != self._socket_problem:
                self._socket_problem = str(error)
                logs.write(self._log, "error", "mesh_not_bound", [("error", error)])
            return
        self._bound = wanted
        self._socket_problem = ""

    def close(self) -> None:
        """Stop listening."""
        self._transport.close()

    def conditions(self) -> tuple[Condition, ...]:
        """Return what a person should know."""
        problems = (
            ("MeshListening", "NotBound", self._socket_problem),
            ("MeshKeysReadable", "KeyFileRefused", self._keys_problem),
        )
        return tuple(
            Condition(type=kind, status=False, reason=reason, message=problem)
            for kind, reason, problem in problems
            if problem
        )

    def _look_at_keys(self, now: float) -> None:
        if now < self._keys_due:
            return
        self._keys_due = now + _KEYS_SECONDS
        try:
            keys = mesh_keys.load(self._key_file)
        except BgpdError as error:
            self._keys_problem = str(error)
            return
        self._keys_problem = ""
        if keys != self._keys:
            self._keys = keys
            logs.write(self._log, "info", "mesh_keys_loaded", [("count", len(keys))])
            if self.mesh is not None:
                self.mesh.configure(keys=Keys(sending=keys[0], accepted=keys), now=now)


def port_of(node: NodeName, members: tuple[Member, ...]) -> int:
    """Return the port that the member list gives *node*."""
    return next((member.port for member in members if member.name == node), MESH_PORT)
