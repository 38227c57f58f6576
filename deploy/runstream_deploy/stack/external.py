"""Services that run elsewhere: the settings name them; the stack uses them and starts nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runstream_deploy.exceptions import ServiceFailed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """A service that is only spoken to."""

    name: str
    #: Where it is, without a password.
    address: str
    #: Returns once it has answered; raises OSError where it does not.
    check: Callable[[], Awaitable[None]]

    async def require_answer(self) -> None:
        """Raise ServiceFailed, which says where it was looked for, unless the service answers."""
        try:
            await self.check()
        except OSError as error:
            raise ServiceFailed(
                self.name, f"at {self.address}, which the settings name, does not answer: {error}"
            ) from error
