/** For tests: a run over rows in memory, in a folder of its own, that can be killed and opened again. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Change, Prompt, Rendered, RunEvent, Source, SourceRow } from '../contract.ts';
import { Ledger } from '../ledger/writer.ts';
import { FakeApi, type FakeBehaviour } from './fake-api.ts';
import { FakeWorld } from './fake-world.ts';
import { makeFolder, type RunFolder } from './folder.ts';
import type { FaultPoint, RunParts } from './parts.ts';
import { planRun, type Planned } from './plan.ts';
import { Run, type RunEnd } from './run.ts';
import { defaultBatching, defaultPolicy, defaultSpend, type RunSpec } from './spec.ts';

export type FakeSpec = { readonly [part in 'policy' | 'batching' | 'spend' | 'prompt']?: Partial<RunSpec[part]> };

export class FakeRun {
  readonly world: FakeWorld;
  readonly api: FakeApi;
  readonly folder: RunFolder;
  readonly events: RunEvent[] = [];
  texts: string[];
  spec: RunSpec;
  faults: (point: FaultPoint) => void = () => {};
  ledger: Ledger;
  run: Run | null = null;

  constructor(
    test: TestContext,
    about: {
      readonly texts: readonly string[];
      readonly spec?: FakeSpec;
      readonly api?: Partial<FakeBehaviour>;
      readonly seed?: number;
    },
  ) {
    const path = mkdtempSync(join(tmpdir(), 'nightshift-run-'));
    test.after(() => {
      this.ledger.crash();
      rmSync(path, { recursive: true, force: true });
    });
    this.world = new FakeWorld({ seed: about.seed ?? 1 });
    this.api = new FakeApi(this.world, about.api);
    this.folder = makeFolder(path);
    this.texts = [...about.texts];
    this.spec = specOf(about.spec ?? {});
    this.ledger = new Ledger(this.folder.state, { world: this.world });
  }

  async plan(): Promise<Planned> {
    const { folder, ledger, spec, world } = this;
    const planned = await planRun({
      folder,
      ledger,
      spec,
      source: this.source(),
      prompt: promptOf(),
      world,
      onEvent: (event) => this.events.push(event),
    });
    if (planned.kind !== 'changed') this.spec = planned.spec;
    return planned;
  }

  async start(options: Parameters<Run['start']>[0] = {}): Promise<RunEnd> {
    this.run = new Run(this.parts());
    return await this.world.drive(this.run.start(options));
  }

  parts(): RunParts {
    const { folder, ledger, spec, api, world } = this;
    return {
      folder,
      spec,
      ledger,
      source: this.source(),
      prompt: promptOf(),
      api,
      world,
      randomBytes: world.randomBytes,
      onEvent: (event) => this.events.push(event),
      faults: (point) => this.faults(point),
    };
  }

  /** As after a kill -9 and a new start. */
  reopen(): void {
    this.ledger.crash();
    this.ledger = new Ledger(this.folder.state, { world: this.world });
  }

  source(): Source {
    const rowOf = (seq: number): SourceRow => {
      const text = this.texts[seq]!;
      const place = { offset: seq, line: seq + 1 };
      return text === 'bad'
        ? { seq, place, row: null, fault: 'a bad row' }
        : { seq, place, row: { text }, fault: null };
    };
    const { texts } = this;
    return {
      columns: ['text'],
      identity: async () => ({ kind: 'memory', bytes: null, digest: 'same' }),
      async *rows() {
        for (let from = 0; from < texts.length; from += 100) {
          yield texts.slice(from, from + 100).map((_, index) => rowOf(from + index));
        }
      },
      async *read(points) {
        for (const { seq } of points) yield rowOf(seq);
      },
      close: async () => {},
    };
  }
}

export function texts(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `text ${index}`);
}

function promptOf(): Prompt {
  return {
    model: 'claude-haiku-4-5',
    maxTokens: 64,
    warnings: [],
    render({ row }, change: Change = {}): Rendered {
      const text = String(row['text']);
      if (text === 'skip') return { kind: 'skipped' };
      const cut = change.truncate === undefined ? text : text.slice(0, 4);
      const messages: unknown[] = [{ role: 'user', content: cut }];
      if (change.reask !== undefined)
        messages.push(
          { role: 'assistant', content: change.reask.answer },
          { role: 'user', content: change.reask.complaint },
        );
      const params = { model: change.model ?? 'claude-haiku-4-5', max_tokens: change.maxTokens ?? 64, messages };
      return { kind: 'request', params: Buffer.from(JSON.stringify(params)), cut: false };
    },
    keyOf: ({ seq }) => `key-${seq}`,
    complaintOf: (text) => (text === 'odd' ? 'it is odd' : null),
    outputOf: () => null,
  };
}

function specOf({ policy, batching, spend, prompt }: FakeSpec): RunSpec {
  return {
    version: 1,
    name: 'test',
    createdAtMs: 0,
    input: {
      location: 'memory',
      format: null,
      sql: null,
      db: null,
      idColumn: null,
      where: null,
      limit: null,
      sample: null,
      seed: null,
      identity: null,
    },
    prompt: {
      kind: 'function',
      template: null,
      file: null,
      system: null,
      params: {},
      model: 'claude-haiku-4-5',
      maxTokens: 64,
      temperature: null,
      schema: null,
      schemaMode: 'format',
      images: [],
      documents: [],
      truncate: [],
      cache: 'off',
      ...prompt,
    },
    policy: { ...defaultPolicy, ...policy },
    batching: { ...defaultBatching, chunkRequests: 10, ...batching },
    spend: { ...defaultSpend, ...spend },
    output: { location: null, format: null, join: true, columns: null, order: 'input', errors: null },
    api: { baseUrl: 'https://api.example', keyFingerprint: null },
  };
}
