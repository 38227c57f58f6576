-- The runs that log, use and link a collection are in different partitions, so that these tables do not depend on the
-- order of events: of two that contradict each other, the decision that the event carries says which is in force.
-- Times are microseconds since 1970, by the brokers' clock.
create table collection (
    -- hash of entity, project and name
    id uuid primary key,
    entity text not null,
    project text not null,
    name text not null,
    unique (entity, project, name)
);

-- What the first log of a version, or its link, defines; the smallest decision counts.
create table version (
    collection uuid not null,
    version bigint not null,
    decision bigint not null,
    created bigint not null,
    -- path of the run, or of the commands of the project
    run_entity text not null,
    run_project text not null,
    run_id text not null,
    digest bytea not null,
    manifest_key text not null,
    size bigint not null,
    file_count bigint not null,
    -- of a version that several writers made: the draft that ended with it
    draft text not null,
    -- of a link: the version that it links
    source uuid,
    source_version bigint,
    primary key (collection, version)
);
create index version_of_source on version (source, source_version) where source is not null;
create index version_of_digest on version (collection, digest);
create index version_of_draft on version (draft) where draft <> '';

-- Properties of a version, or of its collection where the version is -1; the greatest decision counts. `logged` has the
-- last decision by which the version was logged, `deleted` that by which it, or every earlier version, was deleted.
create table property (
    collection uuid not null,
    version bigint not null,
    name text not null,
    decision bigint not null,
    -- JSON, in ASCII: Postgres has no NUL characters
    value text collate "C" not null,
    time bigint not null,
    primary key (collection, version, name)
) with (fillfactor = 80);
create index property_logged on property (collection, decision desc) where name = 'logged';

-- Aliases and tags, with the last decision that added and that removed each. An alias is that of the version to which it
-- was added last.
create table label (
    collection uuid not null,
    version bigint not null,
    kind text not null,
    name text not null,
    added bigint not null,
    removed bigint not null,
    primary key (collection, version, kind, name)
) with (fillfactor = 80);
create index label_of_name on label (collection, kind, name, added desc);

-- Which runs logged and used a version, since when.
create table lineage (
    run uuid not null,
    collection uuid not null,
    version bigint not null,
    direction text not null,
    -- JSON text, in ASCII
    use_as text not null,
    run_entity text not null,
    run_project text not null,
    run_id text not null,
    time bigint not null,
    primary key (run, collection, version, direction, use_as)
);
create index lineage_of_version on lineage (collection, version, direction, time);

-- The manifests that writers contributed to versions that several writers make.
create table contribution (
    draft text not null,
    writer uuid not null,
    seq bigint not null,
    collection uuid not null,
    -- JSON text, in ASCII
    distributed_id text not null,
    decision bigint not null,
    manifest_key text not null,
    primary key (draft, writer, seq)
);
create index contribution_of_collection on contribution (collection);

-- The versions that are shown: neither they nor the versions that they link are deleted.
create view live as
select version.*, collection.entity, collection.project, collection.name,
    coalesce(source, version.collection) as origin, coalesce(source_version, version.version) as origin_version,
    linked.entity as source_entity, linked.project as source_project, linked.name as source_name
from version
join collection on collection.id = version.collection
left join collection as linked on linked.id = source
where not exists (
        select from property where property.collection = version.collection and property.version = version.version
            and property.name = 'deleted'
    )
    and not exists (
        select from property where property.collection = version.collection and property.version = -1
            and property.name = 'deleted' and property.decision > version.decision
    )
    and (source is null or not exists (
        select from property left join version as original
            on original.collection = version.source and original.version = version.source_version
        where property.collection = version.source and property.name = 'deleted'
            and (property.version = version.source_version
                or (property.version = -1 and property.decision > original.decision))
    ));

-- What writers contributed to versions that are not made yet.
create view open_contribution as
select contribution.*, entity from contribution
join collection on collection.id = contribution.collection
where not exists (select from version where version.draft = contribution.draft)
    and not exists (
        select from property where property.collection = contribution.collection and property.version = -1
            and property.name = 'deleted' and property.decision > contribution.decision
    );
