"""External services: named by the settings, used and checked by the stack, but not started."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from runstream_deploy.exceptions import ServiceError


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalService:
    """A service that the stack uses but does not run."""

    name: str
    #: Its address, without a password.
    address: str
    #: Returns once the service has answered; raises OSError if it does not.
    check: Callable[[], Awaitable[None]]

    async def require_answer(self) -> None:
        """Raise ServiceError, which names the address, unless the service answers."""
        try:
            await self.check()
        except OSError as error:
            raise ServiceError(self.name, f"at {self.address} (from the settings) does not answer: {error}") from error
