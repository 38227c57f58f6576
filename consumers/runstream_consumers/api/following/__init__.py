"""Following: what changes of a run or a project, sent as server-sent events while it is stored."""
