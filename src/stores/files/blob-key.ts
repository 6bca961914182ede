/** Keys of blobs: three parts, none of which can leave the folder. */

const PARTS = 3;
const PART_LENGTH_MAX = 200;
const partPattern = /^[a-zA-Z0-9_.-]+$/;

export type KeyParts = { readonly workspace: string; readonly batch: string; readonly name: string };

export function isKeyPart(part: string): boolean {
  return part.length <= PART_LENGTH_MAX && part !== '.' && part !== '..' && partPattern.test(part);
}

export function parseKey(key: string): KeyParts {
  const parts = key.split('/');
  if (parts.length !== PARTS || !parts.every(isKeyPart)) {
    throw new Error(`${JSON.stringify(key)} is not a blob key <workspace>/<batch>/<name>`);
  }
  return { workspace: parts[0], batch: parts[1], name: parts[2] };
}
