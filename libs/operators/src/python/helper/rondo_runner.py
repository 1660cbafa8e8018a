"""Runs one callable: the request comes over descriptor 3 as a line of JSON, and so does the answer. stdout is only a log."""

import importlib.util
import inspect
import json
import os
import signal
import socket
import sys
import threading
import traceback

import rondo_task
import rondo_values

channel = socket.socket(fileno=3)
channel.set_inheritable(False)
reader = channel.makefile("r", encoding="utf-8")


def say(message):
    channel.sendall((json.dumps(message, allow_nan=False) + "\n").encode("utf-8"))


def watch():
    """The other end is gone: whoever started this process has ended, and so does its group."""
    while reader.readline():
        pass
    os.killpg(0, signal.SIGKILL)


def push(key, value):
    try:
        stored = rondo_values.encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"XCom {key!r}: {error}") from None
    say({"kind": "push", "key": key, "value": stored})


def load(path, name):
    sys.path.insert(0, os.path.dirname(path))
    stem = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[stem] = module
    spec.loader.exec_module(module)
    found = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        known = sorted(k for k, v in vars(module).items() if callable(v) and not k.startswith("_") and getattr(v, "__module__", None) == stem)
        raise LookupError(f"{os.path.basename(path)} has no callable {name!r}; it has: {', '.join(known) or 'none'}")
    return found


def with_context(function, args, kwargs):
    """Parameters that are named like a part of the context and are not given get it."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return kwargs
    names = list(parameters)
    taken = set(names[: len(args)]) | set(kwargs)
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        extra = {k: v for k, v in rondo_task.context.items() if k not in taken}
    else:
        by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        extra = {k: rondo_task.context[k] for k, p in parameters.items() if p.kind in by_name and k in rondo_task.context and k not in taken}
    return {**extra, **kwargs}


def failure(error):
    frames = traceback.TracebackException.from_exception(error)
    own = os.path.dirname(os.path.abspath(__file__))
    frames.stack = traceback.StackSummary.from_list([f for f in frames.stack if not f.filename.startswith((own, "<frozen importlib"))])
    return {"kind": "error", "type": type(error).__name__, "message": str(error), "traceback": "".join(frames.format())}


def answer(request):
    try:
        function = load(request["file"], request["callable"])
        args, kwargs = rondo_values.decode(request["args"]), rondo_values.decode(request["kwargs"])
        result = function(*args, **with_context(function, args, kwargs))
    except rondo_task.Skip as reason:
        return {"kind": "skip", "reason": str(reason)}
    except rondo_task.FailNow as error:
        return {**failure(error), "kind": "fail_now"}
    except SystemExit as error:
        if error.code in (None, 0):
            return {"kind": "result", "value": None}
        return {"kind": "error", "type": "SystemExit", "message": f"the callable ended with exit code {error.code}", "traceback": ""}
    except BaseException as error:
        return failure(error)
    try:
        return {"kind": "result", "value": rondo_values.encode(result)}
    except (TypeError, ValueError, RecursionError) as error:
        return {"kind": "error", "type": type(error).__name__, "message": f"what {request['callable']} returned: {error}", "traceback": ""}


def main():
    request = json.loads(reader.readline())
    threading.Thread(target=watch, daemon=True).start()
    rondo_task.context.update(rondo_values.decode(request["context"]))
    rondo_task._push = push
    reply = answer(request)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass
    say(reply)


if __name__ == "__main__":
    main()
