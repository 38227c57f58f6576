"""Manifests of artifacts, of which the last ones stay decoded: a download asks for each of its files."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from runstream_consumers.api.problems import Problem
from runstream_consumers.object_store.store import ObjectMissing, ObjectStore
from runstream_schemas.exceptions import InvalidManifest
from runstream_schemas.stored.manifest import Manifest

#: Entries that stay in memory, some 400 bytes each.
_ENTRIES = 200_000


class Manifests:
    """Reads manifests from the object store."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Manifest] = OrderedDict()

    async def read(self, store: ObjectStore, key: str) -> Manifest:
        """Return the manifest with a key; a problem if the store does not have it."""
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        try:
            manifest = await asyncio.to_thread(Manifest.decode, await store.read(key))
        except (ObjectMissing, InvalidManifest) as error:
            raise Problem(410, "manifest_lost", f"The manifest {key} cannot be read: {error}") from error
        self._known[key] = manifest
        while sum(len(one.entries) for one in self._known.values()) > _ENTRIES and len(self._known) > 1:
            self._known.popitem(last=False)
        return manifest
