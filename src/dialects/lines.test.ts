import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import { failedLine, succeededLine } from './lines.ts';

const line = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');

test('a succeeded line is the message between two fixed pieces', () => {
  const message = '{"id":"msg_1","type":"message","content":[{"text":"é🚀\\n"}],"usage":{"a":1e400}}';
  assert.equal(
    line(succeededLine('a-1', Buffer.from(message))),
    `{"custom_id":"a-1","result":{"type":"succeeded","message":${message}}}\n`,
  );
});

test('the very bytes of any message stand in its line', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 5_000 }),
      fc.stringMatching(/^[a-zA-Z0-9_-]{1,64}$/),
      (message, customId) => {
        const bytes = Buffer.from(succeededLine(customId, message));
        const head = `{"custom_id":"${customId}","result":{"type":"succeeded","message":`;
        assert.equal(bytes.length, head.length + message.length + 3);
        assert.equal(bytes.toString('latin1', 0, head.length), head);
        assert.deepEqual(new Uint8Array(bytes.subarray(head.length, -3)), message);
        assert.equal(bytes.toString('latin1', bytes.length - 3), '}}\n');
      },
    ),
    { numRuns: 100 },
  );
});

test('canceled and expired lines say only that', () => {
  assert.equal(line(failedLine('c', 'canceled', null)), '{"custom_id":"c","result":{"type":"canceled"}}\n');
  assert.equal(line(failedLine('d', 'expired', null)), '{"custom_id":"d","result":{"type":"expired"}}\n');
});

test('an errored line has two levels, and its inner error begins with its type', () => {
  assert.equal(
    line(failedLine('b', 'errored', { type: 'invalid_request_error', message: 'messages: Field required' })),
    '{"custom_id":"b","result":{"type":"errored","error":{"type":"error","error":{"type":"invalid_request_error",' +
      '"message":"messages: Field required","details":{"error_visibility":"user_facing"}},"request_id":null}}}\n',
  );
});

test('an error without an explanation is an internal one', () => {
  const { result } = JSON.parse(line(failedLine('b', 'errored', null)));
  assert.equal(result.error.error.type, 'api_error');
});

test('any message of an error stays on one line and comes back whole', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (message) => {
      const text = line(failedLine('b', 'errored', { type: 'api_error', message }));
      assert.match(text, /^[^\r\n]*\n$/);
      assert.equal(JSON.parse(text).result.error.error.message, message.toWellFormed());
    }),
    { numRuns: 200 },
  );
});

test("the official guide's shell program finds the type of the error and the id", () => {
  const find = (key: string, input: Uint8Array): string =>
    execFileSync('sed', ['-n', `s/.*"${key}/\\1/p`], { input, encoding: 'utf8' }).trim();
  const errorType = 'error":[[:space:]]*{[[:space:]]*"type":[[:space:]]*"\\([^"]*\\)".*';
  const resultType = 'result":[[:space:]]*{[[:space:]]*"type":[[:space:]]*"\\([^"]*\\)".*';
  const customId = 'custom_id":[[:space:]]*"\\([^"]*\\)".*';
  const misleading = 'the body "error":{"type":"x" and "custom_id":"y" were sent';
  const errored = failedLine('b', 'errored', { type: 'invalid_request_error', message: misleading });
  assert.equal(find(errorType, errored), 'invalid_request_error');
  assert.equal(find(resultType, errored), 'errored');
  assert.equal(find(customId, errored), 'b');
});
