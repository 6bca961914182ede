/** The blocks of content: what messages, the system prompt, results of tools and documents are made of. */
import * as kinds from './kinds.ts';
import { list, optional, required, text, type ObjectSchema, type TaggedSchema } from './kinds.ts';

export const cacheControl: TaggedSchema = kinds.tagged(
  'CacheControl',
  { ephemeral: kinds.object({ ttl: optional(kinds.choice('5m', '1h')) }, { rule: 'lifetime' }) },
  { closed: true },
);

export const cached = { cache_control: optional(cacheControl) };

const citationsSwitch = optional(kinds.object({ enabled: optional(kinds.truth) }));
const caller = optional(kinds.object({ type: required(text()) }, { open: true }));

const fileSource = kinds.object({ file_id: required(text()) });
const urlSource = kinds.object({ url: required(text()) });

const image = kinds.object(
  {
    source: required(
      kinds.tagged(
        'ImageSource',
        {
          base64: kinds.object(
            {
              media_type: required(kinds.choice('image/jpeg', 'image/png', 'image/gif', 'image/webp')),
              data: required(text()),
            },
            { rule: 'base64 image' },
          ),
          url: urlSource,
          file: fileSource,
        },
        { closed: true },
      ),
    ),
    ...cached,
    transformations: optional(kinds.object({ oversized_image: optional(kinds.choice('downsize', 'error')) })),
  },
  { title: 'ImageBlock' },
);

/** Texts in the prompt; those of a user may not cite since version 2026-10-21. */
const textMembers = { text: required(text()), ...cached, citations: optional(list(kinds.dictionary)) };
const ownText = kinds.object(textMembers, { title: 'TextBlock', rule: 'text' });
const userText = kinds.object(textMembers, { title: 'TextBlock', rule: 'text of a user' });

/** A list that holds texts only does not name their type in the path of an error. */
function textsOnly(block: ObjectSchema): ObjectSchema {
  return { ...block, title: 'TypedTextBlock', members: { type: required(kinds.choice('text')), ...block.members } };
}

export const systemText = textsOnly(ownText);

function documentOf(inner: ObjectSchema, options: { readonly rule?: string } = {}): ObjectSchema {
  const content = kinds.tagged('DocumentContent', { text: inner, image });
  const pdf = { media_type: required(kinds.choice('application/pdf')), data: required(text()) };
  const plain = { media_type: required(kinds.choice('text/plain')), data: required(text()) };
  const sources = {
    base64: kinds.object(pdf, { rule: 'base64' }),
    text: kinds.object(plain),
    content: kinds.object({ content: required(kinds.either(text(), list(content))) }),
    url: urlSource,
    file: fileSource,
  };
  return kinds.object(
    {
      source: required(kinds.tagged('DocumentSource', sources, { closed: true })),
      ...cached,
      citations: citationsSwitch,
      context: optional(text()),
      title: optional(text()),
    },
    { title: 'DocumentBlock', ...options },
  );
}

function searchResultOf(inner: ObjectSchema): ObjectSchema {
  return kinds.object(
    {
      content: required(list(textsOnly(inner))),
      source: required(text()),
      title: required(text()),
      ...cached,
      citations: citationsSwitch,
    },
    { title: 'SearchResultBlock' },
  );
}

const userDocument = documentOf(userText);
const userSearchResult = searchResultOf(userText);

const toolResult = kinds.object(
  {
    tool_use_id: required(text()),
    content: optional(
      kinds.either(
        text(),
        list(
          kinds.tagged('ToolResultContent', {
            text: userText,
            image,
            search_result: userSearchResult,
            document: userDocument,
            tool_reference: kinds.object({ tool_name: required(text()), ...cached }),
            browser_state: kinds.object({ tabs: required(list(kinds.dictionary)), ...cached }, { open: true }),
          }),
        ),
      ),
    ),
    is_error: optional(kinds.truth),
    toolset_name: optional(text()),
    ...cached,
  },
  { title: 'ToolResultBlock', rule: 'tool pair' },
);

const useMembers = {
  id: required(text({ pattern: /^[a-zA-Z0-9_-]+$/ })),
  name: required(text({ min: 1 })),
  input: required(kinds.dictionary),
  caller,
  ...cached,
};

const toolUse = kinds.object(
  { ...useMembers, toolset_name: optional(text()) },
  { title: 'ToolUseBlock', rule: 'tool pair' },
);
const serverToolUse = kinds.object(useMembers, { title: 'ServerToolUseBlock' });

const notCached = { cache_control: optional(kinds.never) };
const thinking = kinds.object(
  { thinking: required(text()), signature: required(text()), ...notCached },
  { title: 'ThinkingBlock' },
);
const redactedThinking = kinds.object({ data: required(text()), ...notCached }, { title: 'RedactedThinkingBlock' });

/** What a server's tool answered is the server's own: only its frame is looked at. */
const serverResult = kinds.object(
  { tool_use_id: required(text()), content: required(kinds.any), caller, ...cached },
  { title: 'ServerToolResultBlock' },
);

const serverResults: Readonly<Record<string, ObjectSchema>> = Object.fromEntries(
  [
    'web_search_tool_result',
    'web_fetch_tool_result',
    'code_execution_tool_result',
    'bash_code_execution_tool_result',
    'text_editor_code_execution_tool_result',
    'tool_search_tool_result',
  ].map((type) => [type, serverResult]),
);

const containerUpload = kinds.object({ file_id: required(text()), ...cached }, { title: 'ContainerUploadBlock' });

const onlyFor = (type: string, role: string): string => `: \`${type}\` blocks can only be in \`${role}\` messages`;

export const userContent = kinds.tagged(
  'UserContent',
  {
    text: userText,
    image,
    document: userDocument,
    search_result: userSearchResult,
    tool_result: toolResult,
    ...serverResults,
    container_upload: containerUpload,
  },
  {
    misplaced: Object.fromEntries(
      ['tool_use', 'server_tool_use', 'thinking', 'redacted_thinking'].map((type) => [
        type,
        onlyFor(type, 'assistant'),
      ]),
    ),
  },
);

export const assistantContent = kinds.tagged(
  'AssistantContent',
  {
    text: ownText,
    image,
    document: documentOf(ownText, { rule: 'document of an assistant' }),
    search_result: searchResultOf(ownText),
    thinking,
    redacted_thinking: redactedThinking,
    tool_use: toolUse,
    server_tool_use: serverToolUse,
    ...serverResults,
    container_upload: containerUpload,
  },
  { misplaced: { tool_result: onlyFor('tool_result', 'user') } },
);

/** A system message among the others holds texts, and under betas things that are not known here. */
export const systemContent = kinds.tagged(
  'SystemContent',
  { text: ownText },
  {
    misplaced: Object.fromEntries(
      [...Object.keys(userContent.variants), ...Object.keys(assistantContent.variants)]
        .filter((type) => type !== 'text')
        .map((type) => [type, ".type: Input should be 'text'"]),
    ),
  },
);
