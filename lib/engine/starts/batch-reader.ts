import type { PersistentRetry } from '../../runtime/persistent-retry.js';
import type { BatchStore, OutcomeStore } from '../../store/port/index.js';
import { decodeJson } from '../../workflow/index.js';
import { SCHEDULE_KEY } from '../../workflow/schedule/index.js';

/** Reads the inputs of an execution, of a batch or of a single start. */
export type ReadBatch = (executionId: string) => Promise<object[]>;

export function batchReader(
  store: Pick<OutcomeStore, 'inputs'> & { readonly batches: Pick<BatchStore, 'inputs'> },
  whileUnavailable: Pick<PersistentRetry, 'run'>,
): ReadBatch {
  return (executionId) =>
    whileUnavailable.run(async () => {
      const added = await store.batches.inputs(executionId);
      if (added.length > 0) return added.map((json) => decodeJson(json) as object);
      const own = (await store.inputs([executionId])).get(executionId);
      return own === undefined ? [] : [withoutSchedule(decodeJson(own.input) as object)];
    });
}

/** The input of a scheduled execution has a key of the library. */
function withoutSchedule(input: object): object {
  return Object.fromEntries(Object.entries(input).filter(([key]) => key !== SCHEDULE_KEY));
}
