import { distance } from 'fastest-levenshtein';
import { checkAdmission } from './admission-check.js';
import { DEFAULT_TASK_TIMEOUT_MS, type TaskSpec, type WorkflowSpec } from './definition.js';
import {
  checkDuration,
  checkFlag,
  checkName,
  MAX_NAME_LENGTH,
  optional,
  type Report,
} from './field-check.js';
import { isRecord } from './json-equality.js';
import { checkLimit, fairLimit, type CheckedLimit } from './limit-check.js';
import { isItemPath } from './limit-key.js';
import type { NamedLimit } from './limit-table.js';
import { checkNode } from './node-check.js';
import { MAX_PRIORITY } from './priority.js';
import { DEFAULT_RETRY_POLICY, isBackoff, type RetryPolicy } from './retry-policy.js';
import { checkRule, formatRule } from './rule-check.js';
import { textProblem } from './text.js';

/** Max characters of a workflow's description. */
const MAX_DESCRIPTION_LENGTH = 10_000;
const MAX_INT32 = 2 ** 31 - 1;

/** Fills in the defaults, and reports all problems. The result is only usable if there are none. */
export function checkWorkflow(source: unknown, report: Report): WorkflowSpec {
  if (!isRecord(source)) {
    report('A workflow must be an object with a name and tasks.');
    return { name: '', tasks: [] };
  }
  const label =
    typeof source.name === 'string' ? `Workflow ${formatRule(source.name)}` : 'The workflow';
  const say: Report = (problem) => report(`${label} ${problem}.`);
  const name = checkName(source.name, say);
  const tasks: unknown[] = Array.isArray(source.tasks) ? Array.from(source.tasks) : [];
  if (tasks.length === 0) say('has no tasks; give it at least one');
  const limits: NamedLimit[] = [];
  const checked = tasks.map((task, index) =>
    checkTask(task, index, (problem) => report(`${label}: ${problem}.`), limits, label),
  );
  return {
    name,
    ...optional('version', checkText(source.version, 'version', MAX_NAME_LENGTH, say)),
    ...optional(
      'description',
      checkText(source.description, 'description', MAX_DESCRIPTION_LENGTH, say),
    ),
    ...optional('timeoutMs', checkTimeout(source.timeout, say)),
    ...optional('startsOn', checkStartsOn(source.startsOn, say)),
    ...optional(
      'admission',
      source.admission === undefined ? undefined : checkAdmission(source.admission, say),
    ),
    tasks: checked,
    ...(limits.length === 0 ? {} : { limits }),
  };
}

/** @param limits - gets what the task says of its limit */
function checkTask(
  source: unknown,
  index: number,
  report: Report,
  limits: NamedLimit[],
  workflow: string,
): TaskSpec {
  const task = isRecord(source) ? source : {};
  const label =
    typeof task.name === 'string' && task.name !== ''
      ? formatRule(task.name)
      : `number ${index + 1}`;
  const say: Report = (problem) => report(`task ${label} ${problem}`);
  if (task.transactional === true && task.node !== undefined && !isMapWithHandler(task.node)) {
    say('is a node, which has no transaction; remove transactional');
  }
  if (task.node !== undefined && task.limit !== undefined && !isMapWithHandler(task.node)) {
    say(limitOfNode(task.node));
  }
  if (task.node !== undefined && task.fairKey !== undefined) {
    say('is a node, which has no fairKey; remove fairKey');
  }
  if (task.limit !== undefined && task.fairKey !== undefined) {
    say('has both a limit and a fairKey; the keys of a limit take turns anyway, so remove fairKey');
  }
  const limited = checkLimitOf(task, say);
  const node = task.node === undefined ? undefined : checkNode(task.node, say);
  if (node?.kind === 'map' && node.chunk !== undefined && isItemPath(limited?.limit.key)) {
    say('has a limit whose key is in the item, but a chunk has several items; remove chunk');
  }
  // The limit behind a fairKey is the library's, and has no numbers.
  if (limited !== undefined && task.fairKey === undefined) {
    const { limit, numbers } = limited;
    limits.push({
      name: limit.name,
      ...optional('numbers', numbers),
      place: `${workflow}, task ${label}`,
      ...(node?.kind === 'map' && node.concurrency !== undefined ? { hasConcurrentMap: true } : {}),
    });
  }
  return {
    name: checkName(task.name, say),
    dependsOn: checkDependsOn(task.dependsOn, say),
    rule: task.when === undefined || task.when === null ? null : checkRule(task.when, say),
    retry: checkRetry(task.retry, say),
    timeoutMs: checkTimeout(task.timeout, say) ?? DEFAULT_TASK_TIMEOUT_MS,
    transactional: checkFlag(task.transactional, 'transactional', false, say),
    priority: checkPriority(task.priority, say),
    ...(limited === undefined ? {} : { limit: limited.limit }),
    ...optional('node', node),
  };
}

function checkLimitOf(
  { limit, fairKey }: Record<string, unknown>,
  say: Report,
): CheckedLimit | undefined {
  if (limit !== undefined) return checkLimit(limit, say);
  return fairKey === undefined ? undefined : { limit: fairLimit(fairKey, say) };
}

/** The items of a map are tasks with a handler, which may have transactions. */
function isMapWithHandler(node: unknown): boolean {
  return isRecord(node) && node.kind === 'map' && node.workflow === undefined;
}

/** What to do about the limit of a node. A map of children has it in plain JavaScript, or by a spread of other options. */
function limitOfNode(node: unknown): string {
  return isRecord(node) && node.kind === 'map'
    ? 'is a map of children, which has no limit; remove limit, and give it to the tasks of the children'
    : 'is a node, which has no limit; remove limit';
}

function checkText(
  text: unknown,
  field: string,
  maxLength: number,
  say: Report,
): string | undefined {
  if (text === undefined || text === null) return undefined;
  if (typeof text !== 'string') {
    say(`has a ${field} that is not a string but ${formatRule(text)}`);
    return undefined;
  }
  const problem = textProblem(text);
  if (problem !== undefined) say(`has a ${field} that ${problem}`);
  if (text.length > maxLength)
    say(`has a ${field} of ${text.length} characters; at most ${maxLength} are allowed`);
  return text;
}

function checkDependsOn(dependsOn: unknown, say: Report): string[] {
  if (dependsOn === undefined || dependsOn === null) return [];
  if (!Array.isArray(dependsOn)) {
    say(`has a dependsOn that is not a list but ${formatRule(dependsOn)}`);
    return [];
  }
  const names: string[] = [];
  for (const name of dependsOn as unknown[]) {
    if (typeof name === 'string') names.push(name);
    else say(`lists ${formatRule(name)} in dependsOn; list the names of tasks`);
  }
  return names;
}

/** Sorted, so that the order of decorators does not make another definition. */
function checkStartsOn(startsOn: unknown, say: Report): string[] | undefined {
  if (startsOn === undefined || startsOn === null) return undefined;
  const events: unknown[] = Array.isArray(startsOn) ? startsOn : [startsOn];
  const names = events.filter((name): name is string => typeof name === 'string' && name !== '');
  if (names.length < events.length) say(`has names of events that are not texts in startsOn`);
  const unique = [...new Set(names)].sort();
  return unique.length === 0 ? undefined : unique;
}

function checkRetry(source: unknown, say: Report): RetryPolicy {
  if (source !== undefined && source !== null && !isRecord(source)) {
    say(`has a retry that is not an object but ${formatRule(source)}`);
  }
  const retry = isRecord(source) ? source : {};
  const { backoff = DEFAULT_RETRY_POLICY.backoff } = retry;
  if (!isBackoff(backoff)) {
    say(
      `has the unknown backoff ${formatRule(backoff)}; it must be 'fixed', 'linear' or 'exponential'`,
    );
  }
  const delayMs = checkDuration(retry.delay, 'retry.delay', say) ?? DEFAULT_RETRY_POLICY.delayMs;
  return {
    maxAttempts: checkInteger(
      retry.maxAttempts,
      'retry.maxAttempts',
      DEFAULT_RETRY_POLICY.maxAttempts,
      1,
      say,
    ),
    backoff: isBackoff(backoff) ? backoff : DEFAULT_RETRY_POLICY.backoff,
    delayMs,
    // A delay longer than the default maximum raises it: a delay of a minute without maxDelay means a minute.
    maxDelayMs:
      checkDuration(retry.maxDelay, 'retry.maxDelay', say) ??
      Math.max(DEFAULT_RETRY_POLICY.maxDelayMs, delayMs),
    jitter: checkFlag(retry.jitter, 'retry.jitter', DEFAULT_RETRY_POLICY.jitter, say),
  };
}

function checkTimeout(value: unknown, say: Report): number | undefined {
  const milliseconds = checkDuration(value, 'timeout', say);
  if (milliseconds === 0) say('has a timeout of 0; leave it out, or set a longer one');
  return milliseconds;
}

function checkPriority(value: unknown, say: Report): number {
  if (value === undefined) return 0;
  if (Number.isInteger(value) && Math.abs(value as number) <= MAX_PRIORITY) return value as number;
  say(
    `has the priority ${formatRule(value)}; it must be a whole number from -${MAX_PRIORITY} to ${MAX_PRIORITY}`,
  );
  return 0;
}

function checkInteger(
  value: unknown,
  field: string,
  otherwise: number,
  least: number,
  say: Report,
): number {
  if (value === undefined) return otherwise;
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= MAX_INT32)
    return value;
  say(
    `has the ${field} ${formatRule(value)}; it must be a whole number from ${least} to ${MAX_INT32}`,
  );
  return otherwise;
}

/** ` Did you mean "x"?` with a leading space if a known name is similar enough, otherwise an empty string. */
export function didYouMean(name: string, known: Iterable<string>): string {
  let closest: string | undefined;
  let edits = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const found = distance(name.toLowerCase(), candidate.toLowerCase());
    if (found >= edits) continue;
    closest = candidate;
    edits = found;
  }
  return closest === undefined ? '' : ` Did you mean ${formatRule(closest)}?`;
}
