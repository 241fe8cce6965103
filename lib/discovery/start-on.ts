import { callable, checkOptions, formatValue, type Checks } from '../errors/option-checks.js';
import { isEvent, type EventDefinition } from './message-definitions.js';

/** An event as the functions of {@link StartOn} get it. */
export interface ReceivedEvent<P = unknown> {
  /** Numbers the events and signals of the tenant. */
  readonly id: string;
  /** The name of the event. */
  readonly name: string;
  /** The key that was given to `emit`. */
  readonly key: string;
  /** The payload, as the event's schema returned it. */
  readonly payload: P;
  /** When it was sent; of an event that was sent in a transaction: when it was delivered after the commit. */
  readonly sentAt: Date;
}

/** Options of {@link StartOn} and of `startOn` of a builder. `P` is the event's payload, `I` the workflow's input. */
export interface StartOnOptions<P = unknown, I extends object = object> {
  /**
   * Makes the input of the execution. It may run more than once for an event. If it returns `undefined`, the event starts
   * no execution. Default: the payload is the input.
   */
  input?: (payload: P, event: ReceivedEvent<P>) => I | undefined | Promise<I | undefined>;
  /**
   * The idempotency key of the execution: of several events with the same key, only the first starts one. Default:
   * `event:<id>`, so each event starts its own.
   */
  key?: (payload: P, event: ReceivedEvent<P>) => string;
}

/** An event that starts executions, unchecked: checks run at boot. */
export interface WrittenEventStart {
  readonly event: unknown;
  readonly options: unknown;
}

/** An event that starts executions of a workflow. */
export interface EventStart extends StartOnOptions {
  readonly event: EventDefinition;
}

const OPTIONS: Checks<StartOnOptions> = { input: callable, key: callable };

/** Checks the events that start a workflow. Each problem is a sentence that begins with `owner`. */
export function describeEventStarts(
  owner: string,
  written: readonly WrittenEventStart[],
): { readonly problems: readonly string[]; readonly starts: ReadonlyMap<string, EventStart> } {
  const problems: string[] = [];
  const starts = new Map<string, EventStart>();
  for (const { event, options } of written) {
    if (!isEvent(event)) {
      problems.push(
        `${owner}: the event that starts it must be a result of defineEvent(), not ${formatValue(event)}.`,
      );
      continue;
    }
    const place = `${owner}, started by event ${JSON.stringify(event.name)}`;
    problems.push(...checkOptions(place, options, OPTIONS));
    if (starts.has(event.name)) {
      problems.push(`${place}: it is named twice. Keep one of them.`);
    }
    starts.set(event.name, { ...(options as StartOnOptions), event });
  }
  return { problems, starts };
}
