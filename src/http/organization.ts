/** The Admin API's read side: the organization, its workspaces and its keys. Changes are made by command, on the machine itself. */
import { timestamp } from '../dialects/batch-view.ts';
import { AppError } from '../domain/errors.ts';
import { keyState, type KeyState } from '../domain/key.ts';
import type { Key, Workspace } from '../ports/directory.ts';
import type { AdmittedCall, HttpDeps } from './call.ts';
import { readCursors } from './list.ts';
import { jsonReply, type Reply } from './respond.ts';

export async function retrieveOrganization(_deps: HttpDeps, { account }: AdmittedCall): Promise<Reply> {
  return jsonReply({ id: account.organizationId, type: 'organization', name: 'Nightshift' });
}

export async function listWorkspaces(deps: HttpDeps, { request }: AdmittedCall): Promise<Reply> {
  const query = new URL(request.url).searchParams;
  const withArchived = readFlag(query, 'include_archived');
  const withDefault = readFlag(query, 'include_default');
  const ids = new Set([...query.getAll('ids[]'), ...query.getAll('ids')]);
  const isShown = ({ id, archivedAt, isDefault }: Workspace): boolean =>
    (withArchived || archivedAt === null) && (withDefault || !isDefault) && (ids.size === 0 || ids.has(id));
  const rows = await deps.directory.workspaces();
  return jsonReply(pageOf({ what: 'Workspace', rows, isShown, query, render: renderWorkspace }));
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
  const now = wallMicros(deps);
  const isShown = (key: Key): boolean => status === null || statusOf[keyState(key, now)] === status;
  const rows = await deps.directory.keys(query.get('workspace_id'));
  return jsonReply(pageOf({ what: 'API key', rows, isShown, query, render }));
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

function wallMicros({ world }: HttpDeps): number {
  return world.clock.wallMs() * 1_000;
}

function keyRenderer(deps: HttpDeps, defaultWorkspaceId: string): (key: Key) => object {
  const now = wallMicros(deps);
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
  readonly isShown: (row: Row) => boolean;
  readonly query: URLSearchParams;
  readonly render: (row: Row) => object;
};

type Listed = { readonly id: string; readonly createdAt: number };

/**
 * There are hundreds of rows, not millions: they are read whole, and the page is cut here. A cursor is looked for among all of them:
 * a key that is revoked between two pages is shown no more, but the next page still begins behind it.
 */
function pageOf<Row extends Listed>({ what, rows, isShown, query, render }: Listing<Row>): object {
  const { limit, after, before } = readCursors(query);
  const sorted = rows.toSorted(newestFirst);
  const placeOf = (name: string, id: string): number => {
    const place = sorted.findIndex((row) => row.id === id);
    if (place < 0) throw new AppError('invalid_request', `${name}: ${what} ${id} not found.`);
    return place;
  };
  const end = before === null ? sorted.length : placeOf('before_id', before);
  const start = after === null ? 0 : placeOf('after_id', after) + 1;
  const shown = sorted.slice(start, end).filter(isShown);
  const page = before === null ? shown.slice(0, limit) : shown.slice(-limit);
  return {
    data: page.map(render),
    has_more: shown.length > page.length,
    first_id: page[0]?.id ?? null,
    last_id: page.at(-1)?.id ?? null,
  };
}

function newestFirst(left: Listed, right: Listed): number {
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
