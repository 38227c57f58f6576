-- name: load
select run, created, updated, last_step, keys, document,
    array(select entries from summary.change where change.run = run.run) as changes,
    exists (select from summary.part where part.run = run.run and number < 0) as by_hand
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

-- name: documents
select run, entity, project, run_id, created, updated, last_step, summary, config, attributes, metadata, metrics,
    array(select part.summary from summary.part where part.run = run.run) as parts,
    array(select entries from summary.change where change.run = run.run) as changes
from summary.run where run = any($1::uuid[])

-- name: attributes
select attributes,
    array(select entries from summary.change where change.run = run.run) as changes
from summary.run where run = $1

-- name: runs
-- Newest first; $4 and $5 are the last run of the previous page. Wide columns are read only if $7 has their name.
select run, entity, project, run_id, created, updated, last_step, attributes,
    case when 'config' = any($7::text[]) then config end as config,
    case when 'metadata' = any($7::text[]) then metadata end as metadata,
    case when 'summary' = any($7::text[]) then summary end as summary,
    case when 'summary' = any($7::text[])
        then array(select part.summary from summary.part where part.run = run.run) end as parts,
    array(select entries from summary.change where change.run = run.run) as changes
from summary.run
where ($1::text is null or entity = $1) and ($2::text is null or project = $2)
    and ($4::bigint is null or (created, run) < ($4, $5::uuid))
    and ($6::bigint is null or created >= $6)
    and ($8::text is null or run_id = $8)
order by created desc, run desc
limit $3

-- name: projects
select entity, project, count(*) as runs, max(updated) as updated
from summary.run group by entity, project order by max(updated) desc, entity, project

-- name: state
select run, created, updated, last_step, keys, document,
    array(select part.keys from summary.part where part.run = run.run and number > 0) as parts,
    array(select entries from summary.change where change.run = run.run) as changes, false as by_hand
from summary.run where run = $1
