// purpose: Which tools are called how often, fail, are retried, how long they take, and after which failed tool they were called.
// parameters: tool_name string or null, limit integer
// columns: tool_name string, invocations integer, failed integer, retries integer, average_duration_ms float, after list<map>
// index: tool_invocation_tool_name_range
// bound: one row per tool over at most $limit invocations
MATCH (t:ToolInvocation)
WHERE t.tool_name >= coalesce($tool_name, '') AND ($tool_name IS NULL OR t.tool_name = $tool_name)
WITH t LIMIT $limit
WITH t.tool_name AS tool_name, collect(t) AS invocations
RETURN tool_name,
       size(invocations) AS invocations,
       size([t IN invocations WHERE t.status = 'failed']) AS failed,
       reduce(total = 0, t IN invocations | total + coalesce(t.retry_count, 0)) AS retries,
       head(COLLECT { UNWIND invocations AS t RETURN avg(t.duration_ms) }) AS average_duration_ms,
       COLLECT {
         UNWIND invocations AS t
         MATCH (t)<-[:INVOKES]-(:Response)-[:INFORMED_BY]->(b:ToolInvocation)
         WHERE b.status = 'failed'
         WITH b.tool_name AS before, count(*) AS times,
              count(CASE WHEN t.status = 'failed' THEN 1 END) AS failed_after
         RETURN {tool_name: before, times: times, failed: failed_after}
         ORDER BY times DESC, before LIMIT 10
       } AS after
ORDER BY failed DESC, invocations DESC, tool_name
