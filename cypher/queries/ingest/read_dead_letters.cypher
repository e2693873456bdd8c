// purpose: Dead letters with all that they hold.
// parameters: ids list of strings
// columns: letter map
// index: dead_letter_dead_letter_id_unique
// bound: one row per id
UNWIND $ids AS id
MATCH (d:DeadLetter {dead_letter_id: id})
RETURN properties(d) AS letter
