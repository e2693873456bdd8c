// purpose: A template version and all that it inherits from, nearest first: what resolving it needs.
// parameters: template_id string, version string
// columns: template_id string, version string, template_text string, variables string, parent list<string>
// index: prompt_template_template_id_version_unique
// bound: at most 34 rows: one more than may inherit
MATCH (t:PromptTemplate {template_id: $template_id, version: $version})
MATCH path = ANY SHORTEST (t) ((:PromptTemplate)-[:INHERITS]->(:PromptTemplate))* (c:PromptTemplate)
RETURN c.template_id AS template_id, c.version AS version, c.template_text AS template_text,
       c.variables AS variables,
       head(COLLECT { MATCH (c)-[:INHERITS]->(b:PromptTemplate)
                      RETURN [b.template_id, b.version] }) AS parent
ORDER BY length(path) LIMIT 34
