"""Things as bytes for another process: by cloudpickle, so what a script, a notebook or an own file defines travels."""

from __future__ import annotations

import functools
import importlib
import inspect
import io
import sys
from collections.abc import Iterator, Mapping
from types import FunctionType, MethodType, ModuleType
from typing import Any

import cloudpickle


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Cloudpickle's, which takes modules along by their names, and here those of special classes too.

    It takes along each module under an imported one that a function's names may mean, and `torch.ops`, `torch.classes`
    and `torch.backends.cudnn` are objects of classes of their own: a method that says `self.ops` and `torch.stack`
    would not travel.
    """

    def reducer_override(self, thing: Any) -> Any:
        """Called by pickle for each object on the way."""
        if isinstance(thing, ModuleType) and type(thing) is not ModuleType:
            name = thing.__name__
            if sys.modules.get(name) is thing:
                return importlib.import_module, (name,)
        return super().reducer_override(thing)


def dumps(thing: Any) -> bytes:
    """A thing as bytes, which `pickle.loads` reads."""
    file = io.BytesIO()
    Pickler(file).dump(thing)
    return file.getvalue()


def what_stays(thing: Any) -> str:
    """Where in a thing that can't be pickled the part lies that can't, such as "estimator.of.lock"; "" if unknown."""
    path, inside, seen = "", thing, set[int]()
    while inside is not None:
        seen.add(id(inside))
        step, inside = next(
            ((step, part) for step, part in _parts(inside) if id(part) not in seen and not _travels(part)), ("", None)
        )
        path += step
    return path.removeprefix(".")


def _travels(thing: Any) -> bool:
    try:
        dumps(thing)
    except Exception:
        return False
    return True


def _parts(thing: Any) -> Iterator[tuple[str, Any]]:
    """What goes along with a thing, each with the step from the thing to it."""
    if isinstance(thing, Mapping):
        yield from ((f"[{key!r}]", value) for key, value in thing.items())
    elif isinstance(thing, list | tuple | set | frozenset):
        yield from ((f"[{place}]", value) for place, value in enumerate(thing))
    else:
        yield from ((f".{name}", value) for name, value in _named_parts(thing).items())


def _named_parts(thing: Any) -> dict[str, Any]:
    if isinstance(thing, functools.partial):
        return {"func": thing.func, "args": thing.args, "keywords": thing.keywords}
    if isinstance(thing, MethodType):
        return {"__self__": thing.__self__, "__func__": thing.__func__}
    if isinstance(thing, FunctionType):
        try:
            taken = inspect.getclosurevars(thing)
        except ValueError:  # a variable of the function around it that has no value yet
            return {}
        return {**taken.nonlocals, **taken.globals}
    if isinstance(thing, type):
        return {name: getattr(value, "__func__", value) for name, value in vars(thing).items()}
    try:
        state = thing.__getstate__()
    except Exception:  # nothing to look into
        return {}
    pieces = state if isinstance(state, tuple) else (state,)  # with slots there are two
    held = {str(name): value for piece in pieces if isinstance(piece, dict) for name, value in piece.items()}
    return {**held, "__class__": type(thing)}
