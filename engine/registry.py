"""Which gadgets there are, by the name that a chain gives them.

A gadget is found in two places: as a file of the package that the registry is made for (``noise_adjust.py`` holds the
class ``NoiseAdjust`` or the function ``noise_adjust``), and as an entry point of the group ``echotrain.gadgets`` of any
installed distribution. Names come from these tables only: no text from the wire is ever imported.
"""

from __future__ import annotations

import ast
import dataclasses
import difflib
import inspect
import pkgutil
import textwrap
from collections.abc import Mapping
from functools import cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from itertools import pairwise
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from .errors import ChainError
from .gadget import Gadget, config_fields

ENTRY_POINT_GROUP = "echotrain.gadgets"


class Registry:
    """Gadgets by name; classes are imported when they are first asked for.

    Parameters
    ----------
    package
        Dotted name of the package whose files are gadgets, or None for entry points and ``add`` alone.
    """

    def __init__(self, package: str | None = "echotrain.gadgets") -> None:
        self._package = package
        self._loaded: dict[str, type[Gadget[Any, Any]]] = {}
        self._models: dict[str, type[BaseModel]] = {}

    @cached_property
    def _files(self) -> frozenset[str]:
        if self._package is None:
            return frozenset()
        paths = import_module(self._package).__path__
        return frozenset(m.name for m in pkgutil.iter_modules(paths) if not m.name.startswith("_"))

    @cached_property
    def _entry_points(self) -> Mapping[str, tuple[EntryPoint, ...]]:
        found: dict[str, tuple[EntryPoint, ...]] = {}
        for point in entry_points(group=ENTRY_POINT_GROUP):
            if point not in found.get(point.name, ()):  # a distribution may be on the path twice
                found[point.name] = (*found.get(point.name, ()), point)
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """All known names, sorted; nothing is imported for it."""
        return tuple(sorted({*self._files, *self._entry_points, *self._loaded}))

    def add(self, name: str, cls: type[Gadget[Any, Any]]) -> None:
        """Register a class under a name, for this registry alone."""
        if name in self.names:
            raise ChainError(f"a gadget named {name!r} is already known")
        self._loaded[name] = cls

    def get(self, name: str) -> type[Gadget[Any, Any]]:
        """Return the class of a gadget.

        Raises
        ------
        ChainError
            No gadget has that name (the message lists the known ones), or its module cannot be imported.
        """
        if name not in self._loaded:
            self._loaded[name] = self._import(name)
        return self._loaded[name]

    def _import(self, name: str) -> type[Gadget[Any, Any]]:
        points = self._entry_points.get(name, ())
        if name not in self._files and not points:
            raise ChainError(unknown("gadget", name, self.names))
        if len(points) + (name in self._files) > 1:
            others = [f"{point.value} of {_distribution(point)}" for point in points]
            own = ["echotrain's own"] if name in self._files else []
            raise ChainError(f"several gadgets are named {name!r}: {', '.join([*own, *others])}; uninstall all but one")
        found: Any
        try:
            if points:
                found = points[0].load()
            else:
                module = import_module(f"{self._package}.{name}")
                found = getattr(module, name.title().replace("_", ""), None) or getattr(module, name, None)
        except Exception as error:  # whatever a third party's module raises on import
            raise ChainError(f"gadget {name!r} cannot be imported: {type(error).__name__}: {error}") from error
        if not (isinstance(found, type) and issubclass(found, Gadget)):
            raise ChainError(f"gadget {name!r} is {found!r}, expected a subclass of Gadget")
        return found

    def configuration(self, name: str) -> type[BaseModel]:
        """Return the pydantic model of a gadget's fields; unknown fields are forbidden in it."""
        if name not in self._models:
            cls = self.get(name)
            try:
                hints = get_type_hints(cls, include_extras=True)
            except NameError as error:
                raise ChainError(
                    f"gadget {name!r}: a field's annotation cannot be read when the program runs: {error}; import that "
                    "name outside `if TYPE_CHECKING`"
                ) from error
            fields: dict[str, Any] = {}
            for field in config_fields(cls).values():
                options: dict[str, Any] = {}
                if field.default is not dataclasses.MISSING:
                    options["default"] = field.default
                elif field.default_factory is not dataclasses.MISSING:
                    options["default_factory"] = field.default_factory
                fields[field.name] = (hints[field.name], Field(**options))
            summary = inspect.getdoc(cls) or ""
            self._models[name] = create_model(
                name, __config__=ConfigDict(extra="forbid", protected_namespaces=()), __doc__=summary, **fields
            )
        return self._models[name]

    def schema(self, name: str) -> dict[str, Any]:
        """Return the JSON Schema of a gadget's fields, with their docstrings as descriptions."""
        schema = self.configuration(name).model_json_schema(ref_template="#/$defs/{model}")
        docs = field_docs(self.get(name))
        for field, entry in schema.get("properties", {}).items():
            if field in docs:
                entry["description"] = docs[field]
        return schema

    def make(self, name: str, options: Mapping[str, Any]) -> Gadget[Any, Any]:
        """Make a gadget with checked fields.

        Raises
        ------
        ChainError
            Unknown gadget, unknown field, or a value that does not fit; the message names gadget, field, got and
            expected.
        """
        model = self.configuration(name)
        try:
            checked = model.model_validate(dict(options))
        except ValidationError as error:
            raise ChainError("; ".join(_explain(name, model, e) for e in error.errors())) from None
        values = {field: getattr(checked, field) for field in model.model_fields}
        try:
            return self.get(name)(**values)
        except (TypeError, ValueError) as error:
            raise ChainError(f"gadget {name!r}: {error}") from error

    def resolve(self, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return a gadget's full configuration, defaults included, as plain data (for the chain's hash)."""
        return self.configuration(name).model_validate(dict(options)).model_dump(mode="json")

    def origin(self, name: str) -> str:
        """Return the distribution, with its version, that a gadget of a third party comes from; empty for our own."""
        points = self._entry_points.get(name, ()) if name not in self._files else ()
        return _distribution(points[0]) if points else ""


def _distribution(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else "an unknown distribution"


def unknown(kind: str, name: str, known: tuple[str, ...]) -> str:
    """Say that a name is unknown, what it may have meant, and which names there are."""
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else "."
    return f"no {kind} is named {name[:120]!r}{hint} Known: {', '.join(known) or 'none'}"


def _explain(name: str, model: type[BaseModel], error: Any) -> str:
    field = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"gadget {name!r}: {unknown('field', field, tuple(model.model_fields))}"
    if error["type"] == "missing":
        return f"gadget {name!r}: field {field!r} is required"
    return f"gadget {name!r}: field {field!r}: {error['msg']}, got {error['input']!r}"


def field_docs(cls: type) -> dict[str, str]:
    """Return the docstrings that stand under the fields that a chain may set, of a class and its bases."""
    docs: dict[str, str] = {}
    for base in reversed(cls.__mro__[:-1]):
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
        except (OSError, TypeError, SyntaxError):
            continue  # a class without source (made by @gadget) has no field docstrings
        body = tree.body[0].body if tree.body and isinstance(tree.body[0], ast.ClassDef) else []
        for statement, following in pairwise(body):
            if (
                isinstance(statement, ast.AnnAssign)
                and isinstance(statement.target, ast.Name)
                and isinstance(following, ast.Expr)
                and isinstance(following.value, ast.Constant)
                and isinstance(following.value.value, str)
            ):
                docs[statement.target.id] = inspect.cleandoc(following.value.value)
    names = (
        {field.name for field in dataclasses.fields(cls) if field.init} if dataclasses.is_dataclass(cls) else set(docs)
    )
    return {name: text for name, text in docs.items() if name in names}
