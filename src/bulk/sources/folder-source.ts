/** A folder of text files, in order of their names: each is a row with `name` (its path in the folder) and `text`. */
import { isUtf8 } from 'node:buffer';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { Place, Source, SourceIdentity, SourceRow } from '../contract.ts';
import { INPUT_ROW_BYTES_MAX, INPUT_WINDOW_BYTES } from '../limits.ts';
import { identityOfFile, identityOfTexts } from './identity.ts';

export class FolderSource implements Source {
  readonly columns = ['name', 'text'];
  readonly #folder: string;
  readonly #names: readonly string[];

  private constructor(folder: string, names: readonly string[]) {
    this.#folder = folder;
    this.#names = names;
  }

  /** Hidden files, and files in hidden folders, are not meant. */
  static async open(folder: string): Promise<FolderSource> {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    const names = entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(join(folder, sep).length).split(sep).join('/'))
      .filter((name) => !name.split('/').some((part) => part.startsWith('.')));
    return new FolderSource(folder, names.toSorted());
  }

  async identity(): Promise<SourceIdentity> {
    const texts: string[] = [];
    let bytes = 0;
    for (const name of this.#names) {
      const one = await identityOfFile(join(this.#folder, name), 'file');
      bytes += one.bytes ?? 0;
      texts.push(name, one.digest);
    }
    return identityOfTexts(texts, { kind: 'dir', bytes });
  }

  async *rows(): AsyncGenerator<readonly SourceRow[]> {
    let group: SourceRow[] = [];
    let characters = 0;
    for (let seq = 0; seq < this.#names.length; seq += 1) {
      const row = await this.#row(seq, { offset: seq, line: null });
      group.push(row);
      characters += row.row === null ? 0 : String(row.row.text).length;
      if (characters < INPUT_WINDOW_BYTES) continue;
      yield group;
      group = [];
      characters = 0;
    }
    if (group.length > 0) yield group;
  }

  async *read(points: readonly { readonly seq: number; readonly place: Place }[]): AsyncGenerator<SourceRow> {
    for (const { seq, place } of points) yield await this.#row(seq, place);
  }

  async close(): Promise<void> {}

  async #row(seq: number, place: Place): Promise<SourceRow> {
    const name = this.#names[place.offset]!;
    const path = join(this.#folder, name);
    const { size } = await stat(path);
    if (size > INPUT_ROW_BYTES_MAX) {
      return { seq, place, row: null, fault: `${name}: more than ${INPUT_ROW_BYTES_MAX / 1_048_576} MiB` };
    }
    const bytes = await readFile(path);
    if (!isUtf8(bytes)) return { seq, place, row: null, fault: `${name}: not valid UTF-8` };
    return { seq, place, row: { name, text: bytes.toString('utf8').replace(/^\ufeff/, '') }, fault: null };
  }
}
