// purpose: The versions of a model with their prices, the one that is valid from the latest time first.
// parameters: model_id string, limit integer
// columns: model_version map
// index: model_version_model_id_version_unique
// bound: $limit rows
MATCH (v:ModelVersion {model_id: $model_id})
WHERE v.version IS NOT NULL
RETURN properties(v) AS model_version
ORDER BY v.valid_from IS NULL, v.valid_from DESC, v.version DESC LIMIT $limit
