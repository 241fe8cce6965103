import { Logger } from '@nestjs/common';
import type { RegisteredWorkflow } from '../../discovery/registered-workflow.js';
import type { EventStart, ReceivedEvent } from '../../discovery/start-on.js';
import type { WorkflowRef } from '../../discovery/workflow-ref.js';
import {
  DatabaseUnavailableError,
  toPlainError,
  toStoredError,
  type StoredError,
} from '../../errors/index.js';
import { detached } from '../../runtime/untraced.js';
import type { Clock } from '../../runtime/clock.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import type {
  EventStartResult,
  EventStartStore,
  EventSubscription,
  PendingEventStart,
} from '../../store/port/index.js';
import { decodeJson } from '../../workflow/index.js';
import type { PreparedOptions } from '../children/child-runner.js';
import type { StartRequest } from '../starts/start-request.js';

/** Starts of each subscription that one statement takes. */
const MAX_STARTS = 100;
/** When another process takes a start that this one has taken and not made, in milliseconds. */
const LEASE_MS = 30_000;
/** How long a function of the application may take to make an input, in milliseconds. Less than the lease. */
const INPUT_TIMEOUT_MS = 20_000;
/** First and longest pause before a start that failed is tried again, in milliseconds. */
const FIRST_RETRY_MS = 60_000;
const MAX_RETRY_MS = 3_600_000;
/** Pause after a failed statement, and number of them after which the starts are left to the sweep. */
const PAUSE_MS = 500;
const MAX_FAILURES = 10;

export interface EventStarterParts {
  readonly clock: Clock;
  readonly tenant: string;
  readonly store: FailureClassifier & { readonly eventStarts: EventStartStore };
  /** The workflows of the running code that the tenant serves. */
  readonly workflows: () => readonly RegisteredWorkflow[];
  /** Checks the arguments of a start. */
  readonly prepare: (
    workflow: WorkflowRef,
    input: object | undefined,
    options: PreparedOptions,
  ) => Promise<StartRequest>;
  readonly start: (request: StartRequest) => Promise<unknown>;
  /** Tells the other processes of starts that this one has no code for. */
  readonly notify: () => void;
  /** Sets a timer for a start that is tried again. */
  readonly dueIn: (ms: number) => void;
}

/**
 * Starts executions for delivered events, some hundred at a time. A start that this process has taken and not made, because
 * it died or the database was away, is taken again after a while, by any process: the idempotency key then finds an
 * execution that was started before.
 *
 * States: idle, at work, or pausing after a failed statement. What is asked for while it works is done next.
 */
export class EventStarter {
  private readonly logger = new Logger('Cloacina');
  private known: ReadonlyMap<string, RegisteredWorkflow> | undefined;
  private looks = false;
  private failures = 0;
  private work: Promise<void> | undefined;
  private readonly closing = new AbortController();

  constructor(private readonly parts: EventStarterParts) {}

  /** Call when a delivery has stored starts of these workflows. */
  stored(workflows: readonly string[]): void {
    if (workflows.length === 0) return;
    if (workflows.some((name) => !this.workflows.has(name))) this.parts.notify();
    this.look();
  }

  /** Call when starts may be stored. Sends nothing if no event starts a workflow of the running code. */
  look(): void {
    if (this.closing.signal.aborted || this.workflows.size === 0) return;
    this.looks = true;
    this.work ??= this.run().finally(() => (this.work = undefined));
  }

  get isBusy(): boolean {
    return this.work !== undefined;
  }

  async whenIdle(): Promise<void> {
    await this.work;
  }

  close(): void {
    this.closing.abort();
  }

  /** The workflows that events start, by name. Read on first use, when the registry is complete. */
  private get workflows(): ReadonlyMap<string, RegisteredWorkflow> {
    return (this.known ??= new Map(
      this.parts
        .workflows()
        .filter(({ eventStarts }) => eventStarts !== undefined)
        .map((workflow) => [workflow.definition.name, workflow]),
    ));
  }

  private async run(): Promise<void> {
    while (this.looks && !this.closing.signal.aborted) {
      this.looks = false;
      try {
        if ((await this.startSome()) > 0) this.looks = true;
        this.failures = 0;
      } catch (error) {
        await this.failed(error);
      }
    }
  }

  private async startSome(): Promise<number> {
    const { eventStarts } = this.parts.store;
    const subscriptions = [...this.workflows.values()].flatMap(subscriptionsOf);
    const pending = await eventStarts.take(subscriptions, MAX_STARTS, LEASE_MS);
    if (pending.length === 0) return 0;
    const results = await Promise.all(pending.map((start) => this.result(start)));
    const known = results.filter((result) => result !== undefined);
    if (known.length > 0) await this.settle(known);
    return pending.length;
  }

  /**
   * The failure of a start may have text that the database can't store, because its encoding lacks some characters. Then
   * all are stored in ASCII: otherwise this one would keep the others from being settled.
   */
  private async settle(results: readonly EventStartResult[]): Promise<void> {
    const { store } = this.parts;
    try {
      await store.eventStarts.settle(results);
    } catch (error) {
      if (store.classifyFailure(error).kind !== 'data') throw error;
      await store.eventStarts.settle(results.map(inAscii));
    }
  }

  /** Undefined if the start may not have been stored: it is taken again when its lease is over. */
  private async result(pending: PendingEventStart): Promise<EventStartResult | undefined> {
    const { workflow, eventId } = pending;
    try {
      await this.start(pending);
      return { workflow, eventId };
    } catch (error) {
      if (error instanceof DatabaseUnavailableError || this.closing.signal.aborted)
        return undefined;
      const retryInMs = Math.min(FIRST_RETRY_MS * 2 ** (pending.attempts - 1), MAX_RETRY_MS);
      const stored = toStoredError(error);
      this.reportRefused(pending, stored, retryInMs);
      this.parts.dueIn(retryInMs);
      return { workflow, eventId, failure: { error: JSON.stringify(stored), retryInMs } };
    }
  }

  private async start(pending: PendingEventStart): Promise<void> {
    const { prepare, start } = this.parts;
    const eventStart = this.workflows.get(pending.workflow)?.eventStarts?.get(pending.event);
    // Only starts of the subscriptions above were taken.
    if (eventStart === undefined) return;
    const event = eventOf(pending);
    const input = await this.inTime(inputOf(eventStart, event));
    if (input === undefined) return;
    const idempotencyKey = eventStart.key?.(event.payload, event) ?? `event:${event.id}`;
    // The payload may be any JSON value. The start refuses other values than objects.
    const prepared = await detached(() =>
      prepare(pending.workflow, input ?? {}, { idempotencyKey }),
    );
    await start(prepared);
  }

  private async inTime<T>(input: Promise<T>): Promise<T> {
    const { clock } = this.parts;
    const over = new Promise<never>((_, reject) => {
      const timer = clock.timer(
        () =>
          reject(new Error(`The function "input" has not returned within ${INPUT_TIMEOUT_MS} ms.`)),
        INPUT_TIMEOUT_MS,
      );
      const cancel = (): void => timer.cancel();
      input.then(cancel, cancel);
    });
    return Promise.race([input, over]);
  }

  private async failed(error: unknown): Promise<void> {
    const { clock, tenant } = this.parts;
    if (++this.failures <= MAX_FAILURES) {
      this.looks = true;
      await clock.sleep(PAUSE_MS, this.closing.signal);
      return;
    }
    this.failures = 0;
    this.logger.warn(
      `Tenant "${tenant}": executions that events start could not be started yet (${toStoredError(error).message}). ` +
        'The sweep starts them.',
    );
  }

  private reportRefused(
    { workflow, eventId, event, key }: PendingEventStart,
    { message }: StoredError,
    retryInMs: number,
  ): void {
    this.logger.warn(
      `Tenant "${this.parts.tenant}": event ${eventId} ("${event}", key ${JSON.stringify(key)}) could not start workflow ` +
        `"${workflow}": ${message} It is tried again in ${retryInMs / 60_000} min, until the event expires.`,
    );
  }
}

function inAscii({ failure, ...result }: EventStartResult): EventStartResult {
  if (failure === undefined) return result;
  const error = JSON.stringify(toPlainError(JSON.parse(failure.error)));
  return { ...result, failure: { ...failure, error } };
}

function subscriptionsOf({ definition, eventStarts }: RegisteredWorkflow): EventSubscription[] {
  return [...(eventStarts?.keys() ?? [])].map((event) => ({ workflow: definition.name, event }));
}

function eventOf({ eventId, event, key, payload, sentAt }: PendingEventStart): ReceivedEvent {
  return { id: eventId, name: event, key, payload: decodeJson(payload), sentAt };
}

async function inputOf({ input }: EventStart, event: ReceivedEvent): Promise<unknown> {
  return input === undefined ? event.payload : input(event.payload, event);
}
