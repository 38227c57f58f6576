"""What the object store has of files and artifacts: the table of objects, and the deletion of unreferenced ones."""
