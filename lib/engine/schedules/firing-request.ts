import type { ScheduleRecord } from '../../store/port/index.js';
import { encodeTags } from '../../workflow/index.js';
import { SCHEDULE_KEY } from '../../workflow/schedule/index.js';
import type { ChildRunner } from '../children/child-runner.js';
import type { StartRequest } from '../starts/starter.js';

/** The execution of a firing: with the schedule's input, checked against the workflow's schema of today. */
export async function firingRequest(
  runner: Pick<ChildRunner, 'prepareStart'>,
  { name, workflow, input }: Pick<ScheduleRecord, 'input' | 'name' | 'workflow'>,
  { at, previousAt }: { readonly at: number; readonly previousAt: number | null },
): Promise<StartRequest> {
  const given = input === null ? {} : (JSON.parse(input) as object);
  const prepared = await runner.prepareStart(workflow, given, {});
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
