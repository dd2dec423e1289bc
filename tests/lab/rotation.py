"""Another key for the mesh, node by node, as kubelets bring a Secret that was changed."""

import secrets
import time
from typing import TYPE_CHECKING, Final

from bgpd.mesh.seal import Refusal
from tests.lab.fault import Fault, Loss, Sessions
from tests.lab.nodes import Node, until
from tests.lab.strikes import Findings

if TYPE_CHECKING:
    from tests.lab.run import Lab

_APART: Final = 1.5
"""Seconds between two nodes; a speaker reads its keys each second."""
_PATIENCE: Final = 60.0


def rotate_key(lab: "Lab", _nodes: tuple[Node, ...]) -> Findings:
    """Give each node the new key beside the old one, and then take the old one away."""
    old, new = lab.key_file.read_text().strip(), secrets.token_hex(32)
    before = _refused(lab)
    lab.strike_time = time.monotonic()
    for keys in (f"{new}\n{old}\n", f"{new}\n"):
        for node in lab.nodes.values():
            node.key_file.write_text(keys)
            time.sleep(_APART)
    lab.key_file.write_text(f"{new}\n")
    until(lab.mesh_whole, _PATIENCE, "the mesh is not whole with the new key alone")
    return {"nodes_told": len(lab.nodes), "heartbeats_refused": _refused(lab) - before}


def _refused(lab: "Lab") -> int:
    """Return how many datagrams had a code that no key of their receiver makes."""
    meshes = [node.answer()["mesh"] for node in lab.nodes.values()]
    return sum(int(mesh["counters"].get(str(Refusal.BAD_MAC), 0)) for mesh in meshes)


ROTATION_FAULTS: Final = (
    Fault(
        name="key-rotation",
        sentence="the mesh gets another key, one node after another, and then loses the old one",
        strike=rotate_key,
        loss=Loss.NONE,
        sessions=Sessions.KEPT,
        raises=(0,),
        targets={"heartbeats_refused": 0},
        reported=("nodes_told",),
        lasting=True,
        seconds=1.0,
    ),
)
