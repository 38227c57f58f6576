"""Posts messages to the URL in an environment variable."""

from __future__ import annotations

import os
from urllib.parse import quote

import httpx
from pydantic import AnyHttpUrl, Field, create_model
from pydantic_settings import BaseSettings

from runstream_consumers.functions.outbox import Message

_TIMEOUT_S = 10.0


def webhook(variable: str) -> Webhook:
    """Return what posts messages as JSON to the URL in an environment variable; use it as ``deliver``."""
    if "/" in variable:
        raise ValueError("Invalid webhook: expected the name of an environment variable that has the URL, not the URL")
    return Webhook(variable)


class Webhook:
    """Posts each message once the consumer runs, which it does not if the variable is missing or not a URL."""

    def __init__(self, variable: str) -> None:
        self._variable = variable
        url = Field(validation_alias=variable, repr=False, description="the URL that receives the messages")
        self.settings = create_model("WebhookSettings", __base__=BaseSettings, url=(AnyHttpUrl, url))

    async def __call__(self, message: Message) -> None:
        """Post a message; raises httpx.HTTPError if it was not accepted."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": quote(message.id)}
        async with httpx.AsyncClient(timeout=_TIMEOUT_S) as client:
            answer = await client.post(os.environ[self._variable], content=message.text, headers=headers)
        answer.raise_for_status()
