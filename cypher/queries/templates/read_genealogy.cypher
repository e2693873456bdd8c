// purpose: The versions of a template with their parents, children, use and performance.
// parameters: template_id string, limit integer
// columns: version string, name string, author string, origin string, created_at datetime, previous_version string, parent map, children list<map>, prompts integer, average_latency_ms float, cost_usd float, errors integer, scores list<map>
// index: prompt_template_template_id_version_unique
// bound: one row per version, each over at most $limit prompts
MATCH (t:PromptTemplate {template_id: $template_id})
WHERE t.version IS NOT NULL
CALL (t) {
  OPTIONAL MATCH (t)<-[:INSTANTIATES]-(p:Prompt)
  WITH p LIMIT $limit
  OPTIONAL MATCH (p)<-[:RESPONDS_TO]-(r:Response)
  RETURN count(DISTINCT p) AS prompts, avg(r.latency_ms) AS average_latency_ms,
         sum(r.cost_usd) AS cost_usd, count(r.error_type) AS errors
}
RETURN t.version AS version, t.name AS name, t.author AS author, t.origin AS origin,
       t.created_at AS created_at,
       head(COLLECT { MATCH (t)-[:PREVIOUS_VERSION]->(b:PromptTemplate) RETURN b.version })
         AS previous_version,
       head(COLLECT { MATCH (t)-[i:INHERITS]->(b:PromptTemplate)
                      RETURN b {.template_id, .version, overrides: i.override_sections} })
         AS parent,
       COLLECT { MATCH (t)<-[:INHERITS]-(c:PromptTemplate)
                 RETURN c {.template_id, .version} ORDER BY c.template_id, c.version }
         AS children,
       prompts, average_latency_ms, cost_usd, errors,
       COLLECT {
         MATCH (t)<-[:INSTANTIATES]-(:Prompt)<-[:RESPONDS_TO]-(:Response)<-[:SCORES]-(x:Score)
         WITH x LIMIT $limit
         WITH x.name AS score, count(*) AS n, avg(x.value) AS average
         RETURN {name: score, count: n, average: average} ORDER BY score
       } AS scores
ORDER BY created_at, version
