// purpose: The shortest causal path from an error back to where it began.
// parameters: error_id string
// columns: path list<map>
// index: error_error_id_unique
// bound: 1 row, at most 32 steps; the farthest error when the beginning is farther away or in a cycle
MATCH (e:Error {error_id: $error_id})
CALL (e) {
  MATCH path = SHORTEST 1 (e) ((:Error)-[:TRIGGERED_BY]->(:Error)){0,32} (first:Error)
  WITH nodes(path) AS errors, EXISTS { (first)-[:TRIGGERED_BY]->(:Error) } AS goes_on
  RETURN errors ORDER BY goes_on, CASE WHEN goes_on THEN -size(errors) ELSE size(errors) END LIMIT 1
}
RETURN [x IN errors | x {.error_id, .error_type, .message, .severity, .created_at,
        invocation: head(COLLECT { MATCH (i:Invocation)-[:CAUSED_ERROR]->(x)
                                   RETURN i {.invocation_id, .model_id, .status} })}] AS path
