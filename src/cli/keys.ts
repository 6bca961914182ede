/** `nightshift keys`: makes, lists and revokes keys, also while the server runs. */
import type { Command } from 'commander';
import { randomBytes } from 'node:crypto';
import { readAt } from '../config/read.ts';
import { duration, oneOf, text } from '../config/values.ts';
import { StartError } from '../domain/errors.ts';
import { newId } from '../domain/id.ts';
import { hintOf, inOrder, keyState, scopes, type Scope } from '../domain/key.ts';
import { KEY_NAME_LENGTH_MAX } from '../domain/limits.ts';
import { newSecret, secretHashOf } from '../first-key.ts';
import type { Directory, Key } from '../ports/directory.ts';
import {
  addCommonFlags,
  findWorkspace,
  inDirectory,
  jsonTime,
  print,
  printJson,
  printTable,
  say,
  timeOf,
  type CommonFlags,
} from './in-directory.ts';

const examples = `
Scopes:
  batches       make, read, cancel and delete batches, and read results
  messages      POST /v1/messages and /v1/messages/count_tokens
  results:read  read batches and their results, nothing else
  admin         GET /v1/organizations/…

Examples:
  KEY=$(nightshift keys create --name ci --expires 30d)   the key alone goes to standard output, once
  nightshift keys create --workspace evaluations --scope results:read
  nightshift keys list --json
  nightshift keys revoke apikey_01…                       refused within a second
`;

const keyName = text({
  accepts: `a name of up to ${KEY_NAME_LENGTH_MAX} characters`,
  placeholder: 'NAME',
  pattern: new RegExp(`^\\P{Cc}{1,${KEY_NAME_LENGTH_MAX}}$`, 'u'),
});
const scope = oneOf(scopes);
const lifetime = duration({ minMs: 1 });

/** All that applications do; the directory is for administrators. */
const usualScopes: readonly Scope[] = ['batches', 'messages'];

export function addKeysCommand(program: Command): void {
  const group = program
    .command('keys')
    .summary('make, list and revoke keys')
    .description(
      'Keys open one workspace each and are stored as hashes only. A running server follows within a second.',
    )
    .addHelpText('after', examples);
  addCommonFlags(group.command('create').description('make a key and print it, once'))
    .option('--workspace <workspace>', 'the workspace it opens, by id or name (default: the default one)')
    .option('--name <name>', 'what it is for')
    .option(
      '--scope <scope>',
      `what it may do, once for each: ${scopes.join(', ')} (default: ${usualScopes.join(', ')})`,
      also,
      [],
    )
    .option('--expires <duration>', 'how long it is good, like 12h or 30d (default: until it is revoked)')
    .action(create);
  addCommonFlags(group.command('list').description('list keys'))
    .option('--workspace <workspace>', 'only those of a workspace, by id or name')
    .option('--all', 'revoked ones too')
    .action(list);
  addCommonFlags(
    group.command('revoke').argument('<id>', 'its id, apikey_…').description('refuse a key for good'),
  ).action(revoke);
}

function also(value: string, before: readonly string[]): readonly string[] {
  return [...before, ...value.split(',')];
}

type CreateFlags = CommonFlags & {
  readonly workspace?: string;
  readonly name?: string;
  readonly scope: readonly string[];
  readonly expires?: string;
};

async function create(flags: CreateFlags): Promise<void> {
  const name = readAt(keyName, { source: '--name', value: flags.name ?? 'unnamed' });
  const asked = flags.scope.map((value) => readAt(scope, { source: '--scope', value }));
  const lastsMs = flags.expires === undefined ? null : readAt(lifetime, { source: '--expires', value: flags.expires });
  await inDirectory(flags, async (directory) => {
    const workspace = await workspaceOf(directory, flags.workspace);
    if (workspace.archivedAt !== null) {
      throw new StartError(`the workspace ${JSON.stringify(workspace.name)} is archived and takes no keys`, {
        hint: 'Choose another: nightshift workspaces list',
      });
    }
    const secret = newSecret();
    const key = await directory.addKey({
      id: newId('apikey', randomBytes),
      workspaceId: workspace.id,
      name,
      hint: hintOf(secret),
      scopes: asked.length === 0 ? usualScopes : inOrder(asked),
      expiresAt: lastsMs === null ? null : (Date.now() + lastsMs) * 1_000,
      secretHash: secretHashOf(secret),
    });
    if (flags.json === true) return printJson({ ...jsonOf(key), secret });
    print(secret);
    const end = key.expiresAt === null ? '' : `, until ${timeOf(key.expiresAt)}`;
    say(`Made ${key.id} for the workspace ${JSON.stringify(workspace.name)}: ${key.scopes.join(', ')}${end}.`);
    say('It is shown this once: only its hash is stored.');
  });
}

async function list(flags: CommonFlags & { readonly workspace?: string; readonly all?: boolean }): Promise<void> {
  await inDirectory(flags, async (directory) => {
    const names = new Map((await directory.workspaces()).map(({ id, name }) => [id, name]));
    const workspace = flags.workspace === undefined ? null : await findWorkspace(directory, flags.workspace);
    const all = await directory.keys(workspace?.id ?? null);
    const shown = flags.all === true ? all : all.filter(({ revokedAt }) => revokedAt === null);
    if (flags.json === true) return printJson(shown.map(jsonOf));
    printTable([
      ['ID', 'NAME', 'WORKSPACE', 'KEY', 'SCOPES', 'STATE', 'CREATED', 'EXPIRES'],
      ...shown.map((key) => [
        key.id,
        key.name,
        names.get(key.workspaceId) ?? key.workspaceId,
        key.hint ?? '',
        key.scopes.join(','),
        stateOf(key),
        timeOf(key.createdAt),
        key.expiresAt === null ? '' : timeOf(key.expiresAt),
      ]),
    ]);
  });
}

async function revoke(id: string, flags: CommonFlags): Promise<void> {
  if (!id.startsWith('apikey_')) {
    // Not repeated: it may well be the secret itself.
    throw new StartError('keys are revoked by their id, which begins with apikey_', {
      hint: 'See: nightshift keys list. A secret that stood on the command line is in the history of the shell: revoke it.',
    });
  }
  await inDirectory(flags, async (directory) => {
    const key = await directory.revokeKey(id);
    if (key === null) throw new StartError(`there is no key ${id}`, { hint: 'See: nightshift keys list' });
    if (flags.json === true) printJson(jsonOf(key));
    else say(`Revoked ${id} (${key.name}).`);
    await warnOfNone(directory, key);
  });
}

/** Nobody is locked out for good: this command makes keys without one. */
async function warnOfNone(directory: Directory, { workspaceId }: Key): Promise<void> {
  const { id } = await directory.defaultWorkspace();
  if (workspaceId !== id) return;
  const left = (await directory.keys(id)).filter((key) => stateOf(key) === 'active');
  if (left.length > 0) return;
  say('warning: the default workspace has no key any more; make one with: nightshift keys create');
}

function workspaceOf(directory: Directory, idOrName: string | undefined): ReturnType<Directory['defaultWorkspace']> {
  return idOrName === undefined ? directory.defaultWorkspace() : findWorkspace(directory, idOrName);
}

function stateOf(key: Key): ReturnType<typeof keyState> {
  return keyState(key, Date.now() * 1_000);
}

function jsonOf(key: Key): object {
  return {
    id: key.id,
    workspace_id: key.workspaceId,
    name: key.name,
    partial_key_hint: key.hint,
    scopes: key.scopes,
    state: stateOf(key),
    created_at: jsonTime(key.createdAt),
    expires_at: jsonTime(key.expiresAt),
    revoked_at: jsonTime(key.revokedAt),
  };
}
