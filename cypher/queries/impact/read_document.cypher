// purpose: What depends on a context document: the prompts that were given it.
// parameters: id string, version null, limit integer
// columns: see impact/summary; related {context_id, title, kind, uri}
// index: context_document_context_id_unique
// bound: 1 row over at most $limit prompts
// include: impact/summary
MATCH (c:ContextDocument {context_id: $id})
CALL (c) {
  MATCH (c)<-[:REFERENCES]-(p:Prompt)
  WITH p LIMIT $limit + 1
  RETURN collect(p) AS prompts
}
WITH prompts[..$limit] AS prompts, size(prompts) > $limit AS is_cut, c {.context_id, .title, .kind, .uri} AS related
