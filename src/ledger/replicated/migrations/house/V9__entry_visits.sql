-- In which visit somebody was let in: if the node that let them in is gone before it has told them, another one does. A row
-- without it is of an earlier release.
ALTER TABLE entries ADD COLUMN visit bytea;
