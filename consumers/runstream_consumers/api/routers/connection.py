"""What a client needs to begin, and whether this process and its services answer."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from runstream_consumers.api.services import TheConnection, TheServices
from runstream_schemas.limits import DEFAULT_LIMITS

API_VERSION = 1

router = APIRouter(tags=["connection"])


class ConnectAnswer(BaseModel):
    """Everything a shipper must know to deliver to this stack."""

    api_version: int
    #: Kafka's own id of the cluster; another id means other brokers with nothing delivered yet.
    cluster_id: str
    brokers: str
    prefix: str
    partitions: int
    #: The entity of runs that name none.
    entity: str
    url: str
    heartbeat_interval_s: float
    limits: dict[str, int]


@router.get("/api/v1/connect", summary="Brokers, topics and limits")
async def connect(services: TheServices) -> ConnectAnswer:
    """Tell where and how to deliver; 503 while Kafka does not answer. Needs no database."""
    settings = services.settings
    return ConnectAnswer(
        api_version=API_VERSION,
        cluster_id=await services.cluster.id(),
        brokers=settings.kafka,
        prefix=settings.prefix,
        partitions=settings.partitions,
        entity=settings.entity,
        url=services.url,
        heartbeat_interval_s=settings.heartbeat_s,
        limits=asdict(DEFAULT_LIMITS),
    )


@router.get("/api/v1/viewer", summary="Who is asking")
async def viewer(services: TheServices) -> dict[str, str]:
    """Return the entity that runs belong to when they name none. Needs neither Kafka nor the database."""
    return {"entity": services.settings.entity}


@router.get("/healthz", summary="Whether this process answers")
async def health() -> dict[str, str]:
    """Answer at once, whatever the state of Kafka and Postgres."""
    return {"status": "ok", "version": version("runstream")}


@router.get("/readyz", summary="Whether this process has reached Kafka and Postgres")
async def ready(services: TheServices, connection: TheConnection) -> dict[str, Any]:
    """Answer 503 with the service that is missing, else 200. Kafka has to have answered once, Postgres now."""
    await services.cluster.id()
    await connection.fetchval("SELECT 1")
    return {"status": "ok"}
