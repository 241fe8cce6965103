import { DURATION_FORM, parseDuration } from './duration.js';
import { formatRule } from './rule-check.js';
import { textProblem } from './text.js';

/** Max characters of the name of a workflow, a task or a version. */
export const MAX_NAME_LENGTH = 200;
// Names are printed in logs, which control characters would garble.
// oxlint-disable-next-line no-control-regex
const CONTROL_CHARACTER = /[\u0000-\u001f\u007f-\u009f]/;

/** Receives a problem as the rest of a sentence that begins with the checked thing. */
export type Report = (problem: string) => void;

export function checkName(name: unknown, say: Report): string {
  if (typeof name !== 'string' || name === '') {
    say('needs a name');
    return '';
  }
  if (name.length > MAX_NAME_LENGTH) {
    say(`has a name of ${name.length} characters; at most ${MAX_NAME_LENGTH} are allowed`);
  } else if (CONTROL_CHARACTER.test(name)) {
    say('has a control character in its name; remove it');
  } else {
    const problem = textProblem(name);
    if (problem !== undefined) say(`has a name that ${problem}`);
  }
  return name;
}

/** A name that is not that of a task, such as the key of a context. */
export function checkKey(key: unknown, field: string, say: Report): string {
  if (typeof key === 'string' && key !== '') {
    const problem = textProblem(key);
    if (problem !== undefined) say(`has a ${field} that ${problem}`);
    return key;
  }
  const form = 'a string that is not empty';
  if (key === undefined) say(`needs the option '${field}', ${form}`);
  else say(`has the ${field} ${formatRule(key)}; it must be ${form}`);
  return '';
}

export function checkDuration(value: unknown, field: string, say: Report): number | undefined {
  if (value === undefined) return undefined;
  const milliseconds = parseDuration(value);
  if (milliseconds === undefined)
    say(`has the ${field} ${formatRule(value)}; it must be ${DURATION_FORM}`);
  return milliseconds;
}

export function checkFlag(value: unknown, field: string, otherwise: boolean, say: Report): boolean {
  if (value === undefined) return otherwise;
  if (typeof value === 'boolean') return value;
  say(`has the ${field} ${formatRule(value)}; it must be true or false`);
  return otherwise;
}

/** `{ [key]: value }`, or `{}` for undefined: an undefined property would change the hash of the definition. */
export function optional<K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> {
  const part: Partial<Record<K, V>> = {};
  if (value !== undefined) part[key] = value;
  return part;
}
