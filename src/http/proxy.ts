/**
 * Where a call came from and which address it was sent to, as far as they may be believed.
 *
 * Anyone can send `X-Forwarded-…` and `Forwarded`: they are read only when the operator says how many proxies stand before the server.
 * Each proxy adds its word at the end of a list, so with that many trusted the same number of words from the end are true.
 */
import { isIP } from 'node:net';
import type { HttpBindings } from '@hono/node-server';

type Sent = { readonly request: Request };
type Came = Sent & { readonly node: HttpBindings | null };
type Trust = { readonly publicUrl: string | null; readonly trustedProxies: number };

/** What the client calls us by, without a slash at its end. */
export function baseUrlOf({ publicUrl, trustedProxies }: Trust, { request }: Sent): string {
  if (publicUrl !== null) return publicUrl.replace(/\/+$/, '');
  const own = new URL(request.url);
  if (trustedProxies === 0) return own.origin;
  const told = forwarded(request.headers, trustedProxies);
  const scheme = told.proto !== null && /^https?$/i.test(told.proto) ? told.proto.toLowerCase() : null;
  const host = told.host !== null && hostPattern.test(told.host) ? told.host.toLowerCase() : null;
  return URL.parse(`${scheme ?? own.protocol.slice(0, -1)}://${host ?? own.host}`)?.origin ?? own.origin;
}

/** The address of the client, for the log; null when called in-process. */
export function clientOf({ trustedProxies }: Trust, { request, node }: Came): string | null {
  const peer = node?.incoming.socket.remoteAddress ?? null;
  if (trustedProxies === 0) return peer;
  const told = bareAddress(forwarded(request.headers, trustedProxies).for ?? '');
  return isIP(told) === 0 ? peer : told;
}

const hostPattern = /^([\w.-]{1,253}|\[[\da-f:.]{2,45}\])(:\d{1,5})?$/i;

type Told = { readonly for: string | null; readonly host: string | null; readonly proto: string | null };

/** A proxy writes one of the two forms; where both came the older one holds, because it is what proxies replace. */
function forwarded(headers: Headers, proxies: number): Told {
  const older = {
    for: wordOf(headers.get('x-forwarded-for'), proxies),
    host: wordOf(headers.get('x-forwarded-host'), proxies),
    proto: wordOf(headers.get('x-forwarded-proto'), proxies),
  };
  if (older.for !== null || older.host !== null || older.proto !== null) return older;
  const element = wordOf(headers.get('forwarded'), proxies) ?? '';
  return { for: pairOf(element, 'for'), host: pairOf(element, 'host'), proto: pairOf(element, 'proto') };
}

/** So many words from the end of a comma list; a comma may also stand between quotes, and one quote too many would move them. */
function wordOf(list: string | null, fromEnd: number): string | null {
  if ((list?.split('"').length ?? 1) % 2 === 0) return null;
  const words = list?.match(/(?:[^",]|"[^"]*")+/g)?.map((word) => word.trim()) ?? [];
  return words[Math.max(0, words.length - fromEnd)] || null;
}

function pairOf(element: string, name: string): string | null {
  for (const pair of element.split(';')) {
    const equals = pair.indexOf('=');
    if (pair.slice(0, equals).trim().toLowerCase() !== name) continue;
    return (
      pair
        .slice(equals + 1)
        .trim()
        .replaceAll('"', '') || null
    );
  }
  return null;
}

/** `[2001:db8::1]:4711` and `192.0.2.1:4711` without brackets and port. */
function bareAddress(text: string): string {
  const [, bracketed] = /^\[([^\]]+)\](?::\d+)?$/.exec(text) ?? [];
  return bracketed ?? text.replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1');
}
