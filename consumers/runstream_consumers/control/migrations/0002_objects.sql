-- What the object store has, or is about to have. An object that no file and no manifest references is deleted once it
-- has not been wanted for the grace period (docs/adr/0018).
create table object (
    -- the folder of its entity (runstream_schemas.stored.objects)
    entity uuid not null,
    sha256 bytea not null check (length(sha256) = 32),
    size bigint not null check (size >= 0),
    -- when a client last asked for it
    wanted_at timestamptz not null default now(),
    -- when the store was last seen to have all bytes; null: not since they were last deleted
    stored_at timestamptz,
    -- the unfinished upload of its parts
    upload_id text,
    primary key (entity, sha256)
) with (fillfactor = 80);

create index object_of_time on object (wanted_at);

-- The manifests that collections have read: their entries never change, so that each is read once.
create table manifest (
    id bigint generated always as identity primary key,
    entity uuid not null,
    digest bytea not null check (length(digest) = 32),
    unique (entity, digest)
);

create table manifest_entry (
    manifest bigint not null references manifest on delete cascade,
    sha256 bytea not null,
    primary key (manifest, sha256)
);

create index entry_of_hash on manifest_entry (sha256);

-- Collections of objects, for the interval between two and for operators.
create table collection (
    id bigint generated always as identity primary key,
    began timestamptz not null default now(),
    ended timestamptz,
    -- JSON: what was deleted, or why nothing could be
    result text
);
