"""Uploads of objects: which are stored, and how a client stores the others (docs/adr/0018)."""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runstream_consumers.api.control_tables import ControlTables
from runstream_consumers.api.problems import BadParameter, Problem
from runstream_consumers.object_store.store import ObjectMissing, ObjectStore, StoredPart
from runstream_consumers.stored_objects import object_table
from runstream_consumers.stored_objects.object_table import KnownObject
from runstream_schemas.stored.objects import object_key

#: Larger objects are uploaded in parts.
SINGLE_BYTES = 64 * 1024 * 1024
_PART_BYTES = 16 * 1024 * 1024
_MOST_PARTS = 10_000
_MIB = 1024 * 1024
#: Of the uploads that the store has acknowledged with their MD5, as many are looked for: one in 16, or 16.
_ONE_IN, _LEAST_SEEN = 16, 16


@dataclass(frozen=True, slots=True)
class Uploads:
    """Uploads of one entity. Keys of objects follow from its name and the hash of the bytes, and from nothing else."""

    store: ObjectStore
    control: ControlTables
    entity: str

    async def plan(self, sizes: Mapping[bytes, int], md5s: Mapping[bytes, bytes]) -> list[dict[str, Any]]:
        """Return for each object whether it is stored, else the request, or the upload of parts, that stores it."""
        async with self.control.connection() as connection:
            known = await object_table.want(connection, self.entity, sizes)
        for sha256, one in known.items():
            if one.size != sizes[sha256]:
                message = f"{sha256.hex()} has {one.size} bytes, not {sizes[sha256]}"
                raise BadParameter("objects", message)
        stored = await self._really_stored(known, md5s)
        return [
            {"sha256": sha256.hex(), "stored": True}
            if stored.get(sha256)
            else await self._step(sha256, known[sha256], md5s.get(sha256))
            for sha256 in sizes
        ]

    async def confirm(self, sizes: Mapping[bytes, int], md5s: Mapping[bytes, bytes] | None = None) -> dict[bytes, str]:
        """Record which objects the store has; return why not for the others.

        ``md5s`` are those that the store has acknowledged: some of these are looked for, and all if one is missing.
        What was just made of its parts is not looked for: some stores read the whole object (docs/adr/0028).
        """
        large = {sha256: size for sha256, size in sizes.items() if size > SINGLE_BYTES}
        if large:
            async with self.control.connection() as connection:
                known = await object_table.want(connection, self.entity, large)
            done = {sha256 for sha256, one in known.items() if one.seen and one.size == sizes[sha256]}
            sizes = {sha256: size for sha256, size in sizes.items() if sha256 not in done}
        acknowledged = [one for one in md5s or {} if one not in large]
        seen = random.sample(acknowledged, min(len(acknowledged), max(_LEAST_SEEN, len(acknowledged) // _ONE_IN)))
        problems = await self._problems([*(sizes.keys() - acknowledged), *seen], sizes, md5s or {})
        if not problems.keys().isdisjoint(seen):
            problems |= await self._problems(list(set(acknowledged).difference(seen)), sizes, md5s or {})
        async with self.control.connection() as connection, connection.transaction():
            good = {sha256: size for sha256, size in sizes.items() if sha256 not in problems}
            await object_table.set_stored(connection, self.entity, good)
            await object_table.set_missing(connection, self.entity, list(problems))
        return problems

    async def part_urls(self, sha256: bytes, upload_id: str, numbers: Sequence[int]) -> dict[int, str]:
        """Return where parts are stored."""
        known = await self._unfinished(sha256, upload_id)
        last = max(1, -(-known.size // part_size(known.size)))
        if beyond := [number for number in numbers if number > last]:
            raise BadParameter("numbers", f"{beyond[0]} is beyond the last part, {last}")
        key = self._key(sha256)
        valid_s = self.store.expires_s
        return {number: self.store.presign_part(key, upload_id, number, expires_s=valid_s).url for number in numbers}

    async def parts(self, sha256: bytes, upload_id: str) -> Sequence[StoredPart]:
        """Return the parts of an upload that the store has."""
        await self._unfinished(sha256, upload_id)
        return await self._parts(sha256, upload_id)

    async def complete(self, sha256: bytes, upload_id: str, size: int, etags: Mapping[int, str]) -> None:
        """Make an object of the parts of an upload, if the store has exactly these. Repeated, it does nothing."""
        known = await self._known(sha256)
        if known.stored and known.size == size:
            return
        if known.upload_id == upload_id:
            # Checked before, since some stores discard an upload that is completed with other parts.
            parts = await self._parts(sha256, upload_id)
            _check_parts(parts, size, etags)
            # Not followed by a HEAD request: some stores read the whole object again for its ETag.
            await self.store.complete(self._key(sha256), upload_id, parts)
        elif problem := await self._problem(sha256, size):
            raise _no_such_upload(sha256, problem)
        async with self.control.connection() as connection:
            await object_table.set_stored(connection, self.entity, {sha256: size})

    async def _really_stored(
        self, known: Mapping[bytes, KnownObject], md5s: Mapping[bytes, bytes]
    ) -> dict[bytes, bool]:
        """Return whether objects are stored, and record what has changed; new ones are not looked for."""
        doubtful = [sha256 for sha256, one in known.items() if not one.new and not one.seen]
        if not doubtful:
            return {sha256: one.seen for sha256, one in known.items()}
        problems = await self._problems(doubtful, {one: known[one].size for one in doubtful}, md5s)
        looked = {sha256: sha256 not in problems for sha256 in doubtful}
        async with self.control.connection() as connection, connection.transaction():
            await object_table.set_stored(
                connection, self.entity, {one: known[one].size for one, stored in looked.items() if stored}
            )
            lost = [one for one, stored in looked.items() if known[one].stored and not stored]
            await object_table.set_missing(connection, self.entity, lost)
        return {sha256: one.seen for sha256, one in known.items()} | looked

    async def _step(self, sha256: bytes, known: KnownObject, md5: bytes | None) -> dict[str, Any]:
        """Return how to store an object."""
        answer: dict[str, Any] = {"sha256": sha256.hex(), "stored": False}
        if known.size > SINGLE_BYTES:
            upload_id = await self._upload(sha256, known.upload_id)
            return answer | {"upload_id": upload_id, "part_size": part_size(known.size)}
        headers = _headers(sha256, known.size, md5)
        request = self.store.presign_put(self._key(sha256), expires_s=self.store.expires_s, headers=headers)
        return answer | {"url": request.url, "headers": dict(request.headers)}

    async def _upload(self, sha256: bytes, known: str | None) -> str:
        """Return the unfinished upload of an object, if the store still has it, else a new one."""
        key = self._key(sha256)
        if known is not None:
            try:
                await self.store.parts(key, known)
            except ObjectMissing:
                pass
            else:
                return known
        started = await self.store.start_upload(key)
        async with self.control.connection() as connection:
            recorded = await object_table.start_upload(connection, self.entity, sha256, known=known, upload_id=started)
        if recorded != started:
            await self.store.abort(key, started)
        return recorded or started

    async def _problems(
        self, hashes: Collection[bytes], sizes: Mapping[bytes, int], md5s: Mapping[bytes, bytes]
    ) -> dict[bytes, str]:
        """Return why the store does not have objects, for those that it does not have."""
        found = await asyncio.gather(*(self._problem(one, sizes[one], md5s.get(one)) for one in hashes))
        return {sha256: problem for sha256, problem in zip(hashes, found, strict=True) if problem}

    async def _problem(self, sha256: bytes, size: int, md5: bytes | None = None) -> str:
        """Return why the store does not have the object; an empty string if it does."""
        found = await self.store.stat(self._key(sha256))
        if found is None:
            return "the object store does not have it"
        if found.size != size:
            return f"the object store has {found.size} bytes of {size}"
        if md5 is not None and size <= SINGLE_BYTES and len(found.etag) == len(md5.hex()) and found.etag != md5.hex():
            return f"the object store has other bytes, with the MD5 {found.etag}"
        return ""

    async def _known(self, sha256: bytes) -> KnownObject:
        async with self.control.connection() as connection:
            known = await object_table.find(connection, self.entity, sha256)
        if known is None:
            raise _no_such_upload(sha256, "nobody has announced the object")
        return known

    async def _unfinished(self, sha256: bytes, upload_id: str) -> KnownObject:
        known = await self._known(sha256)
        if known.upload_id != upload_id:
            raise _no_such_upload(sha256, "it is complete, or another one has replaced it")
        return known

    async def _parts(self, sha256: bytes, upload_id: str) -> Sequence[StoredPart]:
        try:
            return await self.store.parts(self._key(sha256), upload_id)
        except ObjectMissing:
            raise _no_such_upload(sha256, "the object store does not have it any more") from None

    def _key(self, sha256: bytes) -> str:
        return object_key(self.entity, sha256)


def part_size(size: int) -> int:
    """Return the size of the parts of an object except its last: at most 10 000 of them, of whole MiB."""
    return max(_PART_BYTES, -(-size // (_MOST_PARTS * _MIB)) * _MIB)


def _check_parts(parts: Sequence[StoredPart], size: int, etags: Mapping[int, str]) -> None:
    """Raise a problem unless the store has exactly the parts that the client has sent."""
    have = {part.number: part.etag for part in parts}
    wanted = {number: etag.strip('"') for number, etag in etags.items()}
    if wrong := sorted(number for number in have | wanted if have.get(number) != wanted.get(number)):
        numbers = ", ".join(map(str, wrong[:10])) + (", …" if len(wrong) > 10 else "")  # noqa: PLR2004
        raise Problem(
            409, "parts_differ", f"The object store has other parts than were sent: {numbers}. Send them again."
        )
    if (total := sum(part.size for part in parts)) != size:
        raise Problem(409, "parts_differ", f"The parts have {total} bytes, not {size}.")


def _headers(sha256: bytes, size: int, md5: bytes | None) -> dict[str, str]:
    """Return the headers that bind a request to the bytes: a store that knows them refuses others."""
    headers = {"Content-Length": str(size), "x-amz-checksum-sha256": base64.b64encode(sha256).decode()}
    return headers | ({} if md5 is None else {"Content-MD5": base64.b64encode(md5).decode()})


def _no_such_upload(sha256: bytes, why: str) -> Problem:
    return Problem(404, "no_such_upload", f"No upload of {sha256.hex()}: {why}. Ask for a new one.")
