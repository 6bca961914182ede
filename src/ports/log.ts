/**
 * The log: the local append-only files that make outcomes durable; the most critical files of all.
 *  L1  `append` writes before it returns: the frames survive a kill -9. It appends all of them or none (and throws StorageFullError).
 *  L2  `sync` resolved: everything appended before its call survives a power loss.
 *  L3  `scan` visits every whole record in the order of appending. A torn tail of the newest file is cut off; a bad record anywhere
 *      else refuses the start with a StartError that names the file and its remedy.
 *  L4  Files are numbered, ever growing; `remove` deletes one that is not current.
 */
export interface Log {
  /** Must be called once, before the first append. The payload is only valid during the visit. */
  scan(visit: (file: number, payload: Uint8Array) => void): Promise<void>;
  /** `frames` are whole frames of bytes/frame.ts. Returns the number of the file they went into. */
  append(frames: Uint8Array): number;
  sync(): Promise<void>;
  /** Bytes in the current file. */
  size(): number;
  /** Closes the current file (synced) and begins the next; returns the number of the one closed. */
  rotate(): Promise<number>;
  files(): readonly number[];
  remove(file: number): Promise<void>;
  close(): Promise<void>;
}
