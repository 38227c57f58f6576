"""The limits of the contract, shared by writers and readers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Maximum sizes (bytes), lengths (characters) and numbers of the parts of an event."""

    #: Size of a Kafka message (``max.message.bytes`` of the topics).
    message_bytes: int = 2 * 1024 * 1024
    #: Size at which a writer closes a block of rows.
    block_bytes: int = 512 * 1024
    #: Rows in a block.
    block_rows: int = 10_000
    #: Values of a block, each counted once for every name of its path: the work of assembling its rows. A column of
    #: nulls takes a few bytes for any number of rows, and a row has a dict for each name of a path.
    block_weight: int = 4 * 1024 * 1024
    #: Length of a key (one name of a path).
    key_length: int = 512
    #: Names in the path of a column, and levels of nesting of a value.
    depth: int = 64
    #: Length of a string value of a row, the config or the summary; longer ones are shortened and marked.
    string_length: int = 256 * 1024
    #: Writers that the writer of an event continues, and those that all writers of a run continue.
    continues: int = 10_000
    run_continues: int = 20_000
    #: Distinct keys of a run.
    run_keys: int = 1_000_000
    #: Length of an entity, a project and a run id.
    name_length: int = 128


DEFAULT_LIMITS = Limits()
