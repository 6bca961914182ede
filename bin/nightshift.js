#!/usr/bin/env node
// Starts the command: from src in a checkout, from dist in the published package. Plain JavaScript, so that an old Node gets an answer too.
import { existsSync } from 'node:fs';
import module from 'node:module';
import { fileURLToPath } from 'node:url';

// Syncs of the disk hold threads for milliseconds; with the usual four, reads of requests would wait behind them.
process.env.UV_THREADPOOL_SIZE ??= '12';

const NODE_MAJOR_MIN = 24;
const nodeMajor = Number(process.versions.node.split('.')[0]);

if (existsSync(new URL('../src/cli/main.ts', import.meta.url))) {
  await startFromCheckout();
} else if (nodeMajor < NODE_MAJOR_MIN) {
  console.error(`nightshift needs Node ${NODE_MAJOR_MIN} or newer; this is ${process.version} (${process.execPath}).`);
  process.exitCode = 1;
} else {
  await import('../dist/src/cli/main.js');
}

/** A checkout may be fresh, or the system's Node too old: the bootstrap installs what is missing and starts this file again. */
async function startFromCheckout() {
  // Types are stripped once, not at every start: a restart after a crash is faster by a tenth of a second, and smaller by 30 MB.
  module.enableCompileCache?.(fileURLToPath(new URL('../.runtime/compile-cache', import.meta.url)));
  const { dependenciesInstalled, bootstrap } = await import('../scripts/bootstrap.js');
  const ready = nodeMajor >= NODE_MAJOR_MIN && dependenciesInstalled({ development: false });
  if (ready) await import('../src/cli/main.ts');
  else await bootstrap(process.argv.slice(1));
}
