"""Write what of the chart follows from something else: the kinds in its schema, its README's table.

`python -m tests.chart` writes both anew. What is legal in `peers`, `advertisement`, `speakerPolicy`
and `documents` is what the definitions of the kinds say, so a typo there is refused by helm; a
password is left out, because a ConfigMap hides nothing.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

CHART: Final = Path(__file__).parents[2] / "charts" / "bgpd"
SCHEMA: Final = CHART / "values.schema.json"
README: Final = CHART / "README.md"
KINDS: Final = (
    "BFDProfile",
    "BGPAdvertisement",
    "BGPPeer",
    "Community",
    "HealthCheck",
    "IPAddressPool",
    "SpeakerPolicy",
)
"""What the values may say: `bgpd.kube.kinds.CONFIGURED`, except what has no effect."""
_BEGIN: Final = "<!-- Written by `python -m tests.chart` from values.schema.json; do not edit. -->"
_END: Final = "<!-- The end of what is written. -->"
_NAME: Final = {
    "description": "The name of the object.",
    "type": "string",
    "maxLength": 253,
    "pattern": "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
}
_TEXTS: Final = {
    "type": "object",
    "$comment": "keys are the person's own",
    "additionalProperties": {"type": "string"},
}
_DROPPED: Final = ("format", "default", "nullable")

Schema = dict[str, Any]


def definitions() -> Schema:
    """Return the definitions of the chart's schema, from those of the kinds."""
    specs = {kind: closed(_spec(kind)) for kind in KINDS}
    del specs["BGPPeer"]["properties"]["password"]
    peer = {
        "description": "A router: ASN@ADDRESS, or the fields of a BGPPeer's spec and its name.",
        **specs["BGPPeer"],
        "type": ["string", "object"],
        "pattern": "^[1-9][0-9]{0,9}@[0-9A-Fa-f:.]+$",
    }
    peer["properties"] = {"name": _NAME, **peer["properties"]}
    return {"Peer": peer, "Document": _document(), **specs}


def _document() -> Schema:
    """Return the schema of one of `documents`: its kind says what its spec may be."""
    meta = {
        "name": _NAME,
        "namespace": {**_NAME, "description": "The namespace of a HealthCheck."},
        "labels": {**_TEXTS, "description": "Labels by which it is selected."},
        "annotations": {**_TEXTS, "description": "Annotations, for people."},
    }
    properties = {
        "kind": {"description": "Its kind.", "type": "string", "enum": list(KINDS)},
        "metadata": {
            "description": "What it is called.",
            "type": "object",
            "additionalProperties": False,
            "required": ["name"],
            "properties": meta,
        },
        "spec": {"description": "What is wanted.", "type": "object", "$comment": "by kind, below"},
    }
    return {
        "description": "An object of one of our kinds.",
        "type": "object",
        "additionalProperties": False,
        "required": ["kind", "metadata"],
        "properties": properties,
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": kind}}},
                "then": {"properties": {"spec": {"$ref": f"#/definitions/{kind}"}}},
            }
            for kind in KINDS
        ],
    }


def _spec(kind: str) -> Schema:
    for path in sorted((CHART / "files" / "crds").glob("*.yaml")):
        crd = yaml.safe_load(path.read_text())
        if crd["spec"]["names"]["kind"] == kind:
            version = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
            found: Schema = version["properties"]["spec"]
            return found
    raise AssertionError(f"no definition of {kind}")


def closed(schema: Any) -> Any:
    """Return a schema of Kubernetes as JSON Schema, in which no object takes unknown fields."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {
        key: {name: closed(one) for name, one in value.items()}
        if key == "properties"
        else closed(value)
        for key, value in schema.items()
        if not key.startswith("x-kubernetes-") and key not in _DROPPED
    }
    if schema.get("x-kubernetes-int-or-string"):
        found["type"] = ["integer", "string"]
        found.pop("anyOf", None)
    if "properties" in found:
        found["additionalProperties"] = False
    return found


def rows(schema: Schema, values: Any, path: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield each value's path, default and meaning, objects that only hold others left out."""
    for key, one in schema["properties"].items():
        name = f"{path}.{key}" if path else key
        if name == "global":
            continue
        if "properties" in one and one.get("additionalProperties") is False:
            yield from rows(one, values[key], name)
        else:
            yield name, json.dumps(values[key]), _meaning(one)


def _meaning(schema: Schema) -> str:
    legal = ", ".join(f"`{one}`" for one in schema.get("enum", ()) if one)
    return f"{schema['description']} One of {legal}." if legal else str(schema["description"])


def table() -> str:
    """Return the README's table of values."""
    schema = json.loads(SCHEMA.read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    lines = ["| value | default | meaning |", "| --- | --- | --- |"]
    lines += [
        f"| `{name}` | `{default}` | {meaning} |" for name, default, meaning in rows(schema, values)
    ]
    return "\n".join(lines)


def schema_text() -> str:
    """Return the chart's schema with its definitions written anew."""
    schema = json.loads(SCHEMA.read_text())
    schema["definitions"] = definitions()
    return json.dumps(schema, indent=2) + "\n"


def readme_text() -> str:
    """Return the chart's README with its table written anew."""
    before, _, rest = README.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n\n{table()}\n\n{_END}{after}"
