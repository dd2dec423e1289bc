"""Ask the providers that BGPPeers name here and now, as the agent would, and wait for no agent.

Which BGPPeers have a provider is in what the agent accepted last; only who may read its state
directory can know that. Others hear what the agent says of its own looks.
"""

from functools import partial
from pathlib import Path

import msgspec

from bgpd.ctl.doctorfacts import MetadataFacts
from bgpd.model.cluster import Node
from bgpd.model.configuration import BGPPeer
from bgpd.model.provider import ProviderChoice
from bgpd.policy.selector import matches_any
from bgpd.provider.adapter import Asker, Fetched
from bgpd.provider.adapters import ADAPTERS
from bgpd.provider.course import Failure
from bgpd.provider.fetch import fetch, shown
from bgpd.provider.look import look

FILE_NAME = "objects.json"


class _Object(msgspec.Struct, frozen=True):
    kind: str
    name: str
    object: msgspec.Raw


class _File(msgspec.Struct, frozen=True):
    objects: tuple[_Object, ...] = ()


def documents(directory: Path, node: str) -> tuple[tuple[tuple[BGPPeer, Node], ...], str]:
    """Return the BGPPeers of *node* that have a provider, or why that is not known."""
    path = directory / FILE_NAME
    try:
        found = _documents(path.read_bytes(), node)
    except FileNotFoundError:
        return (), f"there is no {path}"
    except OSError as error:
        return (), f"{path}: {(error.strerror or str(error)).lower()}"
    except (ValueError, RecursionError) as error:
        return (), f"{path}: {error}"
    if found is None:
        return (), f"{path} has no Node {node}"
    return found, ""


def ask(document: BGPPeer, node: Node, seconds: float) -> MetadataFacts:
    """Return what the provider of *document* says to *node*; this may take a while."""
    choice = document.provider
    if choice is None:
        raise ValueError(f"BGPPeer {document.name} has no provider")
    asker = Asker(
        node=node.name, addresses=node.addresses, site=choice.site, gateway=document.gateway
    )
    found = look(choice, asker, node.annotations, by=partial(fetch, seconds=seconds))
    where = _where(choice)
    if isinstance(found, Failure):
        return MetadataFacts(
            document=document.name, provider=choice.kind, where=where, problem=found.message
        )
    return MetadataFacts(
        document=document.name,
        provider=choice.kind,
        where=where,
        peers=len(found),
        empty=ADAPTERS[choice.kind].empty,
        accepts={
            peer.address: tuple(one.prefix for one in peer.accepts)
            for peer in found
            if peer.accepts
        },
    )


def _documents(content: bytes, name: str) -> tuple[tuple[BGPPeer, Node], ...] | None:
    """Return the BGPPeers that Node *name* asks a provider for; None: there is no such Node."""
    file = msgspec.json.decode(content, type=_File)
    nodes = [
        msgspec.json.decode(one.object, type=Node)
        for one in file.objects
        if (one.kind, one.name) == ("Node", name)
    ]
    if not nodes:
        return None
    peers = (
        msgspec.json.decode(one.object, type=BGPPeer)
        for one in file.objects
        if one.kind == "BGPPeer"
    )
    return tuple(
        (peer, nodes[0])
        for peer in peers
        if peer.provider is not None and matches_any(peer.node_selectors, nodes[0].labels)
    )


def _where(choice: ProviderChoice) -> str:
    """Return what was asked, for people."""
    if choice.url:
        return shown(choice.url)
    origin = ADAPTERS[choice.kind].origin
    if isinstance(origin, Fetched):
        urls = [url for url in origin.urls if choice.site or "{site}" not in url]
        return shown(urls[0].replace("{site}", choice.site)) if urls else "no URL"
    return f"what is known of {choice.kind}"
