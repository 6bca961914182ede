import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  BLOB_HEADER_BYTES,
  blobHeader,
  BlobFormatError,
  plaintextBytes,
  readBlobHeader,
  storedRange,
} from './blob-header.ts';

test('a header is read back, and ranges move behind it', () => {
  const layout = readBlobHeader('w/b/n', blobHeader());
  assert.deepEqual(storedRange(layout, { start: 0, end: 10 }), {
    start: BLOB_HEADER_BYTES,
    end: BLOB_HEADER_BYTES + 10,
  });
  assert.equal(plaintextBytes(BLOB_HEADER_BYTES + 10), 10);
});

test('what this version does not know is refused with the name of the blob', () => {
  const changed = (at: number, value: number): Uint8Array => {
    const header = Buffer.from(blobHeader());
    header[at] = value;
    return header;
  };
  const refused = (bytes: Uint8Array, reason: RegExp) =>
    assert.throws(
      () => readBlobHeader('w/b/n', bytes),
      (error: unknown) =>
        error instanceof BlobFormatError && error.message.includes('w/b/n') && reason.test(error.message),
    );
  refused(changed(0, 0x58), /does not begin like a blob/);
  refused(changed(8, 2), /version 2/);
  refused(changed(9, 7), /codec 7/);
  refused(changed(12, 3), /key 3/);
  refused(blobHeader().subarray(0, 9), /cut off/);
  refused(new Uint8Array(0), /cut off/);
});
