/** Requests that both protocols write alike: they go out as the very bytes that came. Most rows of large batches are such. */
import { isObject, type Json } from './fault.ts';
import type { Profile } from './profile.ts';

/** Text in turn, and parameters of one name and one meaning. */
export function isPlain(params: Json, profile: Profile): boolean {
  if (profile.tokenLimit !== 'max_tokens' || profile.thinksUnasked) return false;
  for (const name in params) {
    const value = params[name];
    switch (name) {
      case 'model':
        if (typeof value !== 'string') return false;
        break;
      case 'max_tokens':
      case 'temperature':
      case 'top_p':
        if (typeof value !== 'number') return false;
        break;
      case 'messages':
        if (!areInTurn(value)) return false;
        break;
      default:
        return false;
    }
  }
  return true;
}

/** Texts of the user and the assistant, one after the other, the user's first and last. */
function areInTurn(messages: unknown): boolean {
  if (!Array.isArray(messages) || messages.length % 2 === 0) return false;
  for (let at = 0; at < messages.length; at += 1) {
    const message = messages[at] as unknown;
    if (!isObject(message) || message['role'] !== (at % 2 === 0 ? 'user' : 'assistant')) return false;
    if (typeof message['content'] !== 'string') return false;
    for (const name in message) if (name !== 'role' && name !== 'content') return false;
  }
  return true;
}
