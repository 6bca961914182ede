/** One request on its way through the face, and what every handler works with. */
import type { HttpBindings } from '@hono/node-server';
import type { Dialect } from '../dialects/dialect.ts';
import type { Batch } from '../domain/batch.ts';
import { AppError } from '../domain/errors.ts';
import type { Service } from '../engine/contract.ts';
import type { Directory } from '../ports/directory.ts';
import type { World } from '../ports/world.ts';
import type { Account } from './auth.ts';
import type { Received, UploadBounds } from './upload.ts';

export type HttpDeps = {
  readonly service: Service;
  readonly directory: Directory;
  readonly dialect: Dialect;
  readonly world: World;
  readonly version: string;
  /** Where clients reach us; null to believe the Host header. */
  readonly publicUrl: string | null;
  readonly httpRequestsPerMinute: number;
  readonly metrics: () => Promise<{ contentType: string; body: string }>;
  /** Bounds that tests shorten; the limits otherwise. */
  readonly upload?: UploadBounds;
  readonly downloadIdleMs?: number;
};

export type Call = {
  readonly requestId: string;
  readonly request: Request;
  /** The batch named in the path, or ''. */
  readonly batchId: string;
  /** Node's own objects; null when called in-process. */
  readonly node: HttpBindings | null;
  readonly received: Received;
};

/** A call that has passed the door: its key is good, its version known, its budget not used up. */
export type AdmittedCall = Call & { readonly account: Account; readonly apiVersion: string };

export function renderBatch(deps: HttpDeps, call: Call, batch: Batch): object {
  const baseUrl = deps.publicUrl?.replace(/\/+$/, '') ?? new URL(call.request.url).origin;
  return deps.dialect.renderBatch(batch, { baseUrl, live: false });
}

/** The same words for an unknown batch and another workspace's: nobody learns that it exists. */
export function batchNotFound(batchId: string): AppError {
  return new AppError('not_found', `Message Batch ${batchId} not found.`);
}
