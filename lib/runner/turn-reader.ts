import type { DefinitionCatalog } from '../engine/definitions/definition-catalog.js';
import type { Clock } from '../runtime/clock.js';
import type { AdmissionStore } from '../store/port/index.js';
import { NO_ADMISSION, splitAdmissionKey, TURN_NUMBERS, turnPolicyOf } from '../workflow/index.js';

/** The executions of an admission key, as they are now. */
export interface TurnState {
  readonly workflow: string;
  /** Empty if all executions of the workflow share one key. */
  readonly key: string;
  readonly concurrency: number;
  /** The executions that have a slot, the oldest first. */
  readonly holders: readonly string[];
  /** The number of due executions that wait, counted up to 1,000. */
  readonly waiting: number;
  /** When the rate allows the next execution to begin. Absent: now. */
  readonly nextAt?: Date;
}

/** Reads the keys of admissions, with the numbers of the running code. */
export class TurnReader {
  constructor(
    private readonly store: Pick<AdmissionStore, 'states'>,
    private readonly catalog: Pick<DefinitionCatalog, 'currentOf'>,
    private readonly clock: Pick<Clock, 'wallTime'>,
  ) {}

  /** The states of these keys by their stored forms. A key for which no execution was admitted so far has none. */
  async statesOf(keys: readonly string[]): Promise<ReadonlyMap<string, TurnState>> {
    if (keys.length === 0) return new Map();
    const rows = await this.store.states([...new Set(keys)]);
    return new Map(
      rows.map(({ key: stored, holders, waiting, tokenInMs }) => {
        const { workflow, key } = splitAdmissionKey(stored);
        const { concurrency } =
          turnPolicyOf(workflow) === undefined
            ? (this.catalog.currentOf(workflow)?.workflow.admission ?? NO_ADMISSION)
            : TURN_NUMBERS;
        const hasToken = tokenInMs === null || tokenInMs <= 0;
        const nextAt = hasToken ? {} : { nextAt: new Date(this.clock.wallTime() + tokenInMs) };
        return [stored, { workflow, key, concurrency, holders, waiting, ...nextAt }];
      }),
    );
  }
}
