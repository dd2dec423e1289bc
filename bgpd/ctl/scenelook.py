"""See what a list is made from: the node at hand by its sockets, or every node through the API."""

from typing import TYPE_CHECKING

from bgpd.ctl import observe
from bgpd.ctl.options import note
from bgpd.ctl.scene import Place, Scene
from bgpd.ctl.view import View
from bgpd.ctl.way import Way
from bgpd.model.errors import BgpdError, ConfigError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bgpd.ctl.fleet import Document
    from bgpd.model.grounds import SpeakerRoutes
    from bgpd.model.inventory import Inventory


def near(way: Way, *, inventory: bool = False, routes: bool = False) -> Scene:
    """Return what the node at hand says; raise `TransientError` where nobody answers."""
    view = observe.observe(
        agent=way.agent_socket, speaker=way.speaker_socket, timeout=way.near_seconds
    )
    if view.agent is None and view.speaker is None:
        raise TransientError(f"nothing answers ({view.agent_error}; {view.speaker_error})")
    _tell(view)
    place = Place(node=view.node, view=view)
    return Scene(
        places=(place,),
        inventory=_inventory(way, view) if inventory else None,
        routes=_routes(way) if routes else None,
    )


def far(way: Way, paths: tuple[str, ...] = ()) -> tuple[Scene, str]:
    """Return what the agents of all nodes told the cluster, and where it is.

    *paths* are those of documents that are read as well. Raise `BgpdError` where the API does not
    say.
    """
    from bgpd.ctl import fleetlook  # noqa: PLC0415

    every = (*fleetlook.NODES, *paths)
    fleet = fleetlook.look(way.kubeconfig, every, context=way.context, within=way.far_seconds)
    for sentence in fleet.unread:
        note(sentence)
    places = tuple(Place(node=one.name, view=one.view, seen=one) for one in fleet.nodes)
    found = _pools(fleet.documents) if paths else None
    return Scene(places=places, inventory=found, whole=True), fleet.where


def _pools(documents: "Iterable[Document]") -> "Inventory":
    """Return the pools among *documents* and their use."""
    import json  # noqa: PLC0415

    from bgpd.agent.inventory import pools_alone  # noqa: PLC0415
    from bgpd.kube.documents import read  # noqa: PLC0415
    from bgpd.kube.store import Store  # noqa: PLC0415

    content = {"apiVersion": "v1", "kind": "List", "items": list(documents)}
    store = Store()
    store.apply("cluster.json", read("cluster.json", json.dumps(content).encode()))
    return pools_alone(store.objects)


def _inventory(way: Way, view: View) -> "Inventory | None":
    """Return what the agent has written down; None where it does not say."""
    if view.agent is None:
        return None
    try:
        return observe.inventory(way.agent_socket, timeout=way.near_seconds)
    except ConfigError:
        raise
    except BgpdError as error:
        note(str(error))
        return None


def _routes(way: Way) -> "SpeakerRoutes | None":
    """Return what the speaker wants and has told; None where it does not say."""
    from bgpd.ctl.explainask import Node  # noqa: PLC0415

    told = Node(way.run_dir, timeout=way.near_seconds).told()
    if isinstance(told, str):
        note(f"attributes are known to the speaker alone: {told}")
        return None
    return told


def _tell(view: View) -> None:
    """Say in a sentence what is not known."""
    if view.unasked:
        note(view.unasked)
    elif view.agent is None:
        note(f"the agent does not answer ({view.agent_error}); this is the speaker's word")
    elif view.speaker is None:
        note(f"the speaker does not answer ({view.speaker_error}); this is the agent's word")
    elif view.speaker_error:
        note(
            f"the speaker does not answer ({view.speaker_error});"
            " its part is as the agent heard it last"
        )
