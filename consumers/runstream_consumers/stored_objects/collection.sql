-- name: known_manifests
select id, entity, digest from control.manifest

-- name: add_manifest
insert into control.manifest (entity, digest) values ($1, $2) on conflict do nothing returning id

-- name: add_entries
insert into control.manifest_entry select $1, sha256 from unnest($2::bytea[]) as given (sha256)

-- name: forget_manifests
delete from control.manifest where id = any($1::bigint[])

-- name: adopt
-- Objects without a row: the schema was lost, or bytes arrived after their row was deleted. They are kept for the grace
-- period from now on.
insert into control.object (entity, sha256, size, stored_at)
select given.entity, given.sha256, given.size, now()
from unnest($1::uuid[], $2::bytea[], $3::bigint[]) as given (entity, sha256, size)
order by given.entity, given.sha256
on conflict do nothing

-- name: unreferenced
select entity, sha256, size from control.object
where wanted_at < $1 and (entity, sha256) > ($2, $3)
    and not exists (
        select from files.file
        where file.entity = object.entity and file.sha256 = object.sha256 and file.stored > file.deleted
    )
    and not exists (
        select from control.manifest where manifest.entity = object.entity and manifest.digest = object.sha256
    )
    and not exists (
        select from control.manifest_entry join control.manifest on manifest.id = manifest_entry.manifest
        where manifest_entry.sha256 = object.sha256 and manifest.entity = object.entity
    )
order by entity, sha256 limit $4

-- name: mark
-- From here on, whoever wants these objects uploads them, also if the collection is interrupted.
update control.object set stored_at = null
from unnest($2::uuid[], $3::bytea[]) as given (entity, sha256)
where object.entity = given.entity and object.sha256 = given.sha256 and wanted_at < $1

-- name: lock
-- Who wants one of these objects waits until it is deleted; those that are wanted again are left out.
select object.entity, object.sha256, size, upload_id from control.object
join unnest($2::uuid[], $3::bytea[]) as given (entity, sha256)
    on object.entity = given.entity and object.sha256 = given.sha256
where wanted_at < $1 and stored_at is null
for update of object skip locked

-- name: delete
delete from control.object using unnest($1::uuid[], $2::bytea[]) as given (entity, sha256)
where object.entity = given.entity and object.sha256 = given.sha256

-- name: uploads_in_use
select upload_id from control.object where upload_id = any($1::text[]) and wanted_at >= $2

-- name: began
insert into control.collection default values returning id, began

-- name: ended
update control.collection set ended = now(), result = $2 where id = $1

-- name: last
select extract(epoch from now() - max(began))::float8 from control.collection
