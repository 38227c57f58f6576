"""The contract's schemas in the REST protocol of Confluent's Schema Registry, read only.

Standard deserializers, kcat, Flink and ksqlDB can read the topics with this URL as their registry. Subjects are named
``{topic name}-value``, as usual. Errors have the format of the protocol, ``{"error_code", "message"}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from runstream_consumers.api.services import TheServices
from runstream_schemas.registry import Schema, schemas
from runstream_schemas.topics import topic_name

_MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
_JSON: dict[str, Any] = {"content": {_MEDIA_TYPE: {"schema": {}}}}

router = APIRouter(
    tags=["schema registry"],
    default_response_class=Response,
    responses={200: _JSON, 404: {**_JSON, "description": "there is no such schema, subject or version"}},
)

_SUBJECT_NOT_FOUND = 40401
_VERSION_NOT_FOUND = 40402
_SCHEMA_NOT_FOUND = 40403


class RegistryResponse(JSONResponse):
    """A response of the registry's media type."""

    media_type = _MEDIA_TYPE


@router.get("/schemas/ids/{identifier}")
async def schema_by_id(identifier: int) -> Response:
    """Return the schema of an id, as ``{"schema": text}``."""
    if (schema := schemas().get(identifier)) is None:
        return _missing(_SCHEMA_NOT_FOUND, f"Schema {identifier} not found")
    return RegistryResponse({"schema": schema.text})


@router.get("/schemas/ids/{identifier}/versions")
async def versions_of_id(identifier: int, services: TheServices) -> Response:
    """Return the subjects and versions that have the schema of an id."""
    if (schema := schemas().get(identifier)) is None:
        return _missing(_SCHEMA_NOT_FOUND, f"Schema {identifier} not found")
    return RegistryResponse([{"subject": _subject(services.settings.prefix, schema), "version": schema.version}])


@router.get("/schemas/types")
async def types() -> Response:
    """Return the supported kinds of schemas: Avro."""
    return RegistryResponse(["AVRO"])


@router.get("/subjects")
async def subjects(services: TheServices) -> Response:
    """Return the subjects, one per topic."""
    return RegistryResponse(sorted(_by_subject(services.settings.prefix)))


@router.get("/subjects/{subject}/versions")
async def versions(subject: str, services: TheServices) -> Response:
    """Return the versions of a subject, oldest first."""
    if (found := _by_subject(services.settings.prefix).get(subject)) is None:
        return _missing(_SUBJECT_NOT_FOUND, f"Subject '{subject}' not found.")
    return RegistryResponse(sorted(found))


@router.get("/subjects/{subject}/versions/{version}")
async def one_version(subject: str, version: str, services: TheServices) -> Response:
    """Return one version of a subject; ``latest`` and ``-1`` select the newest."""
    if (found := _by_subject(services.settings.prefix).get(subject)) is None:
        return _missing(_SUBJECT_NOT_FOUND, f"Subject '{subject}' not found.")
    numbers = {str(number): schema for number, schema in found.items()}
    schema = found[max(found)] if version in ("latest", "-1") else numbers.get(version)
    if schema is None:
        return _missing(_VERSION_NOT_FOUND, f"Version {version} not found.")
    return RegistryResponse({"subject": subject, "version": schema.version, "id": schema.id, "schema": schema.text})


@router.get("/config")
@router.get("/config/{subject}")
async def compatibility() -> Response:
    """Return the compatibility level of schemas."""
    return RegistryResponse({"compatibilityLevel": "FULL_TRANSITIVE"})


@router.get("/mode")
async def mode() -> Response:
    """Return that the registry is read-only."""
    return RegistryResponse({"mode": "READONLY"})


def _by_subject(prefix: str) -> Mapping[str, Mapping[int, Schema]]:
    found: dict[str, dict[int, Schema]] = {}
    for schema in schemas().values():
        found.setdefault(_subject(prefix, schema), {})[schema.version] = schema
    return found


def _subject(prefix: str, schema: Schema) -> str:
    return f"{topic_name(prefix, schema.topic)}-value"


def _missing(code: int, message: str) -> Response:
    content: dict[str, Any] = {"error_code": code, "message": message}
    return RegistryResponse(content, status_code=404)
