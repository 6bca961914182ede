/**
 * One call on a pooled connection, as undici's dispatcher tells it. `Pool.request` would wrap every answer in a stream of its own,
 * which costs a fifth of a small call; here its pieces are gathered as they come.
 */
import type { Dispatcher } from 'undici';
import { ResponseTooLargeError, type UpstreamResponse } from '../ports/world.ts';
import type { AnswerBudget, Holder } from './answer-budget.ts';
import { abortError, explained } from './send-errors.ts';

/** Pieces nobody has asked for yet stop the connection here. */
const UNREAD_BYTES_MAX = 256 * 1024;
/** What a piece costs beside its bytes: an answer that comes byte by byte is mostly this. */
const PIECE_BYTES = 128;

type Reader = {
  readonly max: number;
  readonly resolve: (bytes: Uint8Array) => void;
  readonly reject: (error: Error) => void;
};

export class Exchange implements Dispatcher.DispatchHandler, Holder {
  /** Resolves at the headers. */
  readonly answered: Promise<UpstreamResponse>;
  readonly #signal: AbortSignal;
  readonly #budget: AnswerBudget;
  #held = 0;
  #resolve!: (response: UpstreamResponse) => void;
  #reject!: (error: Error) => void;
  #controller: Dispatcher.DispatchController | null = null;
  #sent = false;
  #pieces: Uint8Array[] = [];
  #length = 0;
  #state: 'open' | 'ended' | 'failed' = 'open';
  #failure: Error | null = null;
  #reader: Reader | null = null;
  #wake: (() => void) | null = null;

  constructor(signal: AbortSignal, budget: AnswerBudget) {
    this.#signal = signal;
    this.#budget = budget;
    this.answered = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (signal.aborted) this.#abort();
    else signal.addEventListener('abort', () => this.#abort(), { once: true });
  }

  get heldBytes(): number {
    return this.#held;
  }

  cut(): void {
    this.#fail(new ResponseTooLargeError(this.#length));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#failure) controller.abort(this.#failure);
  }

  onRequestSent(): void {
    this.#sent = true;
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    // Informational answers come before the one.
    if (status < 200) return;
    const body = { bytes: (max: number) => this.#bytes(max), stream: () => this.#stream() };
    this.#resolve({ status, headers: joined(headers), body });
  }

  onResponseData(controller: Dispatcher.DispatchController, piece: Buffer): void {
    if (this.#state !== 'open') return;
    this.#pieces.push(piece);
    this.#length += piece.length;
    this.#held += piece.length + PIECE_BYTES;
    this.#budget.take(this, piece.length + PIECE_BYTES);
    if (this.#reader) {
      if (this.#length > this.#reader.max) this.#fail(new ResponseTooLargeError(this.#reader.max));
    } else if (this.#length > UNREAD_BYTES_MAX) {
      controller.pause();
    }
    this.#wake?.();
  }

  onResponseEnd(): void {
    if (this.#state !== 'open') return;
    this.#state = 'ended';
    this.#release();
    this.#reader?.resolve(this.#whole());
    this.#wake?.();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#settle(explained(error, { signal: this.#signal, sent: this.#sent }));
  }

  #bytes(max: number): Promise<Uint8Array> {
    if (this.#failure) return Promise.reject(this.#failure);
    if (this.#length > max) {
      const error = new ResponseTooLargeError(max);
      if (this.#state === 'open') this.#fail(error);
      return Promise.reject(error);
    }
    if (this.#state === 'ended') return Promise.resolve(this.#whole());
    return new Promise((resolve, reject) => {
      this.#reader = { max, resolve, reject };
      if (this.#failure) reject(this.#failure);
      else this.#controller?.resume();
    });
  }

  async *#stream(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const pieces = this.#pieces;
      this.#pieces = [];
      this.#length = 0;
      this.#release();
      yield* pieces;
      if (this.#pieces.length > 0) continue;
      if (this.#failure) throw this.#failure;
      if (this.#state === 'ended') return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        this.#controller?.resume();
      });
      this.#wake = null;
    }
  }

  #whole(): Uint8Array {
    return this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces, this.#length);
  }

  #release(): void {
    this.#budget.release(this);
    this.#held = 0;
  }

  #abort(): void {
    if (this.#state === 'open') this.#fail(abortError(this.#signal));
  }

  /** Ends the call from our side; its connection is closed with it. */
  #fail(error: Error): void {
    this.#settle(error);
    this.#controller?.abort(error);
  }

  #settle(error: Error): void {
    if (this.#state !== 'open') return;
    this.#state = 'failed';
    this.#failure = error;
    this.#pieces = [];
    this.#release();
    this.#reject(error);
    this.#reader?.reject(error);
    this.#wake?.();
  }
}

function joined(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  for (const name in headers) {
    const value = headers[name];
    if (Array.isArray(value)) headers[name] = value.join(', ');
  }
  return headers as Record<string, string>;
}
