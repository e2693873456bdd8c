// purpose: The API keys of a tenant, newest first.
// parameters: limit integer
// columns: key map
// index: api_key_key_id_unique
// bound: $limit rows
MATCH (k:ApiKey)
WHERE k.key_id IS NOT NULL
RETURN properties(k) AS key ORDER BY k.created_at DESC, k.key_id LIMIT $limit
