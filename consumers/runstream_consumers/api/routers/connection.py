"""What a client needs to connect, and the health checks of this process and its services."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from runstream_consumers.api.security.access import ThePrincipal
from runstream_consumers.api.services import TheConnection, TheServices
from runstream_schemas.limits import DEFAULT_LIMITS

API_VERSION = 1

router = APIRouter(tags=["connection"])


class ConnectAnswer(BaseModel):
    """What a shipper needs to deliver to this stack."""

    api_version: int
    #: Kafka's id of the cluster; another id means other brokers, to which nothing was delivered yet.
    cluster_id: str
    brokers: str
    prefix: str
    partitions: int
    #: The entity of runs that do not specify one.
    entity: str
    url: str
    heartbeat_interval_s: float
    limits: dict[str, int]


@router.get("/api/v1/connect", summary="Brokers, topics and limits")
async def connect(services: TheServices) -> ConnectAnswer:
    """Return where to deliver; 503 while Kafka does not answer. Does not need the database."""
    settings = services.settings
    return ConnectAnswer(
        api_version=API_VERSION,
        cluster_id=await services.cluster.id(),
        brokers=settings.kafka,
        prefix=settings.prefix,
        partitions=settings.partitions,
        entity=settings.entity,
        url=settings.url,
        heartbeat_interval_s=settings.heartbeat_s,
        limits=asdict(DEFAULT_LIMITS),
    )


@router.get("/api/v1/viewer", summary="The principal of the request")
async def viewer(services: TheServices, principal: ThePrincipal) -> dict[str, str]:
    """Return the principal, and the entity of runs that do not specify one. Needs neither Kafka nor the database."""
    return {"entity": services.settings.entity, "id": principal.id, "kind": principal.kind.value}


@router.get("/healthz", summary="Whether this process responds")
async def health() -> dict[str, str]:
    """Respond at once, regardless of Kafka and Postgres."""
    return {"status": "ok", "version": version("runstream")}


@router.get("/readyz", summary="Whether Kafka and Postgres are reachable")
async def ready(services: TheServices, connection: TheConnection) -> dict[str, Any]:
    """Respond 200 if Kafka has answered once and Postgres answers now, else 503 with the missing service."""
    await services.cluster.id()
    await connection.fetchval("SELECT 1")
    return {"status": "ok"}
