"""Values as JSON and back, in the form in which XComs are stored: what JSON lacks is {"$type": ..., "$value": ...}."""

import base64
import datetime
import math

TYPE = "$type"
VALUE = "$value"
SAFE = 2**53 - 1


def tagged(kind, value):
    return {TYPE: kind, VALUE: value}


def encode(value):
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value if -SAFE <= value <= SAFE else tagged("bigint", str(int(value)))
    if isinstance(value, float):
        return encode_float(value)
    if isinstance(value, datetime.datetime):
        return tagged("date", moment(value))
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray)):
        return tagged("bytes", base64.b64encode(bytes(value)).decode("ascii"))
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return tagged("set", [encode(item) for item in value])
    if isinstance(value, dict):
        return encode_dict(value)
    raise TypeError(f"Object of type {type(value).__name__} cannot be stored")


def encode_float(value):
    if math.isnan(value):
        return tagged("number", "NaN")
    if math.isinf(value):
        return tagged("number", "Infinity" if value > 0 else "-Infinity")
    if value == 0 and math.copysign(1, value) < 0:
        return tagged("number", "-0")
    return value


def encode_dict(value):
    if not all(isinstance(key, str) for key in value):
        return tagged("map", [[encode(key), encode(item)] for key, item in value.items()])
    plain = {key: encode(item) for key, item in value.items()}
    return tagged("object", plain) if TYPE in plain else plain


def moment(value):
    """A time without a zone is taken for UTC."""
    zoned = value if value.tzinfo is not None else value.replace(tzinfo=datetime.timezone.utc)
    return zoned.astimezone(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def decode(value):
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    reader = READERS.get(value[TYPE]) if TYPE in value else None
    if reader is not None:
        return reader(value.get(VALUE))
    # An instance of a class that only the DAG file knows stays as it is stored.
    return {key: decode(item) for key, item in value.items()}


def decode_date(value):
    return None if value is None else datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))


def decode_map(value):
    pairs = [(decode(key), decode(item)) for key, item in value]
    try:
        return dict(pairs)
    except TypeError:
        return pairs


def decode_set(value):
    items = [decode(item) for item in value]
    try:
        return set(items)
    except TypeError:
        return items


READERS = {
    "date": decode_date,
    "bigint": int,
    "number": float,
    "bytes": base64.b64decode,
    "buffer": base64.b64decode,
    "map": decode_map,
    "set": decode_set,
    "object": lambda value: {key: decode(item) for key, item in value.items()},
    "undefined": lambda _value: None,
}
