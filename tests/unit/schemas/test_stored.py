"""Keys of objects, and manifests of artifacts."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstream_schemas.exceptions import InvalidManifest
from runstream_schemas.stored.manifest import Manifest, ManifestEntry, digest_of
from runstream_schemas.stored.names import problem_of_name
from runstream_schemas.stored.objects import entity_key, is_object_key, object_key, parse_key

SHA256 = st.binary(min_size=32, max_size=32)
ENTRIES = st.dictionaries(
    st.text(max_size=20),
    st.builds(ManifestEntry, size=st.integers(0, 2**60), sha256=SHA256)
    | st.builds(
        ManifestEntry,
        size=st.integers(0, 2**60),
        reference=st.text(min_size=1, max_size=20),
        digest=st.text(max_size=20),
        extra=st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=2),
    ),
    max_size=5,
)


@given(st.text(max_size=20), st.text(max_size=20), SHA256)
def test_a_key_belongs_to_one_entity(entity: str, other: str, sha256: bytes) -> None:
    """The key of bytes is a key of their entity, and of no other; it does not contain the entity's name."""
    key = object_key(entity, sha256)

    assert is_object_key(key, entity)
    assert is_object_key(key, other) == (entity == other)
    assert key.endswith(sha256.hex())


@pytest.mark.parametrize("key", ["", "..", "a/b", f"{'0' * 32}/00/{'0' * 64}/x", f"{'0' * 32}/00/../{'0' * 64}"])
def test_other_paths_are_no_keys(key: str) -> None:
    """A key has exactly the form of one that was derived."""
    assert not is_object_key(key, "ada")


def test_a_short_hash_has_no_key() -> None:
    """A SHA-256 has 32 bytes."""
    with pytest.raises(ValueError, match="5 bytes"):
        object_key("ada", b"12345")


@given(ENTRIES.filter(lambda found: all(name.isprintable() for name in found)))
def test_a_manifest_is_read_as_it_was_written(entries: dict[str, ManifestEntry]) -> None:
    """Decoding an encoded manifest returns its entries, and encoding them again the same bytes, in any order."""
    encoded = Manifest(entries).encode()
    found = Manifest.decode(encoded)

    assert found.entries == entries
    assert Manifest(dict(reversed(list(entries.items())))).encode() == encoded
    assert digest_of(encoded) == hashlib.sha256(encoded).digest()
    assert found.size == sum(entry.size for entry in entries.values())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"version":2,"entries":{}}',
        b'{"version":1,"entries":[]}',
        b'{"version":1,"entries":{"a":{}}}',
        b'{"version":1,"entries":{"a":{"sha256":"zz","size":1}}}',
        b"\xff",
        b"[" * 100000,
    ],
    ids=lambda data: str(data[:40]),
)
def test_other_bytes_are_refused(data: Any) -> None:
    """Bytes that are not a manifest are an error of the contract."""
    with pytest.raises(InvalidManifest):
        Manifest.decode(data)


@pytest.mark.parametrize("name", ["a", "a/b.txt", "a\\b", "ü/日本", "..a", "a b/c+d%20", "x" * 255])
def test_a_relative_path_is_a_name(name: str) -> None:
    """Any relative path below the folder is a name."""
    assert problem_of_name(name) == ""


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/a",
        "a/",
        "a//b",
        "..",
        "../a",
        "a/../b",
        ".",
        "a/.",
        "a\x00b",
        "a\nb",
        "\ud800",
        "x" * 256,
        "a/" * 600 + "a",
    ],
    ids=ascii,
)
def test_other_texts_are_no_names(name: str) -> None:
    """A text that could name a file outside the folder, or that file systems refuse, is not a name."""
    assert problem_of_name(name)


def test_a_key_has_its_entity_and_hash() -> None:
    """What a key is made of can be read from it; other texts are no keys."""
    key = object_key("ada", b"x" * 32)
    found = parse_key(key)
    assert found is not None
    assert (found[0].hex, found[1]) == (entity_key("ada"), b"x" * 32)
    digits = f"{key[:33]}00{key[35:]}"
    assert [parse_key(text) for text in ("", key[1:], key.upper(), digits)] == [None] * 4
