/** A client of bytes, for what no HTTP client would send: writes what it is told and cuts answers out of what comes back. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export type RawAnswer = { readonly status: number; readonly headers: Headers; readonly text: string };

export class RawClient {
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  #text = '';
  #wake: () => void = () => undefined;

  constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1');
    this.#socket.setEncoding('latin1').on('data', (text: string) => {
      this.#text += text;
      this.#wake();
    });
    this.#socket.on('error', () => undefined);
    this.closed = once(this.#socket, 'close').then(() => this.#wake());
  }

  write(text: string): void {
    this.#socket.write(text, 'latin1');
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** The next whole answer; chunked ones are not understood. */
  async answer(): Promise<RawAnswer> {
    for (;;) {
      const match = /^HTTP\/1\.1 (\d+) [^\r]*\r\n((?:[^\r]+\r\n)*)\r\n/.exec(this.#text);
      if (match !== null) {
        const lines = (match[2] ?? '').split('\r\n').filter(Boolean);
        const headers = new Headers(lines.map((line) => line.split(/: (.*)/s).slice(0, 2) as [string, string]));
        const end = match[0].length + Number(headers.get('content-length') ?? 0);
        if (this.#text.length >= end) {
          const text = this.#text.slice(match[0].length, end);
          this.#text = this.#text.slice(end);
          return { status: Number(match[1]), headers, text };
        }
      }
      assert.equal(this.#socket.closed, false, `closed without an answer: ${this.#text}`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
