"""The same facts for programs: JSON and YAML with stable names in stable order."""

import dataclasses
import json
import re
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Final

from bgpd.ctl.view import View, verdict

if TYPE_CHECKING:
    from bgpd.ctl.timelinejoin import Joined
    from bgpd.model.timeline import Failover

API_VERSION: Final = "bgpd.io/v1alpha1"


def status_document(view: View) -> dict[str, object]:
    """Return what `bgpctl status -o json` prints."""
    judged = verdict(view)
    agent = plain(view.agent) if view.agent else None
    if isinstance(agent, dict):
        del agent["speaker"]
        del agent["failovers"]  # of `bgpctl timeline`
    return {
        "apiVersion": API_VERSION,
        "kind": "NodeStatus",
        "node": view.node,
        "state": judged.state.value,
        "problems": list(judged.problems),
        "agent": agent,
        "agentError": view.agent_error,
        "speaker": plain(view.speaker) if view.speaker else None,
        "speakerError": view.speaker_error,
        "speakerSecondhand": view.secondhand,
    }


def timeline_document(failovers: "Iterable[Failover]") -> dict[str, object]:
    """Return what `bgpctl timeline -o json` prints."""
    return {
        "apiVersion": API_VERSION,
        "kind": "FailoverList",
        "items": [plain(failover) for failover in failovers],
    }


def joined_document(happened: "Iterable[Joined]") -> dict[str, object]:
    """Return what `bgpctl timeline --join -o json` prints."""
    return {
        "apiVersion": API_VERSION,
        "kind": "JoinedFailoverList",
        "items": [plain(one) for one in happened],
    }


def plain(value: object) -> object:
    """Return *value* as dictionaries and lists: fields in camelCase, mappings sorted by key."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            camel(field.name): plain(getattr(value, field.name))
            for field in dataclasses.fields(value)
        }
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): plain(value[key]) for key in sorted(value)}
    if isinstance(value, frozenset):
        return sorted(plain(item) for item in value)  # type: ignore[type-var]
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    return value


def dump(document: Mapping[str, object], form: str) -> str:
    """Return *document* as `json` or else as `yaml`, ending in a newline."""
    if form == "json":
        return json.dumps(document, indent=2) + "\n"
    # Imported late: a third of bgpctl's start, for one of its four formats.
    import yaml  # noqa: PLC0415

    # Without allow_unicode: with it, U+0085 comes back from PyYAML as a blank.
    text: str = yaml.safe_dump(document, sort_keys=False)
    return text


def camel(name: str) -> str:
    """Return the name of a field as it is printed."""
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)
