import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withoutThinking } from './signed-thinking.ts';

const UNSIGNED = 'nobody-signed';

const cleaned = (text: string): string => Buffer.from(withoutThinking(Buffer.from(text), UNSIGNED)).toString();
const ours = `{"type":"thinking", "thinking":"é", "signature":"${UNSIGNED}"}`;

test('thinking of our own is taken out, and no other byte changes', () => {
  const said = '{ "type":"text","text":"é ü 12345678901234567890" }';
  const theirs = '{"type":"thinking","thinking":"x","signature":"abc"}';
  const params = (blocks: string): string =>
    `{ "model":"m", "messages" : [{"role":"user","content":"${UNSIGNED}"}, {"content": ${blocks} ,"role":"assistant"}],"n":1.0}`;
  assert.equal(cleaned(params(`[ ${ours} , ${said},${theirs}]`)), params(`[${said},${theirs}]`));
  assert.equal(cleaned(params(`[${said}, ${ours}]`)), params(`[${said}]`));
  assert.equal(cleaned(params(`[ ${said} ,${theirs}]`)), params(`[ ${said} ,${theirs}]`));
});

test('what holds no mark goes on as the very bytes', () => {
  const params = Buffer.from('{"messages":[]}');
  assert.equal(withoutThinking(params, UNSIGNED), params);
});
