/** llama.cpp's server in a process of its own, with a tiny random model: a real inference server for tests, installed when first wanted. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { pythonWith } from './installed.ts';
import { scratchFolder } from './scratch-folder.ts';
import { writeTinyModel } from './tiny-model.ts';

const llamaCpp = { name: 'llama-cpp', pythonPackage: 'xllamacpp', version: '2026.10.11549' };

/** Resolves with its address once the model is loaded. */
export async function startLlamaServer(test: TestContext): Promise<string> {
  const python = pythonWith(llamaCpp);
  const model = path.join(await scratchFolder(test), 'tiny.gguf');
  writeTinyModel(model);
  const script = path.join(import.meta.dirname, 'python', 'llama_server.py');
  const child = spawn(python, [script, model], { stdio: ['pipe', 'pipe', 'pipe'] });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (piece: string) => (complaint = (complaint + piece).slice(-4_000)));
  const exited = once(child, 'exit');
  test.after(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  const line = await Promise.race([
    once(child.stdout.setEncoding('utf8'), 'data').then(([text]) => String(text)),
    exited.then(() => Promise.reject(new Error(`llama.cpp's server ended before it listened:\n${complaint}`))),
  ]);
  return line.trim();
}
