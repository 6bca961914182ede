/** Bodies that come compressed (gzip, zstd): decompressed as they arrive, bounded in size and memory, refused where they are broken. */
import { constants, createGunzip, createZstdDecompress } from 'node:zlib';
import { AppError } from '../domain/errors.ts';
import { DECODED_FRAMES_MAX, DECODED_PIECE_BYTES, ZSTD_WINDOW_LOG_MAX } from '../domain/limits.ts';

export type BodyEncoding = 'gzip' | 'zstd';

type Decoder = ReturnType<typeof createGunzip> | ReturnType<typeof createZstdDecompress>;

const decoders: Readonly<Record<BodyEncoding, () => Decoder>> = {
  gzip: () => createGunzip({ chunkSize: DECODED_PIECE_BYTES }),
  zstd: () =>
    createZstdDecompress({
      chunkSize: DECODED_PIECE_BYTES,
      params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX },
    }),
};

/** Null for a plain body. Several encodings on top of each other are refused like an unknown one. */
export function readBodyEncoding(headers: Headers): BodyEncoding | null {
  const encoding = headers.get('content-encoding')?.trim().toLowerCase();
  if (!encoding || encoding === 'identity') return null;
  if (encoding === 'gzip' || encoding === 'x-gzip') return 'gzip';
  if (encoding === 'zstd') return 'zstd';
  throw new AppError('body_encoding_unsupported', `content-encoding: "${encoding}" is not supported`, {
    detail: 'request_body_encoding_unsupported',
    // RFC 9110, section 12.5.3: which ones are.
    headers: { 'accept-encoding': 'gzip, zstd' },
  });
}

export type Encoded = {
  /** The body as it arrives; null passes it on as it is. */
  readonly encoding: BodyEncoding | null;
  readonly source: AsyncIterable<Uint8Array>;
  /** Of the body after decompression. */
  readonly bytesMax: number;
};

/** The body as it was before it was compressed. While one piece is worked on, the next is decompressed by another thread. */
export function decodedBody({ encoding, source, bytesMax }: Encoded): AsyncIterable<Uint8Array> {
  return encoding === null ? source : oneAhead(new Decoding({ encoding, source, bytesMax }));
}

/** One body on its way through decoders: a body may be several frames in a row, and each zstd frame needs a decoder of its own. */
class Decoding {
  readonly #encoded: Encoded & { readonly encoding: BodyEncoding };
  #decoder: Decoder;
  #frames = 0;
  #failure: Error | null = null;
  #closed = false;
  #wake: () => void = () => undefined;

  constructor(encoded: Encoded & { readonly encoding: BodyEncoding }) {
    this.#encoded = encoded;
    this.#decoder = this.#nextDecoder();
  }

  async *pieces(): AsyncGenerator<Uint8Array, void, undefined> {
    let bytes = 0;
    try {
      for await (const piece of this.#decoded()) {
        bytes += piece.byteLength;
        if (bytes > this.#encoded.bytesMax) throw tooLargeDecoded();
        yield piece;
      }
    } finally {
      this.close();
    }
  }

  close(): void {
    this.#closed = true;
    this.#decoder.destroy();
  }

  async *#decoded(): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const piece of this.#encoded.source) {
      let rest = piece;
      while (rest.byteLength > 0) {
        if (this.#closed) return;
        const before = this.#decoder.bytesWritten;
        const part = rest;
        yield* this.#outputOf((done) => this.#decoder.write(part, done));
        rest = rest.subarray(this.#decoder.bytesWritten - before);
        // What it did not take lies behind the end of its frame.
        if (rest.byteLength > 0) this.#renew();
      }
    }
    // A frame that is not complete says so before its output ends; the input counts as taken too early to tell.
    yield* this.#outputOf(() => this.#decoder.end());
  }

  /** What comes out until all of the input is taken, or the frame has ended before it. */
  async *#outputOf(give: (done: (error?: Error | null) => void) => void): AsyncGenerator<Uint8Array, void, undefined> {
    const decoder = this.#decoder;
    let taken = false;
    give((error) => {
      taken = true;
      if (error) this.#failure ??= invalidBody(error.message);
      this.#wake();
    });
    for (;;) {
      const piece = decoder.read() as Uint8Array | null;
      if (this.#failure !== null) throw this.#failure;
      if (piece !== null) yield piece;
      else if (taken || decoder.readableEnded || decoder.destroyed) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #renew(): void {
    this.#decoder.destroy();
    this.#decoder = this.#nextDecoder();
  }

  #nextDecoder(): Decoder {
    this.#frames += 1;
    // Each costs a decoder, however small it is.
    if (this.#frames > DECODED_FRAMES_MAX) throw invalidBody(`it has more than ${DECODED_FRAMES_MAX} frames`);
    const decoder = decoders[this.#encoded.encoding]();
    for (const event of ['readable', 'end', 'close']) decoder.on(event, () => this.#wake());
    decoder.on('error', (error) => {
      this.#failure ??= invalidBody(error.message);
      this.#wake();
    });
    return decoder;
  }
}

async function* oneAhead(decoding: Decoding): AsyncGenerator<Uint8Array, void, undefined> {
  const pieces = decoding.pieces();
  try {
    for (let next = pieces.next(); ;) {
      const step = await next;
      if (step.done === true) return;
      next = pieces.next();
      // Its error is met when its turn comes.
      next.catch(() => undefined);
      yield step.value;
    }
  } finally {
    decoding.close();
    // Not awaited: the source may wait for its client.
    pieces.return().catch(() => undefined);
  }
}

function invalidBody(reason: string): AppError {
  return new AppError('body_encoding_invalid', `The compressed request body cannot be decoded: ${reason}`, {
    detail: 'request_body_encoding_invalid',
  });
}

function tooLargeDecoded(): AppError {
  return new AppError('too_large', 'Request exceeds the maximum allowed number of bytes after decompression.', {
    detail: 'request_body_too_large_after_decoding',
  });
}
