/** Images and documents from columns: a path, an address or a data URL becomes a block of the message. */
import { isUtf8 } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { IMAGE_BYTES_MAX, REQUEST_BYTES_MAX } from '../../domain/limits.ts';
import type { Row } from '../contract.ts';
import { missingColumn, RowFault } from './fault.ts';

export type AttachmentOptions = {
  readonly images: readonly string[];
  readonly documents: readonly string[];
  readonly folder: string;
};

/** The blocks of a row as JSON, images first; files are looked for in `folder`. */
export async function attachmentsOf(row: Row, { images, documents, folder }: AttachmentOptions): Promise<string[]> {
  const blocks: string[] = [];
  for (const column of images) blocks.push(JSON.stringify(await imageOf(await read(row, { column, folder }))));
  for (const column of documents) blocks.push(JSON.stringify(await documentOf(await read(row, { column, folder }))));
  return blocks;
}

type Attached = { readonly column: string } & ({ readonly url: string } | { readonly bytes: Buffer });

async function read(row: Row, { column, folder }: { column: string; folder: string }): Promise<Attached> {
  if (!Object.hasOwn(row, column)) throw new RowFault(missingColumn(column, Object.keys(row)));
  const value = row[column];
  if (value instanceof Uint8Array) return { column, bytes: Buffer.from(value) };
  if (typeof value !== 'string' || value.trim() === '') throw new RowFault(`column "${column}" names no file`);
  if (/^https?:\/\//i.test(value)) return { column, url: value };
  if (/^data:/i.test(value)) return { column, bytes: dataOf(value, column) };
  const path = /^file:/i.test(value) ? fileURLToPath(value) : resolve(folder, value);
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw new RowFault(`column "${column}": cannot read ${path} (${error.code ?? error.message})`);
  });
  return { column, bytes };
}

function dataOf(url: string, column: string): Buffer {
  const found = /^data:[^,]*?(;base64)?,/i.exec(url);
  if (found === null) throw new RowFault(`column "${column}" holds a data URL without data`);
  const data = url.slice(found[0].length);
  return found[1] === undefined ? Buffer.from(decodeURIComponent(data)) : Buffer.from(data, 'base64');
}

function imageOf(attached: Attached): unknown {
  if ('url' in attached) return { type: 'image', source: { type: 'url', url: attached.url } };
  const { bytes, column } = attached;
  const mediaType = imageTypeOf(bytes);
  if (mediaType === null) throw new RowFault(`column "${column}" holds no JPEG, PNG, GIF or WebP image`);
  if (bytes.length > IMAGE_BYTES_MAX)
    throw new RowFault(
      `column "${column}" holds an image of ${bytes.length} bytes; ${IMAGE_BYTES_MAX} is the most the API takes`,
    );
  return { type: 'image', source: { type: 'base64', media_type: mediaType, data: bytes.toString('base64') } };
}

/** By the first bytes, because names lie. */
export function imageTypeOf(bytes: Buffer): string | null {
  const start = bytes.toString('latin1', 0, 12);
  if (start.startsWith('\x89PNG\r\n\x1a\n')) return 'image/png';
  if (start.startsWith('\xff\xd8\xff')) return 'image/jpeg';
  if (/^GIF8[79]a/.test(start)) return 'image/gif';
  return /^RIFF[^]{4}WEBP/.test(start) ? 'image/webp' : null;
}

function documentOf(attached: Attached): unknown {
  if ('url' in attached) return { type: 'document', source: { type: 'url', url: attached.url } };
  const { bytes, column } = attached;
  if (bytes.length > REQUEST_BYTES_MAX)
    throw new RowFault(`column "${column}" holds a document of ${bytes.length} bytes, more than a request may have`);
  if (bytes.toString('latin1', 0, 5) === '%PDF-') {
    return {
      type: 'document',
      source: { type: 'base64', media_type: 'application/pdf', data: bytes.toString('base64') },
    };
  }
  if (bytes.length === 0 || !isUtf8(bytes) || bytes.includes(0))
    throw new RowFault(`column "${column}" holds neither a PDF nor a text`);
  return {
    type: 'document',
    source: { type: 'text', media_type: 'text/plain', data: bytes.toString('utf8').replace(/^\uFEFF/, '') },
  };
}
