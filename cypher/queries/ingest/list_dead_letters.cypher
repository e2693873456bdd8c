// purpose: The dead letters of a tenant by their ids, without what they hold.
// parameters: after string, source string, reason string, limit integer
// columns: dead_letter_id string, source string, reason string, stage string, attempts integer, created_at datetime, updated_at datetime
// index: dead_letter_dead_letter_id_unique
// bound: $limit rows
MATCH (d:DeadLetter)
WHERE d.dead_letter_id > $after
WITH d WHERE coalesce(d.source = $source, true) AND coalesce(d.reason = $reason, true)
RETURN d.dead_letter_id AS dead_letter_id, d.source AS source, d.reason AS reason,
       d.stage AS stage, d.attempts AS attempts, d.created_at AS created_at,
       d.updated_at AS updated_at
ORDER BY dead_letter_id LIMIT $limit
