import { columns, json, text, uuid } from './columns.js';
import type { Statement } from './statement.js';
import { BATCH_INPUT } from '../../port/index.js';

const FOUND = columns({ input: text, executionId: uuid });
const PAYLOAD = columns({ payload: json });

/** Finds the executions that have these inputs ($1, a JSON array of their ids). */
export const findBatched: Statement<{ input: string; executionId: string }> = {
  name: 'find_batched',
  columns: FOUND,
  text: ({
    signal,
  }) => `SELECT ${FOUND.select({ input: 's.idempotency_key', executionId: 's.execution_id' })}
  FROM json_array_elements_text($1::json) i(id) CROSS JOIN LATERAL (
    SELECT s.idempotency_key, s.execution_id FROM ${signal} s
    WHERE s.name = '${BATCH_INPUT}' AND s.idempotency_key = ANY (ARRAY[i.id]) LIMIT 1
  ) s`,
};

/** Reads the inputs of an execution ($1) in their order. */
export const readBatch: Statement<{ payload: string }> = {
  name: 'read_batch',
  columns: PAYLOAD,
  text: ({ signal }) => `SELECT ${PAYLOAD.select({ payload: 's.payload' })} FROM ${signal} s
  WHERE s.execution_id = $1::uuid AND s.execution_id IS NOT NULL AND s.name = '${BATCH_INPUT}' AND NOT s.consumed
  ORDER BY s.id`,
};
