"""Encoding and decoding blocks, compared with copying the values by numpy and with JSON."""

from __future__ import annotations

import json
import time
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from runstream_consumers.history.selection import Selection
from runstream_schemas.codec import decode, decode_columns, encode
from runstream_schemas.rows import pack_rows, unpack_rows
from runstream_schemas.topics import RunPath, Topic
from tests.benchmarks.blocks import SHAPES, block, rows
from tests.benchmarks.figures import Figure
from tests.benchmarks.sampling import measure_in_turns, ratio

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.scale import Scale

RUN = RunPath(entity="bench", project="contract", run_id="r")


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield microseconds of CPU time per block, million points per second, ratios to JSON, and bytes per value."""
    for name, (count, keys) in SHAPES.items():
        content = rows(0, count, keys)
        event = block(RUN, bytes(16), 0, content)
        message, text = encode(event), json.dumps(content)
        found = measure_in_turns(
            {
                "pack": partial(pack_rows, content),
                "encode": partial(encode, event),
                "decode": partial(decode, Topic.LOG, message),
                "unpack": partial(unpack_rows, event),
                "to JSON": partial(json.dumps, content),
                "from JSON": partial(json.loads, text),
            },
            calls=scale.of(2_000, 100) * 10 // count,
            rounds=scale.of(15, 3),
            clock=time.process_time,
        )
        for step in ("pack", "encode", "decode", "unpack"):
            seconds = median(found[step])
            yield Figure(f"{step} {name}", seconds * 1e6, "µs", note=f"{count * keys / seconds / 1e6:.1f} M points/s")
        written = [one + other for one, other in zip(found["pack"], found["encode"], strict=True)]
        yield Figure(f"pack + encode {name}, of json.dumps", ratio(written, found["to JSON"]))
        yield Figure(f"decode {name}, of json.loads", ratio(found["decode"], found["from JSON"]))
        yield Figure(f"bytes per value {name}", len(message) / (count * keys), "bytes", note="8 of them are the float")
    yield from _wide(scale)


def _wide(scale: Scale) -> Iterator[Figure]:
    """Yield the time to read one column of 5,000, by its place, of the time to decode all of them."""
    message = encode(block(RUN, bytes(16), 0, [{f"layer/w{key:04}": float(key) for key in range(5000)}] * 12))
    wanted = {"first": "layer/w0000", "middle": "layer/w2500", "last": "layer/w4999", "missing": "other"}
    found = measure_in_turns(
        {name: partial(Selection.of([key]).read, message) for name, key in wanted.items()}
        | {"all": partial(decode_columns, message, lambda *_: True)},
        calls=scale.of(20, 2),
        rounds=scale.of(9, 3),
        clock=time.process_time,
    )
    for name in wanted:
        yield Figure(f"read the {name} of 5 000 columns, of decoding all", ratio(found[name], found["all"]))
