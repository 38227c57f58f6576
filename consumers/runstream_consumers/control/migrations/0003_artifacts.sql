-- Decisions about collections of artifacts. The events of the topic artifact publish them, so that a replay reads them;
-- these tables make each of them the only one.
create table artifact_collection (
    -- hash of entity, project and name
    id uuid primary key,
    entity text not null,
    project text not null,
    name text not null,
    type text not null,
    -- whether its versions are links
    portfolio boolean not null,
    last_version bigint not null,
    last_decision bigint not null
) with (fillfactor = 50);

create table artifact_version (
    collection uuid not null references artifact_collection on delete cascade,
    version bigint not null,
    -- what makes two versions the same: the digest, or of a link a hash of the version that it links
    content bytea not null,
    digest bytea not null,
    manifest_key text not null,
    size bigint not null,
    file_count bigint not null,
    -- of a link
    source uuid,
    source_version bigint,
    deleted boolean not null default false,
    primary key (collection, version)
);
create unique index artifact_content on artifact_version (collection, content) where not deleted;

-- Versions that several writers make. Closing: it takes no more contributions, and its version is being made.
create table artifact_draft (
    id uuid primary key,
    collection uuid not null references artifact_collection on delete cascade,
    distributed_id text not null,
    state text not null check (state in ('open', 'closing', 'closed')),
    version bigint
);
create unique index artifact_open_draft on artifact_draft (collection, distributed_id) where state = 'open';

create table artifact_contribution (
    draft uuid not null references artifact_draft on delete cascade,
    decision bigint not null,
    manifest_key text not null,
    primary key (draft, decision)
);

-- The answers to requests, so that one that is repeated is answered alike.
create table artifact_request (
    writer uuid not null,
    seq bigint not null,
    collection uuid not null references artifact_collection on delete cascade,
    decision bigint not null,
    version bigint,
    draft uuid,
    primary key (writer, seq, collection)
);
