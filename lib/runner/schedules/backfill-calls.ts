import {
  planOfRange,
  type BackfilledPart,
  type BackfillOverlap,
  type BackfillPosition,
  type BackfillRange,
} from '../../engine/schedules/backfill-runner.js';
import type { TenantEngine } from '../../engine/tenant-engine.js';
import { checkCallOptions } from '../../errors/call-options.js';
import { InvalidArgumentError, UnknownScheduleError } from '../../errors/index.js';
import type { AvailabilityRetry } from '../../runtime/availability-retry.js';
import { nextInstants } from '../../workflow/schedule/index.js';
import { noteOf } from '../action-note.js';
import { checkActor } from '../call-checks.js';
import { checkBulkOptions } from '../bulk/bulk-calls.js';
import type { BulkResult } from '../bulk/bulk-options.js';
import { checkOverlap, scheduleSubject } from '../schedule-request.js';
import { checkDate, makeStartRequest } from '../start-request.js';
import type { BackfillOperation } from './backfill-operation.js';
import type { BackfillOptions } from './backfill-options.js';
import { BACKFILL_WORKFLOW } from './backfill-workflow.js';

/** Maximum number of times of a backfill. */
const MAX_INSTANTS = 10_000;
/** Maximum number of times for which a call starts the executions itself. */
const MAX_AT_ONCE = 1_000;
/** Instants that are computed in a turn of the event loop. */
const INSTANTS_AT_ONCE = 250;

const OPTIONS: ReadonlySet<string> = new Set<keyof BackfillOptions>([
  'from',
  'to',
  'overlap',
  'background',
  'dryRun',
  'actor',
]);

export interface BackfillCallsParts {
  readonly tenant: string;
  readonly engine: TenantEngine;
  readonly whileUnavailable: AvailabilityRetry;
}

/** Checks the arguments of backfills, does them, or starts the workflow that does. */
export class BackfillCalls {
  constructor(private readonly parts: BackfillCallsParts) {}

  /** Returns the id of the operation in the background, or what the call has done itself. */
  async backfill(
    name: string,
    options: BackfillOptions,
  ): Promise<{ readonly id: string } | BulkResult> {
    checkCallOptions('backfill()', options, OPTIONS);
    const from = checkDate('from', options.from).getTime();
    const to = checkDate('to', options.to).getTime();
    if (to < from) throw new InvalidArgumentError('to', 'must not be before from');
    const overlap = overlapOf(options.overlap);
    const { dryRun, background } = checkBulkOptions(options);
    const actor = checkActor(options.actor);
    const operation = await this.operation(name, { from, to, overlap });
    const { total } = operation;
    if (dryRun) return { matched: total, changed: 0 };
    if (background !== false || total <= MAX_AT_ONCE) {
      await this.record(name, actor);
      const isLarge = background === true || total > MAX_AT_ONCE;
      return isLarge ? this.start(operation) : this.run(operation);
    }
    throw new InvalidArgumentError(
      'background',
      `must not be false for more than ${MAX_AT_ONCE} times; leave it out, or take a shorter range`,
    );
  }

  /** Before the first start: a backfill that fails half way has started some executions. */
  private async record(subject: string, actor: string | null): Promise<void> {
    const { engine, whileUnavailable } = this.parts;
    const by = noteOf(actor)('schedule.backfilled');
    if (by === null) return;
    await whileUnavailable.run(() =>
      engine.store.actions.record({ ...by, subject, executionId: null }),
    );
  }

  /**
   * Starts the executions of some instants.
   *
   * @param limit - maximum number of instants
   * @param signal - ends the work between two statements
   * @returns with the position of the next page; null if no instant is left
   */
  async page(
    range: BackfillRange,
    position: BackfillPosition,
    limit: number,
    signal?: AbortSignal,
  ): Promise<BulkResult & { readonly next: BackfillPosition | null }> {
    const sum = { matched: 0, changed: 0 };
    let next = position;
    while (sum.matched < limit) {
      const from = next;
      const left = limit - sum.matched;
      const part = await this.part(range, from, left, signal);
      if (part === null || part.next === null) return { ...sum, next: null };
      sum.matched += part.matched;
      sum.changed += part.changed;
      next = part.next;
    }
    return { ...sum, next };
  }

  /** Waits while others change or lock the schedule, for `startTimeout`. Returns null if it no longer exists. */
  private async part(
    range: BackfillRange,
    from: BackfillPosition,
    limit: number,
    signal: AbortSignal | undefined,
  ): Promise<BackfilledPart | null> {
    const { engine, whileUnavailable } = this.parts;
    let part: BackfilledPart | null | undefined;
    await whileUnavailable.untilWritten(scheduleSubject(range.schedule), async (began) => {
      signal?.throwIfAborted();
      const send = (): Promise<typeof part> => engine.schedules.backfill(range, from, limit);
      part = await whileUnavailable.run(send, began);
      return part !== undefined;
    });
    return part ?? null;
  }

  private async run(operation: BackfillOperation): Promise<BulkResult> {
    const position = { after: operation.after, lastExecutionId: null };
    const { matched, changed } = await this.page(operation, position, operation.total);
    return { matched, changed };
  }

  /** Fixes what the operation is about: the instants of the schedule as it is now. */
  private async operation(
    schedule: string,
    { from, to, overlap }: { from: number; to: number; overlap: BackfillOverlap },
  ): Promise<BackfillOperation> {
    const { engine, tenant, whileUnavailable } = this.parts;
    const known = await whileUnavailable.run(() => engine.store.schedules.get(schedule));
    if (known === undefined) throw new UnknownScheduleError(schedule, tenant);
    const { spec, createdAt, nextFor } = known;
    // What comes next is fired by the schedule itself, or decided when it is resumed.
    const now = await whileUnavailable.run(() => engine.store.schedules.now());
    const last = Math.min(to, now, (nextFor ?? Infinity) - 1);
    const range = { schedule, createdAt, spec, overlap, to: last };
    const total = await this.count(range, from - 1);
    return { kind: 'backfill', ...range, after: from - 1, total };
  }

  /** Lets other work run in between: some thousand instants of an expression take half a second. */
  private async count(range: BackfillRange, after: number): Promise<number> {
    const plan = planOfRange(range);
    let total = 0;
    for (let at: number | undefined = after; at !== undefined;) {
      const instants: number[] = nextInstants(plan, at, INSTANTS_AT_ONCE).filter(
        (each) => each <= range.to,
      );
      total += instants.length;
      if (total > MAX_INSTANTS) {
        throw new InvalidArgumentError(
          'to',
          `must be so near to from that the schedule has at most ${MAX_INSTANTS} times between them; call it for shorter ranges`,
        );
      }
      at = instants.length < INSTANTS_AT_ONCE ? undefined : instants.at(-1);
      await new Promise<void>((resolve) => this.parts.engine.clock.immediate(resolve));
    }
    return total;
  }

  /** Starts the workflow that does the operation. */
  private async start(operation: BackfillOperation): Promise<{ readonly id: string }> {
    const { engine, whileUnavailable } = this.parts;
    const { clock, settings, catalog } = engine;
    await whileUnavailable.run(() => engine.open());
    const definition = await whileUnavailable.run(() => catalog.builtIn(BACKFILL_WORKFLOW));
    const { maxContextSize } = settings;
    const start = { maxContextSize, clock, isAwaited: false };
    return engine.starts.start(makeStartRequest(definition, { operation }, {}, start));
  }
}

function overlapOf(value: unknown): BackfillOverlap {
  checkOverlap(value);
  return (value as BackfillOverlap | undefined) ?? 'allow';
}
