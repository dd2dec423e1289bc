"""Writes the status of Services into the text of a file, and leaves the rest as people wrote it.

Lines are replaced where a document is in block style, so comments and order stay. Whatever comes
out is read again and compared with what was meant; a document in which that does not work out
(flow style, anchors in odd places) is written anew, and the others beside it are not touched.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from bgpd.kube.text import documents_in

Content: TypeAlias = dict[str, Any]


class ManifestError(Exception):
    """The file cannot be edited; the message is for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What one Service is to say."""

    ingress: Sequence[Mapping[str, str]] = ()
    notes: Mapping[str, str | None] = field(default_factory=dict)
    """Annotations to set; None takes one away."""
    condition: Mapping[str, str] | None = None
    condition_type: str = ""
    """The condition to take away where *condition* is None."""


Edits: TypeAlias = Mapping[tuple[str, str], Edit]
"""By namespace and name."""


def edited(text: bytes, edits: Edits, *, as_json: bool) -> bytes:
    """Return *text* with every Service of *edits* in it edited, or raise `ManifestError`."""
    if as_json:
        content = _contents(text, as_json=True)
        if not content:
            raise ManifestError("it cannot be read")
        return (json.dumps(_wanted(content[0], edits), indent=2) + "\n").encode()
    text = text if text.endswith(b"\n") else text + b"\n"
    known = _contents(text, as_json=False)
    wanted = [_wanted(one, edits) for one in known]
    lines = text.decode().splitlines(keepends=True)
    for number, root in reversed(list(enumerate(_roots(text)))):
        if known[number] == wanted[number]:
            continue
        lines = _document(lines, root, wanted[number], edits)
    result = "".join(lines).encode()
    if _contents(result, as_json=False) != wanted:
        raise ManifestError("its documents are too intertwined to be edited one by one")
    return result


def _document(lines: list[str], root: yaml.Node, wanted: Content, edits: Edits) -> list[str]:
    """Return *lines* with one document edited: some lines of it, or else all."""
    begin, end = root.start_mark.line, _end(lines, root)
    try:
        tried = list(lines)
        for piece in sorted(_pieces(lines, root, edits), key=lambda one: -one.begin):
            tried[piece.begin : piece.end] = piece.lines
        after = end + len(tried) - len(lines)
        if _contents("".join(tried[begin:after]).encode(), as_json=False) == [wanted]:
            return tried
    except (ManifestError, yaml.YAMLError):
        pass
    anew = _dump(wanted, 0)
    marker = lines[begin][: root.start_mark.column].strip()
    if marker:
        # The document begins on the line of its `---`.
        anew = [f"{marker}\n", *anew]
    return [*lines[:begin], *anew, *lines[end:]]


# What is meant


def _wanted(content: Any, edits: Edits) -> Any:
    match content:
        case {"kind": "Service", "metadata": dict()}:
            return _service(content, edits)
        case {"kind": "List" | "ServiceList", "items": list(items)}:
            return {**content, "items": [_wanted(_with_kind(one, content), edits) for one in items]}
        case _:
            return content


def _with_kind(item: Any, outer: Content) -> Any:
    if outer["kind"] == "ServiceList" and isinstance(item, dict) and "kind" not in item:
        raise ManifestError("items of a ServiceList without a kind are not edited")
    return item


def _service(content: Content, edits: Edits) -> Content:
    edit = _edit_of(content, edits)
    if edit is None:
        return content
    wanted = dict(content)
    notes = _annotations(content["metadata"].get("annotations") or {}, edit)
    metadata = {key: one for key, one in content["metadata"].items() if key != "annotations"}
    if notes:
        metadata["annotations"] = notes
    wanted["metadata"] = metadata
    wanted["status"] = _status(content.get("status") or {}, edit)
    return wanted


def _edit_of(content: Content, edits: Edits) -> Edit | None:
    metadata = content["metadata"]
    return edits.get((metadata.get("namespace") or "default", str(metadata.get("name"))))


def _annotations(before: Content, edit: Edit) -> Content:
    kept = {key: one for key, one in before.items() if key not in edit.notes}
    return {**kept, **{key: one for key, one in edit.notes.items() if one is not None}}


def _status(before: Content, edit: Edit) -> Content:
    ingress = [dict(one) for one in edit.ingress]
    status = {**before, "loadBalancer": {"ingress": ingress} if ingress else {}}
    type_ = edit.condition["type"] if edit.condition else edit.condition_type
    old = before.get("conditions") or []
    conditions = [one for one in old if not (isinstance(one, dict) and one.get("type") == type_)]
    if edit.condition is not None:
        conditions.append(dict(edit.condition))
    if conditions:
        status["conditions"] = conditions
    else:
        status.pop("conditions", None)
    return status


# Where it stands in the text


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """Lines *begin* to *end* (exclusive) become *lines*."""

    begin: int
    end: int
    lines: list[str]


def _pieces(lines: list[str], root: yaml.Node, edits: Edits) -> Iterator[_Piece]:
    for node in _services(root):
        content = _construct(node)
        edit = _edit_of(content, edits)
        if edit is None:
            continue
        yield _entry(lines, node, "status", _status(content.get("status") or {}, edit))
        if edit.notes:
            notes = _annotations(content["metadata"].get("annotations") or {}, edit)
            yield from _noted(lines, _value(node, "metadata"), notes, edit)


def _noted(lines: list[str], metadata: yaml.Node, notes: Content, edit: Edit) -> Iterator[_Piece]:
    there = _find(metadata, "annotations")
    if there is None or not notes or not _is_block(there[1]) or not there[1].value:
        yield _entry(lines, metadata, "annotations", notes or None)
        return
    for key, value in edit.notes.items():
        if value is not None or _find(there[1], key) is not None:
            yield _entry(lines, there[1], key, value)


def _entry(lines: list[str], node: yaml.Node, key: str, value: Any) -> _Piece:
    """Return the piece that sets *key* of the block *node* to *value*; None takes it away."""
    if not _is_block(node) or not node.value:
        raise ManifestError("no block style")
    column = node.value[0][0].start_mark.column
    there = _find(node, key)
    if there is None:
        end = _end(lines, node)
        return _Piece(
            begin=end, end=end, lines=[] if value is None else _dump({key: value}, column)
        )
    begin = there[0].start_mark.line
    if lines[begin][: there[0].start_mark.column].strip():
        raise ManifestError("the key shares its line")
    new = [] if value is None else _dump({key: value}, column)
    return _Piece(begin=begin, end=max(begin + 1, _end(lines, there[1])), lines=new)


def _services(root: yaml.Node) -> Iterator[yaml.MappingNode]:
    if not isinstance(root, yaml.MappingNode):
        return
    kind = _find(root, "kind")
    items = _find(root, "items")
    if kind is not None and kind[1].value == "Service" and _find(root, "metadata") is not None:
        yield root
    elif items is not None and isinstance(items[1], yaml.SequenceNode):
        for one in items[1].value:
            yield from _services(one)


def _find(node: yaml.Node, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next(((one, value) for one, value in node.value if one.value == key), None)


def _value(node: yaml.Node, key: str) -> yaml.Node:
    found = _find(node, key)
    if found is None:
        raise ManifestError(f"no {key}")
    return found[1]


def _is_block(node: yaml.Node) -> bool:
    return isinstance(node, yaml.CollectionNode) and not node.flow_style


def _end(lines: list[str], node: yaml.Node) -> int:
    """Return the line after the last one of *node*, without the comments that follow it."""
    mark = node.end_mark
    literal = isinstance(node, yaml.ScalarNode) and node.style in {"|", ">"}
    end: int = mark.line
    if not (_is_block(node) or literal) and mark.column > 0:
        end += 1
    end = min(end, len(lines))
    while end > node.start_mark.line + 1 and not _speaks(lines[end - 1]):
        end -= 1
    return end


def _speaks(line: str) -> bool:
    text = line.strip()
    return bool(text) and not text.startswith("#") and text not in {"---", "..."}


def _dump(content: Any, column: int) -> list[str]:
    text: str = yaml.safe_dump(
        content, default_flow_style=False, sort_keys=False, allow_unicode=True
    )
    return [f"{' ' * column}{line}" for line in text.splitlines(keepends=True)]


def _roots(text: bytes) -> list[yaml.Node]:
    """Return the root of every document that is one."""
    try:
        return list(yaml.compose_all(text, Loader=yaml.CSafeLoader))
    except yaml.YAMLError as error:
        raise ManifestError(f"it cannot be read: {error}") from None


def _contents(text: bytes, *, as_json: bool) -> list[Any]:
    """Return every document as whoever reads the file does."""
    found = []
    for raw in documents_in(text, json=as_json):
        if raw.error:
            raise ManifestError(f"{raw.place} {raw.error}".strip())
        found.append(raw.content)
    return found


def _construct(node: yaml.Node) -> Content:
    text = yaml.serialize(node, Dumper=yaml.CSafeDumper)
    found = _contents(text.encode(), as_json=False)[0]
    assert isinstance(found, dict)
    return found
