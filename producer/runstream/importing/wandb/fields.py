"""Numbers of the fields that are read, of W&B's ``wandb_internal.proto``."""

from __future__ import annotations

from enum import IntEnum


class RecordField(IntEnum):
    """The kinds of records: the fields of ``Record``, of which one is set."""

    HISTORY = 2
    SUMMARY = 3
    OUTPUT = 4
    CONFIG = 5
    FILES = 6
    STATS = 7
    ARTIFACT = 8
    TBRECORD = 9
    ALERT = 10
    TELEMETRY = 11
    METRIC = 12
    OUTPUT_RAW = 13
    RUN = 17
    EXIT = 18
    FINAL = 20
    HEADER = 21
    FOOTER = 22
    PREEMPTING = 23
    LINK_ARTIFACT = 24
    USE_ARTIFACT = 25
    ENVIRONMENT = 26
    OUTPUT_LOGGER = 27
    REQUEST = 100


class RunField(IntEnum):
    """``RunRecord``."""

    RUN_ID = 1
    ENTITY = 2
    PROJECT = 3
    CONFIG = 4
    SUMMARY = 5
    GROUP = 6
    JOB_TYPE = 7
    DISPLAY_NAME = 8
    NOTES = 9
    TAGS = 10
    SWEEP_ID = 12
    HOST = 13
    START_TIME = 17
    GIT = 21


class ItemField(IntEnum):
    """``HistoryItem``, ``SummaryItem``, ``ConfigItem`` and ``StatsItem``."""

    KEY = 1
    NESTED_KEY = 2
    VALUE_JSON = 16


class ChangeField(IntEnum):
    """``ConfigRecord`` and ``SummaryRecord``; ``HistoryRecord`` has its items and its step under the same numbers."""

    UPDATE = 1
    REMOVE = 2


class OutputField(IntEnum):
    """``OutputRecord`` and ``OutputRawRecord``."""

    TYPE = 1
    TIMESTAMP = 2
    LINE = 3


class StatsField(IntEnum):
    """``StatsRecord``."""

    TIMESTAMP = 2
    ITEM = 3


class AlertField(IntEnum):
    """``AlertRecord``."""

    TITLE = 1
    TEXT = 2
    LEVEL = 3


class MetricField(IntEnum):
    """``MetricRecord``."""

    NAME = 1
    GLOB_NAME = 2
    STEP_METRIC = 4
    OPTIONS = 6
    SUMMARY = 7
    GOAL = 8
    EXPANDED = 10


class ArtifactField(IntEnum):
    """``ArtifactRecord``."""

    TYPE = 4
    NAME = 5
    DESCRIPTION = 7
    METADATA = 8
    ALIASES = 11
    MANIFEST = 12


class ManifestField(IntEnum):
    """``ArtifactManifest``."""

    CONTENTS = 4
    FILE_PATH = 5


class EntryField(IntEnum):
    """``ArtifactManifestEntry``."""

    PATH = 1
    REFERENCE = 3
    LOCAL_PATH = 6


#: ``MetricSummary``: the number of each aggregation.
AGGREGATIONS = {1: "min", 2: "max", 3: "mean", 4: "best", 5: "last", 6: "none", 8: "first"}
GOALS = {1: "minimize", 2: "maximize"}
#: ``EnvironmentRecord``: fields that have a text, by the name that metadata has.
ENVIRONMENT_TEXTS = {1: "os", 2: "python", 4: "docker", 6: "program", 12: "host", 13: "username", 14: "executable"}
ENVIRONMENT_TEXTS |= {15: "colab", 18: "gpu", 25: "cuda"}
ENVIRONMENT_NUMBERS = {16: "cpu_count", 19: "gpu_count"}
ENVIRONMENT_ARGUMENTS, ENVIRONMENT_GIT = 5, 9
