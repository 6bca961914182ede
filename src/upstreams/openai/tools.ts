/** Tools and the choice among them, as chat completions name both. */
import { asksNothing, cannot, isObject, knownOnly, listAt, objectAt, stringAt, type Json } from './fault.ts';
import { harmlessInTools } from './left-out.ts';
import type { Profile } from './profile.ts';
import { qualifiesAsStrict } from './schema.ts';
import type { ToolNames } from './tool-names.ts';

export type ToolFields = { tools?: readonly unknown[]; tool_choice?: unknown; parallel_tool_calls?: boolean };

type Named = { readonly profile: Profile; readonly names: ToolNames };

const toolMembers = new Set([
  ...harmlessInTools.keys(),
  'name',
  'description',
  'input_schema',
  'type',
  'strict',
  'input_examples',
  'allowed_callers',
]);
const choiceMembers = new Set(['type', 'name', 'disable_parallel_tool_use']);

export function toolFields(params: Json, { profile, names }: Named): ToolFields {
  const listed = params['tools'] === undefined || params['tools'] === null ? [] : listAt(params['tools'], 'tools');
  const tools = listed.map((tool, at) =>
    functionOf(objectAt(tool, `tools.${at}`), { profile, names, path: `tools.${at}` }),
  );
  const choice = params['tool_choice'];
  if (choice === undefined || choice === null) return tools.length === 0 ? {} : { tools };
  return chosen(objectAt(choice, 'tool_choice'), { profile, names, tools });
}

type Function = {
  readonly type: 'function';
  readonly function: {
    readonly name: string;
    readonly description?: string;
    readonly parameters: unknown;
    readonly strict?: true;
  };
};

function functionOf(tool: Json, { profile, names, path }: Named & { readonly path: string }): Function {
  const type = tool['type'];
  if (type !== undefined && type !== null && type !== 'custom') {
    cannot(
      path,
      `${stringAt(type, `${path}.type`)} is a tool of Anthropic's own and cannot be carried to an OpenAI-compatible server.`,
    );
  }
  knownOnly(tool, { known: toolMembers, path });
  const callers = tool['allowed_callers'];
  if (!asksNothing(callers) && !(Array.isArray(callers) && callers.every((caller) => caller === 'direct'))) {
    cannot(`${path}.allowed_callers`, 'tools that other tools call cannot be carried to an OpenAI-compatible server.');
  }
  const schema = objectAt(tool['input_schema'], `${path}.input_schema`);
  const description = describe(tool, path);
  return {
    type: 'function',
    function: {
      name: names.sent(stringAt(tool['name'], `${path}.name`)),
      ...(description === '' ? {} : { description }),
      // Servers that compile schemas need the type that Messages lets out.
      parameters: schema['type'] === undefined ? { type: 'object', ...schema } : schema,
      ...(profile.strict && tool['strict'] === true && qualifiesAsStrict(schema) ? { strict: true } : {}),
    },
  };
}

/** Examples have no place of their own; a model reads them as well in the description. */
function describe(tool: Json, path: string): string {
  const description = tool['description'] ?? '';
  const text = stringAt(description, `${path}.description`);
  const examples = tool['input_examples'];
  if (asksNothing(examples)) return text;
  const told = listAt(examples, `${path}.input_examples`).map((example) => JSON.stringify(example));
  return [text, `Examples of its input:\n${told.join('\n')}`].filter((part) => part !== '').join('\n\n');
}

type Choosing = Named & { readonly tools: readonly Function[] };

function chosen(choice: Json, choosing: Choosing): ToolFields {
  const { profile, tools } = choosing;
  knownOnly(choice, { known: choiceMembers, path: 'tool_choice' });
  const alone = choice['disable_parallel_tool_use'] === true;
  if (tools.length === 0) {
    if (choice['type'] === 'auto' || choice['type'] === 'none') return {};
    cannot('tool_choice', 'a tool must be called, but there are no tools.');
  }
  if (alone && choice['type'] !== 'none' && !profile.parallelTools) {
    cannot(
      'tool_choice.disable_parallel_tool_use',
      `${profile.title} cannot be kept from calling several tools at once.`,
    );
  }
  return {
    ...choiceOf(choice, choosing),
    ...(alone && choice['type'] !== 'none' ? { parallel_tool_calls: false } : {}),
  };
}

function choiceOf(choice: Json, { profile, names, tools }: Choosing): ToolFields {
  const { forcedTools } = profile;
  switch (choice['type']) {
    case 'auto':
      return forcedTools === 'none' ? { tools } : { tools, tool_choice: 'auto' };
    case 'none':
      // Without tools none is called, where the choice itself is not understood.
      return forcedTools === 'none' ? {} : { tools, tool_choice: 'none' };
    case 'any':
      if (forcedTools === 'none') cannot('tool_choice', `${profile.title} cannot be made to call a tool.`);
      return { tools, tool_choice: 'required' };
    case 'tool': {
      if (forcedTools === 'none') cannot('tool_choice', `${profile.title} cannot be made to call a tool.`);
      const name = names.sent(stringAt(choice['name'], 'tool_choice.name'));
      const only = tools.filter((tool) => tool.function.name === name);
      if (only.length === 0) cannot('tool_choice.name', 'no tool has this name.');
      if (forcedTools === 'any') return { tools: only, tool_choice: 'required' };
      return { tools, tool_choice: { type: 'function', function: { name } } };
    }
    default:
      return cannot(
        'tool_choice.type',
        `${JSON.stringify(choice['type'])} cannot be carried to an OpenAI-compatible server.`,
      );
  }
}

/** Every name of a tool in the request, so that mapped ones stay apart from them. */
export function keepNames(params: Json, names: ToolNames): void {
  if (Array.isArray(params['tools'])) for (const tool of params['tools']) keepName(tool, names);
  if (!Array.isArray(params['messages'])) return;
  for (const message of params['messages'] as readonly unknown[]) {
    if (!isObject(message) || !Array.isArray(message['content'])) continue;
    for (const block of message['content'] as readonly unknown[]) keepName(block, names);
  }
}

function keepName(value: unknown, names: ToolNames): void {
  if (isObject(value) && typeof value['name'] === 'string') names.keep(value['name']);
}
