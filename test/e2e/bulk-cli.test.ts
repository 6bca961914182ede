/** The bulk client as a script uses it: child processes against a real server and against an API that fails as it is told. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { desk, lines, model, ROWS, run, template, writeRows } from '../support/bulk-desk.ts';
import { nightshift, startNightshift } from '../support/nightshift.ts';
import { scratchFolder } from '../support/scratch-folder.ts';
import { startServer } from '../support/server.ts';
import { root } from '../support/sources.ts';

test(
  'one command takes a CSV through a server of its own to a CSV, and again costs nothing',
  { timeout: 120_000 },
  async (t) => {
    const cwd = await scratchFolder(t);
    const tickets = path.join(root, 'examples', 'tickets.csv');
    const argv = [
      'run',
      tickets,
      '-t',
      'Classify this support ticket: {{text}}',
      '-m',
      'claude-haiku-4-5',
      '--local',
      '-o',
      'labels.csv',
    ];
    const first = await nightshift(argv, { cwd });
    assert.deepEqual([first.code, first.stdout], [0, ''], first.stderr);
    assert.match(first.stderr, /^plan +1,000 rows · 1,000 requests · 1 batch /);
    assert.match(first.stderr, /ANSWERS ARE SIMULATED/);
    assert.match(first.stderr, /done +1,000 rows: 1,000 ok\nspent +\$0 .*\noutput +labels\.csv, 1,000 rows\n$/);
    const labels = readFileSync(path.join(cwd, 'labels.csv'), 'utf8').trimEnd().split('\n');
    assert.equal(labels.length, 1_001);
    assert.match(labels[0]!, /^id,text,answer,state,/);
    assert.match(labels[1_000]!, /^T-1000,.*,ok,/);
    const again = await nightshift(argv, { cwd });
    assert.deepEqual([again.code, again.stdout], [0, ''], again.stderr);
    assert.doesNotMatch(again.stderr, /ANSWERS ARE SIMULATED|plan/);
    assert.equal(readFileSync(path.join(cwd, 'labels.csv'), 'utf8').trimEnd().split('\n').length, 1_001);
  },
);

test(
  'against our own server: rows out are rows in, on standard output, and all talk is elsewhere',
  { timeout: 60_000 },
  async (t) => {
    const [server, cwd] = await Promise.all([startServer(t), scratchFolder(t)]);
    const env = { ANTHROPIC_API_KEY: server.key, ANTHROPIC_BASE_URL: server.url };
    const input = 'id,text\na,same\nb,same\nc,other\n';
    const { code, stdout, stderr } = await nightshift(['run', '-', '-t', template, ...model, '--yes', '--json'], {
      cwd,
      env,
      input,
    });
    assert.equal(code, 0, stderr);
    const rows = lines(stdout);
    assert.deepEqual(new Set(rows.map(({ id }) => id)), new Set(['a', 'b', 'c']));
    assert.ok(rows.every(({ state, text, answer }) => state === 'ok' && text !== undefined && answer.length > 0));
    assert.match(stderr, /1 duplicate prompt/);
    // Where standard output is the rows', the summary is talk.
    assert.match(stderr, /"run":"stdin","state":"done"/);
    assert.ok(!stderr.includes('\u001B'));
  },
);

test('exit 0 and 3: what failed is counted, copied, explained, and sent again', { timeout: 60_000 }, async (t) => {
  const { fake, go, cwd } = await desk(t, {
    outcomeOf: ({ params }) =>
      JSON.stringify(params).includes('text 3')
        ? { kind: 'errored', type: 'invalid_request_error', message: 'prompt is too long: 9 tokens > 8' }
        : { kind: 'ok', text: 'fine' },
  });
  const first = await go(...run, '--yes', '-o', 'out.jsonl', '--errors', 'bad.jsonl', '--json');
  assert.equal(first.code, 3, first.stderr);
  const [summary] = lines(first.stdout);
  assert.deepEqual(
    [summary.run, summary.state, summary.rows.total, summary.rows.ok, summary.rows.rejected],
    ['rows', 'done', ROWS, ROWS - 1, 1],
  );
  assert.equal(lines(readFileSync(path.join(cwd, 'out.jsonl'), 'utf8')).length, ROWS);
  assert.deepEqual(
    lines(readFileSync(path.join(cwd, 'bad.jsonl'), 'utf8')).map(({ id }) => id),
    ['r3'],
  );
  const [group] = lines((await go('errors', '--json')).stdout);
  assert.deepEqual([group.rows, group.sample_key, group.type], [1, 'r3', 'invalid_request_error']);
  assert.match(group.command, /nightshift retry rows --only rejected --error 'too long' --truncate/);
  assert.equal((await go('status', '--exit-status')).code, 3);
  fake.behaviour.outcomeOf = () => ({ kind: 'ok', text: 'now' });
  const retried = await go(
    'retry',
    'rows',
    '--only',
    'rejected',
    '--error',
    'too long',
    '--truncate',
    'text=4',
    '--yes',
  );
  assert.equal(retried.code, 0, retried.stderr);
  assert.match(retried.stderr, /1 rows? (is|are) sent again/);
  assert.equal(lines(readFileSync(path.join(cwd, 'out.jsonl'), 'utf8')).find(({ id }) => id === 'r3').answer, 'now');
  const [story] = lines((await go('show', 'rows', 'r3', '--json')).stdout);
  assert.deepEqual(
    story.attempts.map(({ state }: { state: string }) => state),
    ['rejected', 'ok'],
  );
  assert.equal((await go('results', '--only', 'ok', '--no-join', '-o', 'ok.csv')).code, 0);
  assert.equal(readFileSync(path.join(cwd, 'ok.csv'), 'utf8').trimEnd().split('\n').length, ROWS + 1);
  assert.match((await go('cost', 'rows')).stdout, /MODEL[^]*claude-haiku-4-5[^]*spent +\$/);
});

test('exit 2: wrong uses, and money nobody agreed to', { timeout: 60_000 }, async (t) => {
  const { fake, go } = await desk(t);
  for (const [argv, message] of [
    [run, /nobody is at a terminal to be asked\nhint: Add --yes, or --max-cost/],
    [['run'], /no input is named/],
    [['run', 'nowhere.csv', ...run.slice(2)], /there is no \S*nowhere\.csv/],
    [['run', 'rows.csv', '-t', '{{txt}}', ...model], /no column "txt"; did you mean "text"\?/],
    [[...run, '--local', '--detach'], /--local and --detach exclude each other/],
    [[...run, '--upstream', 'simulator'], /--upstream goes with --local/],
    [[...run, '-o', 'out.doc'], /does not say what to write/],
    [['status', 'nothing'], /there is no run "nothing"/],
    [['stauts'], /unknown command 'stauts'\nhint: Did you mean status\?/],
  ] as const) {
    const { code, stdout, stderr } = await go(...argv);
    assert.deepEqual([code, stdout], [2, ''], `${argv.join(' ')}\n${stderr}`);
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /\n {4}at /);
  }
  assert.equal(fake.posts.length, 0);
  const asJson = lines((await go('run', '--bogus', '--json')).stderr)[0];
  assert.deepEqual([asJson.error.exit, asJson.error.message], [2, 'unknown option --bogus']);
});

test('exit 4: no key, or one that is refused; nothing is lost', { timeout: 60_000 }, async (t) => {
  const { fake, cwd, env, go } = await desk(t);
  const none = await nightshift([...run, '--yes'], { cwd, env: { ANTHROPIC_BASE_URL: fake.url } });
  assert.equal(none.code, 4, none.stderr);
  assert.match(none.stderr, /there is no key\nhint: Set ANTHROPIC_API_KEY/);
  fake.behaviour.revoked = true;
  const refused = await go(...run, '--yes');
  assert.equal(refused.code, 4, refused.stderr);
  assert.equal((await go('doctor')).code, 4);
  fake.behaviour.revoked = false;
  assert.equal((await nightshift(['resume', '--yes'], { cwd, env })).code, 0);
  const doctor = await go('doctor');
  assert.equal(doctor.code, 0, doctor.stdout);
  assert.match(doctor.stdout, /ok +key[^]*ok +clock[^]*run rows +is finished/);
});

test('exit 5: the budget ends, rows stay pending, and more money goes on', { timeout: 60_000 }, async (t) => {
  const { fake, go, cwd } = await desk(t);
  const poor = await go(...run, '--max-cost', '0.0000001', '-o', 'out.csv');
  assert.equal(poor.code, 5, poor.stderr);
  assert.match(poor.stderr, /12 rows are pending, none is lost; go on: nightshift resume rows --max-cost/);
  assert.equal(fake.posts.length, 0);
  assert.equal((await go('resume', '--max-cost', '5')).code, 0);
  assert.equal(readFileSync(path.join(cwd, 'out.csv'), 'utf8').trimEnd().split('\n').length, ROWS + 1);
});

test(
  'exit 6: a plan names invalid rows with their lines, and spends and leaves nothing',
  { timeout: 60_000 },
  async (t) => {
    const { fake, go, cwd } = await desk(t);
    writeFileSync(path.join(cwd, 'ragged.csv'), 'id,text\na,one\nb\nc,three\n');
    const { code, stdout, stderr } = await go('plan', 'ragged.csv', '-t', template, ...model, '--json');
    assert.equal(code, 6, stderr);
    const [plan] = lines(stdout);
    assert.deepEqual([plan.rows, plan.requests, plan.rejected, plan.faults[0].line], [3, 2, 1, 3]);
    assert.deepEqual(
      plan.cost.lines.map(({ how }: { how: string }) => how),
      ['standard', 'batch'],
    );
    assert.deepEqual([fake.posts.length, (await go('ls')).stdout], [0, '']);
    const compared = await go('plan', 'rows.csv', '-t', template, ...model, '--compare', 'claude-opus-5');
    assert.equal(compared.code, 0);
    assert.match(compared.stdout, /claude-opus-5 ≈ \$/);
  },
);

test('exit 7: what changed is named, with the ways out', { timeout: 60_000 }, async (t) => {
  const { fake, go, cwd } = await desk(t);
  assert.equal((await go(...run, '--yes', '-o', 'out.csv')).code, 0);
  const changed = [
    'run',
    'rows.csv',
    '-t',
    'Label: {{text}}',
    '-m',
    'claude-haiku-4-5',
    '--max-tokens',
    '128',
    '-o',
    'out.csv',
    '--yes',
  ];
  const { code, stderr } = await go(...changed);
  assert.equal(code, 7, stderr);
  assert.match(stderr, /template: "Classify: \{\{text\}\}" → "Label: \{\{text\}\}"\n +maxTokens: 64 → 128/);
  assert.match(stderr, /--new[^]*--as-started/);
  assert.equal(fake.posts.length, 1);
  assert.equal((await go(...changed, '--as-started')).code, 0);
  assert.equal(fake.posts.length, 1);
  assert.equal((await go(...changed, '--new')).code, 0);
  assert.deepEqual(
    lines((await go('ls', '--json')).stdout).map((one) => one.run),
    ['rows-2', 'rows'],
  );
  writeRows(cwd, 'rows.csv', ROWS + 1);
  assert.equal((await go('resume', 'rows')).code, 7);
  const more = await go(...run, '--yes', '-o', 'out.csv', '--only-changed');
  assert.equal(more.code, 0, more.stderr);
  assert.match(more.stderr, /0 requests differ · 1 new · 12 as before/);
  assert.deepEqual(
    fake.batches().map(({ requests }) => requests),
    [ROWS, ROWS, 1],
  );
  assert.equal(readFileSync(path.join(cwd, 'out.csv'), 'utf8').trimEnd().split('\n').length, ROWS + 2);
});

test(
  'exit 8 and 10: one process owns a run; others look on and are told that it runs',
  { timeout: 60_000 },
  async (t) => {
    const { fake, go, cwd, env } = await desk(t, { endsAfterMs: 3_600_000 });
    const owner = startNightshift([...run, '--yes', '--progress', 'plain'], { cwd, env }, t);
    await owner.says(/batches=0\/1/);
    const second = await go(...run, '--yes');
    assert.equal(second.code, 8, second.stderr);
    assert.match(second.stderr, new RegExp(`process ${owner.child.pid} on `));
    const { code, stdout } = await go('status', '--exit-status', '--json');
    assert.deepEqual([code, lines(stdout)[0].state, lines(stdout)[0].owner.pid], [10, 'running', owner.child.pid]);
    const watched = await go('watch', '--wait', '1s', '--json');
    assert.equal(watched.code, 10, watched.stderr);
    owner.child.kill('SIGTERM');
    assert.equal((await owner.ended).code, 143);
    assert.equal((await go('resume', '--wait', '1ms', '--yes')).code, 10);
    fake.endAll();
    assert.equal((await go('resume')).code, 0);
    assert.equal(fake.posts.length, 1);
  },
);

test(
  'exit 9: --strict leaves when a submission is unclear; a resume finds it and buys nothing twice',
  { timeout: 60_000 },
  async (t) => {
    const { fake, go } = await desk(t, {
      onPost: ({ index }) => (index === 0 ? { kind: 'cut-after-last', commit: true } : { kind: 'none' }),
    });
    const strict = await go(...run, '--yes', '--strict');
    assert.equal(strict.code, 9, strict.stderr);
    const resumed = await go('resume', '--yes');
    assert.equal(resumed.code, 0, resumed.stderr);
    assert.equal(lines(resumed.stdout).length, ROWS);
    assert.deepEqual([fake.posts.length, fake.boughtTwice()], [1, []]);
  },
);

test(
  'Ctrl-C detaches with the words how to come back; kill -9 loses nothing either',
  { timeout: 60_000 },
  async (t) => {
    const { fake, go, cwd, env } = await desk(t, { endsAfterMs: 3_600_000 });
    const first = startNightshift([...run, '--yes', '-o', 'out.jsonl'], { cwd, env }, t);
    await first.says(/batches=0\/1/);
    first.child.kill('SIGINT');
    const left = await first.ended;
    assert.deepEqual([left.code, left.stdout], [130, ''], left.stderr);
    assert.match(
      left.stderr,
      /batches keep running and billing; nothing is lost\.\n +go on: nightshift resume rows +look: .*status rows +stop: .*cancel rows/,
    );
    const second = startNightshift(['resume'], { cwd, env }, t);
    await second.says(/batches=0\/1/);
    second.child.kill('SIGKILL');
    assert.equal((await second.ended).signal, 'SIGKILL');
    assert.equal((await go('status', '--json')).stdout.includes('"paused"'), true);
    fake.endAll();
    const third = await go(...run, '--yes', '-o', 'out.jsonl');
    assert.equal(third.code, 0, third.stderr);
    assert.equal(lines(readFileSync(path.join(cwd, 'out.jsonl'), 'utf8')).length, ROWS);
    assert.deepEqual([fake.posts.length, fake.boughtTwice()], [1, []]);
  },
);

test('--detach prints the run and its process, which goes on alone; cancel ends it', { timeout: 60_000 }, async (t) => {
  const { fake, go } = await desk(t, { endsAfterMs: 3_600_000 });
  const { code, stdout, stderr } = await go(...run, '--yes', '--detach', '-o', 'out.csv');
  assert.equal(code, 0, stderr);
  const { run: name, pid } = lines(stdout)[0];
  t.after(() => {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  });
  assert.equal(name, 'rows');
  assert.equal((await go('cancel')).code, 2);
  const canceling = go('cancel', '--yes');
  const canceled = await canceling;
  assert.equal(canceled.code, 3, canceled.stderr);
  assert.match(canceled.stderr, /told to stop/);
  assert.equal(lines((await go('status', '--json')).stdout)[0].rows.canceled, ROWS);
  assert.equal((await go('gc', 'rows', '--yes')).code, 0);
  assert.equal((await go('ls')).stdout, '');
  assert.equal(fake.posts.length, 1);
});

test('adopt rebuilds a run whose folder is gone, and buys nothing', { timeout: 60_000 }, async (t) => {
  const { fake, go } = await desk(t);
  assert.equal((await go(...run, '--yes', '-o', 'out.csv')).code, 0);
  assert.equal((await go('gc', 'rows', '--yes')).code, 0);
  const ids = fake.batches().map(({ id }) => id);
  const adopted = await go('adopt', ...ids, '--input', 'rows.csv', '-t', template, ...model, '-o', 'again.jsonl');
  assert.equal(adopted.code, 0, adopted.stderr);
  assert.equal(lines((await go('status', '--json')).stdout)[0].rows.ok, ROWS);
  assert.equal(fake.posts.length, 1);
});
