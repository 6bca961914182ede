/** What the routes answer, as schemas of openapi.json. What they take is written from the table of params. */

export type Shape = Readonly<Record<string, unknown>>;

export const ref = (name: string): Shape => ({ $ref: `#/components/schemas/${name}` });

const text: Shape = { type: 'string' };
const count: Shape = { type: 'integer', minimum: 0 };
const time: Shape = { type: 'string', format: 'date-time' };
const truth: Shape = { type: 'boolean' };
const anything: Shape = { type: 'object' };
const orNull = (shape: Shape): Shape => ({ anyOf: [shape, { type: 'null' }] });
const listOf = (items: Shape): Shape => ({ type: 'array', items });

/** Every property is always there, as clients in typed languages want it. */
function whole(properties: Readonly<Record<string, Shape>>): Shape {
  return { type: 'object', required: Object.keys(properties), properties };
}

function pageOf(name: string): Shape {
  return whole({ data: listOf(ref(name)), has_more: truth, first_id: orNull(text), last_id: orNull(text) });
}

const reportOf = (result: Shape): Shape =>
  whole({
    data: listOf(whole({ starting_at: time, ending_at: time, results: listOf(result) })),
    has_more: truth,
    next_page: orNull(text),
  });

/** Dollars as decimal text; null where nothing is known. */
const amount = { amount: orNull(text), at_least: truth, unpriced: listOf(text) };
const billing: Shape = { enum: ['standard', 'own', 'simulated'] };

const tokens = {
  uncached_input_tokens: count,
  cache_creation: whole({ ephemeral_1h_input_tokens: count, ephemeral_5m_input_tokens: count }),
  cache_read_input_tokens: count,
  output_tokens: count,
};

/** An upstream's own error is passed on, so there may be others. */
const errorType: Shape = {
  type: 'string',
  examples: [
    'invalid_request_error',
    'authentication_error',
    'billing_error',
    'permission_error',
    'not_found_error',
    'conflict_error',
    'request_too_large',
    'rate_limit_error',
    'timeout_error',
    'api_error',
    'overloaded_error',
  ],
};

const usage = whole({
  input_tokens: count,
  output_tokens: count,
  cache_creation_input_tokens: orNull(count),
  cache_read_input_tokens: orNull(count),
});

const result = (type: string, more: Readonly<Record<string, Shape>> = {}): Shape =>
  whole({ type: { const: type }, ...more });

export const answers: Readonly<Record<string, Shape>> = {
  ErrorResponse: {
    type: 'object',
    required: ['type', 'error', 'request_id'],
    properties: {
      type: { const: 'error' },
      error: {
        type: 'object',
        required: ['type', 'message'],
        properties: { type: errorType, message: text, details: orNull(anything) },
      },
      request_id: orNull(text),
    },
  },
  CreateBatch: {
    type: 'object',
    required: ['requests'],
    additionalProperties: false,
    properties: { requests: { type: 'array', minItems: 1, maxItems: 100_000, items: ref('BatchRequest') } },
  },
  BatchRequest: {
    type: 'object',
    required: ['custom_id', 'params'],
    additionalProperties: false,
    description: 'Faults of params never refuse the create: they become errored lines.',
    properties: {
      custom_id: { type: 'string', pattern: '^[a-zA-Z0-9_-]{1,64}$' },
      params: ref('MessageParams'),
    },
  },
  MessageBatch: whole({
    id: text,
    type: { const: 'message_batch' },
    processing_status: { enum: ['in_progress', 'canceling', 'ended'] },
    request_counts: whole({ processing: count, succeeded: count, errored: count, canceled: count, expired: count }),
    created_at: time,
    expires_at: time,
    ended_at: orNull(time),
    archived_at: orNull(time),
    cancel_initiated_at: orNull(time),
    results_url: orNull(text),
  }),
  MessageBatchPage: pageOf('MessageBatch'),
  DeletedMessageBatch: whole({ id: text, type: { const: 'message_batch_deleted' } }),
  ResultLine: whole({
    custom_id: text,
    result: {
      oneOf: [
        result('succeeded', { message: ref('MessageAnswer') }),
        result('errored', { error: ref('ErrorResponse') }),
        result('canceled'),
        result('expired'),
      ],
    },
  }),
  MessageAnswer: {
    type: 'object',
    required: ['id', 'type', 'role', 'model', 'content', 'stop_reason', 'stop_sequence', 'usage'],
    properties: {
      id: text,
      type: { const: 'message' },
      role: { const: 'assistant' },
      model: text,
      content: listOf(anything),
      stop_reason: orNull(text),
      stop_sequence: orNull(text),
      usage,
    },
  },
  TokenCount: whole({ input_tokens: count }),
  Model: whole({
    id: text,
    type: { const: 'model' },
    display_name: text,
    created_at: time,
    lifecycle: { enum: ['active', 'deprecated', 'retired'] },
    line: orNull(text),
    deprecated_at: orNull(time),
    retires_at: orNull(time),
    max_input_tokens: orNull(count),
    max_tokens: orNull(count),
    capabilities: orNull(anything),
  }),
  ModelPage: pageOf('Model'),
  BatchUsage: whole({
    id: text,
    type: { const: 'message_batch_usage' },
    requests: count,
    wasted_attempts: count,
    cost: whole({
      currency: { const: 'USD' },
      price_list: { type: 'string', format: 'date' },
      spent: listOf(whole({ billing, ...amount })),
      billed: whole(amount),
      standard: whole(amount),
      batch: whole(amount),
      batch_with_cache: whole(amount),
    }),
    usage: listOf(
      whole({
        day: { type: 'string', format: 'date' },
        model: text,
        upstream: text,
        billing,
        service_tier: text,
        price_band: count,
        wasted: truth,
        requests: count,
        ...tokens,
      }),
    ),
  }),
  UsageReport: reportOf(
    whole({
      ...tokens,
      server_tool_use: whole({ web_search_requests: count }),
      api_key_id: orNull(text),
      workspace_id: orNull(text),
      model: orNull(text),
      service_tier: orNull(text),
      context_window: orNull(text),
      inference_geo: orNull(text),
    }),
  ),
  CostReport: reportOf(
    whole({
      currency: { const: 'USD' },
      amount: orNull(text),
      workspace_id: orNull(text),
      description: orNull(text),
      cost_type: orNull(text),
      model: orNull(text),
      service_tier: orNull(text),
      token_type: orNull(text),
      context_window: orNull(text),
      inference_geo: orNull(text),
      nightshift: whole({ billing, spent: whole(amount), billed: whole(amount), wasted_attempts: count }),
    }),
  ),
  Organization: whole({ id: text, type: { const: 'organization' }, name: text }),
  Workspace: whole({
    id: text,
    type: { const: 'workspace' },
    name: text,
    created_at: time,
    archived_at: orNull(time),
    display_color: text,
    compartment_id: text,
    data_residency: anything,
    external_key_id: orNull(text),
    tags: anything,
    user_profile_id: orNull(text),
  }),
  WorkspacePage: pageOf('Workspace'),
  ApiKey: whole({
    id: text,
    type: { const: 'api_key' },
    name: text,
    status: { enum: ['active', 'inactive', 'archived', 'expired'] },
    workspace_id: orNull(text),
    scope: whole({ type: { const: 'workspace' }, workspace_id: text }),
    created_at: time,
    created_by: orNull(anything),
    expires_at: orNull(time),
    partial_key_hint: orNull(text),
    principal: orNull(anything),
  }),
  ApiKeyPage: pageOf('ApiKey'),
  Health: whole({ status: text, version: text }),
  Readiness: whole({ ready: truth, reason: orNull(text) }),
};
