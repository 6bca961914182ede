/**
 * Writes a tiny random language model as a GGUF file, so that a real inference server can run where no model can be fetched.
 *
 * A Llama of one layer over single characters, its weights drawn from a seed. It says nothing, but in printable characters: one dimension
 * of every embedding is constant, and the output leans on it towards them (and now and then towards the end).
 */
import { writeFileSync } from 'node:fs';
import { lanesOfSeed, startDraw } from '../../src/simulator/draw.ts';

const EMBEDDING = 64;
const FEED_FORWARD = 128;
const HEADS = 4;
const CONTEXT = 16_384;
const CONSTANT = 4;
const LEAN = 8;
const SURE_LEAN = 9;
const ALIGNMENT = 32;

/** Type numbers of the GGUF format, version 3. */
const kinds = { uint32: 4, int32: 5, float32: 6, bool: 7, string: 8, array: 9 } as const;
const tokenKinds = { normal: 1, unknown: 2, control: 3, byte: 6 } as const;

type Token = { readonly text: string; readonly kind: number; readonly lean: number };
type Tensor = { readonly name: string; readonly shape: readonly number[]; readonly values: Float32Array };

/**
 * Turns of a chat one after another. The mark of a tool call is one character: a server lets the model say what it likes until the mark,
 * and this one comes to one character soon enough, but never to a word.
 */
const TOOL_MARK = '~';
const chatTemplate = `{%- if tools %}[system] Tools:{% for tool in tools %}
{{ tool | tojson }}{% endfor %}
{% endif %}
{%- for message in messages %}
{%- if message.role == "tool" %}[tool] {{ message.content }}
{% elif message.tool_calls %}[assistant] {{ message.content or "" }}
{%- for call in message.tool_calls %}${TOOL_MARK}{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
{% endfor %}
{%- else %}[{{ message.role }}] {{ message.content }}
{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}[assistant] {% endif %}`;

export function writeTinyModel(path: string): void {
  const tokens = vocabulary();
  const tensors = weights(tokens);
  writeFileSync(path, Buffer.concat([head(tokens, tensors), ...tensors.map(({ values }) => padded(bytesOf(values)))]));
}

function vocabulary(): readonly Token[] {
  const printable = Array.from({ length: 0x7f - 0x21 }, (_, at) => String.fromCharCode(0x21 + at));
  return [
    { text: '<unk>', kind: tokenKinds.unknown, lean: -LEAN },
    { text: '<s>', kind: tokenKinds.control, lean: -LEAN },
    { text: '</s>', kind: tokenKinds.control, lean: SURE_LEAN },
    ...Array.from({ length: 256 }, (_, byte) => ({
      text: `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
      kind: tokenKinds.byte,
      lean: -LEAN,
    })),
    // The tokenizer writes a space so.
    { text: '\u2581', kind: tokenKinds.normal, lean: LEAN },
    ...printable.map((text) => ({ text, kind: tokenKinds.normal, lean: text === TOOL_MARK ? SURE_LEAN : LEAN })),
  ];
}

function weights(tokens: readonly Token[]): readonly Tensor[] {
  const draw = startDraw(lanesOfSeed(1));
  const random = (name: string, ...shape: number[]): Tensor => ({
    name,
    shape,
    values: Float32Array.from({ length: shape.reduce((left, right) => left * right) }, () => draw.normal() * 0.05),
  });
  const ones = (name: string): Tensor => ({ name, shape: [EMBEDDING], values: new Float32Array(EMBEDDING).fill(1) });
  const embedding = random('token_embd.weight', EMBEDDING, tokens.length);
  const output = random('output.weight', EMBEDDING, tokens.length);
  for (const [token, { lean }] of tokens.entries()) {
    embedding.values[token * EMBEDDING] = CONSTANT;
    // What must come sooner or later has the same chance after every text.
    if (lean === SURE_LEAN) output.values.fill(0, token * EMBEDDING, (token + 1) * EMBEDDING);
    // The constant dimension is nearly all of a normed state: about the root of its length.
    output.values[token * EMBEDDING] = lean / Math.sqrt(EMBEDDING);
  }
  return [
    embedding,
    ones('blk.0.attn_norm.weight'),
    ...['attn_q', 'attn_k', 'attn_v', 'attn_output'].map((name) =>
      random(`blk.0.${name}.weight`, EMBEDDING, EMBEDDING),
    ),
    ones('blk.0.ffn_norm.weight'),
    random('blk.0.ffn_gate.weight', EMBEDDING, FEED_FORWARD),
    random('blk.0.ffn_up.weight', EMBEDDING, FEED_FORWARD),
    random('blk.0.ffn_down.weight', FEED_FORWARD, EMBEDDING),
    ones('output_norm.weight'),
    output,
  ];
}

function head(tokens: readonly Token[], tensors: readonly Tensor[]): Buffer {
  const facts = [
    fact('general.architecture', kinds.string, textBytes('llama')),
    fact('general.name', kinds.string, textBytes('tiny-random')),
    fact('llama.context_length', kinds.uint32, uint32(CONTEXT)),
    fact('llama.embedding_length', kinds.uint32, uint32(EMBEDDING)),
    fact('llama.block_count', kinds.uint32, uint32(1)),
    fact('llama.feed_forward_length', kinds.uint32, uint32(FEED_FORWARD)),
    fact('llama.rope.dimension_count', kinds.uint32, uint32(EMBEDDING / HEADS)),
    fact('llama.attention.head_count', kinds.uint32, uint32(HEADS)),
    fact('llama.attention.head_count_kv', kinds.uint32, uint32(HEADS)),
    fact('llama.attention.layer_norm_rms_epsilon', kinds.float32, float32(1e-5)),
    fact('tokenizer.ggml.model', kinds.string, textBytes('llama')),
    fact(
      'tokenizer.ggml.tokens',
      kinds.array,
      list(
        kinds.string,
        tokens.map(({ text }) => textBytes(text)),
      ),
    ),
    fact(
      'tokenizer.ggml.scores',
      kinds.array,
      list(
        kinds.float32,
        tokens.map(() => float32(0)),
      ),
    ),
    fact(
      'tokenizer.ggml.token_type',
      kinds.array,
      list(
        kinds.int32,
        tokens.map(({ kind }) => uint32(kind)),
      ),
    ),
    fact('tokenizer.ggml.bos_token_id', kinds.uint32, uint32(1)),
    fact('tokenizer.ggml.eos_token_id', kinds.uint32, uint32(2)),
    fact('tokenizer.ggml.add_space_prefix', kinds.bool, Buffer.of(0)),
    fact('tokenizer.chat_template', kinds.string, textBytes(chatTemplate)),
  ];
  let offset = 0;
  const places = tensors.map(({ name, shape, values }) => {
    const place = Buffer.concat([
      textBytes(name),
      uint32(shape.length),
      ...shape.map(uint64),
      uint32(0),
      uint64(offset),
    ]);
    offset += aligned(values.byteLength);
    return place;
  });
  const start = [Buffer.from('GGUF'), uint32(3), uint64(tensors.length), uint64(facts.length)];
  return padded(Buffer.concat([...start, ...facts, ...places]));
}

function fact(key: string, kind: number, value: Buffer): Buffer {
  return Buffer.concat([textBytes(key), uint32(kind), value]);
}

function list(kind: number, values: readonly Buffer[]): Buffer {
  return Buffer.concat([uint32(kind), uint64(values.length), ...values]);
}

function textBytes(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([uint64(bytes.length), bytes]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function float32(value: number): Buffer {
  return bytesOf(Float32Array.of(value));
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

function aligned(length: number): number {
  return Math.ceil(length / ALIGNMENT) * ALIGNMENT;
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes], aligned(bytes.length));
}
