"""Errors of the runtime.

RuntimeFault
├── UnknownConsumer     no such name in the entry-point group, or what it names is no consumer
├── MigrationFault      the database is newer than this program, or a migration was edited after it ran
├── TopicMismatch         the topics have another number of partitions than the settings say
├── TopicRecreated      a topic ends before what was already stored from it
└── ConsumptionStalled    there is something to read, and nothing is read

None of them goes away by itself: the process ends and says why.
"""

from __future__ import annotations


class RuntimeFault(Exception):  # noqa: N818 — "RuntimeError" is taken
    """The root of the runtime's errors; never raised itself."""


class UnknownConsumer(RuntimeFault):
    """The name is not registered, or what is registered is not a consumer."""


class MigrationFault(RuntimeFault):
    """The tables and the migrations of this program do not belong together."""


class TopicMismatch(RuntimeFault):
    """The topics have another number of partitions than the settings say."""


class TopicRecreated(RuntimeFault):
    """A topic ends before what was already stored from it: it was deleted and made anew, or has lost its tail."""


class ConsumptionStalled(RuntimeFault):
    """There is something to read and nothing is read; a new process helps."""
