import { UnknownScheduleError } from '../../errors/index.js';
import type { ExecutionStore, ScheduleStore } from '../../store/port/index.js';
import type { CatchUp } from '../../workflow/schedule/index.js';
import type { ChildRunner } from '../children/child-runner.js';
import { toStartItem } from '../starts/start-item.js';
import type { StartRequest } from '../starts/start-request.js';
import { firingRequest } from './firing-request.js';
import { planFire } from './plan-fire.js';
import type { StartedFirings } from './started-firings.js';

export interface ScheduleResumerParts {
  readonly tenant: string;
  readonly store: Pick<ExecutionStore, 'statuses'> & {
    readonly schedules: Pick<ScheduleStore, 'fire' | 'get' | 'now'>;
  };
  readonly runner: () => Pick<ChildRunner, 'prepareStart'>;
  readonly started: StartedFirings;
}

/** The schedule continues. */
export interface ResumedSchedule {
  /** When it is due next. */
  readonly nextAt: number | null;
}

/** Resumes schedules by the firings that a policy chooses from those of the pause. */
export class ScheduleResumer {
  constructor(private readonly parts: ScheduleResumerParts) {}

  /**
   * Fires what the policy chooses, and lets the schedule continue, in one statement. Does nothing if the schedule is not paused
   * or broken. A schedule that still can't fire is broken afterwards.
   *
   * @returns undefined if the schedule has fired or changed in between, or a transaction has locked it. Then call it again
   * @throws UnknownScheduleError if no schedule has the name
   */
  async attempt(name: string, catchUp: CatchUp): Promise<ResumedSchedule | undefined> {
    const { runner, started, store, tenant } = this.parts;
    const schedule = await store.schedules.get(name);
    if (schedule === undefined) throw new UnknownScheduleError(name, tenant);
    const { state, lastExecutionId } = schedule;
    if (state !== 'paused' && state !== 'broken') return { nextAt: schedule.nextAt };
    const last = lastExecutionId ?? '';
    const lastStatus = (await store.statuses(last === '' ? [] : [last])).get(last) ?? null;
    const requests = new Map<string, StartRequest>();
    // The failures before the pause do not count again.
    const due = { ...schedule, lastStatus, hasFailed: false, now: await store.schedules.now() };
    const fire = await planFire(
      due,
      async (of, firing) => {
        const request = await firingRequest(runner(), of, firing);
        requests.set(request.id, request);
        return toStartItem(request, 0);
      },
      { catchUp, passedAs: state === 'paused' ? 'paused' : 'missed' },
    );
    const reply = await store.schedules.fire([fire]);
    started.follow([fire], reply, requests);
    return reply.fired[0] === true ? { nextAt: fire.nextAt } : undefined;
  }
}
