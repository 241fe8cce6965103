import type { LimitKeyRef } from '../limit-state.js';
import type { ExplainReason, ProcessRef, UnableProcess } from './explain-reason.js';

/** Max number of things that a sentence names. */
const MAX_NAMED = 3;

type Reason<K extends ExplainReason['kind']> = Extract<ExplainReason, { readonly kind: K }>;
type Texts = { readonly [K in ExplainReason['kind']]: (reason: Reason<K>) => string };

/** A sentence for each kind of cause. The subject is the task. */
const TEXTS: Texts = {
  running: ({ process, since, timeoutAt }) =>
    `It has been running in ${named(process)} since ${at(since)}${timeoutAt === undefined ? '' : `, and times out at ${at(timeoutAt)}`}.`,
  claimed: ({ process }) =>
    `Process ${process.name} has claimed it, and its handler waits for a free slot.`,
  hungHandler: ({ process, ignoredForMs, keepsSlot }) =>
    `Its handler in ${named(process)} does not return, ${seconds(ignoredForMs)} after ` +
    `${keepsSlot === undefined ? 'the timeout of the attempt' : 'its signal was aborted'}. Pass context.signal to everything that ` +
    `the handler awaits.${keepsSlot === false ? ' It was given up, and no longer has a slot.' : ''}`,
  dependencies: ({ open, count }) =>
    `It waits for ${list(
      open.map(({ task, status }) => `${quoted(task)} (${status})`),
      count,
    )}.`,
  startTime: ({ until }) => `It is due at ${at(until)}.`,
  backoff: ({ until, attempt, maxAttempts, error }) =>
    `Attempt ${attempt} of ${maxAttempts} failed${error === undefined ? '.' : `: ${sentence(error.message)}`} The next one is due at ${at(until)}.`,
  condition: ({ until }) =>
    `The condition of its deferUntil() was false. It is checked again at ${at(until)}.`,
  sleep: ({ wait, since, until }) =>
    `It has been sleeping (${quoted(wait)}) since ${at(since)}${untilOf(until)}.`,
  signal: ({ wait, signal, since, until }) =>
    `It has been waiting for the signal ${quoted(signal)}${waitName(wait, signal)} since ${at(since)}${untilOf(until)}. runner.signal() or a ` +
    'token sends it.',
  event: ({ wait, event, key, since, until }) =>
    `It has been waiting for the event ${quoted(event)}${key === undefined ? '' : ` with the key ${quoted(key)}`}${wait.startsWith(event) ? '' : ` (${quoted(wait)})`} ` +
    `since ${at(since)}${untilOf(until)}. runner.emit() sends it.`,
  messages: ({ wait, names, since, until }) =>
    `It has been waiting for one of several messages (${quoted(wait)}) since ${at(since)}${untilOf(until)}: ${list(names, names.length)}.`,
  child: ({ child, workflow, status, wait, since, until }) =>
    `It has been waiting for its child ${child}${workflow === undefined ? '' : ` of workflow ${quoted(workflow)}`}${waitName(wait, child)} since ` +
    `${at(since)}${untilOf(until)}. ${status === undefined ? 'That execution no longer exists' : `The child is ${status}; explain it next`}.`,
  items: ({ total, completed, failed, open, isComplete, groups, isCapped }) =>
    `It waits for its items: ${open} of ${total}${isComplete ? '' : ' so far'} are open, ${completed} completed, ${failed} failed.` +
    (groups.length === 0
      ? ''
      : ` The open ones by cause: ${groups.map(({ kind, count }) => `${kind} ${count}${isCapped ? '+' : ''}`).join(', ')}.`),
  limit: ({ scope, limit, inUse, concurrency, holders, waiting }) => {
    const held = holders.map(({ executionId, task }) => `${task} of ${executionId}`);
    const by = held.length === 0 ? '' : `, held by ${list(held, inUse)}`;
    const others = waiting > 1 ? ` ${countOf(waiting)} due tasks wait for the key.` : '';
    if (scope === 'map')
      return `It waits for the concurrency of its map: ${inUse} of ${concurrency} items run${by}.`;
    const where = scope === 'total' ? ' in all keys of the limit' : '';
    return `It waits for limit ${limitName(limit)}: ${inUse} of ${concurrency} slots${where} are taken${by}.${others}`;
  },
  rate: ({ limit, until }) =>
    `It waits for limit ${limitName(limit)}: its rate allows the next task at ${at(until)}.`,
  turn: (reason) =>
    `The execution waits for its turn of ${turnName(reason)}: ${reason.inUse} of ${reason.concurrency} run` +
    `${reason.holders.length === 0 ? '' : `, held by ${list(reason.holders, reason.inUse)}`}.` +
    (reason.waiting > 1 ? ` ${countOf(reason.waiting)} executions wait.` : ''),
  turnRate: (reason) =>
    `The execution waits for its turn of ${turnName(reason)}: the rate allows the next one at ${at(reason.until)}.`,
  paused: pausedText,
  workflowPaused: ({ workflow, since, ...why }) =>
    `Workflow ${quoted(workflow)} has been paused since ${at(since)}${byAndWhy(why)} runner.resumeWorkflow() lets it continue.`,
  noProcess: ({ workflow, processes }) =>
    processes.length === 0
      ? `It is due, and no living process serves the tenant. Start one whose code has workflow ${quoted(workflow)}.`
      : `It is due, and none of the ${processes.length} living processes takes it: ${list(processes.map(unable), processes.length)}.`,
  slots: ({ since, processes }) =>
    `It has been due since ${at(since)}, and waits for a free slot: ${list(
      processes.map(
        ({ name, slots, claimed }) => `${name} has ${claimed} tasks for ${slots} slots`,
      ),
      processes.length,
    )}.`,
  due: ({ since }) =>
    `It has been due since ${at(since)}, and a process with a free slot takes it at its next claim.`,
  recovery: ({ process, cause }) =>
    `${process === undefined ? 'Its process' : `Process ${process.name}, which ran it,`} is lost (${LOST[cause]}), and no other ` +
    'process has recovered it yet. recovery.run() does it now.',
  definition: ({ message }) => message,
};

const LOST: Readonly<Record<Reason<'recovery'>['cause'], string>> = {
  lockGone: 'its lock is gone',
  leaseOver: 'its lease has expired',
  noLease: 'it has no lease',
};

const UNABLE: Readonly<Record<UnableProcess['because'], (process: UnableProcess) => string>> = {
  workflow: ({ serves }) =>
    `does not have the workflow (it serves ${serves.length === 0 ? 'none' : list(serves.map(quoted), serves.length)})`,
  task: () => 'does not have the task in its code',
  format: () => 'is of a release that cannot read the definition',
  paused: () => 'has paused claiming',
  away: () => 'has lost its control connection, so it claims nothing',
  draining: () => 'shuts down',
  noSlots: () => 'has maxConcurrentTasks 0',
};

/** The cause as a sentence for people. */
export function textOf(reason: ExplainReason): string {
  // The compiler does not connect the kind of the reason with that of the entry.
  return (TEXTS[reason.kind] as (reason: ExplainReason) => string)(reason);
}

function unable(process: UnableProcess): string {
  return `${process.name} ${UNABLE[process.because](process)}`;
}

function named({ name }: ProcessRef): string {
  return name === '' ? 'a process' : `process ${name}`;
}

function limitName(limit: LimitKeyRef | undefined): string {
  if (limit === undefined) return '';
  return limit.key === undefined
    ? quoted(limit.name)
    : `${quoted(limit.name)} of ${quoted(String(limit.key))}`;
}

function turnName({ workflow, key, schedule }: Reason<'turn' | 'turnRate'>): string {
  if (schedule !== undefined) return `schedule ${quoted(schedule)}`;
  return `workflow ${quoted(workflow)}${key === undefined ? '' : ` for ${quoted(key)}`}`;
}

function waitName(wait: string, awaited: string): string {
  return wait === awaited ? '' : ` (${quoted(wait)})`;
}

function untilOf(until: Date | undefined): string {
  return until === undefined ? '' : ` until ${at(until)}`;
}

function list(names: readonly string[], total: number): string {
  const shown = names.slice(0, MAX_NAMED);
  const more = total - shown.length;
  return `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** Waiting tasks and executions are counted up to a thousand. */
function countOf(waiting: number): string {
  return waiting >= 1_000 ? 'At least 1,000' : String(waiting);
}

/** That an execution is paused. */
export function pausedText(by: PauseFacts): string {
  return `The execution is paused${byAndWhy(by)} runner.resume() lets it continue.`;
}

interface PauseFacts {
  readonly actor?: string;
  readonly reason?: string;
}

/** Who paused it, and why. */
function byAndWhy({ actor, reason }: PauseFacts): string {
  const by = actor === undefined ? '' : ` by ${actor}`;
  return by + (reason === undefined ? '.' : `: ${sentence(reason)}`);
}

/** A text of the application with an end. */
function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

function quoted(text: string): string {
  return JSON.stringify(text);
}

function at(time: Date): string {
  return time.toISOString();
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
