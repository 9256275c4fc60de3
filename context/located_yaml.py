"""YAML whose faults can be pointed at: file, line and path of the value.

PyYAML's defaults follow YAML 1.1, where `18:00` is the number 1080, `no` is false and a repeated key
wins silently; here scalars follow YAML 1.2 and a repeated key is a fault. Used by
`context.tenants.tenant_file`.
"""

import re
from collections.abc import Hashable
from typing import Any, TypeVar, cast

import msgspec
import yaml
from msgspec import inspect

FOUND_LIMIT_CHARS = 60
"""How much of a wrong value a message quotes."""

_T = TypeVar("_T")
Step = str | int
Path = tuple[Step, ...]
"""Way to a value: field or key names and list indexes."""

_ANY_KEY = "..."
"""What msgspec writes for a key of a mapping, whichever it is."""


_BLANK = "\0 \t\r\n\x85\u2028\u2029"
_FLOW = ",[]{}"


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong. line: counted from 1, 0 when the file could not be read that far."""

    line: int
    path: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.path}: {self.message}" if self.line else self.message


class LocatedError(Exception):
    """The text is not YAML, or not of the type asked for."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


class Document:
    """A parsed YAML text that remembers where each value stands."""

    def __init__(self, text: str) -> None:
        """Parse `text`. Raises LocatedError."""
        loader = _Loader(text)
        try:
            self._root = loader.get_single_node()
            self.data: Any = loader.construct_document(self._root) if self._root else None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            problem = error.problem or str(error)
            if not isinstance(error, yaml.constructor.ConstructorError):
                problem += "; a text with : , [ ] { } # or quotes in it must stand in quotes"
            raise LocatedError(Fault(mark.line + 1 if mark else 0, "$", problem)) from error
        except yaml.YAMLError as error:
            raise LocatedError(Fault(0, "$", f"not YAML text: {error}")) from error
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            # PyYAML's constructors raise what they like on `!!int x`.
            raise LocatedError(Fault(0, "$", f"a value does not fit its tag: {error}")) from error
        except RecursionError as error:
            raise LocatedError(Fault(0, "$", "an alias contains itself, or the nesting is too deep")) from error
        finally:
            loader.dispose()

    def fault(self, path: Path, message: str, *, quote: bool = True) -> Fault:
        """A fault of the value at `path`; quote: whether the message may show the value."""
        found = self._value(path)
        if quote and found is not None:
            message = f"{message}; found {_shown(found)}"
        return Fault(self._line(path), _written(path), message)

    def convert(self, to: type[_T], secret: frozenset[str] = frozenset()) -> _T:
        """The document as `to`. secret: top-level fields that no message may quote.

        Raises LocatedError with the first fault.
        """
        try:
            return msgspec.convert(self.data, to)
        except msgspec.ValidationError as error:
            message, path = self._locate(str(error), to)
            unknown = re.fullmatch(r"Object contains unknown field `(.*)`", message)
            if unknown:
                allowed = _fields_at(inspect.type_info(to), path)
                path, message = (*path, unknown[1]), f"unknown field; allowed: {', '.join(allowed)}"
            elif "RFC3339 encoded time" in message:
                message = "expected a time of day from 00:00 to 23:59"
            quote = not (path and path[0] in secret) and "missing required" not in message and not unknown
            raise LocatedError(self.fault(path, message, quote=quote)) from error

    def _locate(self, said: str, to: type[Any]) -> tuple[str, Path]:
        """Split msgspec's message into text and path, finding the keys that it leaves out."""
        parts = re.fullmatch(r"(.*?) - at (?:`key` in )?`\$(.*)`", said, re.DOTALL)
        if not parts:
            return said, ()
        path: Path = ()
        for name, index in re.findall(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]", parts[2]):
            step: Step = name or (index if index == _ANY_KEY else int(index))
            path = (*path, self._culprit(path, said, to) if step == _ANY_KEY else step)
        return parts[1], path

    def _culprit(self, path: Path, said: str, to: type[Any]) -> Step:
        """The key of the mapping at `path` that alone brings the same message."""
        mapping: dict[str, Any] = self._value(path)
        for key, value in mapping.items():
            try:
                msgspec.convert(_replaced(self.data, path, {key: value}), to)
            except msgspec.ValidationError as error:
                if str(error) == said:
                    return key
        return _ANY_KEY

    def _value(self, path: Path) -> Any:
        """The value at `path`, None when there is none."""
        value: Any = self.data
        for step in path:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def _line(self, path: Path) -> int:
        """The line of `path`, or of the deepest part of it that exists; counted from 1."""
        node, line = self._root, 1
        for step in path:
            child = _child(node, step)
            if child is None:
                break
            node, line = child
        return line


class _Loader(yaml.SafeLoader):
    """Scalars of YAML 1.2's core schema, and no key twice in a mapping."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own name

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    problem = f"key {key.value!r} appears twice"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep=deep)

    def scan_plain(self) -> yaml.ScalarToken:
        """A text without quotes. In a `[list]` it may hold a question mark, as YAML 1.2 allows."""
        start = end = self.get_mark()
        text: list[str] = []
        gap: list[str] | None = []
        while self.peek() != "#":
            length = 0
            while not self._ends_text(length):
                length += 1
            if not length:
                break
            self.allow_simple_key = False
            text += [*(gap or ()), self.prefix(length)]
            self.forward(length)
            end = self.get_mark()
            gap = self.scan_plain_spaces(self.indent + 1, start)
            if not gap or (not self.flow_level and self.column <= self.indent):
                break
        return yaml.ScalarToken("".join(text), True, start, end)

    def _ends_text(self, offset: int) -> bool:
        after_colon = _BLANK + (_FLOW if self.flow_level else "")
        character = cast(str, self.peek(offset))
        if character == ":":
            return self.peek(offset + 1) in after_colon
        return character in after_colon


def _register(tag: str, pattern: str, first: str) -> None:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))


_register("bool", r"(?:true|True|TRUE|false|False|FALSE)\Z", "tTfF")
_register("null", r"(?:~|null|Null|NULL|)\Z", "~nN\0")
_Loader.yaml_implicit_resolvers[""] = _Loader.yaml_implicit_resolvers["\0"]
# No leading zero and no plus sign: those are phone numbers.
_register("int", r"-?(?:0|[1-9][0-9]*)\Z", "-0123456789")
_register("float", r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?\Z", "-0123456789")
_register("merge", r"<<\Z", "<")


def _child(node: yaml.Node | None, step: Step) -> tuple[yaml.Node, int] | None:
    """The value at `step` of a mapping or list, and the line where its key or itself stands."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == step:
                return value, key.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step].start_mark.line + 1
    return None


def _replaced(data: Any, path: Path, value: Any) -> Any:
    """A copy of `data` with `value` at `path`."""
    if not path:
        return value
    copy = data.copy()
    copy[path[0]] = _replaced(data[path[0]], path[1:], value)
    return copy


def _fields_at(kind: Any, path: Path) -> list[str]:
    """Names of the fields of the struct at `path`."""
    for step in path:
        if isinstance(kind, inspect.StructType):
            kind = next(field.type for field in kind.fields if field.encode_name == step)
        elif isinstance(kind, inspect.DictType):
            kind = kind.value_type
        elif isinstance(kind, inspect.VarTupleType):
            kind = kind.item_type
    return [field.encode_name for field in kind.fields] if isinstance(kind, inspect.StructType) else []


def _written(path: Path) -> str:
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= FOUND_LIMIT_CHARS else text[: FOUND_LIMIT_CHARS - 3] + "..."
