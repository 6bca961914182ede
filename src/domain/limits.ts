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
/** Blobs being written at once for one upload: one is filled while the others sync. */
export const BLOB_WRITES_MAX = 3;
/** Breakpoints the API allows in one request. */
export const BREAKPOINTS_MAX = 4;
/** Messages the API allows in one request. */
export const MESSAGES_PER_REQUEST_MAX = 100_000;
/** The least the API lets a model think, where thinking is on. */
export const THINKING_TOKENS_MIN = 1_024;
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
/** A key that was taken away is refused at the latest after this; until then it costs no look into the directory. */
export const KEY_CACHE_MS = 1 * second;
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
