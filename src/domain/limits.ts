/** Every bound of Nightshift, each with its reason. A queue, buffer or loop without a bound from here is a bug. */

const KiB = 1024;
const MiB = 1024 * KiB;
const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

// What the official API allows; clients rely on these figures.
export const REQUESTS_PER_BATCH_MAX = 100_000;
export const BODY_BYTES_MAX = 268_435_456;
export const CUSTOM_ID_LENGTH_MAX = 64;
export const LIST_LIMIT_DEFAULT = 20;
export const LIST_LIMIT_MAX = 1_000;
export const WINDOW_MS_DEFAULT = 24 * hour;
export const RETENTION_MS_DEFAULT = 29 * day;
/** The official limit of one Messages request; it also bounds the one contiguous buffer a request needs. */
export const REQUEST_BYTES_MAX = 32 * MiB;
/** Requests per minute to the batch endpoints, for one workspace: what a custom tier has been seen to get. */
export const HTTP_REQUESTS_PER_MINUTE_DEFAULT = 20_000;
/** What an unfinished batch tells its poller to wait. */
export const POLL_AFTER_SECONDS = 10;

// Intake: memory of one upload is bounded by the open segments, whatever the body holds.
export const SEGMENT_REQUESTS_MAX = 1_000;
export const SEGMENT_BYTES_MAX = 8 * MiB;
export const OPEN_SEGMENTS_MAX = 16;
export const OPEN_BYTES_MAX = 32 * MiB;
/** Uploads at once share this, down to a least each: hundreds of them must not need gigabytes. */
export const OPEN_BYTES_ALL_MAX = 256 * MiB;
export const OPEN_BYTES_MIN = 512 * KiB;
/** A blob gathers segments until it is worth a sync of its own. */
export const BLOB_BYTES_TARGET = 8 * MiB;
/**
 * Segments of an upload that together, indexes and all, are no larger than this lie in the catalog's rows: one commit makes the batch
 * durable, where a blob of its own would be a second wait for the disk. Few enough bytes that writing them to the catalog's log first
 * and to its file later costs less than that wait, and that those of all spans held fit into memory.
 */
export const INLINE_SEGMENTS_BYTES_MAX = 32 * KiB;
/** Blobs being written at once for one upload: one is filled while the others sync. */
export const BLOB_WRITES_MAX = 3;
/** Breakpoints the API allows in one request. */
export const BREAKPOINTS_MAX = 4;
/** Messages the API allows in one request. */
export const MESSAGES_PER_REQUEST_MAX = 100_000;
/** The least the API lets a model think, where thinking is on. */
export const THINKING_TOKENS_MIN = 1_024;
/** The longest id of an end user that the API takes. */
export const USER_ID_LENGTH_MAX = 256;
/** The largest image the API takes inside a request, decoded. */
export const IMAGE_BYTES_MAX = 10 * MiB;
/** A model's name becomes a key of segments and tallies; real ones are far shorter. */
export const MODEL_LENGTH_MAX = 256;
/** What a caller wrote is quoted in an error up to this length: a fault lies in an index, one per request. */
export const QUOTED_LENGTH_MAX = 256;
/** A family smaller than this is not worth segments of its own and falls back into its model's common one. */
export const FAMILY_REQUESTS_MIN = 64;
/** JSON nested deeper than this is refused: the scanner keeps one byte a level. */
export const JSON_DEPTH_MAX = 1_000;

// A client that stops sending, or drips, must not hold an upload for ever.
export const UPLOAD_IDLE_MS = 30 * second;
/** In each idle period an upload must bring at least this much; a body's last piece is exempt because it ends the upload. */
export const UPLOAD_PROGRESS_BYTES_MIN = 16 * KiB;
/** A reader that takes nothing for so long is cut; downloads resume by Range. */
export const DOWNLOAD_IDLE_MS = 2 * minute;

// Re-sent creates.
/** SDKs give up after three attempts of ten minutes; a re-sent create later than this is a new one. */
export const RESEND_WINDOW_MS = 30 * minute;
export const IDEMPOTENCY_KEY_LENGTH_MAX = 255;
export const IDEMPOTENCY_WINDOW_MS = 24 * hour;

// Upstream calls.
/** A model may think for minutes; the rest grows with what it was allowed to write. */
export const ATTEMPT_TIMEOUT_BASE_MS = 10 * minute;
export const ATTEMPT_TIMEOUT_PER_TOKEN_MS = 50;
/** Attempts that may each have been paid for; after these the request is errored. */
export const PERHAPS_PAID_ATTEMPTS_MAX = 3;
export const RETRY_BASE_MS = 500;
export const RETRY_MAX_MS = 60 * second;
/** Larger answers are cut off and count as garbage; the largest real answers (300,000 tokens) are about 2 MiB. */
export const ANSWER_BYTES_MAX = 32 * MiB;
/** Answers being read at once may together hold no more than this. */
export const ANSWERS_IN_FLIGHT_BYTES_MAX = 256 * MiB;
export const CONCURRENCY_DEFAULT = 128;
export const CONCURRENCY_MAX = 16_384;
export const CANCEL_GRACE_MS_DEFAULT = 10 * second;
// Synchronous calls (POST /v1/messages), which somebody waits for.
/** In flight at once in a lane; half of its calls by default, so that many of them do not stop its batches. */
export const SYNC_CONCURRENCY_DEFAULT = 64;
/** Waiting for a slot at once: of one workspace in a lane, and in a lane. More would wait longer than anybody does. */
export const SYNC_WAITING_WORKSPACE_MAX = 256;
export const SYNC_WAITING_LANE_MAX = 1_024;
/** Bodies of such calls held at once, waiting or in flight. */
export const SYNC_BYTES_MAX = 256 * MiB;
/** A call that got no slot for so long is turned away; and at once, where its lane is known to be paused for longer. */
export const SYNC_WAIT_MS_MAX = 30 * second;
/** What a call turned away is told to wait, where nothing better is known. */
export const SYNC_RETRY_AFTER_SECONDS = 1;
/** Lanes nothing uses are kept up to so many: a window once learned is worth keeping, a name a caller made up is not. */
export const LANES_IDLE_MAX = 64;
/** While such calls were used within this time, batches leave this part of the window to them. */
export const SYNC_RESERVE_MS = 1 * minute;
export const SYNC_RESERVE_PART = 1 / 8;
/** Errors and counts of an upstream are small; what is longer is neither. */
export const ERROR_BYTES_MAX = 256 * KiB;
/** A call that surely was not paid is made once more after a moment, if it gets a slot within the other time. */
export const SYNC_RETRY_MS = 250;
export const SYNC_RETRY_WAIT_MS = 2 * second;
/** Counts of tokens are asked for beside the lanes: they cost nothing, but are not without bounds either. */
export const COUNTS_IN_FLIGHT_MAX = 256;
export const COUNT_TIMEOUT_MS = 30 * second;

/** A lane whose upstream fails is probed with one request, at most this far apart. */
export const LANE_PROBE_MAX_MS = 1 * second;
/** Failures in a row, without a success, that make a lane sick. */
export const LANE_FAILURES_SICK = 8;
/** The first probe of a sick lane; each failed one doubles the wait, up to the bound above. */
export const LANE_PROBE_BASE_MS = 100;
/** The first wait after a 429 that does not say how long; doubles while nothing succeeds, up to LANE_PROBE_MAX_MS. */
export const LANE_PAUSE_BASE_MS = 250;
/** An upstream that asks for a longer wait is asked again after this. */
export const LANE_PAUSE_MAX_MS = 5 * minute;
/** A window that stopped growing is tried a little larger this often: upstreams gain capacity too. */
export const LANE_GROWTH_PROBE_MS = 10 * second;
/** A batch's rate is taken over about this long: shorter flickers, longer sees a late batch too late. */
export const BATCH_RATE_SPAN_MS = 10 * second;

// Leases and spans.
export const LEASE_MS = 60 * second;
/** Spans (indexes only, about 100 KB each) that one node holds at once. */
export const SPANS_HELD_MAX = 512;
/** Spans of a canceled or expired batch claimed at once: their requests are only written off, so they are not held long. */
export const SPANS_STOPPED_CLAIM = 64;
/**
 * A lane's spans are claimed when no more than a window and this many requests are ready. A claim and the read of its index take some
 * turns of a busy loop, in which a quick upstream answers hundreds.
 */
export const CLAIM_AHEAD_REQUESTS = 512;
/** One read of bodies from a blob; small, because one slow request keeps the whole read in memory. */
export const BODY_READ_BYTES = 256 * KiB;
/** Bodies in memory, read but not sent. */
export const BODIES_BYTES_MAX = 64 * MiB;

// Journal and seal.
export const UNSYNCED_LINES_MAX = 4_096;
export const UNSYNCED_BYTES_MAX = 8 * MiB;
export const JOURNAL_FILE_BYTES = 64 * MiB;
/** A record larger than this is damage, not data: the largest answer plus its envelope. */
export const JOURNAL_RECORD_BYTES_MAX = 40 * MiB;
export const CHUNK_LINES_MAX = 1_000;
export const CHUNK_BYTES_MAX = 4 * MiB;
/** Lines of all batches waiting for their seal; above it the largest is sealed early. */
export const UNSEALED_BYTES_MAX = 64 * MiB;
/** Between two chunks that a batch gets only because somebody watches it: each is a sync and a row. */
export const WATCHED_SEAL_MS = 1 * second;
/** Where early seals do not keep up, above this sending waits. */
export const UNSEALED_BYTES_PAUSE = 128 * MiB;
/** One read of a chunk for a download. */
export const RESULTS_READ_BYTES = MiB;
/** Reads under way for one download while its reader takes the last one. */
export const RESULTS_READS_AHEAD = 2;
/** How long work waits before it tries a full disk again. */
export const DISK_RETRY_MS = 1 * second;

// Time.
/** A wall clock that moved this much against the monotonic one has jumped. */
export const CLOCK_JUMP_MS = 5 * second;
/** After a jump nothing expires for this long. */
export const CLOCK_DISTRUST_MS = 10 * minute;
/** Timeouts, deadlines and leases are looked at this often. */
export const SWEEP_MS = 1 * second;
/** Retention and garbage are looked at this often. */
export const JANITOR_MS = 1 * minute;
/** Blobs without a batch are garbage only when older than any upload can be. */
export const ORPHAN_BLOB_MS = 6 * hour;

// Processes.
/** SIGTERM lets what is in flight finish for so long. */
export const DRAIN_MS = 30 * second;
/** Batches known to one node's memory, about 1 KB each; older ones wait in the catalog until these are done. */
export const BATCHES_KNOWN_MAX = 20_000;
/** Batches are looked for in the catalog this often; what this node accepted itself it knows at once. */
export const DISCOVER_MS = 5 * second;
/** Seals of different batches under way at once. */
export const SEALS_MAX = 4;
/** Journal files on disk before the batches that pin the oldest are sealed early. */
export const JOURNAL_FILES_MAX = 4;

// Files.
/** Open handles of blobs kept for the next read; one in use is never closed, so reads at once may exceed it for a moment. */
export const BLOB_HANDLES_MAX = 64;
/** Batch folders remembered as durable, so that only the first put of a batch syncs the folders above it. */
export const BLOB_FOLDERS_MAX = 1_024;
/** Files unlinked at once by one delete: more only queue behind Node's four threads. */
export const BLOB_DELETES_MAX = 16;
/** One read while files are scanned or compared; a larger journal record grows the buffer up to its own bound. */
export const FILE_SCAN_BYTES = 1 * MiB;
/** Bytes checksummed while the search for a record behind a damaged one tries places; beyond it the file counts as damaged. */
export const JOURNAL_SEARCH_BYTES_MAX = 512 * MiB;

// The embedded catalog.
/** A command or another node may write to the catalog meanwhile; each write is short, so a longer wait is a fault. */
export const CATALOG_BUSY_MS = 10 * second;
/** An ended batch with more chunks than this is worth merging, if they are small: each is a read of its own for every download. */
export const MERGE_CHUNKS_MIN = 8;
/** Small means less than this on average; neighbours merged up to CHUNK_BYTES_MAX are always above it. */
export const MERGE_CHUNK_BYTES_MIN = 1 * MiB;

// The HTTP face.
/** A key that was taken away is refused at the latest after this, well within a second; until then it costs no look into the directory. */
export const KEY_CACHE_MS = 750;
/** The log tells of an expired or revoked key that is still used once in this time: its owner may not know and go on for days. */
export const KEY_REFUSED_QUIET_MS = 1 * minute;
/** Weights changed by a command reach the scheduler at the latest after this, and the time of one read. */
export const WEIGHTS_MS = 500;
/** A workspace at the largest weight gets a million times the share of one at the smallest: beyond it is a slip of the hand. */
export const WORKSPACE_WEIGHT_MIN = 0.001;
export const WORKSPACE_WEIGHT_MAX = 1_000;
/** As the official console bounds them. */
export const WORKSPACE_NAME_LENGTH_MAX = 40;
export const KEY_NAME_LENGTH_MAX = 500;
/** Proxies before the server, one behind the other. */
export const PROXIES_MAX = 8;
/** Origins that browsers may call from. */
export const CORS_ORIGINS_MAX = 64;
/** Seconds for which a browser need not ask again whether it may call; it keeps to its own bound where that is lower. */
export const CORS_MAX_AGE_SECONDS = 7_200;
/** Keys and workspaces in use at once; beyond it they are only looked up, or start with a full budget, again. */
export const KEY_CACHE_ENTRIES_MAX = 4_096;
/** What is left of a refused body is read and thrown away up to this, so that the connection can go on. */
export const UNREAD_BODY_BYTES_MAX = 1 * MiB;
/** Closing on a client that still sends would reset the connection before it has read our answer: so long it may go on. */
export const LINGER_MS = 5 * second;
/** Longer than the idle time of common load balancers (60 s), so that they close first and never meet a closed connection. */
export const KEEP_ALIVE_MS = 65 * second;
/** What a client is told to wait when the disk is full. */
export const STORAGE_FULL_RETRY_SECONDS = 5;
/** Blobs of merged chunks stay this long for downloads that began before. */
export const RETIRED_BLOB_MS = 10 * minute;
/** Between two syncs of the journal, unless so many lines wait: a group is worth its sync. */
export const SYNC_REST_MS = 40;
export const SYNC_AT_ONCE_LINES = 1_024;
/** Files no larger than this are written without a hop to the thread pool. */
export const WRITE_AT_ONCE_BYTES = 64 * KiB;

// The simulator.
/** Prompt prefixes the simulated cache remembers, some 200 bytes each; the least recently used are forgotten first. */
export const SIMULATED_PREFIXES_MAX = 50_000;
/** Requests whose "fails the first N times" is counted; the oldest counts are forgotten first. */
export const SIMULATED_COUNTS_MAX = 10_000;
/** Values in one simulated JSON document: a hostile schema must not make a huge one. */
export const SIMULATED_VALUES_MAX = 5_000;
/** The longest simulated text, as long as the longest of any model: a limit of a billion tokens must not be filled. */
export const SIMULATED_TOKENS_MAX = 128_000;
/** Events of one simulated stream; longer answers come in larger pieces. */
export const SIMULATED_PIECES_MAX = 1_000;

// Compressed bodies.
/** One piece of a decompressed body: large enough to be worth the hop to another thread. */
export const DECODED_PIECE_BYTES = 256 * KiB;
/** The window that RFC 9659 asks for, 8 MiB: more is memory for each upload. */
export const ZSTD_WINDOW_LOG_MAX = 23;
/** Parallel compressors write a frame for every few megabytes; each costs a decoder. */
export const DECODED_FRAMES_MAX = 10_000;
/** Shorter answers fit into one packet as they are. */
export const COMPRESSED_BYTES_MIN = 1 * KiB;

// Translation to chat completions.
/** A schema nested deeper is sent, but not looked at to the end for whether it may be called strict. */
export const SCHEMA_DEPTH_MAX = 64;
/** One line of a stream of events: a whole tool call may come in one. */
export const STREAM_LINE_LENGTH_MAX = 4 * MiB;
/** Tool calls and distinct blocks of one streamed answer; each costs some bytes of state. */
export const STREAM_BLOCKS_MAX = 10_000;
/** No call uses so many tokens: what a server counts beyond is no count, and 100,000 of them still add up exactly. */
export const COUNTED_TOKENS_MAX = 1_000_000_000;
/** A kind of server is asked for once; one that cannot be reached then is asked again at later calls, so often. */
export const PROFILE_GUESSES_MAX = 10;
export const PROFILE_GUESS_MS = 2 * second;

// What upstreams serve.
/** A list of models is told within this, whatever the upstreams do. */
export const MODELS_ASK_MS = 1 * second;
export const MODELS_KEPT_MS = 60 * second;
/** One that did not say is asked again after this, so that not every call waits for it. */
export const MODELS_RETRY_MS = 5 * second;

// Telemetry.
/** Requests whose batch has less time left than this are told as expiring soon: time enough for a person to act. */
export const EXPIRING_SOON_MS = 1 * hour;
/** Spans waiting for the collector, some 600 bytes each; more are dropped and counted. */
export const SPANS_QUEUED_MAX = 8_192;
/** Spans of one export: more would make the loop's turn long while they are written. */
export const SPANS_EXPORT_MAX = 512;
/** Spans are sent this often, or as soon as there are enough for an export. */
export const SPANS_EXPORT_MS = 2 * second;
/** One export; a collector that takes longer has not taken it. */
export const SPANS_EXPORT_TIMEOUT_MS = 10 * second;
/** After an export that failed, before each further one. */
export const SPANS_RETRY_MS: readonly number[] = [500, 2 * second];
/** A stop waits this long for the last export. */
export const SPANS_CLOSE_MS = 2 * second;
/** Attempts that failed are traced up to this rate: a storm must not drown the collector. */
export const TRACED_FAILURES_PER_SECOND = 50;
/** The log tells of dropped spans once in this time. */
export const SPANS_DROPPED_QUIET_MS = 1 * minute;
