/** One request on its way through the face, and what every handler works with. */
import type { HttpBindings } from '@hono/node-server';
import type { Dialect } from '../dialects/dialect.ts';
import type { Batch } from '../domain/batch.ts';
import { AppError } from '../domain/errors.ts';
import type { Service } from '../engine/contract.ts';
import type { Directory } from '../ports/directory.ts';
import type { Usages } from '../ports/usage.ts';
import type { World } from '../ports/world.ts';
import type { Account } from './auth.ts';
import type { CorsOrigins } from './cors.ts';
import { readLiveCounts } from './headers.ts';
import type { Models } from './model-names.ts';
import { baseUrlOf } from './proxy.ts';
import type { Received, UploadBounds } from './upload.ts';

export type HttpDeps = {
  readonly service: Service;
  readonly directory: Directory;
  readonly usage: Usages;
  readonly dialect: Dialect;
  readonly models: Models;
  readonly world: World;
  readonly version: string;
  /** Where clients reach us; null to believe the Host header. */
  readonly publicUrl: string | null;
  /** How many proxies before us may say where a call came from; 0 to believe none. */
  readonly trustedProxies: number;
  /** Origins that web pages may call from. */
  readonly corsOrigins: CorsOrigins;
  readonly httpRequestsPerMinute: number;
  /** Counts move while a batch runs, unless a call says otherwise. */
  readonly liveCounts?: boolean;
  /** Betas that the API does not know are refused. */
  readonly strict?: boolean;
  readonly metrics: () => Promise<{ contentType: string; body: string }>;
  /** Bounds that tests shorten; the limits otherwise. */
  readonly upload?: UploadBounds;
  readonly downloadIdleMs?: number;
};

export type Call = {
  readonly requestId: string;
  readonly request: Request;
  /** The batch (or, under /v1/organizations, whatever else) named in the path, or ''. */
  readonly batchId: string;
  /** Node's own objects; null when called in-process. */
  readonly node: HttpBindings | null;
  readonly received: Received;
};

/** A call that has passed the door: its key is good, its version known, its budget not used up. */
export type AdmittedCall = Call & { readonly account: Account; readonly apiVersion: string };

export function renderBatch(deps: HttpDeps, call: Call, batch: Batch): object {
  return deps.dialect.renderBatch(batch, { baseUrl: baseUrlOf(deps, call), live: wantsLiveCounts(deps, call) });
}

/** An extension: official counts stand still until the end. Only reading calls may ask for it: a create must not fail when it is done. */
export function wantsLiveCounts(deps: HttpDeps, call: Call): boolean {
  const asked = /^(GET|HEAD)$/.test(call.request.method) ? readLiveCounts(call.request.headers) : null;
  return asked ?? deps.liveCounts ?? false;
}

/** The same words for an unknown batch and another workspace's: nobody learns that it exists. */
export function batchNotFound(batchId: string): AppError {
  return new AppError('not_found', `Message Batch ${batchId} not found.`);
}
