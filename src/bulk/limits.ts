/** Every bound of the bulk client, each with its reason. */

// Chunks, prompts and results (parts C and F).
/** How far below its limit the count of a chunk may be so that it differs from its siblings' counts. */
export const CHUNK_COUNT_SPREAD = 0.05;
/** Answers lie in independent frames of about so many bytes: one line is one seek and a millisecond. */
export const RAW_FRAME_BYTES = 1_048_576;
/** A result line longer than any answer: the largest answer, its envelope, and room. */
export const RAW_LINE_BYTES_MAX = 67_108_864;
/** Frames kept unpacked while results are joined to their rows; a batch of 10,000 usual answers fits. */
export const RAW_CACHE_BYTES = 67_108_864;
/** Where the tokens of a text are not counted, so many bytes are taken for one. */
export const BYTES_PER_TOKEN = 3.2;
/** How far that guess may be off: tokenizers were seen to differ by this much on one text. */
export const TOKEN_GUESS_SPREAD = 0.4;
/** Rows whose tokens are counted by the API before a plan is told. */
export const TOKEN_SAMPLES = 50;
/** Answers are allowed so many tokens where nobody said how many. */
export const MAX_TOKENS_DEFAULT = 1_024;
/** A prompt is taken to be cached from here on where its model's own least is not known: the largest of any model. */
export const CACHEABLE_TOKENS_MIN_DEFAULT = 4_096;
/** A shared beginning of a template is worth a block of its own beside a cached system prompt from so many tokens. */
export const CACHE_SPLIT_TOKENS_MIN = 256;
/** Below so many rows the same by the Messages API is done before a batch has begun. */
export const SYNC_ADVICE_ROWS = 100;
/** Rows read, joined and written at a time. */
export const JOIN_GROUP_ROWS = 4_096;
/** Error messages told apart in a report; what comes after them is counted together. */
export const ERROR_GROUPS_MAX = 1_000;

// The ledger and the run (part D).
/** How long a read of the ledger waits for the writer's commit. */
export const LEDGER_BUSY_MS = 5_000;
/** An owner on another host that has not beaten for so long is taken for dead. */
export const OWNER_SILENT_MS = 120_000;
/** The owner's beat. */
export const OWNER_BEAT_MS = 20_000;
/** Rows written to the ledger, and lines applied, in one transaction: its sync costs as much as a thousand of them. */
export const LEDGER_GROUP_ROWS = 5_000;

// Submit once and the API's client (part A).
/** One write of an upload: small beside a body, large enough that the callback of each does not cost. */
export const UPLOAD_PIECE_BYTES = 262_144;
/** Nothing moved on a connection for so long: it is dead. */
export const API_IDLE_MS = 60_000;
/** A batch of 256 MB is read and checked before its answer: the official SDKs wait this long. */
export const API_ANSWER_MS = 10 * 60_000;
/** An answer that is one object or one page of a list; 1,000 batches are about half a megabyte. */
export const API_ANSWER_BYTES_MAX = 33_554_432;
/** A model's answer to one Messages call, with room for the longest. */
export const API_MESSAGE_BYTES_MAX = 67_108_864;
/** Batches of one page of a list: the API's own bound. */
export const LIST_PAGE_BATCHES = 1_000;
/** Pages of one walk through the list: a million batches is a fault of the server, not a workspace. */
export const LIST_PAGES_MAX = 1_000;

// Inputs and outputs (part B).
/** Bytes of an input looked at together: large enough that a read costs nothing a row, small enough that its rows do. */
export const INPUT_WINDOW_BYTES = 262_144;
/** Bytes read around one row that is read again; its neighbours are mostly in it. */
export const INPUT_REREAD_BYTES = 65_536;
/** A row longer than any request may be, twice: past it a quote is not closed, or a line end is missing. */
export const INPUT_ROW_BYTES_MAX = 67_108_864;
/** An input is recognised by evenly spread samples: so many, of so many bytes each; a smaller input is read whole. */
export const IDENTITY_SAMPLES = 64;
export const IDENTITY_SAMPLE_BYTES = 16_384;
/** Bytes at the head of an input by which its encoding is told. */
export const INPUT_HEAD_BYTES = 4_096;
/** Rows handed on together where a source has no windows of bytes, and fetched from a database at a time. */
export const INPUT_GROUP_ROWS = 2_048;
/** Rows of one group of a Parquet file that is written: what a reader holds at once. */
export const PARQUET_GROUP_ROWS = 50_000;
/** Bytes of values at which such a group is closed early: long texts must not need gigabytes. */
export const PARQUET_GROUP_BYTES = 33_554_432;
/** Bytes of rows sent to PostgreSQL in one statement. */
export const POSTGRES_STATEMENT_BYTES = 4_194_304;
/** A request is known again by so many bytes of its SHA-256. */
export const REQUEST_HASH_BYTES = 16;
export const CHUNK_REQUESTS_DEFAULT = 10_000;
export const CHUNK_BYTES_DEFAULT = 32_000_000;
/** Batches of one run are grown rather than made more than this: each costs calls, and a list shows a thousand. */
export const CHUNKS_TARGET = 200;
/** Below the API's 100,000, and below either reading of its 256 MB. */
export const CHUNK_REQUESTS_MAX = 99_000;
export const CHUNK_BYTES_CAP = 250_000_000;
/** Between the starts of two uploads to a service; our own server on this machine needs no gap. */
export const STAGGER_MS_DEFAULT = 2_000;
/** Requests in flight before a first refusal says how many there may be. */
export const IN_FLIGHT_REQUESTS_DEFAULT = 500_000;
/** After a refusal without `retry-after`, doubled up to the maximum. */
export const REFUSED_WAIT_MS = 5_000;
/** The same against a server on this machine. */
export const REFUSED_LOCAL_WAIT_MS = 500;
export const REFUSED_WAIT_MS_MAX = 300_000;
export const POLL_MS_MIN = 5_000;
export const POLL_MS_MAX = 60_000;
/** Against a server on this machine. */
export const POLL_LOCAL_MS_MIN = 100;
export const POLL_LOCAL_MS_MAX = 2_000;
/** The wait between polls, by how long nothing has changed. */
export const POLL_SHARE_OF_AGE = 0.1;
/** Batches in one list call; pages in one walk, before single batches are asked for one by one. */
export const POLL_LIST_LIMIT = 100;
export const POLL_PAGES_MAX = 20;
/** F of the protocol: how long after this side closed its connection a batch may still come to exist. */
export const FLIGHT_MS = 15 * 60_000;
/** V: how long after it exists a batch may be missing from the list. */
export const VISIBLE_MS = 2 * 60_000;
/** How far the server's clock may be off in spite of its `date` header, which has whole seconds. */
export const SKEW_MS = 30_000;
/** How long a server that announces `idempotency` is trusted to know a key: ours forgets it after 24 hours, and a repeat then buys twice. */
export const KEY_KEPT_MS = 20 * 3_600_000;
/** How long a batch that should not exist is looked for. */
export const SWEEP_MS = 3 * 3_600_000;
/** A batch the API says it does not know is given up only when it has said so for this long. */
export const LOST_AFTER_MS = 15 * 60_000;
/** Downloads at once. */
export const DOWNLOADS_MAX = 3;
/** Rows to be sent again wait so long for others, while batches still run. */
export const MERGE_WAIT_MS = 120_000;
/** Chunks of rows sent again after many expired are not cut smaller than this. */
export const HALVED_REQUESTS_MIN = 100;
/** Answers before an error rate means anything. */
export const BREAKER_ANSWERS_MIN = 100;
/** Answers before their mean price is trusted more than the plan's. */
export const MEAN_ANSWERS_MIN = 50;
/** Rows of one chunk the API may name as malformed before the run stops: each costs an upload. */
export const NAMED_ROWS_MAX = 5;
/** Messages calls at once, and in one group whose answers are kept together. */
export const SYNC_CALLS_MAX = 4;
export const SYNC_GROUP_ROWS = 100;
/** Tries of one Messages call that is refused for now. */
export const SYNC_TRIES_MAX = 8;
/** A template grown by doubling stops here: no model answers with more. */
export const MAX_TOKENS_GROWN_MAX = 128_000;
/** Shares of shared prefixes that batches were seen to read from the cache: 30 to 98 in a hundred. */
export const CACHE_HITS = { low: 0.3, expected: 0.7, high: 0.98 };
/** How much of what answers may be they are taken to be before any was seen. */
export const OUTPUT_SHARE = { low: 0.05, expected: 0.3 };
/** Raw files kept open while results are joined; those of further batches are opened for each frame. */
export const RAW_FILES_OPEN_MAX = 128;
/** Frames being unpacked at once, while others are read: as many as there are threads to gain. */
export const RAW_FRAMES_AHEAD = 3;
