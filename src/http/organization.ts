/** The Admin API's read side: the organization, its workspaces and its keys. Changes are made by command, on the machine itself. */
import { timestamp } from '../dialects/batch-view.ts';
import { AppError } from '../domain/errors.ts';
import { keyState, type KeyState } from '../domain/key.ts';
import type { Key, Workspace } from '../ports/directory.ts';
import type { AdmittedCall, HttpDeps } from './call.ts';
import { readLimit } from './list.ts';
import { jsonReply, type Reply } from './respond.ts';

export async function retrieveOrganization(_deps: HttpDeps, { account }: AdmittedCall): Promise<Reply> {
  return jsonReply({ id: account.organizationId, type: 'organization', name: 'Nightshift' });
}

export async function listWorkspaces(deps: HttpDeps, { request }: AdmittedCall): Promise<Reply> {
  const query = new URL(request.url).searchParams;
  const withArchived = readFlag(query, 'include_archived');
  const withDefault = readFlag(query, 'include_default');
  const ids = new Set([...query.getAll('ids[]'), ...query.getAll('ids')]);
  const all = await deps.directory.workspaces();
  const shown = all.filter(
    ({ id, archivedAt, isDefault }) =>
      (withArchived || archivedAt === null) && (withDefault || !isDefault) && (ids.size === 0 || ids.has(id)),
  );
  return jsonReply(pageOf({ what: 'Workspace', rows: shown.toSorted(newestFirst), query, render: renderWorkspace }));
}

export async function retrieveWorkspace(deps: HttpDeps, { batchId: id }: AdmittedCall): Promise<Reply> {
  const workspace = await deps.directory.workspace(id);
  if (workspace === null) throw new AppError('not_found', `Workspace ${id} not found.`);
  return jsonReply(renderWorkspace(workspace));
}

export async function listKeys(deps: HttpDeps, { request }: AdmittedCall): Promise<Reply> {
  const query = new URL(request.url).searchParams;
  const status = query.get('status');
  if (status !== null && !statuses.includes(status)) {
    const choices = `${statuses.slice(0, -1).map(quoted).join(', ')} or ${quoted(statuses.at(-1) ?? '')}`;
    throw new AppError('invalid_request', `status: Input should be ${choices}`);
  }
  const render = keyRenderer(deps, (await deps.directory.defaultWorkspace()).id);
  const keys = await deps.directory.keys(query.get('workspace_id'));
  const rendered = keys.toSorted(newestFirst).map(render);
  const rows = rendered.filter((key) => status === null || key.status === status);
  return jsonReply(pageOf({ what: 'API key', rows, query, render: (key) => key }));
}

export async function retrieveKey(deps: HttpDeps, { batchId: id }: AdmittedCall): Promise<Reply> {
  const key = (await deps.directory.keys(null)).find((one) => one.id === id);
  if (key === undefined) throw new AppError('not_found', `API key ${id} not found.`);
  return jsonReply(keyRenderer(deps, (await deps.directory.defaultWorkspace()).id)(key));
}

/** Members of the schema that mean nothing here have the value that promises least. */
function renderWorkspace({ id, name, createdAt, archivedAt }: Workspace): object {
  return {
    id,
    type: 'workspace',
    name,
    created_at: timestamp(createdAt),
    archived_at: archivedAt === null ? null : timestamp(archivedAt),
    display_color: '#6C5BB9',
    compartment_id: '',
    data_residency: {
      workspace_geo: 'us',
      allowed_inference_geos: 'unrestricted',
      default_inference_geo: 'global',
    },
    external_key_id: null,
    tags: {},
    user_profile_id: null,
  };
}

/** The API's words for the states; `inactive`, a key that may come back, does not exist here. */
const statusOf: Readonly<Record<KeyState, string>> = { active: 'active', expired: 'expired', revoked: 'archived' };
const statuses: readonly string[] = ['active', 'inactive', 'archived', 'expired'];

type RenderedKey = { readonly id: string; readonly status: string };

function keyRenderer({ world }: HttpDeps, defaultWorkspaceId: string): (key: Key) => RenderedKey {
  const now = world.clock.wallMs() * 1_000;
  return (key) => ({
    id: key.id,
    type: 'api_key',
    name: key.name,
    // Versions before 2026-10-21 read the first, where null is the default workspace, later ones the second.
    workspace_id: key.workspaceId === defaultWorkspaceId ? null : key.workspaceId,
    scope: { type: 'workspace', workspace_id: key.workspaceId },
    created_at: timestamp(key.createdAt),
    created_by: null,
    expires_at: key.expiresAt === null ? null : timestamp(key.expiresAt),
    partial_key_hint: key.hint,
    principal: null,
    status: statusOf[keyState(key, now)],
  });
}

type Listing<Row> = {
  readonly what: string;
  readonly rows: readonly Row[];
  readonly query: URLSearchParams;
  readonly render: (row: Row) => object;
};

/** There are hundreds of rows, not millions: they are read whole, and the page is cut here. */
function pageOf<Row extends { readonly id: string }>({ what, rows, query, render }: Listing<Row>): object {
  const limit = readLimit(query);
  const after = query.get('after_id') || null;
  const before = query.get('before_id') || null;
  if (after !== null && before !== null) {
    throw new AppError('invalid_request', 'after_id: cannot be used together with before_id');
  }
  const placeOf = (name: string, id: string): number => {
    const place = rows.findIndex((row) => row.id === id);
    if (place < 0) throw new AppError('invalid_request', `${name}: ${what} ${id} not found.`);
    return place;
  };
  const end = before === null ? rows.length : placeOf('before_id', before);
  const start = after === null ? 0 : placeOf('after_id', after) + 1;
  const page = before === null ? rows.slice(start, start + limit) : rows.slice(Math.max(0, end - limit), end);
  return {
    data: page.map(render),
    has_more: end - start > page.length,
    first_id: page[0]?.id ?? null,
    last_id: page.at(-1)?.id ?? null,
  };
}

function newestFirst<Row extends { readonly createdAt: number; readonly id: string }>(left: Row, right: Row): number {
  return right.createdAt - left.createdAt || (left.id < right.id ? -1 : 1);
}

const yes: ReadonlySet<string> = new Set(['true', '1', 'on', 'yes', 't', 'y']);
const no: ReadonlySet<string> = new Set(['false', '0', 'off', 'no', 'f', 'n']);

function readFlag(query: URLSearchParams, name: string): boolean {
  const word = query.get(name)?.toLowerCase() ?? 'false';
  if (yes.has(word) || no.has(word)) return yes.has(word);
  throw new AppError('invalid_request', `${name}: Input should be a valid boolean, unable to interpret input`);
}

function quoted(word: string): string {
  return `'${word}'`;
}
