"""Values on their way into the sandbox and out again, as JSON: numbers, texts, lists, arrays. Never a pickle.

This file is read on both sides. Outside, a check holds a `Remote` for each name of the notebook; inside, `serve` looks the
name up, or calls it. So a check sees what a learner's code answers, and the learner's code sees what it is asked, nothing
else: neither the check, nor what it compares with.
"""

import base64
import json
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np

PLAIN = (type(None), bool, int, float, str)
NUMBERS = re.compile(r"[<>|=]?[biuf]\d\d?")
MOST_BYTES = 50_000_000


def pack(value: Any) -> Any:
    """Return what JSON can say of a value; of what it cannot, the name of its type."""
    if type(value) in PLAIN:
        return value
    if isinstance(value, str):  # np.str_, for instance
        return str(value)
    if value is ...:
        return {"is": "ellipsis"}
    if isinstance(value, list | tuple):
        return {"is": "tuple" if isinstance(value, tuple) else "list", "of": [pack(one) for one in value]}
    if isinstance(value, set | frozenset):
        return {"is": "set", "of": [pack(one) for one in value]}
    if isinstance(value, dict):
        return {"is": "dict", "of": [[pack(key), pack(one)] for key, one in value.items()]}
    if hasattr(value, "__array__") and not isinstance(value, type):
        array = np.ascontiguousarray(value).reshape(np.shape(value))
        if array.dtype.kind in "biuf" and array.nbytes <= MOST_BYTES:
            return {"is": "array", "type": array.dtype.str, "shape": array.shape, "of": base64.b64encode(array).decode()}
    if callable(value) and not isinstance(value, type):
        return {"is": "function"}
    return {"is": "other", "type": str(type(value).__name__)}


def unpack(packed: Any) -> Any:
    """Return the value that was packed, or raise `ValueError` when no `pack` made this."""
    if type(packed) in PLAIN:
        return packed
    kind, parts = (packed.get("is"), packed.get("of")) if isinstance(packed, dict) else (None, None)
    if kind == "ellipsis":
        return ...
    if kind in ("list", "tuple", "set") and isinstance(parts, list):
        return {"list": list, "tuple": tuple, "set": set}[kind](unpack(one) for one in parts)
    if kind == "dict" and isinstance(parts, list):
        return {unpack(key): unpack(one) for key, one in parts}
    if kind == "array" and isinstance(parts, str):
        return _array(packed.get("type"), packed.get("shape"), base64.b64decode(parts, validate=True))
    if kind in ("function", "other"):
        name = str(packed.get("type", "function"))[:40]
        return type(name if name.isidentifier() else "object", (), {})()
    raise ValueError("this is no value that a notebook can hand over")


def _array(name: Any, shape: Any, content: bytes) -> np.ndarray:
    sizes = isinstance(shape, list) and len(shape) <= 8 and all(type(size) is int and size >= 0 for size in shape)
    if not sizes or not isinstance(name, str) or not NUMBERS.fullmatch(name):
        raise ValueError("this is no array of numbers")
    if len(content) != math.prod(shape) * np.dtype(name).itemsize:
        raise ValueError("an array has another size than its shape says")
    return np.frombuffer(content, dtype=name).reshape(shape).copy()


def serve(request: str, scope: dict[str, Any]) -> str:
    """Return the answer, inside the sandbox, to a request: the value of a name, or what it returns for arguments."""
    asked = json.loads(request)
    if asked["name"] not in scope:
        return json.dumps({"missing": True})
    value = scope[asked["name"]]
    if "arguments" not in asked:
        return json.dumps({"value": pack(value)})
    arguments = [unpack(one) for one in asked["arguments"]]
    try:
        result = value(*arguments)
    except (Exception, SystemExit) as error:
        return json.dumps({"raised": [type(error).__name__, str(error)[:500]]})
    return json.dumps({"value": pack(result), "arguments": [pack(one) for one in arguments]})


class Remote:
    """A function of the notebook: called here, it runs there. Arrays that it changes there are changed here."""

    def __init__(self, ask: Callable[[dict[str, Any]], dict[str, Any]], name: str) -> None:
        self.ask, self.__name__ = ask, name

    def __call__(self, *arguments: Any) -> Any:
        """Return what the function returned, or raise what it raised, as an exception of the same name."""
        reply = self.ask({"name": self.__name__, "arguments": [pack(one) for one in arguments]})
        if "raised" in reply:
            kind, text = (str(part)[:500] for part in reply["raised"])
            raise type(kind if kind.isidentifier() else "Exception", (Exception,), {})(text)
        for here, there in zip(arguments, reply["arguments"], strict=True):
            _copy_back(here, unpack(there))
        return unpack(reply["value"])


def _copy_back(here: Any, there: Any) -> Any:
    """Return an argument after its arrays and lists were changed, in place, to what the function has left of them."""
    if isinstance(here, np.ndarray) and here.shape == np.shape(there) and here.flags.writeable:
        here[...] = there
        return here
    if isinstance(here, list) and isinstance(there, list):
        here[:] = [_copy_back(*pair) for pair in zip(here, there, strict=False)] + there[len(here) :]
        return here
    if isinstance(here, tuple) and isinstance(there, tuple) and len(here) == len(there):
        return tuple(_copy_back(*pair) for pair in zip(here, there, strict=True))
    return there


def fetch(ask: Callable[[dict[str, Any]], dict[str, Any]], name: str) -> Any:
    """Return the value of a name of the notebook, a `Remote` for a function; raise `NameError` when there is none."""
    reply = ask({"name": name})
    if "missing" in reply:
        raise NameError(f"there is no {name} in the notebook. Did its cell stop with an error?")
    packed = reply["value"]
    function = isinstance(packed, dict) and packed.get("is") in ("function", "other")
    return Remote(ask, name) if function else unpack(packed)
