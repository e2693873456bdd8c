// Constraints and indexes of the node classes, as far as earlier migrations do not make them.
// Derived from the classes, then kept: an applied file is never edited, a change of a class
// comes as a new file. Every statement is idempotent: after a failure, mend and run again.

// Tenant
CREATE CONSTRAINT tenant_tenant_id_unique IF NOT EXISTS
FOR (n:Tenant) REQUIRE (n.tenant_id) IS UNIQUE;

// User
CREATE CONSTRAINT user_user_id_unique IF NOT EXISTS
FOR (n:User) REQUIRE (n.tenant_id, n.user_id) IS UNIQUE;

// Application
CREATE CONSTRAINT application_application_id_unique IF NOT EXISTS
FOR (n:Application) REQUIRE (n.tenant_id, n.application_id) IS UNIQUE;

// Session
CREATE CONSTRAINT session_session_id_unique IF NOT EXISTS
FOR (n:Session) REQUIRE (n.tenant_id, n.session_id) IS UNIQUE;

CREATE RANGE INDEX session_created_at_range IF NOT EXISTS
FOR (n:Session) ON (n.tenant_id, n.created_at);

CREATE RANGE INDEX session_purpose_range IF NOT EXISTS
FOR (n:Session) ON (n.tenant_id, n.purpose);

// Agent
CREATE CONSTRAINT agent_agent_id_unique IF NOT EXISTS
FOR (n:Agent) REQUIRE (n.tenant_id, n.agent_id) IS UNIQUE;

CREATE RANGE INDEX agent_role_range IF NOT EXISTS
FOR (n:Agent) ON (n.tenant_id, n.role);

CREATE RANGE INDEX agent_status_range IF NOT EXISTS
FOR (n:Agent) ON (n.tenant_id, n.status);

// AgentConfiguration
CREATE CONSTRAINT agent_configuration_configuration_id_unique IF NOT EXISTS
FOR (n:AgentConfiguration) REQUIRE (n.tenant_id, n.configuration_id) IS UNIQUE;

// Model
CREATE CONSTRAINT model_model_id_unique IF NOT EXISTS
FOR (n:Model) REQUIRE (n.tenant_id, n.model_id) IS UNIQUE;

CREATE RANGE INDEX model_provider_range IF NOT EXISTS
FOR (n:Model) ON (n.tenant_id, n.provider);

// ModelVersion
CREATE CONSTRAINT model_version_model_id_version_unique IF NOT EXISTS
FOR (n:ModelVersion) REQUIRE (n.tenant_id, n.model_id, n.version) IS UNIQUE;

CREATE RANGE INDEX model_version_valid_from_range IF NOT EXISTS
FOR (n:ModelVersion) ON (n.tenant_id, n.valid_from);

// ModelPrice
CREATE CONSTRAINT model_price_price_id_unique IF NOT EXISTS
FOR (n:ModelPrice) REQUIRE (n.tenant_id, n.price_id) IS UNIQUE;

// Schema
CREATE CONSTRAINT schema_schema_id_version_unique IF NOT EXISTS
FOR (n:Schema) REQUIRE (n.tenant_id, n.schema_id, n.version) IS UNIQUE;

// PromptTemplate
CREATE CONSTRAINT prompt_template_template_id_version_unique IF NOT EXISTS
FOR (n:PromptTemplate) REQUIRE (n.tenant_id, n.template_id, n.version) IS UNIQUE;

CREATE RANGE INDEX prompt_template_name_range IF NOT EXISTS
FOR (n:PromptTemplate) ON (n.tenant_id, n.name);

CREATE RANGE INDEX prompt_template_text_sha256_range IF NOT EXISTS
FOR (n:PromptTemplate) ON (n.tenant_id, n.text_sha256);

CREATE RANGE INDEX prompt_template_author_range IF NOT EXISTS
FOR (n:PromptTemplate) ON (n.tenant_id, n.author);

// ContextDocument
CREATE CONSTRAINT context_document_context_id_unique IF NOT EXISTS
FOR (n:ContextDocument) REQUIRE (n.tenant_id, n.context_id) IS UNIQUE;

CREATE RANGE INDEX context_document_kind_range IF NOT EXISTS
FOR (n:ContextDocument) ON (n.tenant_id, n.kind);

CREATE RANGE INDEX context_document_text_sha256_range IF NOT EXISTS
FOR (n:ContextDocument) ON (n.tenant_id, n.text_sha256);

// Prompt
CREATE CONSTRAINT prompt_prompt_id_unique IF NOT EXISTS
FOR (n:Prompt) REQUIRE (n.tenant_id, n.prompt_id) IS UNIQUE;

CREATE RANGE INDEX prompt_created_at_range IF NOT EXISTS
FOR (n:Prompt) ON (n.tenant_id, n.created_at);

CREATE FULLTEXT INDEX prompt_text_fulltext IF NOT EXISTS
FOR (n:Prompt) ON EACH [n.text]
OPTIONS {indexConfig: {`fulltext.eventually_consistent`: true}};

CREATE RANGE INDEX prompt_text_sha256_range IF NOT EXISTS
FOR (n:Prompt) ON (n.tenant_id, n.text_sha256);

CREATE RANGE INDEX prompt_model_id_range IF NOT EXISTS
FOR (n:Prompt) ON (n.tenant_id, n.model_id);

CREATE RANGE INDEX prompt_enrichment_pending_range IF NOT EXISTS
FOR (n:Prompt) ON (n.tenant_id, n.enrichment_pending);

CREATE RANGE INDEX prompt_trace_id_range IF NOT EXISTS
FOR (n:Prompt) ON (n.tenant_id, n.trace_id);

CREATE RANGE INDEX prompt_matched_template_range IF NOT EXISTS
FOR (n:Prompt) ON (n.tenant_id, n.matched_template);

CREATE RANGE INDEX prompt_user_id_range IF NOT EXISTS
FOR (n:Prompt) ON (n.tenant_id, n.user_id);

CYPHER 25 CREATE VECTOR INDEX prompt_embedding_vector IF NOT EXISTS
FOR (n:Prompt) ON (n.embedding) WITH [n.tenant_id]
OPTIONS {indexConfig: {`vector.dimensions`: 256, `vector.similarity_function`: 'COSINE', `vector.quantization.enabled`: false}};

CREATE RANGE INDEX prompt_embedding_pending_range IF NOT EXISTS
FOR (n:Prompt) ON (n.tenant_id, n.embedding_pending);

// Response
CREATE CONSTRAINT response_response_id_unique IF NOT EXISTS
FOR (n:Response) REQUIRE (n.tenant_id, n.response_id) IS UNIQUE;

CREATE RANGE INDEX response_created_at_range IF NOT EXISTS
FOR (n:Response) ON (n.tenant_id, n.created_at);

CREATE FULLTEXT INDEX response_text_fulltext IF NOT EXISTS
FOR (n:Response) ON EACH [n.text]
OPTIONS {indexConfig: {`fulltext.eventually_consistent`: true}};

CREATE RANGE INDEX response_text_sha256_range IF NOT EXISTS
FOR (n:Response) ON (n.tenant_id, n.text_sha256);

CREATE RANGE INDEX response_model_id_range IF NOT EXISTS
FOR (n:Response) ON (n.tenant_id, n.model_id);

CREATE RANGE INDEX response_enrichment_pending_range IF NOT EXISTS
FOR (n:Response) ON (n.tenant_id, n.enrichment_pending);

CREATE RANGE INDEX response_trace_id_range IF NOT EXISTS
FOR (n:Response) ON (n.tenant_id, n.trace_id);

CREATE RANGE INDEX response_latency_ms_range IF NOT EXISTS
FOR (n:Response) ON (n.tenant_id, n.latency_ms);

CREATE RANGE INDEX response_cost_usd_range IF NOT EXISTS
FOR (n:Response) ON (n.tenant_id, n.cost_usd);

CREATE RANGE INDEX response_error_type_range IF NOT EXISTS
FOR (n:Response) ON (n.tenant_id, n.error_type);

// ToolInvocation
CREATE CONSTRAINT tool_invocation_invocation_id_unique IF NOT EXISTS
FOR (n:ToolInvocation) REQUIRE (n.tenant_id, n.invocation_id) IS UNIQUE;

CREATE RANGE INDEX tool_invocation_tool_name_range IF NOT EXISTS
FOR (n:ToolInvocation) ON (n.tenant_id, n.tool_name);

CREATE RANGE INDEX tool_invocation_status_range IF NOT EXISTS
FOR (n:ToolInvocation) ON (n.tenant_id, n.status);

// Invocation
CREATE CONSTRAINT invocation_invocation_id_unique IF NOT EXISTS
FOR (n:Invocation) REQUIRE (n.tenant_id, n.invocation_id) IS UNIQUE;

CREATE RANGE INDEX invocation_model_id_range IF NOT EXISTS
FOR (n:Invocation) ON (n.tenant_id, n.model_id);

CREATE RANGE INDEX invocation_status_range IF NOT EXISTS
FOR (n:Invocation) ON (n.tenant_id, n.status);

CREATE RANGE INDEX invocation_trace_id_range IF NOT EXISTS
FOR (n:Invocation) ON (n.tenant_id, n.trace_id);

// PerformanceMetric
CREATE CONSTRAINT performance_metric_metric_id_unique IF NOT EXISTS
FOR (n:PerformanceMetric) REQUIRE (n.tenant_id, n.metric_id) IS UNIQUE;

CREATE RANGE INDEX performance_metric_name_range IF NOT EXISTS
FOR (n:PerformanceMetric) ON (n.tenant_id, n.name);

CREATE RANGE INDEX performance_metric_model_id_range IF NOT EXISTS
FOR (n:PerformanceMetric) ON (n.tenant_id, n.model_id);

// Error
CREATE CONSTRAINT error_error_id_unique IF NOT EXISTS
FOR (n:Error) REQUIRE (n.tenant_id, n.error_id) IS UNIQUE;

CREATE RANGE INDEX error_error_type_range IF NOT EXISTS
FOR (n:Error) ON (n.tenant_id, n.error_type);

CREATE RANGE INDEX error_trace_id_range IF NOT EXISTS
FOR (n:Error) ON (n.tenant_id, n.trace_id);

// Score
CREATE CONSTRAINT score_score_id_unique IF NOT EXISTS
FOR (n:Score) REQUIRE (n.tenant_id, n.score_id) IS UNIQUE;

CREATE RANGE INDEX score_name_range IF NOT EXISTS
FOR (n:Score) ON (n.tenant_id, n.name);

CREATE RANGE INDEX score_value_range IF NOT EXISTS
FOR (n:Score) ON (n.tenant_id, n.value);

// Rollup
CREATE CONSTRAINT rollup_scope_grain_bucket_unique IF NOT EXISTS
FOR (n:Rollup) REQUIRE (n.tenant_id, n.scope, n.grain, n.bucket) IS UNIQUE;

// Anomaly
CREATE CONSTRAINT anomaly_anomaly_id_unique IF NOT EXISTS
FOR (n:Anomaly) REQUIRE (n.tenant_id, n.anomaly_id) IS UNIQUE;

CREATE RANGE INDEX anomaly_kind_range IF NOT EXISTS
FOR (n:Anomaly) ON (n.tenant_id, n.kind);

CREATE RANGE INDEX anomaly_state_range IF NOT EXISTS
FOR (n:Anomaly) ON (n.tenant_id, n.state);

// Archive
CREATE CONSTRAINT archive_archive_id_unique IF NOT EXISTS
FOR (n:Archive) REQUIRE (n.tenant_id, n.archive_id) IS UNIQUE;

CREATE RANGE INDEX archive_state_range IF NOT EXISTS
FOR (n:Archive) ON (n.tenant_id, n.state);

// RetentionPolicy
CREATE CONSTRAINT retention_policy_policy_id_unique IF NOT EXISTS
FOR (n:RetentionPolicy) REQUIRE (n.tenant_id, n.policy_id) IS UNIQUE;

// AuditEvent
CREATE CONSTRAINT audit_event_sequence_unique IF NOT EXISTS
FOR (n:AuditEvent) REQUIRE (n.tenant_id, n.sequence) IS UNIQUE;

CREATE RANGE INDEX audit_event_action_range IF NOT EXISTS
FOR (n:AuditEvent) ON (n.tenant_id, n.action);

CREATE RANGE INDEX audit_event_principal_id_range IF NOT EXISTS
FOR (n:AuditEvent) ON (n.tenant_id, n.principal_id);

CREATE RANGE INDEX audit_event_subject_range IF NOT EXISTS
FOR (n:AuditEvent) ON (n.tenant_id, n.subject);

// ApiKey
CREATE CONSTRAINT api_key_key_id_unique IF NOT EXISTS
FOR (n:ApiKey) REQUIRE (n.tenant_id, n.key_id) IS UNIQUE;

// JobRun
CREATE CONSTRAINT job_run_job_slot_unique IF NOT EXISTS
FOR (n:JobRun) REQUIRE (n.tenant_id, n.job, n.slot) IS UNIQUE;

CREATE RANGE INDEX job_run_outcome_range IF NOT EXISTS
FOR (n:JobRun) ON (n.tenant_id, n.outcome);

// Outbox
CREATE CONSTRAINT outbox_sequence_unique IF NOT EXISTS
FOR (n:Outbox) REQUIRE (n.tenant_id, n.sequence) IS UNIQUE;

// DeadLetter
CREATE CONSTRAINT dead_letter_dead_letter_id_unique IF NOT EXISTS
FOR (n:DeadLetter) REQUIRE (n.tenant_id, n.dead_letter_id) IS UNIQUE;

CREATE RANGE INDEX dead_letter_source_range IF NOT EXISTS
FOR (n:DeadLetter) ON (n.tenant_id, n.source);

CREATE RANGE INDEX dead_letter_reason_range IF NOT EXISTS
FOR (n:DeadLetter) ON (n.tenant_id, n.reason);

// IngestSource
CREATE CONSTRAINT ingest_source_source_unique IF NOT EXISTS
FOR (n:IngestSource) REQUIRE (n.tenant_id, n.source) IS UNIQUE;

// TraceAssembly
CREATE CONSTRAINT trace_assembly_trace_id_unique IF NOT EXISTS
FOR (n:TraceAssembly) REQUIRE (n.tenant_id, n.trace_id) IS UNIQUE;

CREATE RANGE INDEX trace_assembly_due_at_range IF NOT EXISTS
FOR (n:TraceAssembly) ON (n.tenant_id, n.due_at);

// TraceFragment
CREATE CONSTRAINT trace_fragment_fragment_id_unique IF NOT EXISTS
FOR (n:TraceFragment) REQUIRE (n.tenant_id, n.fragment_id) IS UNIQUE;

CREATE RANGE INDEX trace_fragment_trace_id_range IF NOT EXISTS
FOR (n:TraceFragment) ON (n.tenant_id, n.trace_id);

// Placeholder
CREATE RANGE INDEX placeholder_tenant_id_range IF NOT EXISTS
FOR (n:Placeholder) ON (n.tenant_id);

// Tombstone
CREATE RANGE INDEX tombstone_tenant_id_range IF NOT EXISTS
FOR (n:Tombstone) ON (n.tenant_id);
