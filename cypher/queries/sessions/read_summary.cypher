// purpose: What a session adds up to: prompts, responses, tools, handoffs, tokens, cost and how long it went on.
// parameters: session_id string
// columns: prompts integer, responses integer, errors integer, tool_invocations integer, failed_tool_invocations integer, handoffs integer, prompt_tokens integer, completion_tokens integer, total_tokens integer, cost_usd float, first_prompt_at datetime, last_active_at datetime, duration_ms integer
// index: session_session_id_unique
// bound: 1 row over the prompts of the session
MATCH (s:Session {session_id: $session_id})
CALL (s) {
  MATCH (s)<-[:PART_OF]-(p:Prompt)
  RETURN count(p) AS prompts, min(p.created_at) AS first_prompt_at,
         max(p.created_at) AS last_prompt_at
}
CALL (s) {
  MATCH (s)<-[:PART_OF]-(:Prompt)<-[:RESPONDS_TO]-(r:Response)
  WITH r, COUNT { MATCH (r)-[:TRANSFERS_TO]->(:Agent) } AS handoffs
  RETURN count(r) AS responses, count(r.error_type) AS errors, sum(handoffs) AS handoffs,
         sum(r.prompt_tokens) AS prompt_tokens, sum(r.completion_tokens) AS completion_tokens,
         sum(r.total_tokens) AS total_tokens, sum(r.cost_usd) AS cost_usd,
         max(r.created_at) AS last_response_at
}
CALL (s) {
  MATCH (s)<-[:PART_OF]-(:Prompt)<-[:RESPONDS_TO]-(:Response)-[:INVOKES]->(t:ToolInvocation)
  RETURN count(t) AS tool_invocations,
         count(CASE WHEN t.status = 'failed' THEN 1 END) AS failed_tool_invocations
}
WITH *, CASE WHEN last_response_at > last_prompt_at THEN last_response_at
             ELSE last_prompt_at END AS last_active_at
RETURN prompts, responses, errors, tool_invocations, failed_tool_invocations, handoffs,
       prompt_tokens, completion_tokens, total_tokens, cost_usd, first_prompt_at, last_active_at,
       last_active_at.epochMillis - first_prompt_at.epochMillis AS duration_ms
