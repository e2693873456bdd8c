// purpose: What was said of the configuration of an agent up to a time, as far as it was recorded by another, the newest first.
// parameters: agent_id string, as_of datetime, recorded_as_of datetime, limit integer
// columns: configuration map
// index: agent_agent_id_unique
// bound: $limit rows
MATCH (a:Agent {agent_id: $agent_id})<-[:CONFIGURES]-(c:AgentConfiguration)
WHERE c.created_at <= $as_of AND c.recorded_at <= $recorded_as_of
RETURN properties(c) AS configuration
ORDER BY c.created_at DESC, c.configuration_id DESC LIMIT $limit
