"""Parts: one pluggable piece, one class, one file; the file's name is its name in the recipe.

A *family* is a package whose ``__init__`` defines one abstract base. Each other file of the package
holds exactly one final class of it. :func:`find` looks a name up among the file names and the entry
points of installed packages (group ``tuneloop.<family>``, for example ``tuneloop.data.transforms``)
and imports that file only. There is no list to keep and nothing to decorate.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import re
from importlib import metadata
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from tuneloop.errors import MissingPackage


class Section(BaseModel):
    """A block of the recipe: frozen, unknown keys refused, the text under a field is its help."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, protected_namespaces=())


class Part(Section):
    """A pluggable piece: its options are its fields, its work is the family's abstract method."""

    @property
    def name(self) -> str:
        """The name that a recipe uses for this part: its file's name."""
        return type(self).__module__.rsplit(".", 1)[-1]

    def spelled(self) -> dict[str, Any]:
        """The part as a recipe writes it, with every option spelled out: ``{name: {option: value}}``."""
        return {self.name: self.model_dump(mode="json")}


P = TypeVar("P", bound=Part)


def family(base: type[Part]) -> str:
    """Name the family of a base class as recipes and entry points do.

    Example:
        >>> from tuneloop.data.transforms import Transform
        >>> family(Transform)
        'data.transforms'
    """
    return base.__module__.removeprefix("tuneloop.")


def names(base: type[Part]) -> list[str]:
    """List the names of all parts of a family: its files and the entry points of installed packages."""
    package = importlib.import_module(base.__module__)
    files = [module.name for module in pkgutil.iter_modules(package.__path__) if not module.name.startswith("_")]
    return sorted({*files, *(point.name for point in _entry_points(base))})


def find(base: type[P], name: str) -> type[P]:
    """Find a part by its name and import its file only.

    Args:
        base: The abstract base of the family.
        name: The part's name: letters, digits and underscores.

    Returns:
        The final class.

    Raises:
        LookupError: No part of that family has the name.
        MissingPackage: The part needs a package that is not installed.
        TypeError: The file does not hold exactly one final class of the family.

    Example:
        >>> from tuneloop.training.schedules import Schedule
        >>> find(Schedule, "cosine").__name__
        'Cosine'
    """
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        module_name = f"{base.__module__}.{name}"
        if importlib.util.find_spec(module_name) is not None:
            return _only_class(base, _import(module_name, name))
        for point in _entry_points(base):
            if point.name == name:
                return _only_class(base, _import(point.module, name))
    raise LookupError(name)


def _entry_points(base: type[Part]) -> list[metadata.EntryPoint]:
    return list(metadata.entry_points(group=f"tuneloop.{family(base)}"))


def _import(module_name: str, name: str) -> Any:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = (error.name or "").split(".")[0]
        if missing in ("", "tuneloop"):
            raise
        raise MissingPackage(
            f"{name!r} needs the package {missing!r}, which is not installed", where=module_name, fix=install(missing)
        ) from error


def install(package: str) -> str:
    """Say how to install an optional package: through the extra of tuneloop that holds it, where one does."""
    try:
        wants = metadata.requires("tuneloop") or []
    except metadata.PackageNotFoundError:
        wants = []
    plain = package.lower().replace("_", "-")
    for want in wants:
        match = re.match(r"([A-Za-z0-9_.-]+).*extra == ['\"]([a-z0-9_-]+)['\"]", want)
        if match and match[1].lower().replace("_", "-") == plain and match[2] != "dev":
            return f"pip install 'tuneloop[{match[2]}]'"
    return f"pip install {plain}"


def _only_class(base: type[P], module: Any) -> type[P]:
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, base) and value.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise TypeError(f"{module.__name__} must hold exactly one class of {base.__name__}, it holds {len(found)}")
    return found[0]


class _Choice:
    """Tells pydantic how ``name`` or ``{name: {option: value}}`` becomes a part of one family, and back."""

    def __init__(self, base: type[Part]) -> None:
        self.base = base

    def read(self, value: Any) -> Part:
        if isinstance(value, self.base):
            return value
        name: Any
        options: Any
        if isinstance(value, str):
            name, options = value, {}
        elif isinstance(value, dict) and len(value) == 1:
            name, options = next(iter(value.items()))
            options = {} if options is None else options
        else:
            raise PydanticCustomError(
                "part_form", "expected a name or {{name: {{option: value}}}}", {"family": family(self.base)}
            )
        try:
            kind = find(self.base, str(name))
        except LookupError:
            raise PydanticCustomError(
                "part_unknown",
                "{family} has no {name}",
                {"family": family(self.base), "name": str(name), "known": names(self.base)},
            ) from None
        try:
            return kind.model_validate(options)
        except ValidationError as error:
            problems = {"name": str(name), "errors": error.errors(include_url=False), "model": kind}
            raise PydanticCustomError("part_options", "bad options of {name}", problems) from None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        write = core_schema.plain_serializer_function_ser_schema(lambda part: part.spelled())
        return core_schema.no_info_plain_validator_function(self.read, serialization=write)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        forms: list[dict[str, Any]] = [{"enum": names(self.base)}]
        for name in names(self.base):
            options = _inlined(find(self.base, name).model_json_schema())
            forms.append({"type": "object", "properties": {name: options}, "required": [name], "maxProperties": 1})
        return {"anyOf": forms}


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema with the sections inside it spelled out where they stand, since it becomes a piece of another one."""
    sections = schema.pop("$defs", {})

    def spelled(value: Any) -> Any:
        if isinstance(value, dict):
            if "$ref" in value:
                value = {**sections[value["$ref"].rpartition("/")[2]], **value}
                del value["$ref"]
            return {key: spelled(inner) for key, inner in value.items()}
        return [spelled(inner) for inner in value] if isinstance(value, list) else value

    found: dict[str, Any] = spelled(schema)
    return found


if TYPE_CHECKING:
    T = TypeVar("T")
    OneOf = Annotated[T, "a part of the family"]
else:

    class OneOf:
        """``OneOf[Base]`` in a section: any part of the family of ``Base``, by name or with options."""

        def __class_getitem__(cls, base: type[Part]) -> Any:
            return Annotated[base, _Choice(base)]
