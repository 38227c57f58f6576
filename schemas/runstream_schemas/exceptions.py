"""Errors of the contract.

ContractError
└── MalformedEvent      a message that is no event of this contract
    ├── UnknownSchema   framed rightly, but by a schema that is not known here
    └── LimitExceeded   well formed, but larger than the limits allow
"""

from __future__ import annotations


class ContractError(Exception):
    """The root of all errors of the contract; never raised itself."""


class MalformedEvent(ContractError):  # noqa: N818 - names what came, as a reader of the log thinks of it
    """The bytes are not an event of this contract; reading them again will not help."""


class UnknownSchema(MalformedEvent):
    """The message names a schema id that this version does not know."""

    def __init__(self, schema_id: int) -> None:
        super().__init__(f"schema id {schema_id} is not known here; a newer Runstream may have written it")
        self.schema_id = schema_id


class LimitExceeded(MalformedEvent):
    """The event is larger than the limits of the contract allow."""
