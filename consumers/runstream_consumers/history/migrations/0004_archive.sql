-- Rows that the compactor has moved to the object store (docs/archive.md). A row of a run is in a block or in a part.
create table archive_part (
    run uuid not null,
    stream smallint not null,
    part uuid not null,
    base text not null,                 -- what the keys of its objects begin with
    files integer not null,             -- Parquet files
    index_object_size bigint not null,  -- bytes of the object of the index, which also has the pyramid
    index_size bigint not null,         -- bytes of the index at its end
    bytes bigint not null,              -- of all objects
    rows bigint not null,
    points bigint not null,             -- values
    columns integer not null,           -- of keys
    min_step bigint not null,
    max_step bigint not null,
    first_offset bigint not null,
    last_offset bigint not null,
    min_time bigint not null,
    max_time bigint not null,
    created timestamptz not null default now(),
    primary key (run, stream, part)
);
create index archive_part_base on archive_part (base);

-- Objects that no part refers to: they are being written, were written in vain, or belonged to a part that is gone.
create table archive_orphan (
    key text primary key,
    was_part boolean not null,          -- readers may have begun to read it
    since timestamptz not null default now()
);
create index archive_orphan_since on archive_orphan (since);
