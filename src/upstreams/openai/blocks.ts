/** Content blocks of a user, of tool results and of documents, as the parts chat completions know: text, images, files. */
import { cannot, isObject, knownOnly, listAt, objectAt, stringAt, type Json } from './fault.ts';
import { harmlessInBlocks } from './left-out.ts';
import type { Profile } from './profile.ts';

export type Part =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image_url'; readonly image_url: { readonly url: string } }
  | { readonly type: 'file'; readonly file: { readonly filename: string; readonly file_data: string } };

export type Place = { readonly path: string; readonly profile: Profile };

const elsewhere = 'cannot be carried to an OpenAI-compatible server';
const imageTypes = new Set(['image/jpeg', 'image/png', 'image/gif', 'image/webp']);

const members = (...names: readonly string[]): ReadonlySet<string> =>
  new Set(['type', ...harmlessInBlocks.keys(), ...names]);
export const textMembers = members('text');
const imageMembers = members('source');
// Citations would be asked for here, so they are not harmless: what is asked for must come.
const documentMembers = new Set(['type', 'cache_control', 'source', 'title', 'context', 'citations']);
const searchMembers = new Set(['type', 'cache_control', 'source', 'title', 'content', 'citations']);

export function partsOf(value: unknown, place: Place): readonly Part[] {
  const block = objectAt(value, place.path);
  switch (block['type']) {
    case 'text':
      return textParts(block, place);
    case 'image':
      knownOnly(block, { known: imageMembers, path: place.path });
      return [imagePart(objectAt(block['source'], `${place.path}.source`), place)];
    case 'document':
      knownOnly(block, { known: documentMembers, path: place.path });
      refuseCitations(block, place);
      return documentParts(block, place);
    case 'search_result':
      knownOnly(block, { known: searchMembers, path: place.path });
      refuseCitations(block, place);
      return [{ type: 'text', text: searchResult(block, place) }];
    default:
      return cannot(place.path, `${String(block['type'])} blocks ${elsewhere}.`);
  }
}

/** The text of a text block; a block without text says nothing, and some servers refuse it. */
export function textParts(block: Json, { path }: Place): readonly Part[] {
  knownOnly(block, { known: textMembers, path });
  const text = stringAt(block['text'], `${path}.text`);
  return text === '' ? [] : [{ type: 'text', text }];
}

function imagePart(source: Json, { path }: Place): Part {
  switch (source['type']) {
    case 'base64': {
      const type = source['media_type'];
      if (typeof type !== 'string' || !imageTypes.has(type)) {
        cannot(
          `${path}.source.media_type`,
          `${JSON.stringify(type)} is not an image type: ${[...imageTypes].join(', ')} are.`,
        );
      }
      return {
        type: 'image_url',
        image_url: { url: `data:${type};base64,${base64At(source['data'], `${path}.source.data`)}` },
      };
    }
    case 'url':
      return { type: 'image_url', image_url: { url: stringAt(source['url'], `${path}.source.url`) } };
    case 'file':
      return cannot(path, `image blocks with a file source ${elsewhere} (a file id belongs to Anthropic).`);
    default:
      return cannot(`${path}.source`, `image blocks with a ${String(source['type'])} source ${elsewhere}.`);
  }
}

/** Decoded only to see that nothing is lost in it. */
function base64At(value: unknown, path: string): string {
  const data = stringAt(value, path);
  const padding = data.endsWith('==') ? 2 : data.endsWith('=') ? 1 : 0;
  const letters = data.length - padding;
  const whole = Math.floor((letters * 3) / 4);
  // Node also reads the alphabet of URLs, which a data URL must not hold.
  const isPlain = !data.includes('-') && !data.includes('_');
  const isWhole =
    letters % 4 !== 1 && Buffer.from(data, 'base64').length === whole && (padding === 0 || data.length % 4 === 0);
  return whole > 0 && isPlain && isWhole ? data : cannot(path, 'Input is not valid base64.');
}

function documentParts(block: Json, place: Place): readonly Part[] {
  const { path, profile } = place;
  const source = objectAt(block['source'], `${path}.source`);
  switch (source['type']) {
    case 'text':
      return [
        {
          type: 'text',
          text: framed('document', {
            ...labels(block, path),
            content: stringAt(source['data'], `${path}.source.data`),
          }),
        },
      ];
    case 'content':
      return contentDocument(block, { source, place });
    case 'base64': {
      const type = source['media_type'];
      if (type !== 'application/pdf')
        cannot(`${path}.source.media_type`, `documents of type ${String(type)} ${elsewhere}.`);
      if (!profile.pdf)
        cannot(path, `document blocks with a PDF cannot be carried to ${profile.title}, which takes none.`);
      const { title, context } = labels(block, path);
      const filename = title === undefined ? 'document.pdf' : title.endsWith('.pdf') ? title : `${title}.pdf`;
      const data = base64At(source['data'], `${path}.source.data`);
      const file: Part = { type: 'file', file: { filename, file_data: `data:application/pdf;base64,${data}` } };
      return context === undefined
        ? [file]
        : [{ type: 'text', text: framed('document', { title: filename, context }) }, file];
    }
    case 'url':
      return cannot(path, `document blocks with a url source ${elsewhere} (its files are sent as data, not fetched).`);
    case 'file':
      return cannot(path, `document blocks with a file source ${elsewhere} (a file id belongs to Anthropic).`);
    default:
      return cannot(`${path}.source`, `document blocks with a ${String(source['type'])} source ${elsewhere}.`);
  }
}

/** Its text in one frame, its images behind it. */
function contentDocument(block: Json, { source, place }: { source: Json; place: Place }): readonly Part[] {
  const { path } = place;
  const { content } = source;
  const parts: readonly Part[] =
    typeof content === 'string'
      ? [{ type: 'text', text: content }]
      : listAt(content, `${path}.source.content`).flatMap((inner, at) =>
          partsOf(inner, { ...place, path: `${path}.source.content.${at}` }),
        );
  const text = parts.map((part) => (part.type === 'text' ? part.text : '')).filter((piece) => piece !== '');
  const others = parts.filter((part) => part.type !== 'text');
  return [
    { type: 'text', text: framed('document', { ...labels(block, path), content: text.join('\n\n') }) },
    ...others,
  ];
}

function searchResult(block: Json, { path }: Place): string {
  const content = listAt(block['content'], `${path}.content`).map((inner, at) => {
    const text = isObject(inner) && inner['type'] === 'text' ? inner['text'] : undefined;
    return stringAt(text, `${path}.content.${at}.text`);
  });
  const label = (name: string): string => stringAt(block[name], `${path}.${name}`);
  return framed('search_result', { title: label('title'), source: label('source'), content: content.join('\n\n') });
}

function refuseCitations({ citations }: Json, { path }: Place): void {
  if (isObject(citations) && citations['enabled'] === true) {
    cannot(`${path}.citations`, 'citations cannot be asked of an OpenAI-compatible server.');
  }
}

function labels(block: Json, path: string): { title?: string; context?: string } {
  const { title, context } = block;
  return {
    ...(title === undefined || title === null ? {} : { title: stringAt(title, `${path}.title`) }),
    ...(context === undefined || context === null ? {} : { context: stringAt(context, `${path}.context`) }),
  };
}

/** Tags, as models are used to have documents marked. */
function framed(tag: string, fields: Readonly<Record<string, string>>): string {
  const inner = Object.entries(fields).map(([name, text]) => `<${name}>\n${text}\n</${name}>`);
  return `<${tag}>\n${inner.join('\n')}\n</${tag}>`;
}
