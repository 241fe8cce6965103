import type { ScheduleRecord } from '../../store/port/index.js';
import { encodeTags } from '../../workflow/index.js';
import { SCHEDULE_KEY } from '../../workflow/schedule/index.js';
import type { ChildRunner } from '../children/child-runner.js';
import type { StartConsequences, StartRequest } from '../starts/starter.js';

export interface ScheduledStartsParts {
  readonly runner: () => Pick<ChildRunner, 'prepareStart'>;
  readonly consequences: Pick<StartConsequences, 'created' | 'leftReady'>;
}

/** Makes the executions of firings, and does what follows when they are stored. */
export class ScheduledStarts {
  constructor(private readonly parts: ScheduledStartsParts) {}

  /** The execution of a firing: with the schedule's input, checked against the workflow's schema of today. */
  async request(
    { name, workflow, input }: ScheduleRecord,
    { at, previousAt }: { readonly at: number; readonly previousAt: number | null },
  ): Promise<StartRequest> {
    const given = input === null ? {} : (JSON.parse(input) as object);
    const prepared = await this.parts.runner().prepareStart(workflow, given, {});
    const info = JSON.stringify({
      name,
      scheduledAt: new Date(at).toISOString(),
      previousAt: previousAt === null ? null : new Date(previousAt).toISOString(),
    });
    const members = new Map([...prepared.members, [SCHEDULE_KEY, info]]);
    const pairs = [...members].map(([key, json]) => `${JSON.stringify(key)}:${json}`);
    const tags = encodeTags({ schedule: name });
    return { ...prepared, members, input: `{${pairs.join(',')}}`, tags };
  }

  /** Call when the execution is stored. Firings claim no root tasks. */
  follow(request: StartRequest): void {
    const { consequences } = this.parts;
    consequences.created(request);
    consequences.leftReady(request, request.definition.workflow.roots.length);
  }
}
