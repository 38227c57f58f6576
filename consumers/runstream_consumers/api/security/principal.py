"""The principal of a request: who makes it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from fastapi import Depends, Request
from starlette.types import Scope

_SCOPE_KEY = "runstream.principal"


class PrincipalKind(StrEnum):
    """What kind of principal makes a request."""

    USER = "user"
    #: No identity: only the paths that need no token.
    ANONYMOUS = "anonymous"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a request."""

    id: str
    kind: PrincipalKind


ANONYMOUS = Principal("", PrincipalKind.ANONYMOUS)


def set_principal(scope: Scope, principal: Principal) -> None:
    """Record the principal of a request in its scope; called once, by the access rules."""
    scope[_SCOPE_KEY] = principal


def principal_of(request: Request) -> Principal:
    """Return the principal of a request."""
    found: Principal = request.scope[_SCOPE_KEY]
    return found


ThePrincipal = Annotated[Principal, Depends(principal_of)]
