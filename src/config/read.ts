/** Reading with the place in hand: every refusal names the option or key, where it stands, and what is accepted. */
import { nearest } from './nearest.ts';
import { quoted, Refused, type Reader } from './values.ts';

/** A configuration that is refused; the message names its place and the hint the remedy. */
export class ConfigError extends Error {
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.name = 'ConfigError';
    this.hint = hint;
  }
}

export function readAt<T>(reader: Reader<T>, given: { readonly source: string; readonly value: unknown }): T {
  try {
    return reader.read(given.value);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    throw new ConfigError(`${given.source}: ${error.because}`, error.hint ?? `Expected ${reader.accepts}.`);
  }
}

/** A JSON object with none but the known keys; `known` null allows any. */
export function asObject(given: {
  value: unknown;
  source: string;
  known: readonly string[] | null;
}): Readonly<Record<string, unknown>> {
  const { value, source, known } = given;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ConfigError(`${source}: ${quoted(value)} is not accepted`, 'Expected an object: { … }.');
  }
  for (const key of Object.keys(value)) {
    if (known === null || known.includes(key)) continue;
    if (/^(api-?key|key|token|secret|password|upstreamApiKey)$/i.test(key)) {
      throw new ConfigError(
        `${source}: ${key} is not a key: secrets do not belong in the file`,
        'Put it in a variable; "apiKeyEnv" of an upstream names one.',
      );
    }
    const meant = nearest(key, known);
    throw new ConfigError(
      `${source}: unknown key ${quoted(key)}`,
      meant === null ? `Known are ${known.join(', ')}.` : `Did you mean ${quoted(meant)}?`,
    );
  }
  return value as Readonly<Record<string, unknown>>;
}
