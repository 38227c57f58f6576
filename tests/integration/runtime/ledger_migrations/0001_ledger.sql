-- Without any unique constraint: what is applied twice is there twice.
create table entry (topic text not null, run_id text not null, writer uuid not null, seq bigint not null, value text not null);
