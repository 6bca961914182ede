/** A Messages request as a chat completion's: everything in it is carried, named in the table of what is harmless, or a fault. */
import { hash } from 'node:crypto';
import { asksNothing, cannot, isObject, knownOnly, listAt, objectAt, stringAt, type Json } from './fault.ts';
import { harmlessParams } from './left-out.ts';
import { conversationOf } from './messages.ts';
import { reasons, type Profile } from './profile.ts';
import { reasoningFields } from './reasoning.ts';
import { responseFormat } from './schema.ts';
import { ToolNames } from './tool-names.ts';
import { keepNames, toolFields } from './tools.ts';

/** What the answer's translation must know of its request. */
export type AnswerContext = {
  readonly model: string;
  readonly names: ToolNames;
  readonly stopSequences: readonly string[];
  /** The text that the answer was to go on from, where the server says it again. */
  readonly echo: string;
  /** Thinking was asked to be left out of the answer. */
  readonly hidesThinking: boolean;
};

export type ChatRequest = { readonly body: Json; readonly context: AnswerContext };

const carried =
  'model max_tokens messages system stop_sequences stream temperature top_p top_k thinking tools tool_choice output_config output_format inference_geo speed';
const knownParams = new Set([...carried.split(' '), ...harmlessParams.keys()]);
const configMembers = new Set(['effort', 'format']);
const IDENTIFIER_LENGTH_MAX = 64;

/** The context of a request that is sent as it came. */
export function plainContext(model: string): AnswerContext {
  return { model, names: new ToolNames(), stopSequences: [], echo: '', hidesThinking: false };
}

/** Throws RequestFault. */
export function toChat(params: Json, profile: Profile): ChatRequest {
  knownOnly(params, { known: knownParams, path: '' });
  const model = stringAt(params['model'], 'model');
  const names = new ToolNames();
  if (params['tools'] !== undefined) keepNames(params, names);
  const systemRole = profile.name === 'openai' && reasons(model) ? 'developer' : 'system';
  const { messages, prefill } = conversationOf(params, { profile, names, systemRole });
  const stopSequences = stopsOf(params, profile);
  const { thinking } = params;
  return {
    body: {
      model,
      messages,
      [profile.tokenLimit]: params['max_tokens'],
      ...sampling(params, profile),
      ...(stopSequences.length === 0 ? {} : { stop: stopSequences }),
      ...(thinking === undefined && params['output_config'] === undefined && !profile.thinksUnasked
        ? {}
        : reasoningFields(params, { profile, model })),
      ...(params['tools'] === undefined && params['tool_choice'] === undefined
        ? {}
        : toolFields(params, { profile, names })),
      ...formatFields(params, profile),
      ...(prefill === null ? {} : prefillFields(prefill.at, profile)),
      ...accountFields(params, profile),
    },
    context: {
      model,
      names,
      stopSequences,
      echo: profile.prefill === 'echoed' && prefill !== null ? prefill.text : '',
      hidesThinking: isObject(thinking) && thinking['display'] === 'omitted',
    },
  };
}

function stopsOf(params: Json, profile: Profile): readonly string[] {
  const value = params['stop_sequences'];
  if (value === undefined || value === null) return [];
  const stops = listAt(value, 'stop_sequences').map((stop, at) => stringAt(stop, `stop_sequences.${at}`));
  if (stops.length > profile.stopMax) {
    cannot(
      'stop_sequences',
      `${stops.length} are too many for ${profile.title}, which takes at most ${profile.stopMax}.`,
    );
  }
  return stops;
}

function sampling(params: Json, profile: Profile): Json {
  const { temperature, top_p: topP, top_k: topK, speed, inference_geo: geo } = params;
  if (!asksNothing(topK) && !profile.topK) cannot('top_k', `${profile.title} has no such parameter.`);
  if (!asksNothing(speed) && speed !== 'standard') cannot('speed', 'cannot be asked of an OpenAI-compatible server.');
  if (!asksNothing(geo) && geo !== 'global')
    cannot('inference_geo', 'cannot be promised for an OpenAI-compatible server.');
  return {
    ...(asksNothing(temperature) ? {} : { temperature }),
    ...(asksNothing(topP) ? {} : { top_p: topP }),
    ...(asksNothing(topK) ? {} : { top_k: topK }),
  };
}

function formatFields(params: Json, profile: Profile): Json {
  const config = params['output_config'];
  if (!asksNothing(config))
    knownOnly(objectAt(config, 'output_config'), { known: configMembers, path: 'output_config' });
  const asked = isObject(config) ? config['format'] : undefined;
  if (!asksNothing(asked)) return { response_format: responseFormat(asked, { profile, path: 'output_config.format' }) };
  const older = params['output_format'];
  return asksNothing(older) ? {} : { response_format: responseFormat(older, { profile, path: 'output_format' }) };
}

function prefillFields(at: number, profile: Profile): Json {
  if (profile.prefill === 'none') {
    cannot(
      `messages.${at}`,
      `${profile.title} cannot be made to go on from a last message of the assistant (a prefill).`,
    );
  }
  return profile.prefill === 'asked' ? { continue_final_message: true, add_generation_prompt: false } : {};
}

function accountFields(params: Json, profile: Profile): Json {
  if (!profile.accountFields) return {};
  const { metadata, service_tier: tier } = params;
  const user = isObject(metadata) ? metadata['user_id'] : null;
  return {
    ...(typeof user === 'string' && user !== '' ? { safety_identifier: identifier(user) } : {}),
    ...(tier === 'auto' ? { service_tier: 'auto' } : tier === 'standard_only' ? { service_tier: 'default' } : {}),
  };
}

/** OpenAI refuses longer ones, and clients send longer ones. */
function identifier(user: string): string {
  return user.length > IDENTIFIER_LENGTH_MAX ? hash('sha256', user) : user;
}
