// purpose: What depends on a tool: the prompts whose responses called it.
// parameters: id string (the tool's name), version null, limit integer
// columns: see impact/summary; related {tool_name, invocations, failed, retries, average_duration_ms}
// index: tool_invocation_tool_name_range
// bound: 1 row over at most $limit invocations
// include: impact/summary
MATCH (t:ToolInvocation {tool_name: $id})
WITH t LIMIT $limit + 1
WITH collect(t) AS invocations
WHERE size(invocations) > 0
WITH invocations[..$limit] AS invocations, size(invocations) > $limit AS is_cut
CALL (invocations) {
  UNWIND invocations AS t
  RETURN count(CASE WHEN t.status = 'failed' THEN 1 END) AS failed,
         sum(t.retry_count) AS retries, avg(t.duration_ms) AS average_duration_ms
}
CALL (invocations) {
  UNWIND invocations AS t
  MATCH (t)<-[:INVOKES]-(:Response)-[:RESPONDS_TO]->(p:Prompt)
  RETURN collect(DISTINCT p) AS prompts
}
WITH prompts, is_cut,
     {tool_name: $id, invocations: size(invocations), failed: failed, retries: retries,
      average_duration_ms: average_duration_ms} AS related
