import type { JsonObject } from '../discovery/context-types.js';
import type { WorkflowRef } from '../discovery/workflow-ref.js';
import { columnsOf, scheduleColumns, specOf } from '../engine/schedules/schedule-columns.js';
import { resumed } from '../engine/schedules/resumed-columns.js';
import type { ScheduleStore } from '../store/port/index.js';
import type { ScheduleSpec } from '../workflow/schedule/index.js';
import { noteOf } from './action-note.js';
import { checkActor } from './call-checks.js';
import type { ExecutionHandle } from './execution-handle.js';
import { newExecutionId } from './execution-id.js';
import { checkReasonOptions, type ReasonOptions } from './reason-options.js';
import { viewSchedule, type TenantSchedule } from './schedule.js';
import { turnOf } from '../engine/schedules/firing-request.js';
import type {
  ResumeOptions,
  RunNowOptions,
  ScheduleCallOptions,
  ScheduleChange,
  ScheduleFilter,
} from './schedule-options.js';
import {
  checkCatchUp,
  checkChange,
  checkName,
  checkOverlap,
  checkScheduleFilter,
  checkSpec,
  mergeSpec,
  refusePoller,
  scheduleSubject,
} from './schedule-request.js';
import { ScheduleReports, type SchedulesParts } from './schedules/schedule-reports.js';
import { ScheduleWriter } from './schedules/schedule-writer.js';

/**
 * The schedules of one tenant, at `runner.schedules`. Each of their instants has exactly one execution, whatever the number of
 * processes and whichever of them dies when.
 *
 * @example
 * ```ts
 * await runner.schedules.create('weekly-4711', WeeklyReport, { cron: '0 9 * * MON', timezone: 'Europe/Lisbon' }, { customer: 4711 });
 * ```
 */
export class CloacinaSchedules extends ScheduleReports {
  private readonly writer: ScheduleWriter;

  /** @internal Applications use `runner.schedules`. */
  constructor(private readonly parts: SchedulesParts) {
    super(parts);
    this.writer = new ScheduleWriter(parts);
  }

  /**
   * Creates a schedule, or makes the one of this name what the arguments say. With another spec it counts from now on, and
   * never fires for the past; a paused schedule stays paused.
   *
   * @param name - unique in the tenant, 1 to 200 characters
   * @throws InvalidArgumentError that names the invalid field of the spec; `overlap` too if the executions of the schedule are to
   *   take turns and the workflow has an admission
   * @throws UnknownWorkflowError, InvalidContextError as `start` does
   */
  create(
    name: string,
    workflow: WorkflowRef,
    spec: ScheduleSpec,
    input?: JsonObject,
    { manager, actor }: ScheduleCallOptions = {},
  ): Promise<TenantSchedule> {
    return this.parts.served.run(async () => {
      checkName(name);
      checkSpec(spec);
      const by = noteOf(checkActor(actor));
      const transaction = this.writer.within(manager);
      const request = await this.parts.starter.prepare(workflow, input, {});
      turnOf(name, request, spec.overlap ?? 'skip');
      const wanted = {
        name,
        spec,
        workflow: this.parts.nameOf(workflow),
        input: input === undefined ? null : JSON.stringify(input),
        origin: 'api' as const,
      };
      refusePoller('workflow', wanted);
      return this.writer.put(name, transaction, (known, now) => {
        refusePoller('name', known);
        const kind = known === undefined ? 'schedule.created' : 'schedule.updated';
        return { set: scheduleColumns(wanted, now, known), passed: null, by: by(kind) };
      });
    });
  }

  /**
   * Changes the given fields of a schedule. One of `cron`, `every` and `at` replaces the others, with the `timezone` or
   * `aligned` that belongs to them. A field that is undefined gets its default; an `input` that is undefined stays.
   *
   * @throws UnknownScheduleError, InvalidArgumentError
   * @throws UnknownWorkflowError, InvalidContextError for an `input`, as {@link create} does
   */
  update(
    name: string,
    change: ScheduleChange,
    options: ScheduleCallOptions = {},
  ): Promise<TenantSchedule> {
    return this.parts.served.run(async () => {
      checkChange(change);
      const by = noteOf(checkActor(options.actor))('schedule.updated');
      const { input, ...fields } = change;
      const transaction = this.writer.within(options.manager);
      return this.writer.put(name, transaction, async (known, now) => {
        const { workflow, origin, input: kept, ...found } = this.writer.found(name, known);
        if (input !== undefined) refusePoller('input', known);
        const spec = mergeSpec(specOf(found), fields);
        checkSpec(spec);
        if (input !== undefined || fields.overlap !== undefined) {
          const next = input ?? (kept === null ? undefined : (JSON.parse(kept) as JsonObject));
          const request = await this.parts.starter.prepare(workflow, next, {});
          turnOf(name, request, spec.overlap ?? 'skip');
        }
        const json = input === undefined ? kept : JSON.stringify(input);
        const wanted = { name, spec, workflow, origin, input: json };
        return { set: scheduleColumns(wanted, now, known), passed: null, by };
      });
    });
  }

  /** Reads a schedule. Returns null if no schedule has this name. */
  get(name: string): Promise<TenantSchedule | null> {
    return this.parts.served.run(async () => {
      const known = await this.parts.whileUnavailable.run(() => this.store.get(name));
      return known === undefined ? null : viewSchedule(known);
    });
  }

  /**
   * Reads schedules in the order of their names.
   *
   * @throws InvalidArgumentError that names the invalid field of the filter
   */
  list(filter: ScheduleFilter = {}): Promise<TenantSchedule[]> {
    return this.parts.served.run(async () => {
      const query = checkScheduleFilter(filter);
      const page = await this.parts.whileUnavailable.run(() => this.store.list(query));
      return page.map(viewSchedule);
    });
  }

  /**
   * Stops the firings of a schedule until {@link resume}. Executions that it has started continue. Of a schedule that is paused
   * already, the reason changes.
   *
   * @throws UnknownScheduleError
   * @throws InvalidArgumentError for invalid options
   */
  async pause(name: string, options: ReasonOptions = {}): Promise<void> {
    const { reason, actor } = checkReasonOptions('schedules.pause()', options);
    const by = noteOf(actor)('schedule.paused', reason);
    await this.parts.served.run(() =>
      this.writer.put(name, undefined, (known) => ({
        set: { ...columnsOf(this.writer.found(name, known)), state: 'paused', reason },
        passed: null,
        by,
      })),
    );
  }

  /**
   * Lets a paused or broken schedule fire again. The firings in the pause are passed over, and recorded as `paused`.
   *
   * @param options.catchUp - which of the firings in the pause are made now. Default: `'skip'`
   * @throws UnknownScheduleError
   * @throws InvalidArgumentError for options, or a stored spec, that are not valid (any more)
   * @throws DatabaseUnavailableError if the database was unavailable, or others held the schedule's row, for `startTimeout`
   */
  async resume(name: string, options: ResumeOptions = {}): Promise<void> {
    const { catchUp = 'skip' } = options;
    checkCatchUp(catchUp);
    const actor = checkActor(options.actor);
    await this.parts.served.run(async () => {
      if (catchUp === 'skip') {
        const by = noteOf(actor)('schedule.resumed');
        await this.writer.put(name, undefined, (known, now) => ({
          ...resumed(this.writer.found(name, known), now),
          by,
        }));
        return;
      }
      await this.writer.record(name, 'schedule.resumed', actor);
      await this.parts.whileUnavailable.untilWritten(scheduleSubject(name), (began) =>
        this.parts.whileUnavailable.run(
          () => this.parts.engine.schedules.resume(name, catchUp),
          began,
        ),
      );
    });
  }

  /** Deletes a schedule with its firings. Its executions stay. Does nothing if no schedule has this name. */
  async delete(name: string, { manager, actor }: ScheduleCallOptions = {}): Promise<void> {
    const transaction = this.writer.within(manager);
    const by = noteOf(checkActor(actor))('schedule.deleted');
    await this.parts.served.run(() =>
      this.parts.whileUnavailable.run(() => this.store.delete(name, transaction, by)),
    );
  }

  /**
   * Starts an execution of a schedule now, in any state of the schedule. Its firings continue as before. Two calls start two
   * executions, and a call whose reply is lost starts one.
   *
   * @returns the execution. With `overlap: 'skip'`, while another one runs, that one, with `created: false`
   * @throws UnknownScheduleError, InvalidArgumentError
   * @throws DatabaseUnavailableError if the database was unavailable, or others held the schedule's row, for `startTimeout`;
   *   its `mayBeWritten` tells whether the execution may be stored
   */
  runNow(name: string, { overlap, actor }: RunNowOptions = {}): Promise<ExecutionHandle> {
    return this.parts.served.run(async () => {
      checkOverlap(overlap);
      const by = checkActor(actor);
      const { engine, handle, whileUnavailable } = this.parts;
      const firing = engine.schedules.manualFiring(name, newExecutionId(engine.clock), overlap);
      // Whether it starts one is not known yet.
      const executionId = overlap === 'skip' ? null : firing.id;
      await this.writer.record(name, 'schedule.run', by, executionId);
      try {
        await whileUnavailable.untilWritten(scheduleSubject(name), (began) =>
          whileUnavailable.run(() => firing.attempt(), began),
        );
      } catch (error) {
        throw firing.explain(error);
      }
      return handle(firing.id, !firing.isSkipped);
    });
  }

  private get store(): ScheduleStore {
    return this.parts.engine.store.schedules;
  }
}
