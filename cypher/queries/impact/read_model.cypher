// purpose: What depends on a model (one version, or all when version is null): the prompts that asked for it or were answered by it.
// parameters: id string, version string or null, limit integer
// columns: see impact/summary; related {model_id, versions}
// index: model_model_id_unique
// bound: 1 row over at most $limit prompts
// include: impact/summary
MATCH (m:Model {model_id: $id})
CALL (m) {
  OPTIONAL MATCH (m)<-[:VERSION_OF]-(v:ModelVersion)
  WHERE $version IS NULL OR v.version = $version
  WITH v ORDER BY v.valid_from, v.version
  RETURN collect(v) AS versions
}
WITH m, versions WHERE $version IS NULL OR size(versions) > 0
CALL (m, versions) {
  CALL (m, versions) {
    UNWIND CASE WHEN $version IS NULL THEN [m] ELSE [] END + versions AS used
    MATCH (used)<-[:USES_MODEL]-(p:Prompt)
    RETURN DISTINCT p LIMIT $limit + 1
    UNION
    UNWIND CASE WHEN $version IS NULL THEN [m] ELSE [] END + versions AS used
    MATCH (used)<-[:USES_MODEL]-(:Response)-[:RESPONDS_TO]->(p:Prompt)
    RETURN DISTINCT p LIMIT $limit + 1
  }
  WITH p LIMIT $limit + 1
  RETURN collect(p) AS prompts
}
WITH prompts[..$limit] AS prompts, size(prompts) > $limit AS is_cut, {
  model_id: $id,
  versions: [v IN versions |
             v {.version, .valid_from, .input_usd_per_1k, .output_usd_per_1k, .deprecated_at}]
} AS related
