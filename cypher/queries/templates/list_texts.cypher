// purpose: The texts of the registered templates of a tenant, every version, newest first.
// parameters: limit integer
// columns: template_id string, version string, template_text string
// index: prompt_template_template_id_version_unique
// bound: $limit rows
MATCH (t:PromptTemplate)
WHERE t.template_id IS NOT NULL AND t.version IS NOT NULL
WITH t WHERE t.template_text IS NOT NULL
RETURN t.template_id AS template_id, t.version AS version, t.template_text AS template_text
ORDER BY t.created_at DESC, template_id, version LIMIT $limit
