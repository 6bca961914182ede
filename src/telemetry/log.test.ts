import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NightshiftEvent } from './events.ts';
import { createLog, type LogOptions } from './log.ts';

const created: NightshiftEvent = {
  kind: 'batch_created',
  batchId: 'msgbatch_01a',
  workspaceId: 'wrkspc_01b',
  requests: 3,
  bytes: 900,
  durationMs: 12.345,
  repeated: false,
};
const attempt: NightshiftEvent = {
  kind: 'attempt',
  batchId: 'msgbatch_01a',
  upstream: 'local',
  model: 'm',
  end: 'succeeded',
  status: 200,
  durationMs: 3,
};

test('json: one line with time, level, message and the fields of the event', () => {
  const [line, ...more] = lines([created], { format: 'json', level: 'info' });
  assert.deepEqual(more, []);
  const { time, ...rest } = JSON.parse(line) as Record<string, unknown>;
  assert.match(String(time), /^\d{4}-\d\d-\d\dT/);
  const { kind: _, ...fields } = created;
  assert.deepEqual(rest, { level: 'info', msg: 'batch created', ...fields });
});

test('pretty: one short line, with colours only when asked for', () => {
  const [plain] = lines([created], { format: 'pretty', level: 'info' });
  assert.match(plain, /^\d\d:\d\d:\d\d info  batch created batchId=msgbatch_01a .*durationMs=12\.3/);
  const [colored] = lines([created], { format: 'pretty', level: 'info', color: true });
  assert(colored.includes('\u001B[32minfo'));
});

test('pretty: control characters from outside do not reach the terminal', () => {
  const event: NightshiftEvent = { ...attempt, model: 'evil\u001B[2J\nline' };
  const [line] = lines([event], { format: 'pretty', level: 'trace' });
  assert(!line.includes('\u001B'));
  assert.equal(line.trimEnd().split('\n').length, 1);
});

test('what happens thousands of times a second is told only on request', () => {
  assert.equal(lines([attempt], { format: 'json', level: 'debug' }).length, 0);
  assert.equal(lines([attempt], { format: 'json', level: 'trace' }).length, 1);
  assert.equal(lines([created], { format: 'json', level: 'silent' }).length, 0);
});

test('requests are told at debug, failed ones as warnings', () => {
  const http = (status: number): NightshiftEvent => {
    return {
      kind: 'http',
      method: 'GET',
      route: '/v1/messages/batches',
      status,
      durationMs: 1,
      requestId: 'req_1',
      workspaceId: null,
      client: null,
      code: null,
    };
  };
  assert.equal(lines([http(200), http(404), http(503)], { format: 'json', level: 'info' }).length, 1);
});

for (const format of ['json', 'pretty'] as const) {
  test(`${format}: a failure shows name, message, code, hint, stack and cause, and nothing else it holds`, () => {
    const cause = Object.assign(new Error('no room'), { code: 'ENOSPC' });
    const error = Object.assign(new Error('cannot write', { cause }), {
      hint: 'free some room',
      prompt: 'my secret prompt',
    });
    const text = lines([{ kind: 'failure', where: 'journal', error, requestId: 'req_1' }], {
      format,
      level: 'info',
    }).join('');
    for (const expected of [
      'failure in journal',
      'cannot write',
      'free some room',
      'ENOSPC',
      'no room',
      'log.test.ts',
      'req_1',
    ]) {
      assert(text.includes(expected), expected);
    }
    assert(!text.includes('secret'));
  });

  test(`${format}: a syntax error does not quote what was read`, () => {
    let error: unknown;
    try {
      JSON.parse('my secret prompt');
    } catch (caught) {
      error = caught;
    }
    assert(String((error as Error).stack).includes('my secret'), 'the runtime quotes the text');
    const text = lines([{ kind: 'failure', where: 'intake', error, requestId: null }], { format, level: 'info' }).join(
      '',
    );
    assert(text.includes('SyntaxError'));
    assert(!text.includes('secret'));
  });

  test(`${format}: what was thrown and is no error is not shown`, () => {
    const text = lines([{ kind: 'failure', where: 'x', error: 'my secret prompt', requestId: null }], {
      format,
      level: 'info',
    }).join('');
    assert(text.includes('no error was thrown'));
    assert(!text.includes('secret'));
  });
}

function lines(events: readonly NightshiftEvent[], options: Omit<LogOptions, 'write'>): string[] {
  const written: string[] = [];
  const log = createLog({ ...options, write: (line) => written.push(line) });
  for (const event of events) log.observe(event);
  log.close();
  return written;
}
