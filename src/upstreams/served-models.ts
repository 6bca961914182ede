/** What an upstream says it serves: `GET /v1/models`, which Anthropic, OpenAI and every local server answer with a list of ids. */
import type { Send } from '../ports/world.ts';

/** A list of models is small; what is longer is not one. */
const LIST_BYTES_MAX = 4 * 1024 * 1024;
const MODELS_MAX = 10_000;

type Question = {
  readonly send: Send;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
};

/** Null for anything that is not such a list: a server that lies about its models must not stop ours. */
export async function readModels({ send, url, headers, signal }: Question): Promise<readonly string[] | null> {
  try {
    const response = await send({ method: 'GET', url, headers, body: new Uint8Array(0), signal });
    if (response.status !== 200) return null;
    const bytes = await response.body.bytes(LIST_BYTES_MAX);
    const list = JSON.parse(Buffer.from(bytes).toString('utf8')) as { data?: unknown } | null;
    if (!Array.isArray(list?.data)) return null;
    const ids = (list.data as readonly { id?: unknown }[]).map((entry) => entry?.id);
    return ids.filter((id): id is string => typeof id === 'string' && /^\P{Cc}{1,256}$/u.test(id)).slice(0, MODELS_MAX);
  } catch {
    return null;
  }
}
