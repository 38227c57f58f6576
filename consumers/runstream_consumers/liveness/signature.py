"""Signatures of ticks: a tick moves the clock that runs are declared dead by, so not everyone may write one."""

from __future__ import annotations

import hashlib
import hmac


def sign(key: bytes, topic: str, partition: int, number: int) -> bytes:
    """Return the HMAC-SHA256 of a tick; ``topic`` is Kafka's name."""
    return hmac.new(key, f"{topic}/{partition}/{number}".encode(), hashlib.sha256).digest()


def is_signed(key: bytes, topic: str, partition: int, number: int, signature: bytes) -> bool:
    """Tell whether the signature of a tick is right, in a time that does not depend on where it is wrong."""
    return hmac.compare_digest(sign(key, topic, partition, number), signature)
