/** Every example, run as its reader would run it, in both languages: each must end well and say what it is about. */
import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { pythonWith } from '../support/installed.ts';
import { runProgram } from '../support/programs.ts';
import { startServer } from '../support/server.ts';
import { root } from '../support/sources.ts';

/** What each prints against the simulator, line by line. */
const expected: Readonly<Record<string, readonly RegExp[]>> = {
  batch: [/"custom_id":"hello","result":\{"type":"succeeded"/, /"custom_id":"wrong","result":\{"type":"errored"/],
  classify: [/^kettle: \S/m, /^lamp: \S/m, /^notebook: \S/m],
  extract: [/^inv-1: \{.*"seller": ?".*"currency": ?"(EUR|USD|GBP)".*\}$/m, /^inv-2: \{.*\}$/m],
  moderate: [/^c-1: (allow|spam|abuse|to a person)$/m, /^c-2: /m, /^c-3: /m],
  evaluate: [/^claude-haiku-4-5: \d of 3 right, 0 failed$/m, /^claude-sonnet-4-6: \d of 3 right, 0 failed$/m],
  translate: [/^greeting-de: (?!\(failed)\S/m, /^greeting-ja: (?!\(failed)\S/m, /^sign-pt: (?!\(failed)\S/m],
  'shared-document': [
    /^question-0: wrote [1-9]\d*, read 0 tokens$/m,
    /^question-1: wrote 0, read [1-9]\d* tokens$/m,
    /^question-3: wrote 0, read [1-9]\d* tokens$/m,
  ],
};

test('the examples', { concurrency: 4 }, async (t) => {
  // A server a language: what one has cached is not read by the other.
  const [forPython, forNode] = [await startServer(t), await startServer(t)];
  const python = pythonWith({ name: 'anthropic-1', version: '1.13.0' });
  const ways = {
    '.py': { command: python, server: forPython },
    '.ts': { command: process.execPath, server: forNode },
    '.sh': { command: 'bash', server: forNode },
  };
  const running = globSync('examples/*.{py,ts,sh}', { cwd: root }).map((file) =>
    t.test(path.basename(file), async (one) => {
      const extension = path.extname(file) as keyof typeof ways;
      const lines = expected[path.basename(file, extension)];
      assert.ok(lines, `nobody says above what ${file} prints`);
      const stdout = await runProgram(one, { ...ways[extension], list: [path.join(root, file)] });
      for (const line of lines) assert.match(stdout, line);
    }),
  );
  await Promise.all(running);
});
