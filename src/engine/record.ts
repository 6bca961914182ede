/**
 * A journal record: one outcome, framed by bytes/frame.ts. Little-endian, version 1:
 *
 *   u8 version · u8 outcome · u16 length of batch id · u32 segment · u32 item · u32 epoch · 5 × f64 usage
 *   u16 length of model · u16 length of upstream · batch id · model · upstream · the line
 */
import { frameHeaderBytes, writeFrame } from '../bytes/frame.ts';
import { outcomeKinds, type OutcomeKind } from '../domain/outcome.ts';
import type { Usage } from '../domain/tally.ts';

export type OutcomeRecord = {
  readonly batchId: string;
  readonly segment: number;
  readonly item: number;
  readonly epoch: number;
  readonly outcome: OutcomeKind;
  readonly usage: Usage;
  /** Who answered: what the usage is counted under. */
  readonly model: string;
  readonly upstream: string;
  /** The result line, newline included. */
  readonly line: Uint8Array;
};

const version = 1;
const fixedBytes = 60;
const firstBufferBytes = 256 * 1024;

/** Gathers the frames of one turn in a buffer that is used again and again. */
export class RecordWriter {
  #buffer: Buffer = Buffer.allocUnsafeSlow(firstBufferBytes);
  #end = 0;

  get bytes(): number {
    return this.#end;
  }

  add(record: OutcomeRecord): void {
    // Names are at most four bytes a character; the exact length is known once they are written.
    const namesMax = (record.batchId.length + record.model.length + record.upstream.length) * 4;
    this.#reserve(frameHeaderBytes + fixedBytes + namesMax + record.line.length);
    const buffer = this.#buffer;
    const start = this.#end + frameHeaderBytes;
    const names = start + fixedBytes;
    const batchIdBytes = buffer.write(record.batchId, names, 'utf8');
    const modelBytes = buffer.write(record.model, names + batchIdBytes, 'utf8');
    const upstreamBytes = buffer.write(record.upstream, names + batchIdBytes + modelBytes, 'utf8');
    const lineStart = names + batchIdBytes + modelBytes + upstreamBytes;
    buffer[start] = version;
    buffer[start + 1] = outcomeKinds.indexOf(record.outcome);
    buffer.writeUInt16LE(batchIdBytes, start + 2);
    buffer.writeUInt32LE(record.segment, start + 4);
    buffer.writeUInt32LE(record.item, start + 8);
    buffer.writeUInt32LE(record.epoch, start + 12);
    writeUsage(buffer, start + 16, record.usage);
    buffer.writeUInt16LE(modelBytes, start + 56);
    buffer.writeUInt16LE(upstreamBytes, start + 58);
    buffer.set(record.line, lineStart);
    this.#end = lineStart + record.line.length;
    writeFrame(buffer, start - frameHeaderBytes, this.#end - start);
  }

  /** The frames gathered; valid until the next `add`. */
  frames(): Uint8Array {
    return this.#buffer.subarray(0, this.#end);
  }

  clear(): void {
    this.#end = 0;
    if (this.#buffer.length > firstBufferBytes * 16) this.#buffer = Buffer.allocUnsafeSlow(firstBufferBytes);
  }

  #reserve(bytes: number): void {
    if (this.#end + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, this.#end + bytes));
    this.#buffer.copy(larger, 0, 0, this.#end);
    this.#buffer = larger;
  }
}

/** Null for a record of a version this program does not know. */
export function readRecord(payload: Uint8Array): OutcomeRecord | null {
  const buffer = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  if (buffer.length < fixedBytes || buffer[0] !== version) return null;
  const modelStart = fixedBytes + buffer.readUInt16LE(2);
  const upstreamStart = modelStart + buffer.readUInt16LE(56);
  const lineStart = upstreamStart + buffer.readUInt16LE(58);
  return {
    batchId: buffer.toString('utf8', fixedBytes, modelStart),
    segment: buffer.readUInt32LE(4),
    item: buffer.readUInt32LE(8),
    epoch: buffer.readUInt32LE(12),
    outcome: outcomeKinds[buffer[1]!]!,
    usage: readUsage(buffer, 16),
    model: buffer.toString('utf8', modelStart, upstreamStart),
    upstream: buffer.toString('utf8', upstreamStart, lineStart),
    line: buffer.subarray(lineStart),
  };
}

// Five numbers set in a typed array and copied at once: several times faster than five writes into a Buffer. Every platform of
// Node is little-endian.
const usageNumbers = new Float64Array(5);
const usageBytes = new Uint8Array(usageNumbers.buffer);

function writeUsage(buffer: Buffer, at: number, usage: Usage): void {
  usageNumbers[0] = usage.inputTokens;
  usageNumbers[1] = usage.outputTokens;
  usageNumbers[2] = usage.cacheCreationInputTokens;
  usageNumbers[3] = usage.cacheReadInputTokens;
  usageNumbers[4] = usage.cacheCreation1hInputTokens;
  buffer.set(usageBytes, at);
}

function readUsage(buffer: Buffer, at: number): Usage {
  return {
    inputTokens: buffer.readDoubleLE(at),
    outputTokens: buffer.readDoubleLE(at + 8),
    cacheCreationInputTokens: buffer.readDoubleLE(at + 16),
    cacheReadInputTokens: buffer.readDoubleLE(at + 24),
    cacheCreation1hInputTokens: buffer.readDoubleLE(at + 32),
  };
}
