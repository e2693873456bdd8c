// purpose: Who hands over to whom, how often, how urgently, how long after the prompt, how long until it is taken up, and the newest reasons.
// parameters: limit integer
// columns: from_agent_id string, to_agent_id string, handoffs integer, urgent integer, average_seconds float, average_wait_seconds float, reasons list<string>, is_returned boolean
// index: agent_agent_id_unique
// bound: one row per pair of agents over at most $limit handoffs
MATCH (g:Agent)
WHERE g.agent_id IS NOT NULL
MATCH (g)<-[h:TRANSFERS_TO]-(r:Response)
WITH g, h, r LIMIT $limit
MATCH (r)-[:RESPONDS_TO]->(p:Prompt)
OPTIONAL MATCH (p)-[:HANDLED_BY]->(a:Agent)
WITH g, h, p, coalesce(h.from_agent_id, a.agent_id) AS from_agent_id
CALL (g, p) {
  OPTIONAL MATCH (p)<-[:FOLLOWS]-(q:Prompt)
  WHERE EXISTS { (q)-[:HANDLED_BY]->(g) }
  RETURN min(q.created_at) AS taken_up_at
}
WITH * ORDER BY h.handed_over_at DESC
WITH from_agent_id, g.agent_id AS to_agent_id, count(h) AS handoffs,
     count(CASE WHEN h.priority IN ['high', 'critical'] THEN 1 END) AS urgent,
     avg((h.handed_over_at.epochMillis - p.created_at.epochMillis) / 1000.0) AS average_seconds,
     avg((taken_up_at.epochMillis - h.handed_over_at.epochMillis) / 1000.0)
       AS average_wait_seconds,
     collect(DISTINCT h.handoff_reason)[..5] AS reasons
WITH collect({from_agent_id: from_agent_id, to_agent_id: to_agent_id, handoffs: handoffs,
              urgent: urgent, average_seconds: average_seconds,
              average_wait_seconds: average_wait_seconds, reasons: reasons}) AS pairs
UNWIND pairs AS pair
RETURN pair.from_agent_id AS from_agent_id, pair.to_agent_id AS to_agent_id,
       pair.handoffs AS handoffs, pair.urgent AS urgent,
       pair.average_seconds AS average_seconds,
       pair.average_wait_seconds AS average_wait_seconds, pair.reasons AS reasons,
       coalesce(any(other IN pairs WHERE other.from_agent_id = pair.to_agent_id
                    AND other.to_agent_id = pair.from_agent_id), false) AS is_returned
ORDER BY handoffs DESC, from_agent_id, to_agent_id
