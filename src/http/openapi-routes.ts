/** What openapi.json says of each route. A route of app.ts without a line here fails a test. */

export type RouteText = {
  readonly id: string;
  readonly tag: 'Batches' | 'Messages' | 'Models' | 'Organization' | 'Operation';
  readonly summary: string;
  readonly query?: readonly (keyof typeof queryParameters)[];
  /** Headers of the request that mean something here, beside those that every route takes. */
  readonly sends?: readonly (keyof typeof requestHeaders)[];
  /** Name of the schema of the body. */
  readonly body?: string;
  /** Of a line of the body, where it may come as lines, too. */
  readonly bodyLine?: string;
  /** Name of the schema of the answer. */
  readonly answer: string;
  /** The type of the answer, where it is not JSON alone. */
  readonly types?: readonly string[];
  readonly headers?: readonly string[];
  /** What else is no error, or is one with an answer of its own. */
  readonly also?: Readonly<Record<number, string>>;
};

const integer = { type: 'integer', minimum: 1, maximum: 1_000 };
const text = { type: 'string' };
const texts = { type: 'array', items: text };

export const queryParameters = {
  limit: { schema: { ...integer, default: 20 }, description: 'How many a page holds.' },
  after_id: { schema: text, description: 'The page after this id: what is older.' },
  before_id: { schema: text, description: 'The page before this id: what is newer.' },
  'lifecycle[]': { schema: texts, description: 'Models in one of these stages.' },
  include_archived: { schema: { type: 'boolean' }, description: 'Archived workspaces, too.' },
  include_default: { schema: { type: 'boolean' }, description: 'The default workspace, too.' },
  'ids[]': { schema: texts, description: 'Only these.' },
  status: { schema: { enum: ['active', 'inactive', 'archived', 'expired'] }, description: 'Keys in this state.' },
  workspace_id: { schema: text, description: 'Keys of this workspace.' },
  starting_at: { required: true, schema: { type: 'string', format: 'date-time' }, description: 'Where it begins.' },
  ending_at: { schema: { type: 'string', format: 'date-time' }, description: 'Where it ends; now, if not told.' },
  width: {
    name: 'bucket_width',
    schema: { enum: ['1m', '1h', '1d'], default: '1d' },
    description: 'The length of each bucket.',
  },
  day: { name: 'bucket_width', schema: { const: '1d' }, description: 'The length of each bucket.' },
  buckets: {
    name: 'limit',
    schema: { type: 'integer', minimum: 1, maximum: 1_440 },
    description: 'How many buckets a page holds: at most 31 days, 168 hours or 1,440 minutes; 7, 24 or 60 if not told.',
  },
  usage_groups: {
    name: 'group_by[]',
    schema: {
      type: 'array',
      items: { enum: ['api_key_id', 'workspace_id', 'model', 'service_tier', 'context_window', 'inference_geo'] },
    },
    description: 'What is told apart.',
  },
  cost_groups: {
    name: 'group_by[]',
    schema: { type: 'array', items: { enum: ['workspace_id', 'description'] } },
    description: 'What is told apart.',
  },
  'api_key_ids[]': { schema: texts, description: 'Only these keys.' },
  'workspace_ids[]': { schema: texts, description: 'Only these workspaces.' },
  'models[]': { schema: texts, description: 'Only these models.' },
  'service_tiers[]': { schema: texts, description: 'Only these tiers.' },
  page: { schema: text, description: '`next_page` of the page before.' },
} as const;

export const requestHeaders = {
  'content-encoding': { schema: { enum: ['gzip', 'zstd'] }, description: 'How the body is compressed.' },
  'idempotency-key': {
    schema: text,
    description: 'The same key and body within 24 hours are one batch. An extension.',
  },
  'nightshift-live-counts': { schema: { enum: ['0', '1'] }, description: 'Counts as they are now. An extension.' },
  range: { schema: text, description: 'Bytes of the plain results.' },
  'if-range': { schema: text, description: 'The range, if the `etag` is still this one; else the whole.' },
  'if-none-match': { schema: text, description: 'Nothing, if the `etag` is this one.' },
} as const;

const pages = ['limit', 'after_id', 'before_id'] as const;
const span = ['starting_at', 'ending_at', 'buckets', 'page'] as const;
const lines = ['application/x-jsonl'];

/** By method and path, as app.ts writes them. */
export const routeTexts: Readonly<Record<string, RouteText>> = {
  'POST /v1/messages': {
    id: 'createMessage',
    tag: 'Messages',
    summary: 'An answer at once, before any batch work.',
    sends: ['content-encoding'],
    body: 'MessageParams',
    answer: 'MessageAnswer',
    types: ['application/json', 'text/event-stream'],
  },
  'POST /v1/messages/count_tokens': {
    id: 'countTokens',
    tag: 'Messages',
    summary: 'The tokens of a prompt; an estimate where the upstream cannot count them.',
    sends: ['content-encoding'],
    body: 'CountParams',
    answer: 'TokenCount',
    headers: ['nightshift-estimate'],
  },
  'POST /v1/messages/batches': {
    id: 'createBatch',
    tag: 'Batches',
    summary: 'A new batch, durable when it is answered.',
    sends: ['content-encoding', 'idempotency-key'],
    body: 'CreateBatch',
    bodyLine: 'BatchRequest',
    answer: 'MessageBatch',
  },
  'GET /v1/messages/batches': {
    id: 'listBatches',
    tag: 'Batches',
    summary: 'The batches of the workspace, newest first.',
    query: pages,
    sends: ['nightshift-live-counts'],
    answer: 'MessageBatchPage',
  },
  'GET /v1/messages/batches/:id': {
    id: 'retrieveBatch',
    tag: 'Batches',
    summary: 'One batch, for polling.',
    sends: ['nightshift-live-counts'],
    answer: 'MessageBatch',
    headers: ['retry-after'],
  },
  'DELETE /v1/messages/batches/:id': {
    id: 'deleteBatch',
    tag: 'Batches',
    summary: 'Erases a batch that has ended, and its results.',
    answer: 'DeletedMessageBatch',
  },
  'POST /v1/messages/batches/:id/cancel': {
    id: 'cancelBatch',
    tag: 'Batches',
    summary: 'Ends a batch early; what is in flight may finish.',
    answer: 'MessageBatch',
  },
  'GET /v1/messages/batches/:id/results': {
    id: 'downloadResults',
    tag: 'Batches',
    summary: 'One line for each request, in any order, once the batch has ended.',
    sends: ['range', 'if-range', 'if-none-match'],
    answer: 'ResultLine',
    types: lines,
    headers: ['etag', 'accept-ranges', 'content-range'],
    also: { 206: 'The range.', 304: 'The `etag` is the one in `if-none-match`.' },
  },
  'GET /v1/messages/batches/:id/results/partial': {
    id: 'downloadPartialResults',
    tag: 'Batches',
    summary: 'The lines that are sealed so far. An extension.',
    sends: ['range', 'if-none-match'],
    answer: 'ResultLine',
    types: lines,
    headers: ['etag', 'accept-ranges', 'content-range', 'nightshift-complete', 'retry-after'],
    also: {
      204: 'The range begins where the lines end: nothing new.',
      206: 'The range.',
      304: 'The `etag` is the one in `if-none-match`.',
    },
  },
  'GET /v1/messages/batches/:id/usage': {
    id: 'retrieveBatchUsage',
    tag: 'Batches',
    summary: 'What a batch used, and what that costs. An extension.',
    answer: 'BatchUsage',
  },
  'GET /v1/models': {
    id: 'listModels',
    tag: 'Models',
    summary: 'The models that can be asked for.',
    query: [...pages, 'lifecycle[]'],
    answer: 'ModelPage',
  },
  'GET /v1/models/:model{.+}': {
    id: 'retrieveModel',
    tag: 'Models',
    summary: 'One model by its name.',
    answer: 'Model',
  },
  'GET /v1/organizations/me': {
    id: 'retrieveOrganization',
    tag: 'Organization',
    summary: 'The organization of the key.',
    answer: 'Organization',
  },
  'GET /v1/organizations/workspaces': {
    id: 'listWorkspaces',
    tag: 'Organization',
    summary: 'The workspaces.',
    query: [...pages, 'include_archived', 'include_default', 'ids[]'],
    answer: 'WorkspacePage',
  },
  'GET /v1/organizations/workspaces/:id': {
    id: 'retrieveWorkspace',
    tag: 'Organization',
    summary: 'One workspace.',
    answer: 'Workspace',
  },
  'GET /v1/organizations/api_keys': {
    id: 'listKeys',
    tag: 'Organization',
    summary: 'The keys, without their secrets.',
    query: [...pages, 'status', 'workspace_id'],
    answer: 'ApiKeyPage',
  },
  'GET /v1/organizations/api_keys/:id': {
    id: 'retrieveKey',
    tag: 'Organization',
    summary: 'One key, without its secret.',
    answer: 'ApiKey',
  },
  'GET /v1/organizations/usage_report/messages': {
    id: 'reportUsage',
    tag: 'Organization',
    summary: 'Tokens by minute, hour or day.',
    query: [...span, 'width', 'usage_groups', 'api_key_ids[]', 'workspace_ids[]', 'models[]', 'service_tiers[]'],
    answer: 'UsageReport',
  },
  'GET /v1/organizations/cost_report': {
    id: 'reportCost',
    tag: 'Organization',
    summary: 'Money by day.',
    query: [...span, 'day', 'cost_groups'],
    answer: 'CostReport',
  },
  'GET /healthz': { id: 'health', tag: 'Operation', summary: 'The process runs.', answer: 'Health' },
  'GET /readyz': {
    id: 'readiness',
    tag: 'Operation',
    summary: 'The server can work: 200, or 503 with the reason.',
    answer: 'Readiness',
    also: { 503: 'Not ready, with the reason.' },
  },
  'GET /metrics': {
    id: 'metrics',
    tag: 'Operation',
    summary: 'Metrics in the text format of Prometheus.',
    answer: 'Text',
    types: ['text/plain'],
  },
  'GET /openapi.json': { id: 'openapi', tag: 'Operation', summary: 'This document.', answer: 'Document' },
};
