import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { readConfig, type Config } from './config.ts';
import { configurationPage, optionsHelp } from './config/describe.ts';
import { flagOf, optionNames, options, variableOf } from './config/options.ts';
import { ConfigError } from './config/read.ts';

type Given = {
  argv?: string;
  env?: Record<string, string>;
  file?: unknown;
  files?: Record<string, string>;
  terminal?: boolean;
};

function read({ argv = '', env = {}, file, files = {}, terminal = false }: Given): Config {
  const all: Record<string, string> = {
    ...files,
    ...(file !== undefined && { 'nightshift.config.json': JSON.stringify(file) }),
  };
  return readConfig({ argv: argv.split(' ').filter(Boolean), env, readFile: (path) => all[path] ?? null, terminal });
}

function refused(given: Given, message: RegExp, hint: RegExp = /./): void {
  assert.throws(
    () => read(given),
    (error: Error) => {
      assert(error instanceof ConfigError, String(error.stack));
      assert.match(error.message, message);
      assert.match(error.hint, hint);
      return true;
    },
  );
}

describe('precedence', () => {
  const file = { server: { port: 1 } };
  const env = { NIGHTSHIFT_PORT: '2' };

  test('flag before variable before file before default', () => {
    assert.equal(read({}).port, 2424);
    assert.equal(read({ file }).port, 1);
    assert.equal(read({ file, env }).port, 2);
    assert.equal(read({ file, env, argv: '--port 3' }).port, 3);
    assert.equal(read({ file, env, argv: '--port=4' }).port, 4);
  });

  test('an empty variable is none', () => assert.equal(read({ env: { NIGHTSHIFT_PORT: '' } }).port, 2424));

  test('the file is the one named, by flag or variable', () => {
    const files = { 'a.json': '{"server": {"port": 11}}', 'b.json': '{"server": {"port": 12}}' };
    assert.equal(read({ files, env: { NIGHTSHIFT_CONFIG: 'a.json' } }).port, 11);
    const config = read({ files, env: { NIGHTSHIFT_CONFIG: 'a.json' }, argv: '--config b.json' });
    assert.deepEqual([config.port, config.configFile], [12, 'b.json']);
  });
});

describe('values', () => {
  test('durations', () => {
    const config = read({
      argv: '--window 2s --retention 1.5h --cancel-grace 0 --drain 500ms',
      file: { server: { simulatorLatency: '29d' } },
    });
    assert.deepEqual(
      [config.windowMs, config.retentionMs, config.cancelGraceMs, config.drainMs],
      [2_000, 5_400_000, 0, 500],
    );
    assert.equal(config.upstreams[0].simulator.latencyMs, 29 * 86_400_000);
  });

  test('a switch is on by its flag alone, and off or on by its word', () => {
    assert.equal(read({}).liveCounts, false);
    assert.equal(read({ argv: '--live-counts' }).liveCounts, true);
    const config = read({ argv: '--live-counts --port 3' });
    assert.deepEqual([config.liveCounts, config.port], [true, 3]);
    assert.equal(read({ argv: '--live-counts off', env: { NIGHTSHIFT_LIVE_COUNTS: 'on' } }).liveCounts, false);
    assert.equal(read({ file: { server: { liveCounts: true } } }).liveCounts, true);
    refused({ argv: '--live-counts maybe' }, /^--live-counts: "maybe" is not accepted$/, /on or off/);
  });

  test('bad ones are refused, with their place and what is accepted', () => {
    refused({ argv: '--port 70000' }, /^--port: "70000" is not accepted$/, /whole number from 0 to 65535/);
    refused({ env: { NIGHTSHIFT_WINDOW: '24' } }, /^NIGHTSHIFT_WINDOW: "24"/, /24h/);
    refused(
      { file: { server: { logLevel: 7 } } },
      /^nightshift\.config\.json: server\.logLevel: 7/,
      /one of trace, debug/,
    );
    refused({ argv: '--public-url ftp://x' }, /^--public-url/);
    refused({ argv: '--window 0' }, /^--window/, /at least 1ms/);
  });

  test('proxies and origins are trusted only when named', () => {
    assert.deepEqual([read({}).trustedProxies, read({}).corsOrigins], [0, []]);
    const proxies = (argv: string): number => read({ argv }).trustedProxies;
    assert.deepEqual(['--trust-proxy', '--trust-proxy off', '--trust-proxy 2'].map(proxies), [1, 0, 2]);
    refused({ argv: '--trust-proxy 10.0.0.1' }, /^--trust-proxy: "10.0.0.1" is not accepted$/, /on for one proxy/);
    const origins = read({ argv: '--cors-origin https://a.example,http://localhost:3000' }).corsOrigins;
    assert.deepEqual(origins, ['https://a.example', 'http://localhost:3000']);
    assert.deepEqual(read({ file: { server: { corsOrigin: ['HTTPS://A.example/', '*'] } } }).corsOrigins, [
      'https://a.example',
      '*',
    ]);
    for (const word of ['a.example', 'https://a.example/path', 'null', 'file:///x', 'https://a.example,']) {
      refused({ argv: `--cors-origin ${word}` }, /^--cors-origin: /, /origins like/);
    }
  });

  test('the log is pretty at a terminal, json elsewhere, and coloured unless NO_COLOR says no', () => {
    const form = (given: Given): unknown => [read(given).logFormat, read(given).logColor];
    assert.deepEqual(form({}), ['json', false]);
    assert.deepEqual(form({ terminal: true }), ['pretty', true]);
    assert.deepEqual(form({ terminal: true, env: { NO_COLOR: '1' } }), ['pretty', false]);
    assert.deepEqual(form({ argv: '--log-format pretty' }), ['pretty', false]);
  });

  test('a port that Kubernetes set is explained', () => {
    refused({ env: { NIGHTSHIFT_PORT: 'tcp://10.0.0.1:2424' } }, /NIGHTSHIFT_PORT/, /enableServiceLinks/);
  });
});

describe('what is not known', () => {
  test('flags', () => {
    refused({ argv: '--prot 1' }, /unknown option --prot/, /Did you mean --port\?/);
    refused({ argv: '--port' }, /--port needs a value/);
    refused({ argv: '--port --host x' }, /--port needs a value/);
    refused({ argv: '--port 1 --port 2' }, /twice/);
    refused({ argv: 'somewhere' }, /unexpected argument "somewhere"/);
  });

  test('keys of the file', () => {
    refused({ file: { sever: {} } }, /unknown key "sever"/, /"server"/);
    refused({ file: { server: { prot: 1 } } }, /nightshift\.config\.json: server: unknown key "prot"/, /"port"/);
    refused(
      { file: { upstreams: { a: { protocol: 'simulator', limit: {} } } } },
      /upstreams\.a: unknown key "limit"/,
      /"limits"/,
    );
    refused({ file: [] }, /nightshift\.config\.json: \[\]/);
  });

  test('the part of the bulk client is left alone', () => {
    assert.equal(read({ file: { run: { anything: true }, $schema: 'x' } }).port, 2424);
  });

  test('variables are warned of, but not those that others set', () => {
    const env = {
      NIGHTSHIFT_PROT: '1',
      NIGHTSHIFT_RUN_MODEL: 'x',
      NIGHTSHIFT_SERVICE_HOST: 'x',
      NIGHTSHIFT_PORT_2424_TCP: 'x',
      OTHER: 'x',
    };
    assert.deepEqual(read({ env }).warnings, [
      'the variable NIGHTSHIFT_PROT means nothing here; did you mean NIGHTSHIFT_PORT?',
    ]);
  });

  test('files', () => {
    refused({ argv: '--config gone.json' }, /--config: there is no file gone\.json/);
    refused({ files: { 'nightshift.config.json': '{,}' } }, /nightshift\.config\.json is not JSON/);
  });
});

describe('secrets', () => {
  test('come from variables', () => {
    const config = read({
      env: { NIGHTSHIFT_API_KEY: 'mine', NIGHTSHIFT_UPSTREAM_API_KEY: 'theirs' },
      argv: '--upstream anthropic:https://api.anthropic.com',
    });
    assert.deepEqual(
      [config.apiKey, config.upstreams[0].apiKey, config.upstreams[0].billing],
      ['mine', 'theirs', 'standard'],
    );
  });

  test('are refused on the command line and in the file', () => {
    refused({ argv: '--api-key abc' }, /secrets do not belong on the command line/, /NIGHTSHIFT_API_KEY/);
    refused({ argv: '--upstream-api-key=abc' }, /--upstream-api-key is not/, /NIGHTSHIFT_UPSTREAM_API_KEY/);
    refused({ file: { server: { apiKey: 'abc' } } }, /do not belong in the file/);
    refused({ file: { upstreams: { a: { apiKey: 'abc' } } } }, /do not belong in the file/, /apiKeyEnv/);
    refused({ argv: '--upstream anthropic:http://user:hunter2@host' }, /must not hold/);
  });

  test('are never quoted', () => {
    for (const given of [
      { env: { NIGHTSHIFT_API_KEY: 'hunter2 with space' } },
      { argv: '--upstream anthropic:http://u:hunter2@h' },
    ]) {
      assert.throws(
        () => read(given),
        (error: ConfigError) => !`${error.message}${error.hint}`.includes('hunter2'),
      );
    }
  });

  test('do not reach the simulator', () =>
    assert.equal(read({ env: { NIGHTSHIFT_UPSTREAM_API_KEY: 'theirs' } }).upstreams[0].apiKey, null));
});

describe('upstreams', () => {
  test('without any, the simulator takes every model', () => {
    const config = read({});
    assert.equal(config.upstreamMissing, true);
    assert.deepEqual(config.models, [{ pattern: '*', upstream: 'simulator', model: null }]);
    assert.deepEqual([config.upstreams[0].protocol, config.upstreams[0].billing], ['simulator', 'simulated']);
    assert.equal(read({ argv: '--upstream simulator' }).upstreamMissing, false);
  });

  test('one, by an option', () => {
    const argv =
      '--upstream anthropic:http://127.0.0.1:11434/v1/ --model qwen3:8b --concurrency 4 --requests-per-minute 60 --tokens-per-minute 1000';
    const { upstreams, models } = read({ argv });
    assert.deepEqual(upstreams, [
      {
        name: 'upstream',
        protocol: 'anthropic',
        url: 'http://127.0.0.1:11434',
        profile: 'auto',
        simulator: { latencyMs: 0, seed: 1, profile: 'steady', models: null },
        apiKey: null,
        apiKeyEnv: 'NIGHTSHIFT_UPSTREAM_API_KEY',
        billing: 'own',
        prices: null,
        concurrency: 4,
        requestsPerMinute: 60,
        tokensPerMinute: 1_000,
      },
    ]);
    assert.deepEqual(models, [{ pattern: '*', upstream: 'upstream', model: 'qwen3:8b' }]);
  });

  test('that speak chat completions take /v1 or leave it, and say what kind they are', () => {
    for (const url of ['http://h:8000', 'http://h:8000/v1', 'http://h:8000/v1/']) {
      const [upstream] = read({ argv: `--upstream openai:${url} --upstream-profile vllm` }).upstreams;
      assert.deepEqual(
        [upstream.protocol, upstream.url, upstream.profile, upstream.billing],
        ['openai', 'http://h:8000', 'vllm', 'own'],
      );
    }
    const paid = { protocol: 'openai', url: 'https://api.openai.com/v1' };
    const local = { protocol: 'openai', url: 'http://h', profile: 'ollama' };
    const { upstreams } = read({ file: { upstreams: { paid, local }, models: { '*': { upstream: 'paid' } } } });
    assert.deepEqual(
      upstreams.map(({ profile, billing }) => [profile, billing]),
      [
        ['auto', 'standard'],
        ['ollama', 'own'],
      ],
    );
    refused({ argv: '--upstream openai:http://h --upstream-profile lmstudio' }, /--upstream-profile/, /llama\.cpp/);
  });

  test('that cannot be are explained', () => {
    refused(
      { argv: '--upstream http://127.0.0.1:8000/v1' },
      /protocol is missing/,
      /anthropic:http:\/\/127\.0\.0\.1:8000/,
    );
    refused({ argv: '--upstream gopher:http://h' }, /protocol "gopher" is unknown/);
    refused({ argv: '--upstream gopher' }, /protocol "gopher" is unknown/);
    refused({ argv: '--upstream openai' }, /URL is missing after "openai"/);
    refused({ argv: '--upstream anthropic:' }, /^--upstream: "" is not accepted/);
  });

  const file = {
    upstreams: {
      local: { protocol: 'anthropic', url: 'http://h:1', concurrency: 512, limits: { requestsPerMinute: 5 } },
      paid: { protocol: 'anthropic', url: 'https://api.anthropic.com', apiKeyEnv: 'PAID_KEY' },
      none: { protocol: 'simulator' },
    },
    models: {
      '*': { upstream: 'none' },
      'claude-*': { upstream: 'paid' },
      'claude-haiku-*': { upstream: 'local', model: 'q' },
      'claude-opus': { upstream: 'paid' },
    },
  };

  test('several, by the file', () => {
    const { upstreams, models } = read({ file, env: { PAID_KEY: 'k', NIGHTSHIFT_UPSTREAM_API_KEY: 'other' } });
    assert.deepEqual(
      upstreams.map(({ name, billing, concurrency, apiKey, requestsPerMinute }) => [
        name,
        billing,
        concurrency,
        apiKey,
        requestsPerMinute,
      ]),
      [
        ['local', 'own', 512, null, 5],
        ['paid', 'standard', 128, 'k', null],
        ['none', 'simulated', 128, null, null],
      ],
    );
    assert.deepEqual(
      models.map((rule) => rule.pattern),
      ['claude-opus', 'claude-haiku-*', 'claude-*', '*'],
    );
  });

  test('of the file are capped by the option concurrency, and replaced by the option upstream', () => {
    const env = { PAID_KEY: 'k' };
    assert.deepEqual(
      read({ file, env, argv: '--concurrency 200' }).upstreams.map((one) => one.concurrency),
      [200, 200, 200],
    );
    assert.deepEqual(
      read({ file, env, argv: '--upstream simulator' }).upstreams.map((one) => one.name),
      ['simulator'],
    );
  });

  test('a single one of the file takes every model and the usual key', () => {
    const { upstreams, models } = read({
      file: { upstreams: { local: file.upstreams.local } },
      env: { NIGHTSHIFT_UPSTREAM_API_KEY: 'k' },
    });
    assert.deepEqual(models, [{ pattern: '*', upstream: 'local', model: null }]);
    assert.equal(upstreams[0].apiKey, 'k');
  });

  test('of the file that do not fit together are refused', () => {
    refused({ file }, /upstreams\.paid\.apiKeyEnv: the variable PAID_KEY is not set/);
    refused({ file: { upstreams: {} } }, /names no upstream/);
    refused({ file: { upstreams: { a: { protocol: 'simulator', url: 'http://h' } } } }, /has no url/);
    refused({ file: { upstreams: { a: { protocol: 'anthropic' } } } }, /url is missing/);
    refused(
      { file: { upstreams: { a: { url: 'http://h' } } } },
      /upstreams\.a\.protocol/,
      /anthropic, openai or simulator/,
    );
    refused({ file: { upstreams: { 'a\nb': { protocol: 'simulator' } } } }, /"a\\nb"/);
    refused(
      { file: { upstreams: { a: { protocol: 'simulator' }, b: { protocol: 'simulator' } } } },
      /models is missing/,
    );
    refused(
      {
        file: {
          upstreams: { a: { protocol: 'simulator' }, b: { protocol: 'simulator' } },
          models: { '*': { upstream: 'c' } },
        },
      },
      /models\."\*"\.upstream: "c"/,
      /one of a, b/,
    );
    refused({ file: { upstreams: { a: { protocol: 'simulator' } }, models: { 'a*b': {} } } }, /models: "a\*b"/);
    refused({ file: { models: { '*': {} } } }, /models needs upstreams/);
    refused(
      { file: { server: { upstream: 'simulator' }, upstreams: { a: { protocol: 'simulator' } } } },
      /exclude each other/,
    );
  });
});

describe('what is derived from the table', () => {
  test('docs/configuration.md is current', () => {
    const page = readFileSync(new URL('../docs/configuration.md', import.meta.url), 'utf8');
    assert.equal(page, configurationPage(), 'run: node scripts/generate-configuration.ts');
  });

  test('the help names every option', () => {
    const help = optionsHelp();
    for (const name of optionNames)
      assert(help.includes(options[name].from === 'variable' ? variableOf(name) : `${flagOf(name)} `), name);
  });

  test('every default is one that is accepted when given', () => {
    for (const name of optionNames) {
      const { reader, fallback } = options[name] as {
        reader: { read(value: unknown): unknown; show(value: unknown): string };
        fallback: unknown;
      };
      if (fallback !== null) assert.deepEqual(reader.read(reader.show(fallback)), fallback, name);
    }
  });
});
