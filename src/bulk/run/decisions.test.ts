/** The pure decisions of the loop, by tables. */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ItemState } from '../contract.ts';
import { admissionOf, afterAccepted, afterRefused, hasRoom } from './admission.ts';
import { affordableRequests, expectedDollars, spentOn } from './budget.ts';
import { fateOf } from './policy.ts';
import { answerTo } from './refusal.ts';
import { requestHash } from './rows.ts';
import { SeenRequests } from './seen.ts';
import { defaultPolicy } from './spec.ts';

const usual = { attempt: 1, before: [] as ItemState[], policy: defaultPolicy, isPastDeadline: false };

test('rows are asked again only for what may change, and only so often', () => {
  const again = (
    state: Parameters<typeof fateOf>[0]['verdict']['state'],
    about: Partial<typeof usual> = {},
    type = 'api_error',
  ): boolean => fateOf({ ...usual, verdict: { state, error: { type, message: '' } }, ...about }).again;
  assert.deepEqual(
    ['ok', 'refused', 'incomplete', 'rejected', 'canceled'].map((state) => again(state as 'ok')),
    [false, false, false, false, false],
  );
  assert.equal(again('truncated'), true);
  assert.equal(again('truncated', { before: ['truncated'] }), false);
  assert.equal(again('truncated', { policy: { ...defaultPolicy, onTruncated: 'keep' } }), false);
  assert.equal(again('invalid', { before: ['errored', 'truncated'] }), true);
  assert.equal(again('invalid', { before: ['invalid'] }), false);
  assert.equal(again('errored', { before: ['errored', 'errored'] }), true);
  assert.equal(again('errored', { before: ['errored', 'errored', 'errored'] }), false);
  assert.equal(again('expired', { before: Array.from({ length: 50 }, () => 'expired') }), true);
  assert.equal(again('expired', { isPastDeadline: true }), false);
  assert.deepEqual(fateOf({ ...usual, attempt: 4, verdict: { state: 'invalid', error: null } }).change, {
    reaskOfAttempt: 4,
  });
  assert.equal(
    fateOf({ ...usual, verdict: { state: 'errored', error: { type: 'billing_error', message: '' } } }).blocks,
    true,
  );
  const onTooLong = [{ column: 'text', characters: 10, tokens: null }];
  const cut = {
    ...usual,
    policy: { ...defaultPolicy, onTooLong },
    verdict: {
      state: 'rejected' as const,
      error: { type: 'invalid_request_error', message: 'prompt is too long: 3 tokens > 2' },
    },
  };
  assert.deepEqual(fateOf(cut).change, { truncate: onTooLong });
});

test('what is in flight shrinks on refusals, grows back when batches are taken, and never past what was allowed', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          refused: fc.boolean(),
          inFlight: fc.nat(1_000_000),
          random: fc.double({ min: 0, max: 0.999, noNaN: true }),
        }),
      ),
      (steps) => {
        let admission = admissionOf(100_000);
        for (const { refused, inFlight, random } of steps) {
          const before = admission;
          admission = refused
            ? afterRefused(admission, { atMs: 0, inFlight, retryAfterMs: 1_000, waitMs: 5_000, random })
            : afterAccepted(admission, { atMs: 0, staggerMs: 2_000, random });
          assert.ok(admission.cap >= 1 && admission.cap <= 100_000);
          if (refused) assert.ok(admission.cap <= before.cap && admission.nextAtMs >= 1_000);
          else assert.ok(admission.cap >= before.cap);
        }
      },
    ),
  );
  assert.equal(hasRoom(admissionOf(10), { inFlight: 0, requests: 99 }), true);
  assert.equal(hasRoom(admissionOf(10), { inFlight: 5, requests: 6 }), false);
});

test('refusals are told apart', () => {
  const kind = (status: number, message = '', requests = 1_000): unknown => {
    const { kind: is, ...more } = answerTo({ status, type: 'invalid_request_error', message }, requests);
    return [is, ...Object.values(more)];
  };
  assert.deepEqual(kind(429), ['wait']);
  assert.deepEqual(kind(413), ['smaller', null]);
  assert.deepEqual(kind(401), ['authentication']);
  assert.deepEqual(kind(400, 'Your credit balance is too low to access the Anthropic API.'), ['credit']);
  assert.deepEqual(kind(400, 'requests: List should have at most 100 items after validation, not 1000'), [
    'smaller',
    100,
  ]);
  assert.deepEqual(kind(400, 'A batch holds no more than 1,000 requests', 2_000), ['smaller', 1_000]);
  assert.deepEqual(kind(400, 'requests.12.params.max_tokens: at most 64000 output tokens'), ['row', 12]);
  assert.deepEqual(kind(400, 'requests.12.params.messages: Field required'), ['row', 12]);
  assert.deepEqual(kind(400, 'something else'), ['stop']);
});

test('the budget lets go what fits and no more', () => {
  const usage = (tier: string, requests: number): Parameters<typeof spentOn>[0][number] => ({
    day: 1_780_000_000,
    model: 'claude-haiku-4-5',
    upstream: 'anthropic',
    billing: 'standard',
    tier,
    band: 0,
    wasted: false,
    requests,
    inputTokens: 1_000_000,
    outputTokens: 0,
    cacheCreationInputTokens: 0,
    cacheReadInputTokens: 0,
    cacheCreation1hInputTokens: 0,
  });
  const whole = spentOn([usage('standard', 1)]).dollars;
  assert.equal(spentOn([usage('batch', 1)]).dollars, whole / 2);
  assert.equal(expectedDollars([usage('batch', 100)], 5), whole / 200);
  assert.equal(expectedDollars([usage('batch', 1)], 5), 5);
  const about = { spentDollars: 1, expectedDollarsPerRequest: 0.1, inFlightRequests: 10, capDollars: 3 };
  assert.equal(affordableRequests(about), 10);
  assert.equal(affordableRequests({ ...about, capDollars: 2 }), 0);
  assert.equal(affordableRequests({ ...about, capDollars: null }), Infinity);
});

test('equal requests are found however many there are', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(40), { maxLength: 200 }), (requests) => {
      const hashes = requests.map((request) => requestHash(Buffer.from(String(request))));
      const seen = new SeenRequests((seq) => hashes[seq]!, 8);
      for (const [seq, request] of requests.entries()) {
        const first = requests.indexOf(request);
        assert.equal(seen.first(hashes[seq]!, seq), first === seq ? null : first);
      }
    }),
  );
});
