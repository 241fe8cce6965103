import type { ScheduleRecord } from '../../store/port/index.js';
import { InvalidArgumentError } from '../../errors/index.js';
import { encodeTags, scheduleTurnKey, TURN_NUMBERS } from '../../workflow/index.js';
import { SCHEDULE_KEY, type Overlap } from '../../workflow/schedule/index.js';
import type { ChildRunner } from '../children/child-runner.js';
import type { StartRequest } from '../starts/start-request.js';

/** What the execution of a firing is started for, and by which policies. */
export interface FiringFacts {
  readonly at: number;
  readonly previousAt: number | null;
  readonly overlap: Overlap;
  /** In milliseconds. Undefined: it may begin at any time. */
  readonly startBeforeMs: number | undefined;
}

/** The execution of a firing: with the schedule's input, checked against the workflow's schema of today. */
export async function firingRequest(
  runner: Pick<ChildRunner, 'prepareStart'>,
  { name, workflow, input }: Pick<ScheduleRecord, 'input' | 'name' | 'workflow'>,
  { at, previousAt, overlap, startBeforeMs: startBefore }: FiringFacts,
): Promise<StartRequest> {
  const given = input === null ? {} : (JSON.parse(input) as object);
  const prepared = await runner.prepareStart(workflow, given, { startBefore });
  const info = JSON.stringify({
    name,
    scheduledAt: new Date(at).toISOString(),
    previousAt: previousAt === null ? null : new Date(previousAt).toISOString(),
  });
  const members = new Map([...prepared.members, [SCHEDULE_KEY, info]]);
  const pairs = [...members].map(([key, json]) => `${JSON.stringify(key)}:${json}`);
  const tags = encodeTags({ schedule: name });
  const admission = turnOf(name, prepared, overlap);
  return { ...prepared, members, input: `{${pairs.join(',')}}`, tags, admission };
}

/**
 * The turn that an execution of a schedule asks for; that of its workflow if the schedule has none.
 *
 * @throws InvalidArgumentError if both have one: an execution has one slot
 */
export function turnOf(
  schedule: string,
  { admission, definition: { workflow } }: Pick<StartRequest, 'admission' | 'definition'>,
  overlap: Overlap,
): StartRequest['admission'] {
  if (overlap !== 'queue' && overlap !== 'cancelPrevious') return admission;
  if (admission === null) {
    return { key: scheduleTurnKey(schedule, overlap), numbers: TURN_NUMBERS, skips: false };
  }
  throw new InvalidArgumentError(
    'overlap',
    `cannot be '${overlap}' for workflow "${workflow.name}", which has an admission; use 'allow', and the admission's whenFull`,
  );
}
