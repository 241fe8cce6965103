import pg from 'pg';
import { brokenLaws, readAudit, type AuditRow } from './audit.js';
import type { Entry } from './handler.js';
import { illegalHistories } from './legal-history.js';
import { expectedOf, type PlannedWorkflow } from './plan.js';

export interface CheckedRun {
  readonly url: string;
  readonly schema: string;
  readonly plans: readonly PlannedWorkflow[];
  /** Executions that `start` has confirmed: id to workflow. */
  readonly accepted: ReadonlyMap<string, string>;
  readonly entries: readonly Entry[];
  /** What the database has lost by going back in time. */
  readonly forgotten?: {
    readonly executions: ReadonlySet<string>;
    /** Runs that began before then, in milliseconds since 1970, may be of a history that is gone. */
    readonly before: number;
  };
}

interface ExecutionRow {
  id: string;
  workflow: string;
  status: string;
  context: Record<string, { sum: number; run: string }> | null;
}

interface TaskRow {
  execution_id: string;
  task_no: number;
  status: string;
  attempt: number;
  owner: string | null;
  output: Record<string, { sum: number; run: string }> | null;
}

/** All that must hold of a run once its processes have ended; what doesn't, in sentences. */
export async function violationsOf(run: CheckedRun): Promise<string[]> {
  const client = new pg.Client({ connectionString: run.url });
  await client.connect();
  try {
    await client.query(`SET search_path TO ${client.escapeIdentifier(run.schema)}`);
    const executions = (await client.query<ExecutionRow>(EXECUTIONS)).rows;
    const tasks = (await client.query<TaskRow>(TASKS)).rows;
    const effects = (
      await client.query<{ execution_id: string; task: string; run: string }>(EFFECTS)
    ).rows;
    const read = async <R extends object>(sql: string) => (await client.query<R>(sql)).rows;
    const audit = await readAudit(read);
    return [
      ...lostExecutions(run, executions),
      ...executions.flatMap((execution) => {
        const plan = run.plans.find(({ name }) => name === execution.workflow);
        if (plan === undefined) return [`${execution.id}: of no planned workflow`];
        const own = tasks.filter((task) => task.execution_id === execution.id);
        const ran = run.entries.filter((entry) => entry.executionId === execution.id);
        const wrote = effects.filter((effect) => effect.execution_id === execution.id);
        return wrongExecution({
          plan,
          execution,
          rows: own,
          entries: ran,
          effects: wrote,
          audit,
          forgottenBefore: run.forgotten?.before ?? 0,
        }).map((text) => `${execution.id} (${plan.name}): ${text}`);
      }),
      ...(await illegalHistories(read)),
      ...(await leftovers(client)),
    ];
  } finally {
    await client.end();
  }
}

const EXECUTIONS = 'SELECT id, workflow, status, context FROM cloacina_workflow_execution';
const TASKS =
  'SELECT execution_id, task_no, status, attempt, owner, output FROM cloacina_task_execution ORDER BY 1, 2';
const EFFECTS = 'SELECT execution_id::text, task, run::text FROM effect';

function lostExecutions(
  { accepted, forgotten }: CheckedRun,
  rows: readonly ExecutionRow[],
): string[] {
  const known = new Set(rows.map(({ id }) => id));
  return [...accepted.keys()]
    .filter((id) => !known.has(id) && forgotten?.executions.has(id) !== true)
    .map((id) => `${id}: accepted and lost`);
}

interface RanExecution {
  readonly plan: PlannedWorkflow;
  readonly execution: ExecutionRow;
  readonly rows: readonly TaskRow[];
  readonly entries: readonly Entry[];
  readonly effects: readonly { task: string; run: string }[];
  readonly audit: readonly AuditRow[];
  readonly forgottenBefore: number;
}

function wrongExecution(ran: RanExecution): string[] {
  const { plan, execution, rows, entries, effects, audit, forgottenBefore } = ran;
  const expected = expectedOf(plan);
  const wrong: string[] = [];
  if (execution.status !== expected.status) {
    wrong.push(`is ${execution.status}, not ${expected.status}`);
  }
  for (const { workflow, task, by } of entries) {
    if (workflow !== plan.name) wrong.push(`${task} was run by ${by} as one of ${workflow}`);
  }
  for (const [no, task] of plan.tasks.entries()) {
    const row = rows.find(({ task_no }) => task_no === no);
    const outcome = expected.tasks.get(task.name);
    const value = row?.output?.[task.name];
    if (row?.status !== outcome?.status) {
      wrong.push(`${task.name} is ${row?.status}, not ${outcome?.status}`);
    }
    if (value?.sum !== outcome?.sum)
      wrong.push(`${task.name} is ${value?.sum}, not ${outcome?.sum}`);
    if (typeof row?.owner === 'string') wrong.push(`${task.name} is claimed still`);
    if ((row?.attempt ?? 0) > 50) wrong.push(`${task.name} had ${row?.attempt} attempts`);
    const runs = entries.filter((entry) => entry.task === task.name);
    const ended = runs.filter(({ what }) => what === 'ended').map(({ run }) => run);
    if (value !== undefined && !ended.includes(value.run)) {
      wrong.push(`${task.name} has an outcome of a run that did not end`);
    }
    // What a run saw of its dependencies is what is recorded of them: there was one outcome, and it was there before.
    for (const { saw = {}, what, at } of runs) {
      if (what !== 'begun' || at < forgottenBefore) continue;
      for (const name of task.dependsOn) {
        const recorded = rows[plan.tasks.findIndex((other) => other.name === name)]?.output?.[name];
        if (saw[name] !== recorded?.run) wrong.push(`${task.name} began on another ${name}`);
      }
    }
    const isTransactional = task.kind === 'transactional';
    const audited = { executionId: execution.id, taskNo: no, task: task.name, isTransactional };
    wrong.push(
      ...brokenLaws({ ...audited, recordedRun: value?.run }, audit, entries, forgottenBefore),
    );
    const written = effects.filter((effect) => effect.task === task.name);
    const due = isTransactional && row?.status === 'Completed' ? 1 : 0;
    if (written.length !== due) wrong.push(`${task.name} wrote ${written.length} times`);
    if (due === 1 && written[0]?.run !== value?.run) {
      wrong.push(`${task.name} wrote in another run than its outcome's`);
    }
  }
  return [...wrong, ...wrongContext(plan, execution, rows)];
}

/** The final context has what the leaves carry: each of their ancestors' values and their own. */
function wrongContext(
  plan: PlannedWorkflow,
  { context }: ExecutionRow,
  rows: readonly TaskRow[],
): string[] {
  // Where it is missing a reader computes it; then there is nothing stored that could be wrong.
  if (context === null) return [];
  const recorded = Object.fromEntries(
    plan.tasks.flatMap(({ name }, no) => {
      const value = rows[no]?.output?.[name];
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
  const same =
    Object.keys(context).length === Object.keys(recorded).length &&
    Object.entries(recorded).every(
      ([name, { run, sum }]) => context[name]?.run === run && context[name].sum === sum,
    );
  return same ? [] : ['its final context is not what its tasks wrote'];
}

/** Connections, locks and leases that nobody is there for any more, and what was written elsewhere. */
async function leftovers(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ what: string; count: number }>(`
    SELECT 'leases' AS what, count(*)::integer AS count FROM cloacina_runner_lease
    UNION ALL SELECT 'tables in public', count(*)::integer FROM pg_class
      WHERE relnamespace = 'public'::regnamespace AND relname LIKE 'cloacina%'`);
  return rows.filter(({ count }) => count > 0).map(({ what, count }) => `${count} ${what} left`);
}
