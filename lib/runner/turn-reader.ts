import type { DefinitionCatalog } from '../engine/definitions/definition-catalog.js';
import type { Clock } from '../runtime/clock.js';
import type { AdmissionKeyRow, AdmissionStore } from '../store/port/index.js';
import {
  NO_ADMISSION,
  splitAdmissionKey,
  TURN_NUMBERS,
  turnPolicyOf,
  untilNextToken,
  type CheckedRate,
} from '../workflow/index.js';
import { encodeLimitCursor, type CheckedAdmissionFilter } from './limit-arguments.js';
import type { AdmissionPage, AdmissionState } from './limit-state.js';

/** Number of keys that a search for full ones reads at a time. */
const PAGE = 200;

/** The executions of an admission key, as they are now. */
export interface TurnState {
  readonly workflow: string;
  /** Empty if all executions of the workflow share one key. */
  readonly key: string;
  readonly concurrency: number;
  readonly rate?: CheckedRate;
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
    private readonly store: Pick<AdmissionStore, 'states' | 'page'>,
    private readonly catalog: Pick<DefinitionCatalog, 'currentOf'>,
    private readonly clock: Pick<Clock, 'wallTime'>,
  ) {}

  /** The states of these keys by their stored forms. A key for which no execution was admitted so far has none. */
  async statesOf(keys: readonly string[]): Promise<ReadonlyMap<string, TurnState>> {
    if (keys.length === 0) return new Map();
    const rows = await this.store.states([...new Set(keys)]);
    return new Map(rows.map((row) => [row.key, this.view(row)]));
  }

  /** A page of the keys of a workflow, or of all workflows. */
  async list({ workflow, full, limit, after }: CheckedAdmissionFilter): Promise<AdmissionPage> {
    const items: AdmissionState[] = [];
    let last = after;
    for (;;) {
      // The key after the page tells whether there is another page.
      const rows = await this.store.page({ workflow, after: last, count: full ? PAGE : limit + 1 });
      for (const row of rows) {
        const state = stateOf(this.view(row));
        if (full && state.inUse < state.concurrency && state.nextAt === undefined) continue;
        if (items.length === limit) return { items, nextCursor: encodeLimitCursor(last ?? '') };
        items.push(state);
        last = row.key;
      }
      if (rows.length < (full ? PAGE : limit + 1)) return { items, nextCursor: null };
      if (full) last = rows.at(-1)?.key ?? last;
    }
  }

  private view(row: AdmissionKeyRow): TurnState {
    const { key: stored, holders, waiting, tokenInMs } = row;
    const { workflow, key } = splitAdmissionKey(stored);
    const code =
      turnPolicyOf(workflow) === undefined
        ? (this.catalog.currentOf(workflow)?.workflow.admission ?? NO_ADMISSION)
        : { ...NO_ADMISSION, ...TURN_NUMBERS };
    const { rate: limit, rateMs: perMs, burst } = row;
    const rate = limit === null || perMs === null ? code.rate : { limit, perMs, burst: burst ?? 1 };
    const concurrency = row.concurrency ?? code.concurrency;
    const hasToken = tokenInMs === null || tokenInMs <= 0 || rate === undefined;
    return {
      workflow,
      key,
      concurrency,
      ...(rate === undefined ? {} : { rate }),
      holders,
      waiting,
      ...(hasToken
        ? {}
        : { nextAt: new Date(this.clock.wallTime() + untilNextToken(tokenInMs, rate)) }),
    };
  }
}

function stateOf({ workflow, key, holders, rate, ...more }: TurnState): AdmissionState {
  return {
    workflow,
    ...(key === '' ? {} : { key }),
    inUse: holders.length,
    ...more,
    ...(rate === undefined
      ? {}
      : { rate: { limit: rate.limit, per: rate.perMs, burst: rate.burst } }),
    holders: [...holders],
  };
}
