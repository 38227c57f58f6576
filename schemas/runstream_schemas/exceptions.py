"""Errors of the contract.

ContractError
├── InvalidManifest     bytes that are not the manifest of an artifact
├── InvalidTable        bytes that are not the file of a table
└── MalformedEvent      a message that is not an event of this contract
    ├── UnknownSchema   correctly framed, but with an unknown schema id
    └── LimitExceeded   well formed, but beyond the limits
"""

from __future__ import annotations


class ContractError(Exception):
    """Base class of all errors of the contract; never raised itself."""


class InvalidManifest(ContractError):  # noqa: N818 - describes the bytes
    """The bytes are not the manifest of an artifact."""


class InvalidTable(ContractError):  # noqa: N818 - describes the bytes
    """The bytes are not the file of a table."""


class MalformedEvent(ContractError):  # noqa: N818 - describes the message
    """The message is not an event of this contract; a retry will not help."""


class UnknownSchema(MalformedEvent):
    """The schema id of the message is not known to this version."""

    def __init__(self, schema_id: int) -> None:
        super().__init__(f"Unknown schema id {schema_id}: the message may be from a newer version of Runstream")
        self.schema_id = schema_id


class LimitExceeded(MalformedEvent):
    """The event exceeds the limits of the contract."""
