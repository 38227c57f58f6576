-- name: load
select run, created, updated, last_step, keys, document,
    array(select entries from change where change.run = run.run) as changes,
    exists (select from part where part.run = run.run and number < 0) as by_hand
from run where run = any($1::uuid[])

-- name: load_parts
select run, number, keys from part where run = any($1::uuid[]) and number > 0 order by run, number

-- name: save_parts
insert into part (run, number, keys, summary)
select * from unnest($1::uuid[], $2::integer[], $3::bytea[], $4::text[])
on conflict (run, number) do update set keys = excluded.keys, summary = excluded.summary

-- name: add_changes
insert into change (run, entries) select * from unnest($1::uuid[], $2::bytea[])

-- name: drop_changes
delete from change where run = any($1::uuid[])

-- name: create
insert into run
    (run, created, updated, last_step, keys, document, summary, config, attributes, metadata, metrics,
     entity, project, run_id)
select * from unnest(
    $1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bytea[], $6::bytea[], $7::text[], $8::text[],
    $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[])

-- name: save
-- A null leaves the column unchanged.
update run as known set
    created = given.created,
    updated = given.updated,
    last_step = given.last_step,
    keys = coalesce(given.keys, known.keys),
    document = coalesce(given.document, known.document),
    summary = given.summary,
    config = coalesce(given.config, known.config),
    attributes = coalesce(given.attributes, known.attributes),
    metadata = coalesce(given.metadata, known.metadata),
    metrics = coalesce(given.metrics, known.metrics)
from unnest(
    $1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bytea[], $6::bytea[], $7::text[], $8::text[],
    $9::text[], $10::text[], $11::text[])
    as given (run, created, updated, last_step, keys, document, summary, config, attributes, metadata, metrics)
where known.run = given.run

-- name: list
-- A null leaves the column unchanged; the row of a new run has a description.
insert into listing as known (run, entity, project, run_id, created, updated, described, summary, partial)
select run, entity, project, run_id, created, updated, coalesce(described, '{}')::jsonb, summary::jsonb, partial
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::text[], $8::text[],
    $9::boolean[])
    as given (run, entity, project, run_id, created, updated, described, summary, partial)
on conflict (run) do update set
    created = excluded.created,
    updated = excluded.updated,
    described = case when excluded.described = '{}' then known.described else excluded.described end,
    summary = excluded.summary,
    partial = excluded.partial or (excluded.described = '{}' and known.partial)

-- name: documents
select run, entity, project, run_id, created, updated, last_step, summary, config, attributes, metadata, metrics,
    array(select part.summary from summary.part where part.run = run.run) as parts,
    array(select entries from summary.change where change.run = run.run) as changes
from summary.run where run = any($1::uuid[])

-- name: attributes
select created, attributes,
    array(select entries from summary.change where change.run = run.run) as changes
from summary.run where run = $1

-- name: runs
-- Newest first; $4 and $5 are the last run of the previous page.
select run.run, run.entity, run.project, run.run_id, run.created, run.updated, last_step, attributes,
    null as config, null as metadata, null as summary, null as parts, null as metrics,
    array(select entries from summary.change where change.run = run.run) as changes
from (
    select run from summary.listing
    where ($1::text is null or entity = $1) and ($2::text is null or project = $2)
        and ($4::bigint is null or (created, run) < ($4, $5::uuid))
    order by created desc, run desc
    limit $3
) as listed
join summary.run using (run)
order by run.created desc, run.run desc

-- name: has_partial
select exists (
    select from summary.listing
    where partial and ($1::text is null or entity = $1) and ($2::text is null or project = $2)
)

-- name: projects
select entity, project, count(*) as runs, max(updated) as updated
from summary.listing group by entity, project order by max(updated) desc, entity, project

-- name: packed_keys
select xmin::text as version,
    array[keys] || array(select part.keys from summary.part where part.run = run.run and number > 0) as parts
from summary.run where run = $1

-- name: version
-- Changes with every change of the run, since its row is always written.
select xmin::text from summary.run where run = $1

-- name: state
select run, created, updated, last_step, keys, document,
    array(select part.keys from summary.part where part.run = run.run and number > 0) as parts,
    array(select entries from summary.change where change.run = run.run) as changes, false as by_hand
from summary.run where run = $1
