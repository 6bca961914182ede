/** What the name of a model says of it: the line and version of the provider's, the day of a snapshot, and how it is shown. Pure. */

/** What the face asks about names; nothing of it tells where a model runs. */
export type Models = {
  names(): Promise<readonly string[]>;
  isMapped(name: string): boolean;
};

const snapshot = /-(\d{4})(\d{2})(\d{2})$/;
const lines = ['haiku', 'sonnet', 'opus', 'fable', 'mythos'];

/** Without the date of its snapshot: `claude-haiku-4-5-20251001` and `claude-haiku-4-5-latest` are `claude-haiku-4-5`. */
export function aliasOf(name: string): string {
  return name.replace(/-latest$/, '').replace(snapshot, '');
}

/** Such as `2025-10-01`; null where the name has no date. */
export function snapshotDay(name: string): string | null {
  const [, year, month, day] = snapshot.exec(name) ?? [];
  const text = `${year}-${month}-${day}`;
  return Number.isNaN(Date.parse(text)) ? null : text;
}

/** One of both may leave the date out; two dates are two models. */
export function isSameModel(one: string, other: string): boolean {
  if (one === other) return true;
  return aliasOf(one) === aliasOf(other) && (snapshotDay(one) === null || snapshotDay(other) === null);
}

export function lineOf(name: string): string | null {
  return versionOf(name)?.line ?? null;
}

/** `Claude Haiku 4.5` for the provider's names; whatever others are called, they are called. */
export function displayName(name: string): string {
  const version = versionOf(name);
  if (version === null) return name;
  const { line, major, minor } = version;
  return `Claude ${line[0]!.toUpperCase()}${line.slice(1)} ${major}${minor === null ? '' : `.${minor}`}`;
}

/** The provider's before others, higher versions and later snapshots first, then by name. */
export function newestFirst(names: readonly string[]): readonly string[] {
  const rank = (name: string): number => {
    const version = versionOf(name);
    return version === null ? -1 : version.major * 1_000 + (version.minor ?? 0);
  };
  return names.toSorted(
    (left, right) =>
      rank(right) - rank(left) ||
      (snapshotDay(right) ?? '').localeCompare(snapshotDay(left) ?? '') ||
      (left < right ? -1 : 1),
  );
}

type Version = { readonly line: string; readonly major: number; readonly minor: number | null };

/** Older names had their version before the line: `claude-3-5-haiku`. */
function versionOf(name: string): Version | null {
  const alias = aliasOf(name);
  const newer = /^claude-([a-z]+)-(\d{1,2})(?:-(\d{1,2}))?$/.exec(alias);
  const older = /^claude-(\d{1,2})(?:-(\d{1,2}))?-([a-z]+)$/.exec(alias);
  const [line, major, minor] = newer?.slice(1) ?? [older?.[3], older?.[1], older?.[2]];
  if (line === undefined || major === undefined || !lines.includes(line)) return null;
  return { line, major: Number(major), minor: minor === undefined ? null : Number(minor) };
}
