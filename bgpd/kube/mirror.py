"""One resource as the server has it: events in, differences out.

A resynchronization is compared, not replayed: what is the same is no change, what is gone is told
at the end and together with everything else, and an answer that breaks off takes nothing away. An
object that is refused leaves its last good version in force.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, get_type_hints

import msgspec

from bgpd.kube import nativeform, objects
from bgpd.kube.convert import endpoint_slice
from bgpd.kube.documents import Key, Object, judge, judge_content
from bgpd.kube.faults import Faults
from bgpd.kube.kinds import AnyDocument
from bgpd.kube.problem import Problem, sentence
from bgpd.kube.resource import Resource
from bgpd.kube.store import Changes
from bgpd.kube.view import View
from bgpd.kube.watchline import Verb
from bgpd.model.allocation import ServiceRequest
from bgpd.model.cluster import EndpointSlice, Service
from bgpd.model.errors import ProtocolError

SOURCE: Final = "API"
"""Where an object comes from, in a sentence."""
FOREIGN: Final = "API metallb.io"
"""The same of MetalLB's."""
_NOBODY: Final = Key("", "", "")
# Tuples: a union would be made anew for each of ten thousand objects.
_SERVICE: Final = (Service, ServiceRequest)
_NAMED: Final = (Service, EndpointSlice, ServiceRequest)


@dataclass(frozen=True, slots=True)
class Found:
    """What one object of the server says."""

    key: Key | None
    """None where the object has no name."""
    version: str
    object: Object | None
    """None where it is refused."""
    problems: tuple[Problem, ...] = ()


class Interpreter:
    """From the JSON of one object to what it says."""

    def __init__(self, resource: Resource, node: str = "") -> None:
        """Read *resource* for the program on *node*."""
        self._node = node
        self._kind = resource.kind
        self._source = FOREIGN if resource.foreign else SOURCE
        self._lenient = resource.foreign
        self._form = resource.form
        self._namespaced = resource.kind in objects.NAMESPACED
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_versioned(resource.form))

    def __call__(self, raw: msgspec.Raw) -> Found:
        """Return what *raw* says; only what is no JSON raises (`ProtocolError`)."""
        try:
            wire = self._decoder.decode(raw)
        except msgspec.ValidationError:
            return self._invalid(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ProtocolError(f"an object cannot be read: {error}") from None
        metadata = wire.metadata
        if isinstance(wire, nativeform.EndpointSlice):
            # Nothing is left to refuse in a slice that decodes, and routes wait for it.
            found = endpoint_slice(wire, node=self._node)
            key = Key(self._kind, found.namespace, found.name)
            return Found(key, metadata.resource_version, found)
        namespace = (metadata.namespace or "default") if self._namespaced else ""
        faults = self._faults(namespace, metadata.name)
        said = judge(wire, self._form, faults, self._node)
        if isinstance(said, _NAMED):
            # One text for both, and for every object of the namespace.
            namespace, name = said.namespace, said.name
        else:
            name = metadata.name
        key = Key(self._kind, namespace, name)
        if not faults.problems:
            return Found(key, metadata.resource_version, said)
        return _with_problems(key, metadata.resource_version, said, faults)

    def _invalid(self, raw: msgspec.Raw) -> Found:
        try:
            content = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ProtocolError(f"an object cannot be read: {error}") from None
        if not isinstance(content, dict):
            raise ProtocolError("an object of the watch is not an object")
        metadata = content.get("metadata")
        texts = dict(metadata) if isinstance(metadata, dict) else {}
        version, name, namespace = (
            text if isinstance(text := texts.get(field), str) else ""
            for field in ("resourceVersion", "name", "namespace")
        )
        faults = self._faults(namespace, name)
        key, said = judge_content(content, self._form, faults, self._node)
        if key is None:
            message = sentence(
                source=self._source,
                kind=self._kind,
                name="",
                path="metadata.name",
                what="is required",
            )
            nameless = Problem(source=self._source, kind=self._kind, message=message)
            return Found(None, version, None, (nameless,))
        return _with_problems(key, version, said, faults)

    def _faults(self, namespace: str, name: str) -> Faults:
        words = f"{namespace}/{name}" if self._namespaced else name
        return Faults(source=self._source, kind=self._kind, name=words, lenient=self._lenient)


def _with_problems(key: Key, version: str, said: Object | None, faults: Faults) -> Found:
    return Found(key, version, None if faults.refused else said, tuple(faults.problems))


def _versioned(form: type[AnyDocument]) -> type[msgspec.Struct]:
    """Return *form* with the field that only the server's objects have."""
    metadata: type[msgspec.Struct] = get_type_hints(form)["metadata"]
    if "resource_version" in metadata.__struct_fields__:
        return form
    versioned = msgspec.defstruct(
        metadata.__name__,
        [("resource_version", str, "")],
        bases=(metadata,),
        rename="camel",
        kw_only=True,
        gc=False,
    )
    return msgspec.defstruct(
        form.__name__, [("metadata", versioned)], bases=(form,), kw_only=True, gc=False
    )


class Mirror:
    """The objects of one resource in a view that others share."""

    def __init__(
        self, resource: Resource, view: View, remembered: View | None = None, *, node: str = ""
    ) -> None:
        """Mirror into *view*, for the program on *node*.

        *remembered* has what is in force, where that is another view.
        """
        self.resource = resource
        self.synced = False
        """Whether the state was complete once: before that nobody reads it."""
        self._view = view
        self._remembered = view if remembered is None else remembered
        self._interpret = Interpreter(resource, node)
        self._problems: dict[Key, tuple[Problem, ...]] = {}
        self._syncing = True
        self._seen: dict[Key, tuple[Problem, ...]] = {}
        """While the state comes in: every key of it, with what is wrong there."""
        self._staged: dict[Key, Object] = {}
        """While the state comes in: what differs from what is in force."""
        self._nameless = False
        self._fresh = not view.keys_of(resource.kind)
        """Whether nothing is in force from an earlier process, which somebody may go on with."""

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with objects of the server, in the order of their keys."""
        return tuple(one for key in sorted(self._problems) for one in self._problems[key])

    @property
    def outdated(self) -> tuple[Key, ...]:
        """What is in force in its last good version, because the newest was refused."""
        refused = (
            key for key, found in self._problems.items() if any(one.refused for one in found)
        )
        return tuple(sorted(key for key in refused if self._view.get(key) is not None))

    @property
    def known(self) -> int:
        """How many objects are in force."""
        view = self._view if self.synced else self._remembered
        return len(view.keys_of(self.resource.kind))

    @property
    def incoming(self) -> int:
        """How many objects the state that comes in holds so far."""
        return len(self._seen)

    def begin(self) -> None:
        """Expect the whole state."""
        self._syncing, self._nameless = True, False
        self._seen, self._staged = {}, {}

    def take(self, verb: Verb, raw: msgspec.Raw) -> tuple[str, Changes]:
        """Take one event; return the version of its object, and what it changes."""
        found = self._interpret(raw)
        if self._syncing:
            self._stage(found, gone=verb is Verb.DELETED)
            return found.version, _NOTHING
        if found.key is None:
            return found.version, self._note(_NOBODY, found.problems)
        if verb is Verb.DELETED:
            noted = self._note(found.key, ())
            return found.version, self._apply((), (found.key,), conditions=noted.conditions)
        noted = self._note(found.key, found.problems)
        if found.object is None:
            return found.version, noted
        said = ((found.key, found.object),)
        return found.version, self._apply(said, (), conditions=noted.conditions)

    def complete(self) -> Changes:
        """Return what the whole state changes: it is complete now, and it is believed."""
        gone: list[Key] = []
        if not self._nameless:
            known = self._view.keys_of(self.resource.kind)
            gone = [key for key in known if key not in self._seen]
        problems = {key: found for key, found in self._seen.items() if found}
        noted = problems != self._problems
        self._problems = problems
        changes = self._apply(self._staged.items(), gone, conditions=noted)
        self._syncing, self.synced = False, True
        self._seen, self._staged = {}, {}
        return changes

    def _stage(self, found: Found, *, gone: bool) -> None:
        key = found.key
        if key is None:
            self._nameless = True
            self._seen[_NOBODY] = found.problems
        elif gone:
            self._seen.pop(key, None)
            self._staged.pop(key, None)
        else:
            self._seen[key] = found.problems
            if found.object is None:
                self._staged.pop(key, None)
            elif self._fresh and not self.synced:
                self._view.put(key, found.object)
            elif self._view.get(key) != found.object:
                self._staged[key] = found.object
            else:
                self._staged.pop(key, None)

    def _note(self, key: Key, problems: tuple[Problem, ...]) -> Changes:
        if self._problems.get(key, ()) == problems:
            return _NOTHING
        if problems:
            self._problems[key] = problems
        else:
            del self._problems[key]
        return _NOTED

    def _apply(
        self, said: Iterable[tuple[Key, Object]], gone: Iterable[Key], *, conditions: bool
    ) -> Changes:
        added: set[Key] = set()
        changed: set[Key] = set()
        removed: set[Key] = set()
        services: set[str] = set()
        for key, new in said:
            old = self._view.put(key, new)
            if old is not new:
                (added if old is None else changed).add(key)
                _touch(services, old)
                _touch(services, new)
        for key in gone:
            if self._view.get(key) is not None:
                _touch(services, self._view.drop(key))
                removed.add(key)
        if not (added or changed or removed):
            return _NOTED if conditions else _NOTHING
        return Changes(
            added=frozenset(added),
            changed=frozenset(changed),
            removed=frozenset(removed),
            services=frozenset(services),
            conditions=conditions,
        )


_NOTHING: Final = Changes()
_NOTED: Final = Changes(conditions=True)


def _touch(services: set[str], one: Object | None) -> None:
    if isinstance(one, _SERVICE):
        services.add(one.key)
    elif isinstance(one, EndpointSlice) and one.service:
        services.add(one.service)
