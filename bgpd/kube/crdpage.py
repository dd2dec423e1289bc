"""Write the reference of our kinds as custom resources from their definitions.

What people write is explained field by field in documents.md; this page has what the API server
adds: how a kind is found, what is refused before an agent sees it, and what the agents say.
"""

from collections.abc import Iterator
from typing import Final

from bgpd.kube.crd import GROUP, KINDS, VERSION, Kind, schema
from bgpd.kube.crd_rules import RULES, UNLIKE
from bgpd.kube.crd_schema import Schema

_HEAD: Final = f"""# Custom resources

<!-- Written from bgpd.kube.crdpage; do not edit. -->

The kinds of `{GROUP}/{VERSION}` as a Kubernetes API server (1.33 or later) knows them. Their
definitions are in `charts/bgpd/files/crds/`, written from the models that read documents, so what
is legal is the same everywhere: [documents.md](documents.md) has every field of what people write.

The API server checks each field in the words of documents.md, and the rules below. What its
language cannot say (ranges that overlap, the order of IPv6 addresses, selectors that say the same
in other words) it lets pass; the agents then keep the last good version of the object, and
`ConfigurationValid` of their BGPNodeStatus says what is wrong. A field without a value is left out:
`null`, which documents in files may have, is refused.

The kinds of MetalLB (`metallb.io`) are read beside ours, in all namespaces, where they are
installed. An object of ours hides one of MetalLB's with the same name; `ObjectShadowed` names it.

`kubectl get bgpd -A` lists all of them. Configuration is read in the namespace of the installation.
"""

_RIGHTS: Final = """## Rights

What an agent may do is in `charts/bgpd/files/rbac/agent.yaml`: read Nodes, Services, EndpointSlices
and the kinds above, those of MetalLB too, write BGPNodeStatus, and tell Events. It can change no
Service, and read no Secret except those that you name for it: where a BGPPeer has a
`passwordSecret`, bind a Role with the verbs get, list and watch on `secrets` and the Secret's name
under `resourceNames`; each Secret is asked for by its name alone.
`charts/bgpd/files/admission/node-status.yaml` narrows the writes: a token that the API server bound
to a pod on one node writes the BGPNodeStatus of that node, and one that is bound to no node writes
none.

HealthChecks stand beside their Services, so people who are no administrators may write them. What
a check asks comes from the agent's pod on each node, with the node's addresses; and `spec.exec`
runs a program there. `charts/bgpd/files/admission/health-check-exec.yaml` asks for a right of its
own for that: create on `healthchecks/exec`, which administrators have. Where admission policies are
not installed, whoever may write HealthChecks may run programs in the agent's container.
"""


def page() -> str:
    """Return the reference of our kinds as custom resources, as Markdown."""
    return "\n".join((_HEAD, *_kinds(), *_rules(), *_status(), _RIGHTS))


def _kinds() -> Iterator[str]:
    yield "## Kinds\n"
    yield "| kind | resource | scope | what it is | columns |"
    yield "| --- | --- | --- | --- | --- |"
    for kind in KINDS:
        columns = ", ".join(one.name for one in kind.columns)
        scope = "namespace" if kind.namespaced else "cluster"
        name = f"{kind.plural}.{GROUP}"
        yield f"| {kind.name} | `{name}` | {scope} | {kind.description} | {columns} |"
    yield ""


def _rules() -> Iterator[str]:
    yield "## Rules about several fields\n"
    yield "| kind | field | what the refusal says |"
    yield "| --- | --- | --- |"
    for kind in KINDS:
        for rule in RULES.get(kind.spec, ()) if kind.spec else ():
            yield f"| {kind.name} | `spec{rule.path}` | {rule.message} |"
    yield f"| all | lists of selectors | {UNLIKE.message} |"
    yield ""


def _status() -> Iterator[str]:
    (kind,) = (one for one in KINDS if one.spec is None)
    yield f"## {kind.name}\n"
    yield f"{kind.description} An agent writes it by server-side apply, at most once a second and"
    yield "only when something changed; who writes other fields of the object keeps them.\n"
    yield "| field under `status` | type | meaning |"
    yield "| --- | --- | --- |"
    yield from _fields(schema(kind)["properties"]["status"], "")
    yield ""
    yield from _conditions(kind)


def _fields(node: Schema, path: str) -> Iterator[str]:
    for name, below in node.get("properties", {}).items():
        where = f"{path}.{name}".lstrip(".")
        inner, type_, bound = below, below["type"], ""
        if type_ == "array":
            inner, where = below["items"], f"{where}[]"
            type_, bound = f"list of {inner['type']}", f" At most {below['maxItems']}."
        yield f"| `{where}` | {type_} | {below['description']}{bound} |"
        yield from _fields(inner, where)


def _conditions(kind: Kind) -> Iterator[str]:
    yield f"Conditions of a {kind.name}, beside whatever the parts of bgpd have to say:\n"
    yield "| type | true when |"
    yield "| --- | --- |"
    yield "| `Ready` | at least one session is established and the node is not being drained |"
    yield "| `TakeoverArmed` | a death in the mesh would be answered by a takeover right now |"
    yield "| `ConfigurationValid` | every object holds as it is written now |"
    yield ""
