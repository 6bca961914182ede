/** Walks messages: the content of each is judged under its role, while it is walked over. */
import { MESSAGES_PER_REQUEST_MAX } from '../domain/limits.ts';
import { compile, extraMember } from './judge-schema.ts';
import { each, fieldRequired, isList, isObject, isText, notADictionary, notAList, oneOf } from './judge-values.ts';
import type { Complaint, Judging, Walk } from './judge-values.ts';
import { keysOf, locate, type Enter, type Range } from './members.ts';
import { contentByRole } from './schema/params.ts';

const messageKeys = keysOf('role', 'content');
const [rolePlace, contentPlace] = [0, 1];
const checkRole = oneOf(...Object.keys(contentByRole));

const contentOf = {
  user: compile(contentByRole.user).walk,
  assistant: compile(contentByRole.assistant).walk,
  system: compile(contentByRole.system).walk,
};

export const messages: Walk = (judging, start) => {
  if (!isList(judging.bytes, start)) return notAList;
  const complaint = each(judging, start, (from) => {
    judging.messages += 1;
    return message(judging, from);
  });
  if (complaint !== null || judging.messages <= MESSAGES_PER_REQUEST_MAX) return complaint;
  return `: List should have at most ${MESSAGES_PER_REQUEST_MAX} items after validation, not ${judging.messages}`;
};

function message(judging: Judging, start: number): Complaint {
  const { bytes, marks, hourMarks } = judging;
  if (!isObject(bytes, start)) return notADictionary;
  const before = { marks: marks.length, hourMarks: hourMarks.length };
  const walked = { at: -1, complaint: null as Complaint };
  // The content is judged while it is walked over, under the role that nearly always stands before it.
  const enter: Enter = (place, from, found) => {
    if (place !== contentPlace || walked.at !== -1) return -1;
    walked.at = from;
    walked.complaint = content(judging, from, found[rolePlace]);
    return walked.complaint === null ? judging.end : -1;
  };
  const { found, unknown, end } = locate(bytes, messageKeys, { at: start, enter });

  const role = found[rolePlace];
  if (role.start === -1) return `.role${fieldRequired}`;
  const roleComplaint = checkRole(judging, role.start, role.end);
  if (roleComplaint !== null) return `.role${roleComplaint}`;
  const contentStart = found[contentPlace].start;
  if (contentStart === -1) return `.content${fieldRequired}`;
  const wasAnother = walked.at !== contentStart || role.start > contentStart;
  if (wasAnother) {
    marks.length = before.marks;
    hourMarks.length = before.hourMarks;
    walked.complaint = content(judging, contentStart, role);
  }
  judging.lastContent = contentStart;
  judging.end = end;
  if (walked.complaint !== null) return `.content${walked.complaint}`;
  return judging.strict && unknown.start !== -1 ? extraMember(judging, unknown) : null;
}

function content(judging: Judging, start: number, role: Range): Complaint {
  const { bytes } = judging;
  if (isText(bytes, role, 'user')) return contentOf.user(judging, start);
  return isText(bytes, role, 'assistant') ? contentOf.assistant(judging, start) : contentOf.system(judging, start);
}
