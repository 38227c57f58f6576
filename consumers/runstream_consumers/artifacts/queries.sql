-- name: add_collections
insert into collection select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) on conflict do nothing

-- name: add_versions
insert into version
select * from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[],
    $8::bytea[], $9::text[], $10::bigint[], $11::bigint[], $12::text[], $13::uuid[], $14::bigint[])
on conflict (collection, version) do update set decision = excluded.decision, created = excluded.created,
    run_entity = excluded.run_entity, run_project = excluded.run_project, run_id = excluded.run_id,
    digest = excluded.digest, manifest_key = excluded.manifest_key, size = excluded.size,
    file_count = excluded.file_count, draft = excluded.draft, source = excluded.source,
    source_version = excluded.source_version
where (excluded.decision, excluded.created) < (version.decision, version.created)

-- name: add_properties
insert into property
select * from unnest($1::uuid[], $2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::bigint[])
on conflict (collection, version, name) do update
    set decision = excluded.decision, value = excluded.value, time = excluded.time
where (excluded.decision, excluded.value, excluded.time) > (property.decision, property.value, property.time)

-- name: add_labels
insert into label select * from unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::bigint[])
on conflict (collection, version, kind, name) do update
    set added = greatest(label.added, excluded.added), removed = greatest(label.removed, excluded.removed)

-- name: add_lineage
insert into lineage
select * from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::bigint[])
on conflict (run, collection, version, direction, use_as) do update set time = excluded.time
where excluded.time < lineage.time

-- name: add_contributions
insert into contribution
select * from unnest($1::text[], $2::uuid[], $3::bigint[], $4::uuid[], $5::text[], $6::bigint[], $7::text[])
on conflict do nothing

-- name: version
select * from artifacts.live where collection = $1 and version = $2

-- name: was_logged
select exists (select from artifacts.version where collection = $1 and version = $2)

-- name: latest
select live.version from artifacts.property as logged
join artifacts.live on live.collection = logged.collection and live.version = logged.version
where logged.collection = $1 and logged.name = 'logged' order by logged.decision desc limit 1

-- name: of_digest
select version from artifacts.live where collection = $1 and digest = $2 order by version desc limit 1

-- name: of_alias
select version from (
    select version, added > removed as given from artifacts.label
    where collection = $1 and kind = 'alias' and name = $2 order by added desc limit 1
) as last where given

-- name: page
-- Newest first; $2 is the last version of the page before.
select * from artifacts.live where collection = $1 and ($2::bigint is null or version < $2)
order by version desc limit $3

-- name: aliases
-- Of collections: to which versions their aliases belong.
select collection, version, name from (
    select distinct on (collection, name) collection, version, name, added > removed as given from artifacts.label
    where collection = any($1::uuid[]) and kind = 'alias' order by collection, name, added desc
) as last where given
union all
select wanted.collection, latest.version, 'latest' from unnest($1::uuid[]) as wanted (collection)
cross join lateral (
    select live.version from artifacts.property as logged
    join artifacts.live on live.collection = logged.collection and live.version = logged.version
    where logged.collection = wanted.collection and logged.name = 'logged' order by logged.decision desc limit 1
) as latest
order by name

-- name: properties
select property.* from artifacts.property
join (select distinct * from unnest($1::uuid[], $2::bigint[]) as one (collection, version)) as wanted
    using (collection, version)

-- name: tags
select label.collection, label.version, label.name from artifacts.label
join (select distinct * from unnest($1::uuid[], $2::bigint[]) as one (collection, version)) as wanted
    using (collection, version)
where kind = 'tag' and added > removed order by label.name

-- name: links
-- The versions that link versions.
select live.* from artifacts.live
join (select distinct * from unnest($1::uuid[], $2::bigint[]) as one (collection, version)) as wanted
    on live.source = wanted.collection and live.source_version = wanted.version
order by live.entity, live.project, live.name, live.version

-- name: runs_of_version
-- The runs that logged or used a version, or a link to it: each once, with everything that it was used as.
select run_entity, run_project, run_id, array_agg(use_as order by time, use_as) as uses, min(time) as time
from artifacts.lineage
where direction = $3 and (collection, version) in (
    select $1::uuid, $2::bigint
    union select collection, version from artifacts.version where source = $1 and source_version = $2
) and run_id <> ':artifacts'
group by run_entity, run_project, run_id order by min(time), run_entity, run_project, run_id
offset $4 limit $5

-- name: versions_of_run
-- Each once, with everything that it was used as.
select live.*, related.uses from (
    select collection, version, array_agg(use_as order by time, use_as) as uses, min(time) as time
    from artifacts.lineage where run = $1 and direction = $2 group by collection, version
) as related
join artifacts.live on live.collection = related.collection and live.version = related.version
order by related.time, live.name, live.entity, live.project, live.version offset $3 limit $4

-- name: collections
-- Those of a project that have a version that is not deleted, by name.
select collection.*, newest.*, type.value as type, coalesce(description.value, '""') as description,
    coalesce(ttl.value, '0') as ttl_s
from artifacts.collection
left join artifacts.property as type
    on type.collection = id and type.version = -1 and type.name = 'type'
left join artifacts.property as description
    on description.collection = id and description.version = -1 and description.name = 'description'
left join artifacts.property as ttl on ttl.collection = id and ttl.version = -1 and ttl.name = 'ttl_s'
cross join lateral (
    select count(*) as versions, min(created) as created, max(created) as updated, bool_or(source is not null) as portfolio
    from artifacts.live where live.collection = id
) as newest
where collection.entity = $1 and collection.project = $2 and ($3::text is null or collection.name = $3)
    and ($4::text is null or type.value = $4) and ($5::text is null or collection.name > $5) and versions > 0
order by collection.name limit $6

-- name: types
select type.value as type, count(*) as collections from artifacts.collection
join artifacts.property as type on type.collection = id and type.version = -1 and type.name = 'type'
where entity = $1 and project = $2 and exists (select from artifacts.live where live.collection = id)
group by type.value order by type.value

-- name: manifests
-- The manifests of versions that are not deleted, and of contributions to versions that are not made yet.
select entity, manifest_key from artifacts.live where source is null
union select entity, manifest_key from artifacts.open_contribution where draft <> all($1::text[])

-- name: expired
-- Versions whose lifetime has ended, oldest first. A link, and an alias other than latest, keeps a version.
select live.* from artifacts.property as ttl
join artifacts.live on live.collection = ttl.collection and (ttl.version = live.version or (ttl.version = -1 and not exists (
    select from artifacts.property as own where own.collection = live.collection and own.version = live.version
        and own.name = 'ttl_s' and own.value <> '0'
)))
where ttl.name = 'ttl_s' and ttl.value::bigint > 0 and live.created + ttl.value::bigint * 1000000 <= $1
    and live.source is null
    and not exists (
        select from artifacts.live as link where link.source = live.collection and link.source_version = live.version
    )
    and not exists (
        select from artifacts.label where label.collection = live.collection and label.version = live.version
            and label.kind = 'alias' and label.added > label.removed and not exists (
                select from artifacts.label as later where later.collection = label.collection and later.kind = 'alias'
                    and later.name = label.name and later.added > label.added
            )
    )
order by live.created limit $2

-- name: registries
select project, count(*) as collections from artifacts.collection
where entity = $1 and (project = 'model-registry' or starts_with(project, 'wandb-registry-'))
    and exists (select from artifacts.live where live.collection = id)
group by project order by project

-- name: published_versions
select version.*, not exists (
    select from artifacts.live where live.collection = version.collection and live.version = version.version
) as is_deleted
from artifacts.version where collection = $1 order by version

-- name: published_contributions
select draft, decision, distributed_id, manifest_key from artifacts.open_contribution where collection = $1
order by decision desc

-- name: last_decision
select greatest(
    (select max(decision) from artifacts.property where collection = $1),
    (select max(greatest(added, removed)) from artifacts.label where collection = $1),
    (select max(decision) from artifacts.contribution where collection = $1)
)
