/** Which answers to the POST of a batch say for sure that none was made (assumption A5 of the protocol). */

/**
 * The API's own refusals, and those of anything before it that never passed the request on. Not 408, 425 and 499: they tell of a
 * connection, not of the request. Not 5xx: an edge may answer it after the batch was made.
 */
const REFUSALS: ReadonlySet<number> = new Set([
  400, 401, 402, 403, 404, 405, 409, 411, 413, 414, 415, 422, 429, 431,
  // "Look elsewhere": the request was not taken here. 302 and 303 may follow a success.
  301, 307, 308,
]);

export function isRefusal(status: number): boolean {
  return REFUSALS.has(status);
}
