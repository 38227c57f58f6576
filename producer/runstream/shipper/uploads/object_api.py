"""Requests to the HTTP API about objects: which are stored, and how to upload the others."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from runstream.exceptions import CommError
from runstream.server.client import ServerClient, ServerError
from runstream.server.discovery import Server
from runstream.shipper.uploads.content import Content, LostError
from runstream.shipper.uploads.store_client import StoreError

#: Objects in a request.
BATCH = 1000
_TIMEOUT_S = 60.0
#: Answers after which the same request is never accepted.
_FINAL = frozenset({HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE})

#: What the server calls that it has no object store.
_NONE = "no_object_store"
#: Answers of a server of an earlier version, which does not have the route.
_NO_ROUTE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED})
#: Until the server has named its own.
_LEAST_KEPT_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadOrder:
    """How the server wants an object: not at all, by one PUT to ``url``, or in parts."""

    stored: bool = False
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    upload_id: str = ""
    part_size: int = 0


_STORED = UploadOrder(stored=True)


class NoStoreError(LostError):
    """The server stores no objects."""


class ObjectApi:
    """The objects of an entity, over the API of a server. Safe with threads.

    Each method raises StoreError if asking later may help, and LostError if the server will never accept it.
    """

    def __init__(self, server: Server, entity: str) -> None:
        self.server = server
        self.entity = entity
        #: Seconds that an object that nothing refers to is kept after a request about it.
        self.kept_s = _LEAST_KEPT_S
        self._client = ServerClient(server, _TIMEOUT_S)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def order(self, contents: Sequence[Content]) -> dict[bytes, UploadOrder]:
        """Return how each content is to be uploaded, by its SHA-256."""
        items = [_described(one, one.md5) for one in contents]
        try:
            answer = self.request("POST", self._path(), {"objects": items})
        except StoreError as error:
            refusal = error.__cause__
            if isinstance(refusal, ServerError) and (refusal.status in _NO_ROUTE or refusal.code == _NONE):
                raise NoStoreError(f"the server {self.server.url} has no object store") from error
            raise
        self.kept_s = float(answer.get("kept_s") or self.kept_s)
        return {bytes.fromhex(item["sha256"]): _order(item) for item in answer["objects"]}

    def confirm(self, contents: Sequence[Content]) -> dict[bytes, str]:
        """Return, by SHA-256, why an object is not stored, for those that are not.

        Of those that the store has acknowledged, the server looks only for a sample.
        """
        items = [_described(one, one.md5 if one.acknowledged else b"") for one in contents]
        answer = self.request("POST", self._path("confirm"), {"objects": items})
        found = {bytes.fromhex(one["sha256"]): one for one in answer["objects"]}
        asked = {one.sha256: found.get(one.sha256, {"stored": False}) for one in contents}
        return {sha256: str(one.get("reason") or "it is missing") for sha256, one in asked.items() if not one["stored"]}

    def part_urls(self, sha256: bytes, upload_id: str, numbers: Sequence[int]) -> dict[int, str]:
        """Return the URLs of parts of an upload."""
        request = {"upload_id": upload_id, "numbers": list(numbers)}
        answer = self.request("POST", self._path(f"{sha256.hex()}/parts"), request)
        return {int(part["number"]): str(part["url"]) for part in answer["parts"]}

    def parts(self, sha256: bytes, upload_id: str) -> dict[int, tuple[str, int]] | None:
        """Return ETag and size of the parts that the store has; None if it does not know the upload."""
        try:
            answer = self.request("GET", self._path(f"{sha256.hex()}/parts"), params={"upload_id": upload_id})
        except LostError:
            return None
        except StoreError as error:
            if getattr(error.__cause__, "status", 0) in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
                return None
            raise
        return {int(part["number"]): (str(part["etag"]), int(part["size"])) for part in answer["parts"]}

    def complete(self, content: Content, upload_id: str, etags: Mapping[int, str]) -> None:
        """Join the parts of an upload."""
        parts = [{"number": number, "etag": etags[number]} for number in sorted(etags)]
        request = {"upload_id": upload_id, "size": content.size, "parts": parts}
        self.request("POST", self._path(f"{content.sha256.hex()}/complete"), request)

    def request(self, method: str, path: str, json: Any = None, *, params: Mapping[str, Any] | None = None) -> Any:
        """Return the JSON object of an answer."""
        try:
            answer = self._client.request(method, path, json=json, params=params)
        except ServerError as error:
            if error.status in _FINAL:
                raise LostError(f"the server does not accept it: {error}") from error
            raise StoreError(str(error)) from error
        except CommError as error:
            raise StoreError(str(error)) from error
        if not isinstance(answer, dict):
            raise StoreError(f"unexpected answer of {self.server.url} to {method} {path}")
        return answer

    def _path(self, rest: str = "") -> str:
        path = f"/entities/{quote(self.entity, safe='')}/objects"
        return f"{path}/{rest}" if rest else path


def _described(content: Content, md5: bytes) -> dict[str, Any]:
    described = {"sha256": content.sha256.hex(), "size": content.size}
    return described | {"md5": base64.b64encode(md5).decode()} if md5 else described


def _order(item: Mapping[str, Any]) -> UploadOrder:
    if item["stored"]:
        return _STORED
    return UploadOrder(
        stored=False,
        url=str(item.get("url") or ""),
        headers=item.get("headers") or {},
        upload_id=str(item.get("upload_id") or ""),
        part_size=int(item.get("part_size") or 0),
    )
