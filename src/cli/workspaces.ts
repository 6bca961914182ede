/** `nightshift workspaces`: makes, lists, changes and archives workspaces, also while the server runs. */
import type { Command } from 'commander';
import { ConfigError, readAt } from '../config/read.ts';
import { number, text } from '../config/values.ts';
import { StartError } from '../domain/errors.ts';
import { newId } from '../domain/id.ts';
import { WORKSPACE_NAME_LENGTH_MAX, WORKSPACE_WEIGHT_MAX, WORKSPACE_WEIGHT_MIN } from '../domain/limits.ts';
import type { Workspace } from '../ports/directory.ts';
import { randomBytes } from 'node:crypto';
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
Examples:
  nightshift workspaces create evaluations --weight 0.5   half the share of a workspace of weight 1
  nightshift workspaces update evaluations --weight 2
  nightshift workspaces list --json
  nightshift workspaces archive evaluations               its keys are refused from now on, its batches go on
`;

const workspaceName = text({
  accepts: `a name of up to ${WORKSPACE_NAME_LENGTH_MAX} characters`,
  placeholder: 'NAME',
  pattern: new RegExp(`^(?! )\\P{Cc}{1,${WORKSPACE_NAME_LENGTH_MAX}}(?<! )$`, 'u'),
});
const workspaceWeight = number({ min: WORKSPACE_WEIGHT_MIN, max: WORKSPACE_WEIGHT_MAX });

export function addWorkspacesCommand(program: Command): void {
  const group = program
    .command('workspaces')
    .summary('make, list, change and archive workspaces')
    .description(
      'Workspaces keep batches and keys apart and share the upstreams by weight. A running server follows within a second.',
    )
    .addHelpText('after', examples);
  addCommonFlags(group.command('create').argument('<name>').description('make a workspace and print its id'))
    .option('--weight <number>', 'its share of every upstream against other workspaces', '1')
    .action(create);
  addCommonFlags(group.command('list').description('list workspaces'))
    .option('--all', 'archived ones too')
    .action(list);
  addCommonFlags(group.command('update').argument('<workspace>', 'its id or name').description('change a workspace'))
    .option('--name <name>', 'its new name')
    .option('--weight <number>', 'its new share')
    .action(update);
  addCommonFlags(
    group
      .command('archive')
      .argument('<workspace>', 'its id or name')
      .description('refuse its keys for good; its batches go on'),
  ).action(archive);
}

type Changes = CommonFlags & { readonly name?: string; readonly weight?: string };

async function create(given: string, flags: Changes): Promise<void> {
  const name = nameOf(given);
  const weight = readAt(workspaceWeight, { source: '--weight', value: flags.weight });
  await inDirectory(flags, async (directory) => {
    const made = await directory.createWorkspace({ id: newId('wrkspc', randomBytes), name, weight });
    if (made === 'name_taken') throw nameTaken(name);
    if (flags.json === true) return printJson(jsonOf(made));
    print(made.id);
    say(`Made the workspace ${JSON.stringify(name)}. A key for it: nightshift keys create --workspace ${made.id}`);
  });
}

async function list(flags: CommonFlags & { readonly all?: boolean }): Promise<void> {
  await inDirectory(flags, async (directory) => {
    const all = await directory.workspaces();
    const shown = flags.all === true ? all : all.filter(({ archivedAt }) => archivedAt === null);
    if (flags.json === true) return printJson(shown.map(jsonOf));
    printTable([
      ['ID', 'NAME', 'WEIGHT', 'CREATED', 'ARCHIVED'],
      ...shown.map(({ id, name, weight, createdAt, archivedAt }) => [
        id,
        name,
        String(weight),
        timeOf(createdAt),
        archivedAt === null ? '' : timeOf(archivedAt),
      ]),
    ]);
  });
}

async function update(idOrName: string, flags: Changes): Promise<void> {
  if (flags.name === undefined && flags.weight === undefined) {
    throw new ConfigError('nothing is to be changed', 'Give --name or --weight.');
  }
  const name = flags.name === undefined ? null : nameOf(flags.name);
  const weight =
    flags.weight === undefined ? null : readAt(workspaceWeight, { source: '--weight', value: flags.weight });
  await inDirectory(flags, async (directory) => {
    const { id } = await findWorkspace(directory, idOrName);
    const changed = await directory.updateWorkspace({ id, name, weight });
    if (changed === 'name_taken') throw nameTaken(String(name));
    if (changed === 'unknown') throw gone(idOrName);
    if (flags.json === true) return printJson(jsonOf(changed));
    say(`The workspace ${JSON.stringify(changed.name)} has weight ${changed.weight}.`);
  });
}

async function archive(idOrName: string, flags: CommonFlags): Promise<void> {
  await inDirectory(flags, async (directory) => {
    const { id } = await findWorkspace(directory, idOrName);
    const archived = await directory.archiveWorkspace(id);
    if (archived === 'unknown') throw gone(idOrName);
    if (archived === 'is_default') {
      throw new StartError('the default workspace cannot be archived', {
        hint: 'Revoke its keys instead: nightshift keys list',
      });
    }
    if (flags.json === true) return printJson(jsonOf(archived));
    say(`Archived the workspace ${JSON.stringify(archived.name)}: its keys are refused, its batches go on.`);
  });
}

function nameOf(value: string): string {
  return readAt(workspaceName, { source: 'the name of a workspace', value });
}

function nameTaken(name: string): StartError {
  return new StartError(`there is a workspace ${JSON.stringify(name)} already`, { hint: 'Choose another name.' });
}

function gone(idOrName: string): StartError {
  return new StartError(`there is no workspace ${JSON.stringify(idOrName)}`, {
    hint: 'See: nightshift workspaces list',
  });
}

function jsonOf({ id, name, weight, isDefault, createdAt, archivedAt }: Workspace): object {
  return {
    id,
    name,
    weight,
    is_default: isDefault,
    created_at: jsonTime(createdAt),
    archived_at: jsonTime(archivedAt),
  };
}
