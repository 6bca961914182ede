/** Thinking and effort, in the words each kind of server has for them. */
import { cannot, knownOnly, objectAt, type Json } from './fault.ts';
import { reasons, type Effort, type Profile } from './profile.ts';

const thinkingMembers = new Set(['type', 'budget_tokens', 'display']);
const scale: readonly Effort[] = ['low', 'medium', 'high', 'xhigh', 'max'];
/** A budget of thinking where only efforts are known: at most so many tokens are the effort. */
const budgets: readonly (readonly [tokensMax: number, effort: Effort])[] = [
  [4_095, 'low'],
  [16_383, 'medium'],
];
/** What Messages does where thinking is wanted and nothing says how much. */
const usual: Effort = 'high';

type Asking = { readonly profile: Profile; readonly model: string };

export function reasoningFields(params: Json, { profile, model }: Asking): Json {
  const thinking = params['thinking'];
  const effort = effortOf(params['output_config']);
  if (thinking === undefined || thinking === null) {
    if (effort !== null) return efforts(effort, { profile, switchedOn: false, budget: null });
    return profile.thinksUnasked ? { reasoning_effort: 'none' } : {};
  }
  const { type, budget_tokens: budget } = objectAt(thinking, 'thinking');
  knownOnly(objectAt(thinking, 'thinking'), { known: thinkingMembers, path: 'thinking' });
  switch (type) {
    case 'disabled':
      return switchedOff(profile, model);
    case 'enabled': {
      const tokens = typeof budget === 'number' ? budget : cannot('thinking.budget_tokens', 'Input should be a number');
      return efforts(effort ?? effortOfBudget(tokens), { profile, switchedOn: true, budget: tokens });
    }
    case 'adaptive':
      return efforts(effort ?? usual, { profile, switchedOn: true, budget: null });
    default:
      return cannot('thinking.type', `${JSON.stringify(type)} cannot be carried to an OpenAI-compatible server.`);
  }
}

function effortOf(config: unknown): Effort | null {
  if (config === undefined || config === null) return null;
  const { effort } = objectAt(config, 'output_config');
  if (effort === undefined || effort === null) return null;
  return (
    scale.find((known) => known === effort) ?? cannot('output_config.effort', `${JSON.stringify(effort)} is unknown.`)
  );
}

function effortOfBudget(tokens: number): Effort {
  return budgets.find(([tokensMax]) => tokens <= tokensMax)?.[1] ?? 'high';
}

type How = { readonly profile: Profile; readonly switchedOn: boolean; readonly budget: number | null };

function efforts(wanted: Effort, { profile, switchedOn, budget }: How): Json {
  const known = scale.slice(0, scale.indexOf(wanted) + 1).filter((effort) => profile.efforts.includes(effort));
  const effort = known.at(-1) ?? wanted;
  const template = {
    ...(switchedOn && profile.thinkingSwitch === 'template' ? { enable_thinking: true } : {}),
    ...(profile.effortIn === 'template' ? { reasoning_effort: effort } : {}),
  };
  return {
    ...(profile.effortIn === 'body' ? { reasoning_effort: effort } : {}),
    ...(Object.keys(template).length === 0 ? {} : { chat_template_kwargs: template }),
    ...(profile.thinkingBudget && budget !== null ? { thinking_budget_tokens: budget } : {}),
  };
}

function switchedOff(profile: Profile, model: string): Json {
  if (profile.thinkingSwitch === 'template') return { chat_template_kwargs: { enable_thinking: false } };
  // OpenAI's other models never think, and refuse the field.
  return profile.name === 'openai' && !reasons(model) ? {} : { reasoning_effort: 'none' };
}
