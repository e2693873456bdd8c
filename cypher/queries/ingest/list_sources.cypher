// purpose: The doors and files of a tenant and what became of their events, latest first.
// parameters: limit integer
// columns: source string, received integer, stored integer, duplicate integer, rejected integer, dead_lettered integer, kept integer, updated_at datetime
// index: ingest_source_source_unique
// bound: $limit rows
MATCH (s:IngestSource)
WHERE s.source IS NOT NULL
RETURN s.source AS source, s.received AS received, s.stored AS stored,
       s.duplicate AS duplicate, s.rejected AS rejected, s.dead_lettered AS dead_lettered,
       COUNT { MATCH (d:DeadLetter {source: s.source}) } AS kept, s.updated_at AS updated_at
ORDER BY updated_at DESC, source LIMIT $limit
