"""The limits of the contract: one set of numbers for whoever writes an event and whoever reads it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an event may hold at most; sizes are bytes, lengths are characters, unless said otherwise."""

    #: Largest Kafka message the topics take (``max.message.bytes``).
    message_bytes: int = 2 * 1024 * 1024
    #: Size at which a writer closes a block of rows.
    block_bytes: int = 512 * 1024
    #: Largest number of rows in one block.
    block_rows: int = 10_000
    #: Longest key (one name of a path).
    key_length: int = 512
    #: Deepest path of a column, and deepest nesting of a value.
    depth: int = 64
    #: Longest string value of a row, config or summary; a longer one is shortened and marked.
    string_length: int = 256 * 1024
    #: Most distinct keys of one run.
    run_keys: int = 1_000_000
    #: Longest entity, project and run id.
    name_length: int = 128


DEFAULT_LIMITS = Limits()
