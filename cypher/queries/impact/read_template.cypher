// purpose: What depends on a template (one version, or all when version is null): versions that inherit from it and the prompts made from any of them.
// parameters: id string, version string or null, limit integer
// columns: see impact/summary; related {template_id, versions, children}
// index: prompt_template_template_id_version_unique
// bound: 1 row over at most $limit prompts
// include: impact/summary
MATCH (t:PromptTemplate {template_id: $id})
WHERE t.version IS NOT NULL AND ($version IS NULL OR t.version = $version)
WITH t ORDER BY t.created_at, t.version
WITH collect(t) AS roots
WHERE size(roots) > 0
CALL (roots) {
  UNWIND roots AS t
  MATCH ANY SHORTEST (t) ((:PromptTemplate)<-[:INHERITS]-(:PromptTemplate))* (c:PromptTemplate)
  WITH DISTINCT c ORDER BY c.template_id, c.version
  RETURN collect(c) AS family
}
CALL (family) {
  UNWIND family AS t
  MATCH (t)<-[:INSTANTIATES]-(p:Prompt)
  WITH DISTINCT p LIMIT $limit + 1
  RETURN collect(p) AS prompts
}
WITH prompts[..$limit] AS prompts, size(prompts) > $limit AS is_cut, {
  template_id: $id,
  versions: [t IN roots | t.version],
  children: [t IN family WHERE NOT t IN roots | t {.template_id, .version, .name}]
} AS related
