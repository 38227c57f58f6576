-- name: known
-- Of each title: what was shown last before an offset, and everything from that offset on.
select wanted.run, wanted.title, known."offset", append_time, wait_ms, repeat_of
from unnest($1::uuid[], $2::bytea[], $3::bigint[]) as wanted (run, title, first)
cross join lateral (
    (select "offset", append_time, wait_ms, repeat_of from alert
     where alert.run = wanted.run and alert.title = wanted.title and "offset" < wanted.first and repeat_of is null
     order by "offset" desc limit 1)
    union all
    (select "offset", append_time, wait_ms, repeat_of from alert
     where alert.run = wanted.run and alert.title = wanted.title and "offset" >= wanted.first)
) as known

-- name: mark
update alert set repeat_of = given.repeat_of
from unnest($2::bigint[], $3::bigint[]) as given ("offset", repeat_of)
where alert.partition = $1 and alert."offset" = given."offset"

-- name: of_run
select partition, "offset", entity, project, run_id, writer, "order", append_time, time, level, wait_ms, content,
    repeat_of,
    (select count(*) from alerts.alert as later
     where later.partition = alert.partition and later.repeat_of = alert."offset") as repeats
from alerts.alert
where run = $1 and ($2 or repeat_of is null) and "offset" > $3
order by "offset" limit $4

-- name: of_project
-- Newest first; $4 to $6 are the last alert of the page before.
select partition, "offset", entity, project, run_id, writer, "order", append_time, time, level, wait_ms, content,
    repeat_of,
    (select count(*) from alerts.alert as later
     where later.partition = alert.partition and later.repeat_of = alert."offset") as repeats
from alerts.alert
where ($1::text is null or entity = $1) and ($2::text is null or project = $2) and ($3 or repeat_of is null)
    and ($4::bigint is null or (append_time, partition, "offset") < ($4, $5::int, $6::bigint))
order by append_time desc, partition desc, "offset" desc
limit $7
