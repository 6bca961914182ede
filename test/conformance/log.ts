/** What every Log must do (L1 to L4 of ports/log.ts), as one suite for all adapters. */
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { frameHeaderBytes, writeFrame } from '../../src/bytes/frame.ts';
import type { Log } from '../../src/ports/log.ts';

/** Makes an empty place for one test, and opens it as often as asked: what was appended must outlive its opener. */
export type LogPlace = (test: TestContext) => Promise<() => Promise<Log>>;

export function framesOf(...payloads: readonly (string | Uint8Array)[]): Uint8Array {
  return Buffer.concat(
    payloads.map((payload) => {
      const bytes = Buffer.from(payload as Uint8Array);
      const frame = Buffer.alloc(frameHeaderBytes + bytes.length);
      bytes.copy(frame, frameHeaderBytes);
      writeFrame(frame, 0, bytes.length);
      return frame;
    }),
  );
}

export async function scanTexts(log: Log): Promise<string[]> {
  const texts: string[] = [];
  await log.scan((file, payload) => texts.push(`${file}:${Buffer.from(payload).toString('latin1')}`));
  return texts;
}

async function opened(open: () => Promise<Log>): Promise<{ log: Log; texts: string[] }> {
  const log = await open();
  return { log, texts: await scanTexts(log) };
}

export function logConformance(name: string, place: LogPlace): void {
  const logTest = (behaviour: string, run: (open: () => Promise<Log>) => Promise<void>): void => {
    test(behaviour, async (context) => run(await place(context)));
  };

  describe(`log: ${name}`, () => {
    logTest('a new log is empty and has one file', async (open) => {
      const { log, texts } = await opened(open);
      assert.deepEqual(texts, []);
      assert.equal(log.files().length, 1);
      await log.sync();
      await log.close();
    });

    logTest(
      'L1 L3 what was appended is visited in order after a restart, and appending goes on behind it',
      async (open) => {
        const first = await opened(open);
        assert.equal(first.log.append(framesOf('a', 'b')), 1);
        first.log.append(framesOf('c'));
        await first.log.close();
        const second = await opened(open);
        assert.deepEqual(second.texts, ['1:a', '1:b', '1:c']);
        second.log.append(framesOf('d'));
        await second.log.sync();
        await second.log.close();
        const third = await opened(open);
        assert.deepEqual(third.texts, ['1:a', '1:b', '1:c', '1:d']);
        await third.log.close();
      },
    );

    logTest('L1 an append is there before it returns, without a sync or a close', async (open) => {
      const writer = await opened(open);
      writer.log.append(framesOf('unsynced'));
      const reader = await opened(open);
      assert.deepEqual(reader.texts, ['1:unsynced']);
      await reader.log.close();
      await writer.log.close();
    });

    logTest('L2 syncs at once, with appends between them, all resolve', async (open) => {
      const { log } = await opened(open);
      const syncs: Promise<void>[] = [];
      for (let index = 0; index < 20; index++) {
        log.append(framesOf(`line ${index}`));
        syncs.push(log.sync(), log.sync());
      }
      await Promise.all(syncs);
      await log.close();
      const again = await opened(open);
      assert.equal(again.texts.length, 20);
      await again.log.close();
    });

    logTest('L3 records of every size, small to many times a read, come back exactly', async (open) => {
      const { log } = await opened(open);
      const sizes = [1, 7, 1_048_560, 1_048_568, 1_048_569, 3, 5_000_000, 2, 1_000_000, 200_000];
      const payloads = sizes.map((size, index) => Buffer.alloc(size, 65 + index));
      for (const payload of payloads) log.append(framesOf(payload));
      await log.close();
      const again = await open();
      let index = 0;
      await again.scan((_file, payload) => {
        assert.ok(payloads[index].equals(payload), `record ${index}`);
        index += 1;
      });
      assert.equal(index, sizes.length);
      await again.close();
    });

    logTest('L4 rotate begins a new file with a higher number and names the closed one', async (open) => {
      const { log } = await opened(open);
      const first = log.append(framesOf('one'));
      const sizeBefore = log.size();
      assert.equal(await log.rotate(), first);
      assert.ok(log.size() < sizeBefore);
      const second = log.append(framesOf('two'));
      assert.ok(second > first);
      assert.deepEqual(log.files(), [first, second]);
      await log.close();
      const again = await opened(open);
      assert.deepEqual(again.texts, [`${first}:one`, `${second}:two`]);
      assert.equal(again.log.append(framesOf('three')), second);
      await again.log.close();
    });

    logTest('L4 appends during a rotation are kept, in order, wherever they went', async (open) => {
      const { log } = await opened(open);
      const written: string[] = [];
      const append = (text: string) => written.push(`${log.append(framesOf(text))}:${text}`);
      append('before');
      const rotation = log.rotate();
      let rotated = false;
      void rotation.then(() => (rotated = true));
      for (let index = 0; index < 10_000 && !rotated; index++) {
        append(`during ${index}`);
        if (index % 3 === 0) void log.sync();
        await new Promise((resolve) => setImmediate(resolve));
      }
      await rotation;
      append('after');
      await log.sync();
      await log.close();
      const again = await opened(open);
      assert.deepEqual(again.texts, written);
      await again.log.close();
    });

    logTest('L4 closed files are removed in any order, the current one is not', async (open) => {
      const { log } = await opened(open);
      for (const text of ['a', 'b', 'c', 'd']) {
        log.append(framesOf(text));
        if (text !== 'd') await log.rotate();
      }
      const [a, b, c, d] = log.files();
      await log.remove(b);
      await assert.rejects(log.remove(d));
      assert.deepEqual(log.files(), [a, c, d]);
      await log.close();
      const again = await opened(open);
      assert.deepEqual(again.texts, [`${a}:a`, `${c}:c`, `${d}:d`]);
      await again.log.remove(a);
      await again.log.remove(c);
      await again.log.rotate();
      assert.ok(again.log.files().at(-1)! > d);
      await again.log.close();
    });

    logTest('size counts the bytes of the current file', async (open) => {
      const { log } = await opened(open);
      const empty = log.size();
      const frames = framesOf('0123456789');
      log.append(frames);
      assert.equal(log.size(), empty + frames.length);
      await log.close();
      const again = await opened(open);
      assert.equal(again.log.size(), empty + frames.length);
      await again.log.close();
    });

    logTest('an append before the scan is a mistake', async (open) => {
      const log = await open();
      assert.throws(() => log.append(framesOf('early')));
      await log.close();
    });
  });
}
