"""Errors of the runtime that retrying does not resolve: the process ends with the message."""

from __future__ import annotations


class RuntimeFault(Exception):  # noqa: N818 — "RuntimeError" is taken
    """The base class of the runtime's errors."""


class UnknownConsumer(RuntimeFault):
    """The name is not registered, or what is registered is not a consumer."""


class MigrationFault(RuntimeFault):
    """The tables do not match the migrations of this program."""


class TopicMismatch(RuntimeFault):
    """Topics are missing, or their number of partitions is not the one in the settings."""


class TopicRecreated(RuntimeFault):
    """A topic ends before what was already stored from it: it was deleted and created again, or lost its tail."""


class ConsumptionStalled(RuntimeFault):
    """There are messages to read, but none are read; a new process may help."""


class RepeatedFailures(RuntimeFault):
    """Messages of several runs fail with unexpected exceptions, which points to a bug in the consumer."""


class ArchiveDamaged(RuntimeFault):
    """An object of the topic archive is missing, or not what was stored: a backup of the bucket has it."""
