import { nextNo } from './claim-numbers.js';
import { readWaitingKeys } from '../../../lib/store/postgres/statements/admission-keys.js';
import {
  admitExecutions,
  admitValues,
} from '../../../lib/store/postgres/statements/admit-executions.js';
import {
  batchExecutions,
  batchValues,
} from '../../../lib/store/postgres/statements/batch-executions.js';
import {
  debounceExecutions,
  debounceValues,
} from '../../../lib/store/postgres/statements/debounce-executions.js';
import { startStatement } from '../../../lib/store/postgres/statements/start-executions.js';
import { limitKeyOf } from '../../../lib/workflow/limit.js';
import { startOf } from '../../conformance/workflows.js';
import { claimant, join, type Hot } from './hot-statements.js';

const KEY = /^cloacina_workflow_execution_pkey .*id = /;
const WAITING = /^cloacina_workflow_execution_admission_idx .*admission_key [=>] /;
const WAITING_OR_DUE =
  /^cloacina_workflow_execution_admission_(idx .*admission_key [=>] |due_idx .*run_at <= )/;
const IDEMPOTENCY =
  /^cloacina_workflow_execution_idempotency_idx .*workflow = .*idempotency_key = /;
const DEBOUNCE = /^cloacina_workflow_execution_debounce_idx .*workflow = .*debounce_key = /;
const DEBOUNCED_BY = /^cloacina_workflow_execution_debounced_by_idx .*debounced_by = /;
const TASK = /^cloacina_task_execution_pkey .*execution_id = .*task_no = .*item_no = /;
const TASKS_OF_EXECUTION = /^cloacina_task_execution_pkey .*execution_id = /;

const either = (...ways: RegExp[]): RegExp =>
  new RegExp(ways.map(({ source }) => source).join('|'));

const numbers = { concurrency: 3 };
const asked = (ids: readonly string[]) =>
  startStatement(
    ids.map((id) =>
      startOf(join, {
        idempotencyKey: id,
        admission: { key: limitKeyOf('admission', id), numbers, skips: false },
      }),
    ),
    { claimant, write: true },
    nextNo(),
    { keyed: true, lockTimeoutMs: 100 },
  );

/** Statements of executions that wait for others: for their turn, or for further starts. */
export const ADMISSIONS: readonly Hot[] = [
  {
    statement: asked([''])[0],
    values: (ids) => asked(ids)[1],
    executions: either(KEY, WAITING, IDEMPOTENCY),
  },
  {
    statement: admitExecutions,
    values: (ids) =>
      admitValues(
        ids.map((id) => ({
          key: limitKeyOf('admission', id),
          numbers,
          supersedes: 'all',
          ended: [id],
        })),
      ),
    tasks: either(TASK, TASKS_OF_EXECUTION),
    executions: either(KEY, WAITING),
  },
  {
    statement: readWaitingKeys,
    values: () => ['', 10],
    batched: false,
    executions: WAITING_OR_DUE,
  },
  {
    statement: debounceExecutions,
    values: (ids) =>
      debounceValues(ids.map((id) => ({ item: startOf(join), key: id, waitMs: 1, maxMs: null }))),
    tasks: either(TASK, TASKS_OF_EXECUTION),
    executions: either(KEY, DEBOUNCE, DEBOUNCED_BY),
  },
  {
    statement: batchExecutions,
    values: (ids) =>
      batchValues(
        ids.map((id) => ({
          item: startOf(join),
          key: id,
          waitMs: 1,
          size: 10,
          inputs: [{ id, input: '{}' }],
        })),
      ),
    tasks: either(TASK, TASKS_OF_EXECUTION),
    executions: either(KEY, DEBOUNCE),
  },
];
