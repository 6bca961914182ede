/** The betas of the API that a strict server knows; any other is refused there, and everywhere else sent on. */
import { AppError } from '../domain/errors.ts';
import { QUOTED_LENGTH_MAX } from '../domain/limits.ts';
import { readBetas } from './headers.ts';

/** By name, with the dates there have been. */
const dates: Readonly<Record<string, string>> = {
  'admin-user-sign-out': '2026-10-08',
  'advisor-tool': '2026-03-01',
  'agent-memory': '2026-07-22',
  'analytics-usage-cost': '2026-08-24',
  'cache-diagnosis': '2026-04-07',
  'ce-claude-code-managed-settings': '2026-10-06',
  'ce-plugins': '2026-09-01',
  'ce-user-management': '2026-07-13',
  'code-execution': '2025-05-22 2025-08-25',
  compact: '2026-01-12 2026-09-04',
  'computer-use': '2024-10-22 2025-01-24 2025-11-24',
  'context-1m': '2025-08-07',
  'context-management': '2025-06-27',
  'dev-full-thinking': '2025-05-14',
  dreaming: '2026-04-21',
  'experimental-claude-tag': '2026-10-21',
  'extended-cache-ttl': '2025-04-11',
  'fallback-credit': '2026-06-01 2026-07-01',
  'fast-mode': '2026-02-01',
  'files-api': '2025-04-14',
  'fine-grained-tool-streaming': '2025-05-14',
  'inline-tools': '2026-09-15',
  'interleaved-thinking': '2025-05-14',
  'managed-agents': '2026-04-01',
  'max-tokens-3-5-sonnet': '2024-07-15',
  'mcp-client': '2025-04-04 2025-11-20 2026-09-15',
  'mcp-tunnels': '2026-06-22',
  'message-batches': '2024-09-24',
  'message-threads': '2026-08-12',
  'mid-conversation-output-config': '2026-07-01',
  'mid-conversation-system-clear-at': '2026-08-21',
  'mid-conversation-tool-changes': '2026-07-01',
  'model-context-window-exceeded': '2025-08-26',
  'output-128k': '2025-02-19',
  'output-300k': '2026-03-24',
  pdfs: '2024-09-25',
  'prompt-caching': '2024-07-31',
  'server-side-fallback': '2026-06-01 2026-07-01',
  skills: '2025-10-02',
  'spend-limit-reads': '2026-09-26',
  'structured-outputs': '2025-11-13',
  'task-budgets': '2026-03-13',
  'telemetry-destinations': '2026-08-11',
  'thinking-binding-controls': '2026-08-01',
  'thinking-display-updates': '2026-08-18',
  'thinking-token-count': '2026-05-13',
  'token-counting': '2024-11-01',
  'token-efficient-tools': '2025-02-19',
  'user-profiles': '2026-03-24 2026-08-18 2026-09-04',
  'user-profiles-billing': '2026-10-01',
  webhooks: '2026-10-07',
};

const known: ReadonlySet<string> = new Set(
  Object.entries(dates).flatMap(([name, days]) => days.split(' ').map((day) => `${name}-${day}`)),
);

export function requireKnownBetas(headers: Headers): void {
  const unknown = readBetas(headers).filter((beta) => !known.has(beta));
  if (unknown.length === 0) return;
  const quoted = unknown
    .map((beta) => `\`${beta}\``)
    .join(', ')
    .slice(0, QUOTED_LENGTH_MAX);
  throw new AppError(
    'invalid_request',
    `Unexpected value(s) ${quoted} for the \`anthropic-beta\` header. Please consult our documentation at platform.claude.com/docs or try again without the header.`,
  );
}
