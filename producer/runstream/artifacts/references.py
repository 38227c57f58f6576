"""References: entries whose content stays where it is, with what identifies that content."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, unquote, urlsplit

from runstream.artifacts.draft import files_below
from runstream.artifacts.entry import ARTIFACT_SCHEME, ArtifactManifestEntry
from runstream.artifacts.stored_version import StoredVersion, VersionPath
from runstream.download.file_cache import sha256_of
from runstream.exceptions import CommError, Error
from runstream_schemas.stored.artifact_names import parse_reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from runstream.server.api_connection import ApiConnection
    from runstream_schemas.stored.manifest import Manifest

#: Objects that a reference to a folder or a prefix may have.
_MOST_OBJECTS = 10_000_000
_TIMEOUT_S, _METADATA_TIMEOUT_S = 30.0, 2.0
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:\-]{1,220}[A-Za-z0-9]")
#: Part of errors of requests without credentials.
_ANONYMOUS = " without credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or ~/.aws/credentials)"
_AMAZON, _GOOGLE = "https://s3.amazonaws.com", "https://storage.googleapis.com"


class ReferenceStore(Protocol):
    """Where references of a scheme lead."""

    def entries(self, uri: str, name: str | None, *, checksum: bool) -> Iterator[ArtifactManifestEntry]:
        """Yield the entries for a URI: one, or those below a folder or prefix; raises ValueError or CommError."""

    def fetch(self, entry: ArtifactManifestEntry, target: Path) -> None:
        """Copy the content of an entry to a new file; raises FileNotFoundError, ValueError or CommError."""


def resolve_reference(
    uri: str, name: str | None, *, checksum: bool, max_objects: int | None
) -> list[ArtifactManifestEntry]:
    """Return the entries of a reference.

    Raises:
        ValueError: The URI has no scheme, there is nothing, or more than ``max_objects``.
        CommError: Its store cannot be reached.
        Error: A library that is needed for its scheme is not installed.
    """
    scheme = urlsplit(uri).scheme
    if not scheme:
        raise ValueError(
            f"Invalid reference {uri!r}: expected a URI, such as s3://bucket/key; a local file is file://…"
        )
    most = max_objects or _MOST_OBJECTS
    found: list[ArtifactManifestEntry] = []
    for entry in reference_store(scheme).entries(uri, name, checksum=checksum):
        if len(found) == most:
            raise ValueError(f"{uri!r} has more than {most} objects: pass max_objects to add_reference()")
        found.append(entry)
    if not found:
        raise ValueError(f"{uri!r} has no objects to refer to")
    return found


def reference_store(scheme: str, connection: ApiConnection | None = None) -> ReferenceStore:
    """Return the store of a scheme; others than file, http, https, s3 and gs are not looked into.

    With a connection to a server, references to files of its artifacts can be downloaded.
    """
    if scheme == ARTIFACT_SCHEME and connection is not None:
        return ArtifactReferences(connection)
    match scheme:
        case "file":
            return FileReferences()
        case "http" | "https":
            return HttpReferences()
        case "s3" | "gs":
            return BucketReferences(scheme)
    return OtherReferences()


class FileReferences:
    """Files and folders that all machines see: ``file:///nfs/data``."""

    def entries(self, uri: str, name: str | None, *, checksum: bool) -> Iterator[ArtifactManifestEntry]:
        """Yield the file, or the files below the folder, with their SHA-256."""
        path = unquote(urlsplit(uri).path)
        if os.path.isdir(path):  # noqa: PTH112
            for local, relative in files_below(path):
                entry_path = f"{name.rstrip('/')}/{relative}" if name else relative
                yield self._entry(local, f"{uri.rstrip('/')}/{quote(relative)}", entry_path, checksum=checksum)
        elif os.path.isfile(path):  # noqa: PTH113
            yield self._entry(path, uri, name or os.path.basename(path), checksum=checksum)  # noqa: PTH119
        else:
            raise ValueError(f"Invalid reference {uri!r}: {path!r} is neither a file nor a directory")

    @staticmethod
    def _entry(local: str, uri: str, path: str, *, checksum: bool) -> ArtifactManifestEntry:
        digest = sha256_of(Path(local)) if checksum else _of_uri(uri)
        return ArtifactManifestEntry(path, Path(local).stat().st_size, ref=uri, digest=digest)

    def fetch(self, entry: ArtifactManifestEntry, target: Path) -> None:
        """Copy the file if it still has the content that was referred to."""
        source = Path(unquote(urlsplit(entry.ref_target()).path))
        if not source.is_file():
            raise FileNotFoundError(f"{entry.path!r} refers to {str(source)!r}, which is not a file here")
        shutil.copyfile(source, target)
        if entry.digest not in {_of_uri(entry.ref_target()), sha256_of(target)}:
            raise ValueError(f"{str(source)!r} has changed since {entry.path!r} was logged as a reference to it")


class HttpReferences:
    """What a web server serves, identified by its ETag."""

    def entries(self, uri: str, name: str | None, *, checksum: bool) -> Iterator[ArtifactManifestEntry]:
        """Yield one entry with the size and the ETag that the server states."""
        path = name or unquote(urlsplit(uri).path.rstrip("/").rpartition("/")[2])
        if not path:
            raise ValueError(f"Invalid reference {uri!r}: its path names no file; pass name to add_reference()")
        if not checksum:
            yield ArtifactManifestEntry(path, 0, ref=uri, digest=_of_uri(uri))
            return
        with _opened(uri) as answer:
            size = int(answer.headers.get("Content-Length", "0"))
            etag = answer.headers.get("ETag", "")
        extra = {"etag": etag} if etag else {}
        yield ArtifactManifestEntry(path, size, ref=uri, digest=etag.strip('"') or _of_uri(uri), extra=extra)

    def fetch(self, entry: ArtifactManifestEntry, target: Path) -> None:
        """Download the content; one with another ETag is refused."""
        with _opened(entry.ref_target()) as answer, target.open("wb") as file:
            expected, found = entry.extra.get("etag"), answer.headers.get("ETag")
            if expected is not None and found != expected:
                raise ValueError(
                    f"{entry.ref!r} has changed since {entry.path!r} was logged: ETag {found}, expected {expected}"
                )
            for chunk in answer.iter_bytes():
                file.write(chunk)


class BucketReferences:
    """Objects of a bucket: ``s3://bucket/key``, or a prefix of keys; ``gs://`` by the same protocol.

    The endpoint is that of ``AWS_ENDPOINT_URL``, else Amazon's or Google's. Credentials are those of the environment,
    of AWS' configuration files, or of the machine; without any, requests are anonymous.
    """

    def __init__(self, scheme: str) -> None:
        self._scheme = scheme
        #: Whether no credentials were found.
        self._anonymous = False

    def entries(self, uri: str, name: str | None, *, checksum: bool) -> Iterator[ArtifactManifestEntry]:
        """Yield the object, or those below the prefix, with their ETag and version."""
        bucket, key = _bucket_and_key(uri)
        version = dict(part.partition("=")[::2] for part in urlsplit(uri).query.split("&")).get("versionId")
        if not checksum:
            plain = f"{self._scheme}://{bucket}/{key}"
            yield ArtifactManifestEntry(name or key.rstrip("/") or bucket, 0, ref=plain, digest=_of_uri(plain))
            return
        with _bucket_errors(uri, anonymous=lambda: self._anonymous):
            client = self._client
            single = self._single(client, bucket, key, version) if key and not key.endswith("/") else None
            if single is not None:
                yield self._entry(single, bucket, name or key.rpartition("/")[2])
                return
            prefix = f"{key.rstrip('/')}/" if key else ""
            for found in client.list_objects(bucket, prefix=prefix, recursive=True):
                if not found.is_dir and found.size:
                    relative = found.object_name.removeprefix(prefix)
                    yield self._entry(found, bucket, f"{name.rstrip('/')}/{relative}" if name else relative)

    def fetch(self, entry: ArtifactManifestEntry, target: Path) -> None:
        """Download the object, in the version that was referred to; one with another ETag is refused."""
        bucket, key = _bucket_and_key(entry.ref_target())
        version = entry.extra.get("versionID")
        with _bucket_errors(entry.ref_target(), anonymous=lambda: self._anonymous):
            client = self._client
            if "etag" in entry.extra:
                found = client.stat_object(bucket, key, version_id=version).etag
                if found != entry.extra["etag"]:
                    raise ValueError(f"{entry.ref!r} has changed since {entry.path!r} was logged as a reference to it")
            client.fget_object(bucket, key, str(target), version_id=version)

    @staticmethod
    def _single(client: Any, bucket: str, key: str, version: str | None) -> Any:
        """Return the object with this key, or None if there is none."""
        from minio.error import S3Error  # noqa: PLC0415 - optional

        try:
            return client.stat_object(bucket, key, version_id=version)
        except S3Error as error:
            if error.code not in {"NoSuchKey", "NoSuchObject"}:
                raise
            return None

    def _entry(self, found: Any, bucket: str, path: str) -> ArtifactManifestEntry:
        version = found.version_id
        extra = {"etag": found.etag} | ({"versionID": version} if version and version != "null" else {})
        uri = f"{self._scheme}://{bucket}/{found.object_name}"
        return ArtifactManifestEntry(path, int(found.size), ref=uri, digest=found.etag, extra=extra)

    @cached_property
    def _client(self) -> Any:
        try:
            import urllib3  # noqa: PLC0415 - comes with minio
            from minio import Minio  # noqa: PLC0415 - optional
            from minio.credentials import providers  # noqa: PLC0415
        except ImportError:
            raise Error(
                f"References to {self._scheme}:// need the package minio: pip install 'runstream[server]', or pass "
                "checksum=False to refer to them without looking"
            ) from None
        default = _AMAZON if self._scheme == "s3" else _GOOGLE
        environ = os.environ
        configured = (environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL")) or default
        endpoint = urlsplit(configured)
        # By default, a machine that is none of Amazon's would be asked for minutes.
        machine = providers.IamAwsProvider(http_client=urllib3.PoolManager(timeout=_METADATA_TIMEOUT_S, retries=False))
        provider: Any = providers.ChainedProvider([providers.EnvAWSProvider(), providers.AWSConfigProvider(), machine])
        try:
            provider.retrieve()
        except (ValueError, OSError, urllib3.exceptions.HTTPError):  # a public bucket needs no credentials
            provider = None
            self._anonymous = True
        region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
        return Minio(endpoint.netloc, credentials=provider, secure=endpoint.scheme == "https", region=region)


class OtherReferences:
    """URIs of other schemes: they are identified by themselves, and cannot be downloaded."""

    def entries(self, uri: str, name: str | None, *, checksum: bool) -> Iterator[ArtifactManifestEntry]:
        """Yield one entry without a size; raises ValueError without a name, which only the user knows."""
        del checksum
        if not name:
            raise ValueError(f"Invalid reference {uri!r} of an unknown scheme: pass name to add_reference()")
        yield ArtifactManifestEntry(name, 0, ref=uri, digest=_of_uri(uri))

    def fetch(self, entry: ArtifactManifestEntry, target: Path) -> None:
        """Raise ValueError."""
        raise ValueError(f"{entry.path!r} refers to {entry.ref!r}, which cannot be downloaded to {target}: use its URI")


class ArtifactReferences(OtherReferences):
    """Files of other artifacts of a server: ``runstream-artifact://entity/project/name:version/path``."""

    def __init__(self, connection: ApiConnection) -> None:
        self._connection = connection
        self._known: dict[str, tuple[StoredVersion, Manifest]] = {}

    def fetch(self, entry: ArtifactManifestEntry, target: Path) -> None:
        """Download the file from the server of the artifact."""
        from runstream.download.downloader import Download, Downloader  # noqa: PLC0415 - imports httpx
        from runstream.server.api_connection import NotFoundError  # noqa: PLC0415

        *version, path = entry.ref_target().partition("://")[2].split("/", 3)
        try:
            stored, manifest = self._version("/".join(version))
        except (NotFoundError, ValueError) as error:
            raise FileNotFoundError(f"{entry.path!r} refers to {entry.ref!r}, which is not there: {error}") from error
        file = manifest.entries.get(path)
        if file is None or file.reference:
            raise FileNotFoundError(f"{entry.path!r} refers to {entry.ref!r}, which is not a file of that artifact")
        digest = file.sha256.hex()
        if entry.digest not in {_of_uri(entry.ref_target()), digest}:
            raise ValueError(f"{entry.ref!r} has changed since {entry.path!r} was logged as a reference to it")
        source = stored.file_address(path)
        download = Download(source=source, target=target, size=file.size, sha256=digest, name=str(entry.ref))
        Downloader(self._connection.client).download([download])

    def _version(self, name: str) -> tuple[StoredVersion, Manifest]:
        if name not in self._known:
            path = VersionPath.of_reference(parse_reference(name))
            stored = StoredVersion.read(self._connection, path)
            self._known[name] = stored, stored.manifest()
        return self._known[name]


def _of_uri(uri: str) -> str:
    return hashlib.sha256(uri.encode("utf-8", "surrogatepass")).hexdigest()


def _bucket_and_key(uri: str) -> tuple[str, str]:
    """Return the bucket and the key of a URI; raises ValueError."""
    parts = urlsplit(uri)
    if not _BUCKET.fullmatch(parts.netloc):
        raise ValueError(f"Invalid reference {uri!r}: {parts.netloc!r} is not a name of a bucket")
    return parts.netloc, unquote(parts.path.lstrip("/"))


@contextmanager
def _opened(uri: str) -> Iterator[httpx.Response]:
    """Yield the answer to a GET, whose content is not read yet; raises CommError."""
    import httpx  # noqa: PLC0415 - only with a reference to look into

    try:
        with (
            httpx.Client(follow_redirects=True, timeout=_TIMEOUT_S) as client,
            client.stream("GET", uri) as answer,
        ):
            answer.raise_for_status()
            yield answer
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise CommError(f"Cannot read the reference {uri!r}: {error}") from error


@contextmanager
def _bucket_errors(uri: str, *, anonymous: Callable[[], bool]) -> Iterator[None]:
    """Raise FileNotFoundError for what a bucket does not have, CommError for other errors of an object store."""
    try:
        yield
    except Exception as error:
        # The status, where the client of minio rejects the content type of the answer.
        code = getattr(error, "code", None) or getattr(error, "_code", None)
        if code in {"NoSuchKey", "NoSuchObject", "NoSuchBucket", "NoSuchVersion", 404}:
            raise FileNotFoundError(f"Cannot read the reference {uri!r}: {error}") from error
        if code is not None or type(error).__module__.startswith(("minio", "urllib3")):
            raise CommError(f"Cannot read the reference {uri!r}{_ANONYMOUS if anonymous() else ''}: {error}") from error
        raise
