"""The public API under the names of W&B: ``runstream.apis.public``."""

from __future__ import annotations

from runstream.public_api.api import Api

PublicApi = Api

__all__ = ["Api", "PublicApi"]
