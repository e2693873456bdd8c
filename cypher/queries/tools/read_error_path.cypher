// purpose: The errors that led to an error, nearest first, each with the one after it, breadth first so that many ways to one cost no more than one.
// parameters: error_id string
// columns: errors list<map>
// index: error_error_id_unique
// bound: 1 row, at most 32 steps and 200 errors of each
MATCH (e:Error {error_id: $error_id})
WITH reduce(walk = {frontier: [e], seen: [e], led: [{error: e, to: null}]}, step IN range(1, 32) |
  head([found IN [COLLECT {
    UNWIND walk.frontier AS n
    MATCH (n)-[:TRIGGERED_BY]->(m:Error)
    WHERE NOT m IN walk.seen
    WITH m, min(n.error_id) AS to ORDER BY m.created_at DESC, m.error_id LIMIT 200
    RETURN {error: m, to: to}
  }] | {frontier: [x IN found | x.error], seen: walk.seen + [x IN found | x.error],
        led: walk.led + found}])) AS walk
RETURN COLLECT {
  UNWIND walk.led AS x
  WITH x.error AS n, x.to AS to
  RETURN n {.error_id, .error_type, .message, .severity, .created_at, to: to,
            invocation: head(COLLECT { MATCH (i:Invocation)-[:CAUSED_ERROR]->(n)
                                       RETURN i {.invocation_id, .model_id, .status} })}
} AS errors
