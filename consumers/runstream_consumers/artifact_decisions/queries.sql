-- name: lock
select type, portfolio, last_version from control.artifact_collection where id = $1 for update

-- name: add_collection
insert into control.artifact_collection values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing returning id

-- name: add_versions
insert into control.artifact_version
select $1, * from unnest($2::bigint[], $3::bytea[], $4::bytea[], $5::text[], $6::bigint[], $7::bigint[], $8::uuid[],
    $9::bigint[], $10::boolean[])
on conflict do nothing

-- name: add_drafts
insert into control.artifact_draft select id, $1, distributed_id, 'open', null
from unnest($2::uuid[], $3::text[]) as given (id, distributed_id) on conflict do nothing

-- name: add_contributions
insert into control.artifact_contribution select given.* from unnest($1::uuid[], $2::bigint[], $3::text[])
    as given (draft, decision, manifest_key) join control.artifact_draft on artifact_draft.id = given.draft
on conflict do nothing

-- name: collection_of_key
select entity, project, name from control.artifact_collection where id = $1

-- name: next_decision
update control.artifact_collection set last_decision = last_decision + 1, last_version = greatest(last_version, $2),
    type = $3, portfolio = $4
where id = $1 returning last_decision

-- name: has_versions
select exists (select from control.artifact_version where collection = $1 and not deleted)

-- name: version_of_content
select * from control.artifact_version where collection = $1 and content = $2 and not deleted

-- name: version
select * from control.artifact_version where collection = $1 and version = $2

-- name: is_kept
-- Whether a version is linked, or more was decided about its collection than is known.
select last_decision > $3 or exists (
    select from control.artifact_version where source = $1 and source_version = $2 and not deleted
)
from control.artifact_collection where id = $1

-- name: delete_version
update control.artifact_version set deleted = true
where (collection = $1 and version = $2) or (source = $1 and source_version = $2)

-- name: delete_versions
update control.artifact_version set deleted = true where collection = $1 or source = $1

-- name: close_drafts
update control.artifact_draft set state = 'closed' where collection = $1 and state <> 'closed'

-- name: stale_drafts
-- Drafts whose contributions all are older than a time: the manifest of each was last wanted then.
select draft.id, draft.collection from control.artifact_draft as draft
where state <> 'closed' and ($2::uuid is null or draft.id = $2) and (
    select max(wanted_at) from control.artifact_contribution as contribution join control.object
        on object.entity = left(manifest_key, 32)::uuid and object.sha256 = decode(right(manifest_key, 64), 'hex')
    where contribution.draft = draft.id
) < $1

-- name: abandoned_drafts
select id from control.artifact_draft where state = 'closed' and version is null

-- name: request
select request.decision, request.version, request.draft, draft.state
from control.artifact_request as request left join control.artifact_draft as draft on draft.id = request.draft
where writer = $1 and seq = $2 and request.collection = $3

-- name: remember
insert into control.artifact_request values ($1, $2, $3, $4, $5, $6)
on conflict (writer, seq, collection) do update set decision = excluded.decision, version = excluded.version

-- name: open_draft
select id from control.artifact_draft where collection = $1 and distributed_id = $2 and state = 'open'

-- name: finished_with
-- The last draft that was finished with a manifest among others, unless its version was deleted.
select draft.id, draft.version from control.artifact_draft as draft
where collection = $1 and distributed_id = $2 and exists (
    select from control.artifact_contribution where draft = draft.id and manifest_key = $3
) and (state = 'closing' or exists (
    select from control.artifact_version as version
    where version.collection = draft.collection and version.version = draft.version and not deleted
))
order by draft.version desc limit 1

-- name: set_draft
update control.artifact_draft set state = $2, version = $3 where id = $1

-- name: draft_state
select state, version from control.artifact_draft where id = $1

-- name: manifests_of_draft
select manifest_key from control.artifact_contribution where draft = $1 order by decision

-- name: held
-- The manifests of versions that are not deleted, and of drafts that are not merged yet.
select entity, manifest_key from control.artifact_version
join control.artifact_collection on artifact_collection.id = collection where not deleted
union
select entity, manifest_key from control.artifact_contribution join control.artifact_draft on artifact_draft.id = draft
join control.artifact_collection on artifact_collection.id = collection where state <> 'closed'
