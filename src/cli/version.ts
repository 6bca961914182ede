/** The version of this package, from its manifest. */
import { existsSync, readFileSync } from 'node:fs';

/** The manifest lies two folders up in a checkout, three in the built package. */
export function versionOf(): string {
  const places = ['../../package.json', '../../../package.json'].map((path) => new URL(path, import.meta.url));
  const manifest = places.find((place) => existsSync(place));
  return manifest === undefined
    ? 'unknown'
    : (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}
