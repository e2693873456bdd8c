// purpose: An API key by its id, to check what a caller shows.
// parameters: key_id string
// columns: key map
// index: api_key_key_id_unique
// bound: 0 or 1 row
MATCH (k:ApiKey {key_id: $key_id})
RETURN properties(k) AS key
