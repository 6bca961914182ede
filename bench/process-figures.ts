/** What a process takes of the machine, as Linux tells it under /proc. */

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const MIB_OF_KIB = 1 / 1024;
const CLOCK_TICKS = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** Memory in use now. */
export function rssMiB(pid: number): number {
  return statusOf(pid, 'VmRSS') * MIB_OF_KIB;
}

/** The most memory that was in use since `forgetPeak`. */
export function peakRssMiB(pid: number): number {
  return statusOf(pid, 'VmHWM') * MIB_OF_KIB;
}

export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** Processor time of all its threads so far; it counts in hundredths of a second. */
export function cpuSeconds(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The name, in brackets, may hold spaces; the fields after it are utime 12th and stime 13th.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS;
}

function statusOf(pid: number, name: string): number {
  const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
  if (match === null) throw new Error(`/proc/${pid}/status does not tell ${name}`);
  return Number(match[1]);
}
