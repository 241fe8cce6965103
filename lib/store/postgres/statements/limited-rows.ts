import { type KeyState, type LimitedRow } from './limited-clauses.js';
import { EXPIRED_ROW, INPUT_ROW } from './claimed-clauses.js';
import { plainArray } from './encoding.js';
import { leaseValues } from './lease-clause.js';
import { defaultConcurrency, mapKeyIn, slotKeyOf, splitLimitKey } from '../../../workflow/limit.js';
import type {
  ClaimedKey,
  ClaimedTask,
  LeaseWrite,
  LimitedChoice,
  LimitedClaims,
  LimitRequest,
} from '../../port/index.js';

/** The parameters of `claimLimited`. */
export function limitedValues(
  keys: readonly LimitRequest[],
  room: number,
  { definitions, unknown, except = [] }: LimitedChoice,
  { claimant, write }: LeaseWrite,
  batchNo: number,
): unknown[] {
  const numbers = keys.map((key) => key.numbers);
  return [
    JSON.stringify(keys.map((key) => plainArray(key.definitions ?? definitions))),
    room,
    unknown.length === 0 ? null : plainArray(unknown.map(([definition]) => definition)),
    unknown.length === 0 ? null : plainArray(unknown.map(([, task]) => task)),
    batchNo,
    JSON.stringify(keys.map(({ limitKey }) => limitKey)),
    JSON.stringify(keys.map(({ limitKey }) => splitLimitKey(limitKey).name)),
    plainArray(
      keys.map(
        ({ limitKey, numbers: { concurrency } }) =>
          concurrency ?? defaultConcurrency(splitLimitKey(limitKey).name),
      ),
    ),
    plainArray(numbers.map(({ total }) => total)),
    plainArray(numbers.map(({ rate }) => rate?.limit)),
    plainArray(numbers.map(({ rate }) => rate?.perMs)),
    plainArray(numbers.map(({ rate }) => rate?.burst)),
    except.length === 0 ? null : plainArray(except.map(({ executionId }) => executionId)),
    except.length === 0 ? null : plainArray(except.map(({ taskNo }) => taskNo)),
    except.length === 0 ? null : plainArray(except.map(({ itemNo }) => itemNo)),
    ...leaseValues(claimant, write),
  ];
}

/** The parameters of the statements for strict keys. */
export function strictValues(
  keys: readonly LimitRequest[],
  room: number,
  choice: LimitedChoice,
  lease: LeaseWrite,
  batchNo: number,
): unknown[] {
  const areStrict = keys.map(({ numbers }) => numbers.isStrict === true);
  return [...limitedValues(keys, room, choice, lease, batchNo), plainArray(areStrict)];
}

/** The parameters of the statements for keys that are joined with those of maps. */
export function itemValues(...values: Parameters<typeof limitedValues>): unknown[] {
  const [keys] = values;
  return [
    ...limitedValues(...values),
    JSON.stringify(keys.map(({ limitKey }) => slotKeyOf(limitKey))),
    JSON.stringify(keys.map(({ limitKey }) => mapKeyIn(limitKey))),
    plainArray(keys.map(({ mapConcurrency }) => mapConcurrency)),
  ];
}

/** @param asked - the keys that the statement was asked to claim for */
export function limitedClaimsOf(
  rows: readonly LimitedRow[],
  asked: readonly Pick<LimitRequest, 'limitKey'>[],
): LimitedClaims {
  const limitKeyOf = ({ turn }: LimitedRow): string => asked[(turn ?? 0) - 1]?.limitKey ?? '';
  const inputs = new Map<string, string>();
  const expired = new Set<string>();
  const keys: ClaimedKey[] = [];
  const claims: ClaimedTask[] = [];
  for (const row of rows) {
    if (row.taskNo === INPUT_ROW && row.input !== null) inputs.set(row.executionId, row.input);
    if (row.taskNo === EXPIRED_ROW) expired.add(row.executionId);
    if (row.key !== null) keys.push(keyOf(limitKeyOf(row), row.key));
  }
  for (const row of rows) {
    if (row.taskNo < 0) continue;
    const claim = claimOf(row, limitKeyOf(row), inputs.get(row.executionId));
    claims.push(expired.has(row.executionId) ? { ...claim, isExpired: true } : claim);
  }
  return { claims, keys };
}

/** The claim without the columns of keys. Member by member: leaving columns out of a copy takes four times as long. */
function claimOf(row: LimitedRow, limitKey: string, input: string | undefined): ClaimedTask {
  return {
    executionId: row.executionId,
    taskNo: row.taskNo,
    itemNo: row.itemNo,
    definitionId: row.definitionId,
    token: row.token,
    attempt: row.attempt,
    recoveryAttempts: row.recoveryAttempts,
    unmetDependencies: row.unmetDependencies,
    generation: row.generation,
    deferredForMs: row.deferredForMs,
    priority: row.priority,
    wakes: row.wakes,
    hasSteps: row.hasSteps,
    limitKey,
    input,
  };
}

function keyOf(limitKey: string, state: KeyState): ClaimedKey {
  const { claimed, more, isLocked, hasTotal, tokenInMs, tokenEveryUs, burst } = state;
  return {
    limitKey,
    claimed,
    fate: isLocked ? 'locked' : more === true ? 'more' : 'done',
    hasTotal,
    tokenInMs,
    rate:
      tokenInMs === null || tokenEveryUs === null
        ? null
        : { everyMs: tokenEveryUs / 1_000, burst: burst ?? 1 },
  };
}
