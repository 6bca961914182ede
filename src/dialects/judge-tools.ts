/** Walks tools: their names must differ, and the choice among them needs them. */
import { compile } from './judge-schema.ts';
import { each, isList, notAList, type Walk } from './judge-values.ts';
import { tool } from './schema/tools.ts';

const toolWalk = compile(tool).walk;

export const tools: Walk = (judging, start) => {
  if (!isList(judging.bytes, start)) return notAList;
  const names = new Set<string>();
  const seen = { all: true, twice: false };
  const complaint = each(judging, start, (from) => {
    judging.toolName = null;
    const fault = toolWalk(judging, from);
    if (fault !== null) return fault;
    const { toolName } = judging;
    if (toolName === null) seen.all = false;
    else if (names.has(toolName)) seen.twice = true;
    else names.add(toolName);
    return null;
  });
  // Sets of tools and unknown ones have no name here, and without all names nobody can say that one is missing.
  judging.toolNames = seen.all ? names : null;
  return complaint ?? (seen.twice ? ': Tool names must be unique.' : null);
};
