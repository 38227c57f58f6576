-- name: load_clock
select available, ticked, number, refused from clock where partition = $1

-- name: save_clock
insert into clock (partition, available, ticked, number, refused) values ($1, $2, $3, $4, $5)
on conflict (partition) do update set
    available = excluded.available, ticked = excluded.ticked, number = excluded.number, refused = excluded.refused

-- name: open_runs
select run, entity, project, run_id, state, qualifiers, transitions, set_state, changed from run where partition = $1 and open

-- name: some_runs
select run, entity, project, run_id, state, qualifiers, transitions, set_state, changed from run where run = any($1::uuid[])

-- name: count_runs
-- Runs with a running writer, and those of which one has been silent for at least $1 and less than $2.
select count(distinct run.run), count(distinct run.run) filter (where available - heard >= $1 and available - heard < $2)
from run
join clock on clock.partition = run.partition
join writer on writer.run = run.run and phase = 'running'
join pulse on pulse.run = writer.run and pulse.writer = writer.writer
where run.open

-- name: writers
select writer.run, writer.writer, role, phase, first, details, number, heard, last
from writer join pulse on pulse.run = writer.run and pulse.writer = writer.writer
where writer.run = any($1::uuid[])

-- name: save_runs
insert into run (partition, run, entity, project, run_id, state, qualifiers, open, transitions, ended, clock_offset, set_state, changed)
select $1, run, entity, project, run_id, state, string_to_array(qualifiers, ','), open, transitions, ended, clock_offset,
    set_state, changed
from unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::boolean[], $9::bigint[],
    $10::bigint[], $11::bigint[], $12::text[], $13::bigint[])
    as given (run, entity, project, run_id, state, qualifiers, open, transitions, ended, clock_offset, set_state, changed)
on conflict (run) do update set
    state = excluded.state, qualifiers = excluded.qualifiers, open = excluded.open, transitions = excluded.transitions,
    ended = excluded.ended, clock_offset = excluded.clock_offset, set_state = excluded.set_state,
    changed = excluded.changed

-- name: save_writers
insert into writer (run, writer, role, phase, state, qualifiers, first, details)
select run, writer, role, phase, state, string_to_array(qualifiers, ','), first, details
from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[])
    as given (run, writer, role, phase, state, qualifiers, first, details)
on conflict (run, writer) do update set
    role = excluded.role, phase = excluded.phase, state = excluded.state, qualifiers = excluded.qualifiers,
    first = excluded.first, details = excluded.details

-- name: save_pulses
insert into pulse (run, writer, number, heard, last)
select * from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[])
on conflict (run, writer) do update set
    number = excluded.number, heard = excluded.heard, last = excluded.last

-- name: add_transitions
insert into transition (run, writer, time, before, after, reason)
select * from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[])

-- name: add_failures
insert into failure (run, writer, time, type, message, traceback)
select * from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[])
on conflict do nothing

-- name: add_outbox
insert into outbox (partition, run, seq, time, previous, state, qualifiers, cause, reason)
select $1, run, seq, time, previous, state, string_to_array(qualifiers, ','), cause, reason
from unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::uuid[], $9::text[])
    as given (run, seq, time, previous, state, qualifiers, cause, reason)

-- name: drop_republished
-- What a replay has written again although it was published before.
delete from outbox using runtime.published
where outbox.partition = $1 and published.sink = 'liveness' and published.run = outbox.run and outbox.seq < published.next

-- name: unpublished
select entity, project, run_id, seq, time, previous, outbox.state, outbox.qualifiers, cause, reason
from outbox join run on run.run = outbox.run
where outbox.partition = $1 order by outbox.run, seq limit $2

-- name: save_published
insert into runtime.published (sink, run, next)
select 'liveness', run, max(seq) + 1 from unnest($1::uuid[], $2::bigint[]) as done (run, seq) group by run
on conflict (sink, run) do update set next = greatest(published.next, excluded.next)

-- name: state
select state, qualifiers, ended, clock_offset from liveness.run where run = $1

-- name: states
select run, state, qualifiers, ended, clock_offset,
    (select max(time) from liveness.transition where transition.run = run.run and writer is null) as changed
from liveness.run where run = any($1::uuid[])

-- name: ended_since
select entity, project, run_id, state from liveness.run
where changed > $1 and state in ('finished', 'failed', 'crashed', 'killed', 'preempted')
    and ($2::text is null or entity = $2) and ($3::text is null or project = $3)

-- name: writers_of
select writer.writer, role, state, qualifiers, first, last, details
from liveness.writer join liveness.pulse on pulse.run = writer.run and pulse.writer = writer.writer
where writer.run = $1 order by first, writer.writer

-- name: writers_of_runs
select writer.run, writer.writer, role, state, qualifiers, first, last, details
from liveness.writer join liveness.pulse on pulse.run = writer.run and pulse.writer = writer.writer
where writer.run = any($1::uuid[]) order by first, writer.writer

-- name: transitions_of
select time, before, after, reason from liveness.transition where run = $1 and writer is null order by id

-- name: failures_of_runs
select writer.run, writer.writer, role, first, details, time, type, message,
    case when $2::boolean then traceback else '' end as traceback
from liveness.writer left join liveness.failure on failure.run = writer.run and failure.writer = writer.writer
where writer.run in (select run from liveness.failure where run = any($1::uuid[]))
order by first, writer.writer
