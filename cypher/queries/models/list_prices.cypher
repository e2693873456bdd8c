// purpose: What events said of the prices of a model, as far as it was recorded by a time, the newest first.
// parameters: model_id string, recorded_as_of datetime, limit integer
// columns: version string, price map
// index: model_version_model_id_version_unique
// bound: $limit rows
MATCH (v:ModelVersion {model_id: $model_id})
WHERE v.version IS NOT NULL
MATCH (v)<-[:PRICES]-(p:ModelPrice)
WHERE p.recorded_at <= $recorded_as_of
RETURN v.version AS version, properties(p) AS price
ORDER BY p.created_at DESC, p.price_id DESC LIMIT $limit
