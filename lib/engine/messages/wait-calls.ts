import { isDeepStrictEqual } from 'node:util';
import type { WaitForAnyOptions } from '../../discovery/task-context/wait-options.js';
import { InvalidArgumentError } from '../../errors/index.js';
import { checkCallOptions } from '../../errors/call-options.js';
import { formatValue } from '../../errors/option-checks.js';
import {
  DURATION_FORM,
  decodeJson,
  isMessageRef,
  parseDuration,
  textProblem,
  type MessageRef,
} from '../../workflow/index.js';
import {
  listenerName,
  type Listen,
  type StepDue,
  type StepRecord,
  type StepRow,
} from '../../store/port/index.js';
import type { DurableWait } from '../waits/durable-wait.js';
import { stepNameOf, type StepName } from '../waits/step-name.js';
import { stepRecord } from '../waits/step-record.js';
import type { TaskSteps } from '../waits/task-steps.js';
import type { MessageTaker } from './message-taker.js';

const SIGNAL_OPTIONS: ReadonlySet<string> = new Set(['name', 'timeout']);
const EVENT_OPTIONS: ReadonlySet<string> = new Set(['name', 'timeout', 'key', 'lookback']);
const ANY_OPTIONS: ReadonlySet<string> = new Set<keyof WaitForAnyOptions>([
  'name',
  'timeout',
  'lookback',
]);
/** Maximum number of messages that one wait may listen for. */
const MAX_SOURCES = 20;
/** Maximum length of an event's key and of a label, in characters. */
const MAX_KEY_LENGTH = 200;

/** The durable points of a run, and where its messages come from. */
export interface MessageWaits {
  readonly steps: TaskSteps;
  readonly taker: MessageTaker;
}

/** `context.waitFor(signal, options)` or `context.waitFor(event, options)`, with its arguments checked. */
export function callWaitFor(
  { steps, taker }: MessageWaits,
  message: unknown,
  given: unknown,
): Promise<unknown> {
  try {
    const options = (given ?? {}) as Record<string, unknown>;
    const listen = listenTo(message, options);
    checkCallOptions('waitFor()', options, listen.key === null ? SIGNAL_OPTIONS : EVENT_OPTIONS);
    const { key } = listen;
    const name =
      options['name'] === undefined
        ? stepNameOf(listen.name, key === null ? {} : { key })
        : stepNameOf(options['name']);
    return steps.wait({
      kind: key === null ? 'signal' : 'event',
      name,
      due: dueOf(options['timeout']),
      whenDue: 'TimedOut',
      listensFor: listensFor(steps, listen),
      isFor: (found) => isDeepStrictEqual(found.listensFor, listensFor(steps, listen)),
      look: () => taker.take(steps.claim, name.stored, [listen]),
      valueOf: payloadOf,
    });
  } catch (error) {
    return steps.refuse(error);
  }
}

/** `context.waitForAny({ label: message, … }, options)`, with its arguments checked. */
export function callWaitForAny(waits: MessageWaits, of: unknown, given: unknown): Promise<unknown> {
  const { steps, taker } = waits;
  try {
    const options = (given ?? {}) as WaitForAnyOptions;
    checkCallOptions('waitForAny()', options, ANY_OPTIONS);
    const listens = sourcesOf(of, options.lookback);
    const labels = listens.map(({ label }) => label ?? '');
    const name = stepNameOf(options.name ?? labels.join(' | ').replaceAll(/[#@]/g, ' '));
    const wait: DurableWait<unknown> = {
      kind: 'signal',
      name,
      due: dueOf(options.timeout),
      whenDue: 'TimedOut',
      listensFor: null,
      isFor: (_, stored) => listens.every((listen) => isOpened(waits, name, listen, stored)),
      open: (record) => openAll(waits, record, listens),
      look: () => taker.take(steps.claim, name.stored, listens),
      timedOut: () => closeAll(waits, name, listens),
      valueOf: payloadOf,
    };
    return steps.wait(wait);
  } catch (error) {
    return steps.refuse(error);
  }
}

function payloadOf({ status, result }: StepRow): unknown {
  return status === 'Done' && result !== null ? decodeJson(result) : undefined;
}

/**
 * Stores a checkpoint for each message, and then that of the wait. In this order: a run that finds the wait open opens
 * nothing more, so all its listeners have to be stored before.
 */
async function openAll(
  { steps }: MessageWaits,
  record: StepRecord,
  listens: readonly Listen[],
): ReturnType<NonNullable<DurableWait<unknown>['open']>> {
  const { services, claim } = steps;
  await Promise.all(
    listens.map((listen) =>
      services.record(claim, {
        ...record,
        name: listenerName(record.name, listen.label ?? ''),
        kind: listen.key === null ? 'signal' : 'event',
        listensFor: listensFor(steps, listen),
        due: null,
      }),
    ),
  );
  return services.record(claim, record);
}

function listensFor(
  { claim }: TaskSteps,
  { name, key }: Listen,
): NonNullable<StepRecord['listensFor']> {
  return { name, key: key ?? claim.executionId };
}

/** Whether the checkpoint of one of the messages of a wait is stored as it is now. */
function isOpened(
  { steps }: MessageWaits,
  { stored: wait }: StepName,
  listen: Listen,
  stored: ReadonlyMap<string, StepRow>,
): boolean {
  const row = stored.get(listenerName(wait, listen.label ?? ''));
  return isDeepStrictEqual(row?.listensFor, listensFor(steps, listen));
}

/** Ends the checkpoints of the messages of a wait whose time is over. */
async function closeAll(
  { steps }: MessageWaits,
  { stored }: StepName,
  listens: readonly Listen[],
): Promise<void> {
  const { services, claim } = steps;
  await Promise.all(
    listens.map(({ label, key }) => {
      const name = { stored: listenerName(stored, label ?? '') };
      const kind = key === null ? 'signal' : 'event';
      return services.record(claim, stepRecord(claim, name, kind, 'TimedOut'));
    }),
  );
}

function listenTo(message: unknown, { key, lookback }: Record<string, unknown>): Listen {
  if (isMessageRef(message, 'signal')) return signalListen(null, message);
  if (isMessageRef(message, 'event')) return eventListen(null, message.name, key, lookback);
  throw new InvalidArgumentError(
    'waitFor()',
    `needs a result of defineSignal() or defineEvent(), not ${formatValue(message)}`,
  );
}

function sourcesOf(of: unknown, lookback: unknown): Listen[] {
  const entries = typeof of === 'object' && of !== null ? Object.entries(of) : [];
  if (entries.length === 0 || entries.length > MAX_SOURCES) {
    throw new InvalidArgumentError(
      'waitForAny()',
      `needs an object of 1 to ${MAX_SOURCES} signals and [event, key] pairs, such as { paid: Paid }`,
    );
  }
  return entries.map(([label, source]: [string, unknown]) => {
    checkText('label', label);
    const [event, key] = Array.isArray(source) ? (source as unknown as [unknown, unknown]) : [];
    if (isMessageRef(source, 'signal')) return signalListen(label, source);
    if (isMessageRef(event, 'event')) return eventListen(label, event.name, key, lookback);
    throw new InvalidArgumentError(
      label,
      `must be a signal, or an event with its key as [event, key], not ${formatValue(source)}`,
    );
  });
}

function signalListen(label: string | null, { name }: MessageRef): Listen {
  return { label, name, key: null, lookbackMs: null };
}

function eventListen(label: string | null, name: string, key: unknown, lookback: unknown): Listen {
  checkText('key', key);
  const lookbackMs = lookback === undefined ? null : durationOf('lookback', lookback);
  return { label, name, key, lookbackMs };
}

/** @throws InvalidArgumentError unless `key` is a text that can be stored */
function checkText(argument: string, key: unknown): asserts key is string {
  const problem =
    typeof key !== 'string' || key.length === 0 || key.length > MAX_KEY_LENGTH
      ? `must be a string of 1 to ${MAX_KEY_LENGTH} characters, not ${formatValue(key)}`
      : textProblem(key);
  if (problem !== undefined) throw new InvalidArgumentError(argument, problem);
}

function dueOf(timeout: unknown): StepDue | null {
  return timeout === undefined ? null : { inMs: durationOf('timeout', timeout) };
}

function durationOf(name: string, value: unknown): number {
  const ms = parseDuration(value);
  if (ms !== undefined) return Math.ceil(ms);
  throw new InvalidArgumentError(name, `must be ${DURATION_FORM}, not ${formatValue(value)}`);
}
