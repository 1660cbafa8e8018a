"""What a Python callable of a task may use: skip(), fail_now(), push() and the context."""

context = {}
_push = None


class Skip(Exception):
    """The task has nothing to do: its instance becomes skipped."""


class FailNow(Exception):
    """The task can never succeed: it fails without another try."""


def skip(reason="the task skipped itself"):
    raise Skip(reason)


def fail_now(message):
    raise FailNow(message)


def push(key, value):
    """Stores a value as an XCom of the task: JSON, datetime, bytes, set, or a dict with keys of any kind."""
    _push(key, value)
