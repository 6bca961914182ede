/** The address of an upstream as one word, `PROTOCOL:URL`, and the protocols there are. */
import type { ProfileName } from '../upstreams/openai/profile.ts';
import { oneOf, quoted, Refused, url, type Reader } from './values.ts';

export type Protocol = 'anthropic' | 'openai' | 'simulator';

export type UpstreamAddress = { readonly protocol: Protocol; readonly url: string | null };

const accepts = 'anthropic:http://host:port, openai:http://host:port/v1 or simulator';

export const upstreamAddress: Reader<UpstreamAddress> = {
  accepts,
  placeholder: 'PROTOCOL:URL',
  read(value) {
    if (typeof value !== 'string') throw new Refused(`${quoted(value)} is not accepted`);
    if (value === 'simulator') return { protocol: 'simulator', url: null };
    const [protocol] = value.split(':', 1);
    if (/^https?$/.test(protocol)) {
      throw new Refused(
        'the protocol is missing before the URL',
        `If it speaks the Messages API: anthropic:${URL.parse(value)?.origin ?? 'URL'}. If only chat completions: openai:${value}`,
      );
    }
    const named = protocolNamed(protocol);
    if (protocol === value) throw new Refused(`the URL is missing after ${quoted(value)}`);
    return { protocol: named, url: upstreamUrl.read(value.slice(protocol.length + 1)) };
  },
  show: (address) => (address.url === null ? address.protocol : `${address.protocol}:${address.url}`),
};

/** The paths of the API begin with /v1, which is often given as part of the address. */
export const upstreamUrl: Reader<string> = { ...url, read: (value) => url.read(value).replace(/\/v1$/, '') };

export const protocol: Reader<Protocol> = {
  accepts: 'anthropic, openai or simulator',
  placeholder: 'PROTOCOL',
  read: (value) => (value === 'simulator' ? value : protocolNamed(value)),
  show: String,
};

function protocolNamed(name: unknown): 'anthropic' | 'openai' {
  if (name === 'anthropic' || name === 'openai') return name;
  throw new Refused(`the protocol ${quoted(name)} is unknown`);
}

/** Kinds of servers that speak chat completions; `auto` finds out which. */
const kinds: Readonly<Record<ProfileName | 'auto', true>> = {
  auto: true,
  openai: true,
  vllm: true,
  'llama.cpp': true,
  ollama: true,
  generic: true,
};
export type UpstreamProfile = keyof typeof kinds;
export const upstreamProfile = oneOf(Object.keys(kinds) as readonly UpstreamProfile[]);
