// purpose: Who hands over to whom, how often, how urgently, how long after the prompt, and for which reasons.
// parameters: limit integer
// columns: from_agent_id string, to_agent_id string, handoffs integer, urgent integer, average_seconds float, reasons list<string>, is_returned boolean
// index: agent_agent_id_unique
// bound: one row per pair of agents over at most $limit handoffs
MATCH (g:Agent)
WHERE g.agent_id IS NOT NULL
MATCH (g)<-[h:TRANSFERS_TO]-(r:Response)
WITH g, h, r LIMIT $limit
MATCH (r)-[:RESPONDS_TO]->(p:Prompt)
OPTIONAL MATCH (p)-[:HANDLED_BY]->(a:Agent)
WITH coalesce(h.from_agent_id, a.agent_id) AS from_agent_id, g.agent_id AS to_agent_id, h, p
WITH from_agent_id, to_agent_id, count(h) AS handoffs,
     count(CASE WHEN h.priority IN ['high', 'critical'] THEN 1 END) AS urgent,
     avg(duration.inSeconds(p.created_at, h.handed_over_at).seconds) AS average_seconds,
     collect(DISTINCT h.handoff_reason)[..5] AS reasons
WITH collect({from_agent_id: from_agent_id, to_agent_id: to_agent_id, handoffs: handoffs,
              urgent: urgent, average_seconds: average_seconds, reasons: reasons}) AS pairs
UNWIND pairs AS pair
RETURN pair.from_agent_id AS from_agent_id, pair.to_agent_id AS to_agent_id,
       pair.handoffs AS handoffs, pair.urgent AS urgent,
       pair.average_seconds AS average_seconds, pair.reasons AS reasons,
       any(other IN pairs WHERE other.from_agent_id = pair.to_agent_id
           AND other.to_agent_id = pair.from_agent_id) AS is_returned
ORDER BY handoffs DESC, from_agent_id, to_agent_id
