// The walls of the house: which part may import which, which packages a part may use, no cycles, and nothing that nobody reaches.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { importsOf, isTestFile, readSource, sourceExists, sourceFiles, type Import } from './support/sources.ts';

type Part = {
  /** Parts whose values it may use. Its own files are always allowed. */
  readonly uses: readonly string[];
  /** Parts of which it may name types only. */
  readonly types?: readonly string[];
  /** Packages and modules of Node that it may import; `node:*` stands for every module of Node. */
  readonly packages: readonly string[];
};

const pureNode = ['node:buffer', 'node:crypto', 'node:zlib', 'node:util'];

/**
 * A part is a folder of src, or a file that stands in src itself. Arrows point inward: a part names what is further in.
 * The only values in ports are the errors of a contract; those who implement or call a port may use them.
 */
const parts: Readonly<Record<string, Part>> = {
  domain: { uses: [], packages: pureNode },
  bytes: { uses: ['domain'], types: ['ports'], packages: pureNode },
  scheduler: { uses: ['domain'], types: ['ports'], packages: [] },
  ports: { uses: [], types: ['domain', 'telemetry'], packages: [] },
  dialects: { uses: ['domain', 'bytes'], types: ['ports'], packages: pureNode },
  upstreams: {
    uses: ['domain', 'bytes', 'ports'],
    types: ['dialects', 'simulator'],
    packages: ['undici', ...pureNode],
  },
  simulator: { uses: ['domain', 'bytes'], types: ['ports', 'upstreams'], packages: ['node:http', ...pureNode] },
  money: { uses: ['domain'], packages: [] },
  'submit-once': { uses: ['domain'], packages: pureNode },
  engine: {
    uses: ['domain', 'bytes', 'ports', 'scheduler', 'dialects', 'money'],
    types: ['upstreams', 'telemetry'],
    packages: ['node:stream', ...pureNode],
  },
  stores: { uses: ['domain', 'bytes', 'ports'], packages: ['node:*', 'postgres', '@aws-sdk/client-s3'] },
  http: {
    uses: ['engine', 'domain', 'bytes', 'ports', 'dialects', 'telemetry', 'money'],
    types: ['upstreams'],
    packages: ['hono', '@hono/node-server', 'node:*'],
  },
  telemetry: { uses: ['domain'], types: ['ports'], packages: ['pino', 'prom-client', '@opentelemetry/api', 'node:*'] },
  bulk: {
    uses: ['submit-once', 'domain', 'bytes', 'money'],
    packages: [
      'node:*',
      'ajv',
      'liquidjs',
      'hyparquet',
      'hyparquet-compressors',
      'hyparquet-writer',
      'postgres',
      '@duckdb/node-api',
    ],
  },
  cli: {
    uses: [
      'compose.ts',
      'first-key.ts',
      'open-directory.ts',
      'config',
      'config.ts',
      'world.ts',
      'domain',
      'bulk',
      'money',
      'telemetry',
      'simulator',
    ],
    types: ['ports', 'engine', 'http'],
    packages: ['commander', 'node:*'],
  },
  config: { uses: ['domain'], types: ['upstreams'], packages: [] },
  'config.ts': {
    uses: ['config', 'domain'],
    types: ['ports', 'upstreams', 'simulator', 'telemetry'],
    packages: ['node:*'],
  },
  // What the commands for keys and workspaces share with a start: they open the directory beside a running server.
  'first-key.ts': { uses: ['domain', 'stores'], types: ['ports'], packages: ['node:*'] },
  'open-directory.ts': { uses: ['domain', 'stores', 'world.ts'], types: ['ports'], packages: ['node:*'] },
  'world.ts': { uses: ['domain', 'ports', 'upstreams'], types: ['telemetry'], packages: ['undici', 'node:*'] },
};

/** The one file that sees everything but the command that calls it. */
const everything = { except: ['cli'], file: 'compose.ts' };

/** The command, and the library that the package exports. */
const entries = ['src/cli/main.ts', 'src/bulk/bulk.ts'];
const files = sourceFiles('src/**/*.ts');
const imports = new Map(files.map((file) => [file, importsOf(file)]));

test('every part imports only what lies further in', () => {
  const faults: string[] = [];
  for (const file of files.filter((name) => !isTestFile(name))) {
    for (const one of imports.get(file)!) {
      const fault = one.kind === 'file' ? wallFault(file, one) : packageFault(file, one);
      if (fault !== undefined) faults.push(`${file}:${one.line} ${fault}`);
    }
  }
  report(faults, 'Imports through a wall (the table is at the top of test/layout.test.ts)');
});

test('every imported file exists', () => {
  const faults = [...imports].flatMap(([file, list]) =>
    list
      .filter((one) => one.kind === 'file' && !sourceExists(one.target))
      .map((one) => `${file}:${one.line} imports ${one.target}, which does not exist`),
  );
  report(faults, 'Missing files');
});

test('no files import each other in a circle', () => {
  report(findCycles(), 'Cycles (imports of types count too: they bind readers as well)');
});

test('every file is reached from the command', () => {
  for (const entry of entries) assert.ok(sourceExists(entry), `${entry} is not there, so nothing can be reached`);
  const reached = new Set<string>();
  const waiting = [...entries];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (reached.has(file)) continue;
    reached.add(file);
    for (const one of imports.get(file) ?? []) if (one.kind === 'file') waiting.push(one.target);
  }
  const faults = files.filter((file) => !isTestFile(file) && !reached.has(file));
  report(faults, `Nobody reaches these from ${entries.join(' or ')}: delete them, or use them`);
});

test('the simulation uses everything but the faces', () => {
  const faults = sourceFiles('sim/**/*.ts').flatMap((file) =>
    importsOf(file)
      .filter((one) => /^src\/(http|cli)\//.test(one.target))
      .map((one) => `${file}:${one.line} imports ${one.target}`),
  );
  report(faults, 'The simulation reaches into a face');
});

test('every dependency is used', () => {
  const manifest = JSON.parse(readSource('package.json')) as { dependencies: Record<string, string> };
  const used = new Set([...imports.values()].flat().map((one) => one.target));
  const unused = Object.keys(manifest.dependencies).filter((name) => !used.has(name));
  report(unused, 'Dependencies that no file of src imports');
});

test('imports are read as they are written', () => {
  const text = [
    "import type { A } from './a.ts';",
    'import {',
    '  b,',
    "} from '../bytes/b.ts';",
    "// import { c } from './c.ts';",
    "export { d } from './d.ts';",
    "const worker = new URL('./worker.ts', import.meta.url);",
    "const late = await import('@scope/name/part');",
    "import 'node:fs/promises';",
  ].join('\n');
  const found = importsOf('src/domain/x.ts', text);
  assert.deepEqual(
    found.map((one) => `${one.line} ${one.target}${one.typeOnly ? ' type' : ''}`),
    [
      '1 src/domain/a.ts type',
      '2 src/bytes/b.ts',
      '6 src/domain/d.ts',
      '7 src/domain/worker.ts',
      '8 @scope/name',
      '9 node:fs/promises',
    ],
  );
});

function partOf(file: string): string {
  return file.split('/')[1]!;
}

function wallFault(file: string, one: Import): string | undefined {
  const [from, to] = [partOf(file), partOf(one.target)];
  if (!one.target.startsWith('src/')) return `imports ${one.target}, outside of src`;
  if (isTestFile(one.target)) return `imports ${one.target}, which only tests may use`;
  if (from === to) return undefined;
  if (from === everything.file) return everything.except.includes(to) ? `must not import ${to}` : undefined;
  const part = parts[from];
  if (part === undefined) return `belongs to "${from}", a part without a line in the table`;
  if (part.uses.includes(to)) return undefined;
  if (!part.types?.includes(to)) return `${from} must not import ${to} (${one.target})`;
  return one.typeOnly ? undefined : `${from} may import only types of ${to} (${one.target}): write "import type"`;
}

function packageFault(file: string, one: Import): string | undefined {
  const from = partOf(file);
  if (from === everything.file) return undefined;
  const allowed = parts[from]?.packages ?? [];
  if (allowed.includes(one.target)) return undefined;
  if (one.target.startsWith('node:') && allowed.includes('node:*')) return undefined;
  return one.typeOnly && one.target.startsWith('node:') ? undefined : `${from} must not import ${one.target}`;
}

/** Depth-first; each circle is told once, from its alphabetically first file. */
function findCycles(): readonly string[] {
  const cycles = new Set<string>();
  const finished = new Set<string>();
  const visit = (file: string, trail: readonly string[]): void => {
    const start = trail.indexOf(file);
    if (start >= 0) cycles.add(asCircle(trail.slice(start)));
    if (start >= 0 || finished.has(file)) return;
    for (const one of imports.get(file) ?? []) if (one.kind === 'file') visit(one.target, [...trail, file]);
    finished.add(file);
  };
  for (const file of files) visit(file, []);
  return [...cycles];
}

function asCircle(members: readonly string[]): string {
  const first = members.indexOf(members.toSorted()[0]!);
  const turned = [...members.slice(first), ...members.slice(0, first), members[first]!];
  return turned.join('\n      -> ');
}

function report(faults: readonly string[], heading: string): void {
  assert.ok(faults.length === 0, `${heading}:\n  ${faults.join('\n  ')}`);
}
