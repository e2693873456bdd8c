// purpose: What an agent did, computed from its edges: prompts, responses, errors, latency, tokens, cost, handoffs.
// parameters: agent_id string, limit integer
// columns: prompts integer, last_prompt_at datetime, responses integer, errors integer, average_latency_ms float, prompt_tokens integer, completion_tokens integer, total_tokens integer, cost_usd float, handoffs_out integer, handoffs_in integer, is_cut boolean
// index: agent_agent_id_unique
// bound: 1 row over at most $limit prompts and all handoffs to the agent
MATCH (a:Agent {agent_id: $agent_id})
CALL (a) {
  MATCH (a)<-[:HANDLED_BY]-(p:Prompt)
  WITH p LIMIT $limit + 1
  RETURN collect(p) AS handled
}
WITH a, handled[..$limit] AS handled, size(handled) > $limit AS is_cut
CALL (handled) {
  UNWIND handled AS p
  RETURN max(p.created_at) AS last_prompt_at
}
CALL (a, handled) {
  UNWIND handled AS p
  MATCH (p)<-[:RESPONDS_TO]-(r:Response)
  WITH r, COUNT { MATCH (r)-[h:TRANSFERS_TO]->(:Agent)
                  WHERE coalesce(h.from_agent_id, a.agent_id) = a.agent_id } AS handoffs
  RETURN count(r) AS responses, count(r.error_type) AS errors,
         avg(r.latency_ms) AS average_latency_ms, sum(r.prompt_tokens) AS prompt_tokens,
         sum(r.completion_tokens) AS completion_tokens, sum(r.total_tokens) AS total_tokens,
         sum(r.cost_usd) AS cost_usd, sum(handoffs) AS handoffs_out
}
RETURN size(handled) AS prompts, last_prompt_at, responses, errors, average_latency_ms,
       prompt_tokens, completion_tokens, total_tokens, cost_usd, handoffs_out,
       COUNT { MATCH (a)<-[:TRANSFERS_TO]-(:Response) } AS handoffs_in, is_cut
