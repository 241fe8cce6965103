import { Logger } from '@nestjs/common';
import type { RegisteredWorkflow } from '../../discovery/registered-workflow.js';
import { toStoredError } from '../../errors/index.js';
import type { Clock } from '../../runtime/clock.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import { conflictDelay } from '../../runtime/retry-on-conflict.js';
import type { ScheduleRecord, ScheduleStore } from '../../store/port/index.js';
import { encodeSpec } from '../../workflow/schedule/index.js';
import { columnsOf, scheduleColumns, type WantedSchedule } from './schedule-columns.js';

/** Why a schedule is paused that the code no longer declares. It is active again when the code does. */
const NOT_DECLARED = 'The code no longer declares it.';
/** Schedules of one statement. */
const PAGE = 500;
/** When schedules are tried again that another session had locked, in milliseconds. */
const MEND_AGAIN_MS = 5_000;
/** Number of times that a change is repeated which others have come before. */
const MAX_TRIES = 20;

export interface ScheduleReconcilerParts {
  readonly clock: Clock;
  readonly tenant: string;
  readonly store: FailureClassifier & {
    readonly schedules: Pick<ScheduleStore, 'change' | 'create' | 'get' | 'list' | 'mend' | 'now'>;
  };
  /** The workflows that this process serves for the tenant. */
  readonly workflows: () => readonly RegisteredWorkflow[];
  /** Has the tenant's due schedules looked at after that time. */
  readonly lookIn: (inMs: number) => void;
}

/**
 * Makes the schedules that the code declares those of the tenant. Schedules that callers of the API made are left alone, and
 * so are those of workflows that only other processes serve. Any number of processes may do it at the same time.
 */
export class ScheduleReconciler {
  private readonly logger = new Logger('Cloacina');
  /** The broken schedules that were left because another session had locked them. */
  private left: readonly string[] = [];
  /** When the declared schedules were changed, as this process has last written or found them. */
  private readonly changedAt = new Map<string, number>();

  constructor(private readonly parts: ScheduleReconcilerParts) {}

  /** The schedules that the code declares for the tenant. */
  get declared(): WantedSchedule[] {
    const { tenant, workflows } = this.parts;
    return workflows().flatMap(({ definition, schedules = [] }) =>
      schedules
        .filter(({ isFor }) => isFor(tenant))
        .map(({ name, spec, input }) => ({
          name,
          spec,
          workflow: definition.name,
          input: input === undefined ? null : JSON.stringify(input),
          origin: 'code' as const,
        })),
    );
  }

  async run(): Promise<void> {
    const { served, declared } = this;
    for (const wanted of declared) await this.putIfStorable(wanted);
    const names = new Set(declared.map(({ name }) => name));
    for (const known of await this.ofCode()) {
      if (!names.has(known.name) && served.includes(known.workflow)) await this.pause(known);
    }
    // This process may be able to fire what another one, or an earlier release, was not.
    await this.mend(null);
  }

  /**
   * Writes those declared schedules again that the database has lost, or whose last change it has lost, after {@link run}. It shows
   * by the time of the change, which firings leave as it is. Others stay as they are: another release may have changed them. They get
   * their former time, so of two releases that do this, in any order, the later one prevails, as before the loss.
   */
  async restore(): Promise<void> {
    for (const wanted of this.declared) {
      const changedAt = this.changedAt.get(wanted.name);
      if (changedAt !== undefined) await this.putIfStorable(wanted, changedAt);
    }
  }

  /** Mends the broken schedules that were locked the last time. Others have been tried. Call it at each look. */
  async mendLeft(): Promise<void> {
    if (this.left.length > 0) await this.mend(this.left);
  }

  private get served(): string[] {
    return this.parts.workflows().map(({ definition }) => definition.name);
  }

  /** @param names - only the schedules of these names; null for all */
  private async mend(names: readonly string[] | null): Promise<void> {
    const { lookIn, store } = this.parts;
    const { locked } = await store.schedules.mend(this.served, names);
    this.left = locked;
    // They are not due while they are broken, so nothing else would lead to a look.
    if (locked.length > 0) lookIn(MEND_AGAIN_MS);
  }

  /** A schedule that the database can't store, because its encoding lacks some characters, must not keep the others from firing. */
  private async putIfStorable(wanted: WantedSchedule, lostAt?: number): Promise<void> {
    const { store, tenant } = this.parts;
    try {
      await this.put(wanted, lostAt);
    } catch (error) {
      if (store.classifyFailure(error).kind !== 'data') throw error;
      this.logger.error(
        `Tenant "${tenant}": the code declares schedule "${wanted.name}", which the database can't store, so it does not fire: ` +
          toStoredError(error).message,
      );
    }
  }

  /** @param lostAt - the time of a change that the database may have lost; only then is the schedule written */
  private async put(wanted: WantedSchedule, lostAt?: number): Promise<void> {
    const { store, tenant } = this.parts;
    await this.untilWritten(wanted.name, async () => {
      const known = await store.schedules.get(wanted.name);
      if (lostAt !== undefined && known !== undefined && known.updatedAt >= lostAt) return true;
      if (known?.origin === 'api') {
        this.logger.warn(
          `Tenant "${tenant}": the code declares schedule "${wanted.name}", but runner.schedules has made one of that name, ` +
            'which stays as it is. Rename one of them.',
        );
        return true;
      }
      if (known !== undefined) this.changedAt.set(wanted.name, known.updatedAt);
      if (known !== undefined && isSame(known, wanted)) return true;
      const returning = known?.reason === NOT_DECLARED;
      const columns = scheduleColumns(
        wanted,
        await store.schedules.now(),
        returning ? { ...known, state: 'active', reason: null, nextFor: null } : known,
      );
      const set = lostAt === undefined ? columns : { ...columns, updatedAt: lostAt };
      const isWritten = await (known === undefined
        ? store.schedules.create(wanted.name, set)
        : store.schedules.change(wanted.name, known.version, set, null));
      if (isWritten) await this.noteChange(wanted.name, lostAt);
      return isWritten;
    });
  }

  private async noteChange(name: string, lostAt: number | undefined): Promise<void> {
    const changedAt = lostAt ?? (await this.parts.store.schedules.get(name))?.updatedAt;
    if (changedAt !== undefined) this.changedAt.set(name, changedAt);
  }

  private async pause({ name }: ScheduleRecord): Promise<void> {
    const { store } = this.parts;
    await this.untilWritten(name, async () => {
      const known = await store.schedules.get(name);
      if (known === undefined || known.state === 'paused') return true;
      const set = { ...columnsOf(known), state: 'paused', reason: NOT_DECLARED } as const;
      return store.schedules.change(name, known.version, set, null);
    });
  }

  /** Repeats a change that another process, or a firing, has come before. The sweep makes another look after a failure. */
  private async untilWritten(name: string, write: () => Promise<boolean>): Promise<void> {
    for (let tries = 0; !(await write()); tries++) {
      if (tries === MAX_TRIES) throw new Error(`Schedule "${name}" is being changed all the time.`);
      await conflictDelay(tries, this.parts.clock);
    }
  }

  private async ofCode(): Promise<ScheduleRecord[]> {
    const all: ScheduleRecord[] = [];
    for (let after: string | null = null; ;) {
      const page: ScheduleRecord[] = await this.parts.store.schedules.list({
        workflow: null,
        state: null,
        origin: 'code',
        after,
        limit: PAGE,
      });
      all.push(...page);
      after = page.at(-1)?.name ?? null;
      if (page.length < PAGE) return all;
    }
  }
}

function isSame(known: ScheduleRecord, { spec, workflow, input }: WantedSchedule): boolean {
  return (
    known.spec === encodeSpec(spec) &&
    known.workflow === workflow &&
    known.input === input &&
    known.reason !== NOT_DECLARED
  );
}
