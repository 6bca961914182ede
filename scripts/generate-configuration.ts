// Writes docs/configuration.md from the table of options.
import { mkdirSync, writeFileSync } from 'node:fs';
import { configurationPage } from '../src/config/describe.ts';

const folder = new URL('../docs/', import.meta.url);
mkdirSync(folder, { recursive: true });
writeFileSync(new URL('configuration.md', folder), configurationPage());
