// purpose: Shared ending of the impact queries: what stands on a list of prompts.
// parameters: none; expects related map, prompts list<node>, is_cut boolean
// columns: related map, is_cut boolean, prompts integer, sessions integer, live_sessions integer, responses integer, errors integer, cost_usd float, first_used_at datetime, last_used_at datetime, top_sessions list<map>, agents list<map>, applications list<map>, scores list<map>
// index: none: starts from bound nodes
// bound: 1 row over the prompts
WITH related, prompts, is_cut
CALL (prompts) {
  UNWIND prompts AS p
  MATCH (p)-[:PART_OF]->(s:Session)
  WITH s, count(*) AS prompt_count, max(p.created_at) AS used_at
  ORDER BY prompt_count DESC, s.session_id
  RETURN count(s) AS sessions,
         count(CASE WHEN coalesce(s.is_active, true) THEN 1 END) AS live_sessions,
         collect(s {.session_id, .title, .is_active, prompts: prompt_count,
                    last_used_at: used_at})[..20] AS top_sessions
}
CALL (prompts) {
  UNWIND prompts AS p
  MATCH (p)<-[:RESPONDS_TO]-(r:Response)
  RETURN count(r) AS responses, count(r.error_type) AS errors, sum(r.cost_usd) AS cost_usd
}
CALL (prompts) {
  UNWIND prompts AS p
  RETURN min(p.created_at) AS first_used_at, max(p.created_at) AS last_used_at
}
RETURN related, is_cut, size(prompts) AS prompts, sessions, live_sessions, responses, errors,
       cost_usd, first_used_at, last_used_at, top_sessions,
       COLLECT {
         UNWIND prompts AS p
         MATCH (p)-[:HANDLED_BY]->(g:Agent)
         WITH g, count(*) AS n
         RETURN g {.agent_id, .name, prompts: n} ORDER BY n DESC, g.agent_id LIMIT 20
       } AS agents,
       COLLECT {
         UNWIND prompts AS p
         MATCH (p)-[:PART_OF]->(:Session)-[:IN_APPLICATION]->(a:Application)
         WITH a, count(*) AS n
         RETURN {application_id: a.application_id, prompts: n}
         ORDER BY n DESC, a.application_id LIMIT 20
       } AS applications,
       COLLECT {
         UNWIND prompts AS p
         MATCH (p)<-[:RESPONDS_TO]-(:Response)<-[:SCORES]-(x:Score)
         WITH x.name AS name, count(*) AS n, avg(x.value) AS average, min(x.value) AS lowest
         RETURN {name: name, count: n, average: average, lowest: lowest} ORDER BY name
       } AS scores
