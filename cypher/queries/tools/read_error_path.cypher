// purpose: The shortest causal path from an error back to where it began.
// parameters: error_id string
// columns: path list<map>
// index: error_error_id_unique
// bound: 1 row, at most 32 steps
MATCH (e:Error {error_id: $error_id})
CALL (e) {
  MATCH path = (e)-[:TRIGGERED_BY*0..32]->(first:Error)
  WHERE NOT EXISTS { (first)-[:TRIGGERED_BY]->(:Error) }
  RETURN nodes(path) AS errors ORDER BY length(path) LIMIT 1
}
RETURN [x IN errors | x {.error_id, .error_type, .message, .severity, .created_at,
        invocation: head(COLLECT { MATCH (i:Invocation)-[:CAUSED_ERROR]->(x)
                                   RETURN i {.invocation_id, .model_id, .status} })}] AS path
