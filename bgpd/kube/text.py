"""From the text of a file to plain maps and lists, the way kubectl would read it.

PyYAML speaks YAML 1.1 in full; Kubernetes does not, and two differences hurt: `64512:10` would be
a number in base sixty, and a time stamp would be a date. Both stay text here. A key that stands
twice in one map is reported, because only one of its values could count.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import yaml
from yaml.reader import ReaderError

MAX_BYTES: Final = 16 * 1024 * 1024
"""A longer file is refused: nobody writes one by hand, and reading it would stall the agent."""
MOST_KEYS: Final = 10_000
"""Keys of one map: merge keys multiply, so a few lines could otherwise ask for all memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """One document of a file: its *content*, or why there is none."""

    place: str
    """`document 2`, or the empty text where the file holds just one."""
    content: Any = None
    error: str = ""
    faults: tuple[str, ...] = field(default=())
    """What is wrong although the content could be read."""


def documents_in(text: bytes, *, json: bool) -> Iterator[Raw]:
    """Yield each document of *text*; what cannot be read at all ends with an error."""
    if len(text) > MAX_BYTES:
        yield Raw(place="", error=f"is {len(text)} bytes long; at most {MAX_BYTES} are read")
    elif json:
        yield _json(text)
    else:
        yield from _yaml(text)


def _json(text: bytes) -> Raw:
    try:
        return Raw(place="", content=msgspec.json.decode(text))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Raw(place="", error=f"is not JSON: {error}")


def _yaml(text: bytes) -> Iterator[Raw]:
    number = 0
    try:
        loader: Any = _Loader(text)  # its methods are untyped
    except (yaml.YAMLError, ValueError) as error:
        yield Raw(place="document 1", error=_words(error))
        return
    try:
        while True:
            number += 1
            place = f"document {number}"
            try:
                node = loader.get_node() if loader.check_node() else None
            except (yaml.YAMLError, ValueError, RecursionError) as error:
                yield Raw(place=place, error=_words(error))
                return
            if node is None:
                return
            yield loader.document(place, node)
    finally:
        loader.dispose()


_PLAINLY: Final[Mapping[str, str]] = {
    "found character that cannot start any token": (
        "nothing may begin with this character; indent with spaces and not with tabs, and put text"
        " that begins with @, % or ` in quotes"
    ),
    "found unconstructable recursive node": "an alias (*NAME) stands inside what it stands for",
}
"""What the parser's words for the commonest mistakes mean."""


def _words(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        problem = _PLAINLY.get(str(error.problem), error.problem)
        return f"line {error.problem_mark.line + 1} is not YAML: {problem}"
    if isinstance(error, ReaderError):
        return f"is not YAML: {error.reason} (byte {error.position})"
    if isinstance(error, RecursionError):
        return "is not YAML that can be read: it is nested too deeply"
    return f"is not YAML: {' '.join(str(error).split())}"


class _Loader(yaml.CSafeLoader):
    """YAML as Kubernetes means it; see the module's docstring."""

    def __init__(self, text: bytes) -> None:
        super().__init__(text)
        self._faults: list[str] = []

    def document(self, place: str, node: yaml.Node) -> Raw:
        """Return the document that *node* stands for; the parser has passed it already."""
        self._faults.clear()
        try:
            content = self.construct_document(node)
        except _CONSTRUCTION as error:
            # What a document leaves behind half built must not reach the next one.
            self.constructed_objects, self.recursive_objects = {}, {}
            self.state_generators, self.deep_construct = [], False
            return Raw(place=place, error=_words(error))
        return Raw(place=place, content=content, faults=tuple(self._faults))

    def mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        """Return the map that *node* stands for, at once and with its children."""
        self._report_twins(node)
        self.flatten_mapping(node)
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            found[_key(key, key_node)] = self.construct_object(value_node, deep=True)
        return found

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Put merged keys in place, unless there are absurdly many of them."""
        super().flatten_mapping(node)
        if len(node.value) > MOST_KEYS:
            raise yaml.constructor.ConstructorError(
                None, None, f"a map has more than {MOST_KEYS} keys", node.start_mark
            )

    def sequence(self, node: yaml.SequenceNode) -> list[Any]:
        """Return the list that *node* stands for, at once and with its children."""
        return [self.construct_object(child, deep=True) for child in node.value]

    def _report_twins(self, node: yaml.MappingNode) -> None:
        seen: set[str] = set()
        for key_node, _ in node.value:
            key = key_node.value
            if not isinstance(key, str) or key_node.tag == _MERGE:
                continue
            if key in seen:
                line = key_node.start_mark.line + 1
                self._faults.append(f"line {line}: the key {key!r} stands twice in one map")
            seen.add(key)


_CONSTRUCTION: Final = (
    yaml.YAMLError, ValueError, RecursionError, OverflowError,
    # PyYAML's own constructors of `!!timestamp x`, `!!bool x` and the like.
    AttributeError, LookupError, TypeError,
)  # fmt: skip
_MERGE: Final = "tag:yaml.org,2002:merge"
_INT: Final = re.compile(r"^[-+]?(?:0|[1-9][0-9_]*|0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+)$")
_FLOAT: Final = re.compile(
    r"^(?:[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)


def _key(key: object, node: yaml.Node) -> str:
    match key:
        case str():
            return key
        case bool():
            return "true" if key else "false"
        case int():
            return str(key)
        case _:
            raise yaml.constructor.ConstructorError(
                None, None, "a key must be text", node.start_mark
            )


def _own_resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    dropped = {f"tag:yaml.org,2002:{kind}" for kind in ("timestamp", "int", "float", "value")}
    return {
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in dropped]
        for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.yaml_implicit_resolvers = _own_resolvers()
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", _INT, list("-+0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))
_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.mapping)
_Loader.add_constructor("tag:yaml.org,2002:seq", _Loader.sequence)
