// purpose: The versions of a template in the order in which they were registered.
// parameters: template_id string, limit integer
// columns: version string, previous_version string, name string, author string, created_at datetime, recorded_at datetime, metadata string
// index: prompt_template_template_id_version_unique
// bound: $limit rows
MATCH (t:PromptTemplate {template_id: $template_id})
WHERE t.version IS NOT NULL
RETURN t.version AS version,
       head(COLLECT { MATCH (t)-[:PREVIOUS_VERSION]->(b:PromptTemplate) RETURN b.version })
         AS previous_version,
       t.name AS name, t.author AS author, t.created_at AS created_at,
       t.recorded_at AS recorded_at, t.metadata AS metadata
ORDER BY created_at, version LIMIT $limit
