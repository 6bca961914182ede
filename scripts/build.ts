// Builds the package: tsc writes JavaScript to dist, and this adds what tsc leaves out: the other files of src, and worker addresses.
import { spawnSync } from 'node:child_process';
import { copyFileSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
process.chdir(root);

rmSync('dist', { recursive: true, force: true });
compile();
for (const file of globSync('src/**/*.{sql,json,html,css,svg}')) copy(file);
for (const file of globSync('dist/src/**/*.js')) rewriteWorkerAddresses(file);

function compile(): void {
  const compiler = path.join('node_modules', 'typescript', 'bin', 'tsc');
  const result = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json'], { stdio: 'inherit' });
  if (result.status !== 0) throw new Error('tsc found errors; nothing was built.');
}

function copy(file: string): void {
  mkdirSync(path.join('dist', path.dirname(file)), { recursive: true });
  copyFileSync(file, path.join('dist', file));
}

/** tsc rewrites the extensions of imports, but not those in `new URL('./worker.ts', import.meta.url)`. */
function rewriteWorkerAddresses(file: string): void {
  const text = readFileSync(file, 'utf8');
  const rewritten = text.replaceAll(/(new URL\('\.[^']*)\.ts('\s*,\s*import\.meta\.url)/g, '$1.js$2');
  if (rewritten !== text) writeFileSync(file, rewritten);
}
