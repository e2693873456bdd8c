// purpose: The conversation of a session in order, with forks, agents, templates, documents, responses, tools, handoffs, costs and scores.
// parameters: session_id string, limit integer
// columns: session map, users list<string>, applications list<string>, scores list<map>, prompts list<map>
// index: session_session_id_unique
// bound: 1 row with at most $limit + 1 prompts
MATCH (s:Session {session_id: $session_id})
CALL (s) {
  MATCH (s)<-[:PART_OF]-(p:Prompt)
  WITH p ORDER BY p.created_at, p.prompt_id LIMIT $limit + 1
  RETURN collect(p) AS ordered
}
RETURN s {.session_id, .title, .purpose, .is_active, .created_at, .closed_at, .tags, .metadata}
         AS session,
       COLLECT { MATCH (s)-[:STARTED_BY]->(u:User) RETURN u.user_id ORDER BY u.user_id } AS users,
       COLLECT { MATCH (s)-[:IN_APPLICATION]->(a:Application)
                 RETURN a.application_id ORDER BY a.application_id } AS applications,
       COLLECT { MATCH (x:Score)-[:SCORES]->(s)
                 WITH x ORDER BY x.created_at, x.score_id
                 RETURN x {.name, .value, .source, .comment} } AS scores,
       [p IN ordered | p {
         .prompt_id, .created_at, .text, .content_ref, .token_count, .has_pii, .tags,
         follows: head(COLLECT {
           MATCH (p)-[f:FOLLOWS]->(q:Prompt)
           RETURN {prompt_id: q.prompt_id, gap_ms: f.gap_ms, stated: f.stated,
                   session_id: head(COLLECT {
                     MATCH (q)-[:PART_OF]->(t:Session) RETURN t.session_id })} }),
         agent: head(COLLECT { MATCH (p)-[:HANDLED_BY]->(g:Agent)
                               RETURN coalesce(g.name, g.agent_id) }),
         template: head(COLLECT { MATCH (p)-[:INSTANTIATES]->(m:PromptTemplate)
                                  RETURN m {.template_id, .version, .name} }),
         documents: COLLECT { MATCH (p)-[d:REFERENCES]->(c:ContextDocument)
                              RETURN c {.context_id, .title, relevance_score: d.relevance_score}
                              ORDER BY d.rank },
         scores: COLLECT { MATCH (x:Score)-[:SCORES]->(p)
                           WITH x ORDER BY x.created_at, x.score_id
                           RETURN x {.name, .value, .source, .comment} },
         responses: COLLECT {
           MATCH (p)<-[:RESPONDS_TO]-(r:Response)
           WITH r ORDER BY r.created_at, r.response_id
           RETURN r {
             .response_id, .created_at, .text, .content_ref, .model_id, .finish_reason,
             .prompt_tokens, .completion_tokens, .total_tokens, .latency_ms, .ttft_ms, .cost_usd,
             .error_type, .error_message, .tags, .derived_properties,
             tools: COLLECT {
               MATCH (r)-[i:INVOKES]->(t:ToolInvocation)
               RETURN t {.invocation_id, .tool_name, .parameters, .status, .error, .result,
                         .duration_ms, .retry_count}
               ORDER BY i.invocation_order, t.invocation_id },
             informed_by: COLLECT { MATCH (r)-[:INFORMED_BY]->(t:ToolInvocation)
                                    RETURN t.invocation_id ORDER BY t.invocation_id },
             handoffs: COLLECT {
               MATCH (r)-[h:TRANSFERS_TO]->(g:Agent)
               RETURN {agent_id: g.agent_id, name: g.name, handoff_reason: h.handoff_reason,
                       priority: h.priority, context_summary: h.context_summary}
               ORDER BY g.agent_id },
             scores: COLLECT { MATCH (x:Score)-[:SCORES]->(r)
                               WITH x ORDER BY x.created_at, x.score_id
                               RETURN x {.name, .value, .source, .comment} }
           } }
       }] AS prompts
