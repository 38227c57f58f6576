-- name: want
-- `new`: whether the row was inserted, so that nothing can have been uploaded. The row of a stored object that was
-- wanted a moment ago ($5) is not written again. `offset 0`: each object is looked up by itself, however few the planner
-- expects to be recent; it would read the whole table otherwise.
with given as materialized (
    select asked.sha256, asked.size as asked_size, known.size, known.upload_id, known.stored_at,
        coalesce(known.stored_at is not null and known.wanted_at > now() - $5::interval, false) as is_recent
    from unnest($2::bytea[], $3::bigint[]) as asked (sha256, size)
    left join lateral (
        select * from control.object where object.entity = $1 and object.sha256 = asked.sha256 offset 0
    ) as known on true
),
written as (
    insert into control.object as known (entity, sha256, size)
    select $1, sha256, asked_size from given
    where not is_recent
    order by sha256
    on conflict (entity, sha256) do update set
        wanted_at = now(),
        size = case when known.stored_at is null then excluded.size else known.size end
    returning sha256, size, upload_id, xmax = 0 as new, stored_at
)
select sha256, size, stored_at is not null as stored, stored_at is not null and stored_at > now() - $4::interval as seen,
    new, upload_id
from written
union all
select sha256, size, true, stored_at > now() - $4::interval, false, upload_id from given where is_recent

-- name: set_stored
insert into control.object as known (entity, sha256, size, stored_at)
select $1, given.sha256, given.size, now() from unnest($2::bytea[], $3::bigint[]) as given (sha256, size)
order by given.sha256
on conflict (entity, sha256) do update set
    wanted_at = now(), stored_at = now(), size = excluded.size, upload_id = null

-- name: set_missing
update control.object set stored_at = null where entity = $1 and sha256 = any($2::bytea[])

-- name: start_upload
-- The first of two requests at the same time wins: both send parts of the same upload.
update control.object set upload_id = case when upload_id is not distinct from $3 then $4 else upload_id end
where entity = $1 and sha256 = $2
returning upload_id

-- name: find
update control.object set wanted_at = now() where entity = $1 and sha256 = $2
returning size, upload_id, stored_at is not null as stored
