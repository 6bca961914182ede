/** For the tests of sinks: output rows, what is to become of two of them, and DuckDB as another reader. */
import { join } from 'node:path';
import { noUsage } from '../../domain/tally.ts';
import type { OutputRow, Row } from '../contract.ts';
import { openSink, type OutputRequest } from './open-sink.ts';

export function outputRow(given: Partial<OutputRow>): OutputRow {
  return {
    seq: 0,
    key: '1',
    row: null,
    state: 'ok',
    text: null,
    output: null,
    error: null,
    stopReason: 'end_turn',
    model: 'm',
    usage: { ...noUsage, inputTokens: 3, outputTokens: 2 },
    attempts: 1,
    batchId: 'b1',
    line: null,
    ...given,
  };
}

export function request(folder: string, given: Partial<OutputRequest>): OutputRequest {
  return {
    target: join(folder, 'out.jsonl'),
    format: null,
    columns: ['id', 'text'],
    join: true,
    keyColumn: 'id',
    outputs: null,
    run: 'run-1',
    spill: join(folder, 'spill'),
    stdout: process.stdout,
    ...given,
  };
}

export async function written(given: OutputRequest, rows: readonly OutputRow[]): Promise<void> {
  const sink = await openSink(given);
  for (let at = 0; at < rows.length; at += 7) await sink.write(rows.slice(at, at + 7));
  await sink.finish();
}

export async function duckdb(sql: string): Promise<readonly Row[]> {
  const { DuckDBInstance } = await import('@duckdb/node-api');
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  return (await connection.runAndReadAll(sql)).getRowObjectsJson();
}

export const failed = outputRow({
  key: '2',
  row: { id: '2', text: 'b' },
  state: 'rejected',
  error: { type: 'invalid_request_error', message: 'too long' },
  stopReason: null,
  model: null,
  usage: null,
  batchId: null,
});
export const two: readonly OutputRow[] = [outputRow({ row: { id: '1', text: 'a,"' }, text: 'x\ny' }), failed];

export const tails = [
  {
    state: 'ok',
    error_type: null,
    error_message: null,
    stop_reason: 'end_turn',
    model: 'm',
    input_tokens: 3,
    output_tokens: 2,
    attempts: 1,
    batch_id: 'b1',
  },
  {
    state: 'rejected',
    error_type: 'invalid_request_error',
    error_message: 'too long',
    stop_reason: null,
    model: null,
    input_tokens: null,
    output_tokens: null,
    attempts: 1,
    batch_id: null,
  },
];
export const joined = [
  { id: '1', text: 'a,"', answer: 'x\ny', ...tails[0] },
  { id: '2', text: 'b', answer: null, ...tails[1] },
];
