import { describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import type {
  WorkflowBuilder,
  WorkflowDefinition,
} from '../../../lib/discovery/workflow-builder.js';
import { ExecutionCache, membersOf } from '../../../lib/engine/memory/execution-cache.js';
import {
  any,
  contextValue,
  decideTask,
  endStatus,
  notFailed,
  taskFailed,
  taskSucceeded,
  type CompiledWorkflow,
  type TaskStatus,
} from '../../../lib/workflow/index.js';
import { type OpenTenant, openTenant, processEngineOf } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { sized } from '../../support/sizes.js';
import { waitFor } from '../../support/wait-for.js';
import { illegalHistories } from '../../faults/workload/legal-history.js';
import type { RecordedOutcome } from '../../../lib/store/port/index.js';

const EXECUTIONS = sized(150, 50);
const CONTROLS = sized(600, 200);

/** Mulberry32: the same numbers for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Begins by execution, task and attempt, over all processes. */
const begins = new Map<string, number>();
let broken = true;

function workflows(): WorkflowDefinition[] {
  const random = randomFrom(7);
  return Array.from({ length: 6 }, (_, w) => {
    let builder = defineWorkflow(`flow-${w}`) as WorkflowBuilder;
    const size = 4 + Math.floor(random() * 6);
    for (let i = 0; i < size; i++) {
      const dependsOn = Array.from({ length: i }, (__, k) => `t${k}`).filter(() => random() < 0.4);
      const [first] = dependsOn;
      const kind = Math.floor(random() * 6);
      const rules = [
        undefined,
        undefined,
        notFailed(),
        first === undefined ? undefined : any(taskFailed(first), taskSucceeded(first)),
        contextValue('chance', 'greaterThan', 0.5),
        undefined,
      ];
      const when = rules[kind];
      const run = async (context: TaskContext): Promise<object> => {
        const key = `${context.executionId}/t${i}/${context.attempt}`;
        begins.set(key, (begins.get(key) ?? 0) + 1);
        await turn();
        if (kind === 0 && context.attempt === 1) throw new Error('flaky');
        if (kind === 5 && broken && Number(context.get('chance')) > 0.6) throw new Error('broken');
        if (kind === 1) context.delete('given');
        return { [`k${i % 3}`]: i, last: i };
      };
      const options = { dependsOn, transactional: kind === 2, retry: { delay: 1, maxAttempts: 2 } };
      builder = builder.task(`t${i}`, when === undefined ? options : { ...options, when }, run);
    }
    return builder.build();
  });
}

interface Rows {
  status: string;
  input: object;
  context: object | null;
  remaining_leaves: number;
  tasks: (RecordedOutcome & { owner: string | null; paused: boolean; runAt: string | null })[];
}

/** What is wrong with an execution that has ended, judged by the pure rules from its rows alone. */
function violations(id: string, rows: Rows, workflow: CompiledWorkflow): string[] {
  const wrong: string[] = [];
  const memory = new ExecutionCache(id, workflow, 0);
  memory.setInput(membersOf(JSON.stringify(rows.input)));
  const statusOf = (no: number): TaskStatus => rows.tasks[no]?.status as TaskStatus;
  for (const task of workflow.tasks) {
    const row = rows.tasks[task.no];
    if (row === undefined) return [`${id}: task ${task.no} has no row`];
    if (row.owner !== null || row.paused || row.runAt !== null)
      wrong.push(`${task.name} is not let go`);
    const { view } = memory.inputOf(task.no);
    const outcomeOf = (no: number) => ({
      status: statusOf(no),
      ...(rows.tasks[no]?.skipReason ? { skipReason: rows.tasks[no].skipReason as 'rule' } : {}),
    });
    const decision = decideTask(task, workflow, outcomeOf, view);
    if (decision.run !== ['Completed', 'Failed'].includes(row.status)) {
      wrong.push(`${task.name} is ${row.status}, decided: ${JSON.stringify(decision)}`);
    }
    if (!decision.run && row.skipReason !== decision.skipReason) wrong.push(`${task.name}: reason`);
    const output = row.output === null ? null : JSON.stringify(row.output);
    memory.load([{ ...row, output, error: null }]);
  }
  if (rows.remaining_leaves !== 0) wrong.push(`${rows.remaining_leaves} leaves remain`);
  if (rows.status !== endStatus(workflow, statusOf)) wrong.push(`it is ${rows.status}`);
  const context = JSON.parse(memory.finalContext()?.toJson() ?? 'null') as unknown;
  try {
    expect(rows.context ?? context).toEqual(context);
  } catch {
    wrong.push(`its context is ${JSON.stringify(rows.context)}, not ${JSON.stringify(context)}`);
  }
  return wrong.map((text) => `${id} (${workflow.name}): ${text}`);
}

const ROWS = `SELECT x.id, x.workflow, x.status, x.input, x.context, x.remaining_leaves,
    (SELECT json_agg(json_build_object('executionId', t.execution_id, 'taskNo', t.task_no, 'status', t.status,
       'skipReason', t.skip_reason, 'output', t.output, 'deletedKeys', coalesce(t.deleted_keys, '{}'), 'owner', t.owner,
       'paused', t.paused, 'runAt', t.run_at, 'token', t.claim_token) ORDER BY t.task_no)
     FROM cloacina_task_execution t WHERE t.execution_id = x.id) AS tasks
  FROM cloacina_workflow_execution x`;

async function check(tenant: OpenTenant): Promise<string[]> {
  const rows = await tenant.query<Rows & { id: string; workflow: string }>(ROWS);
  return rows
    .filter(({ status }) => status === 'Completed' || status === 'Failed')
    .flatMap((row) => {
      const workflow = tenant.engine.catalog.currentOf(row.workflow)?.workflow;
      return workflow === undefined
        ? [`${row.id}: no workflow`]
        : violations(row.id, row, workflow);
    });
}

describe('Random pauses, cancels, resumes and retries from several processes', () => {
  it('leave every execution as the rules have it', async () => {
    const schema = freshSchema();
    const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1e9));
    const random = randomFrom(seed);
    const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
    const hosts = await Promise.all(
      [3, 6, 10].map((maxConcurrentTasks) =>
        openTenant(workflows(), { schema, maxConcurrentTasks }),
      ),
    );
    const names = hosts[0]!.engine.catalog.claimable.ids.map((_, i) => `flow-${i}`);
    const ids: string[] = [];
    const starting = (async () => {
      for (let i = 0; i < EXECUTIONS; i++) {
        const input = { chance: random(), given: i };
        ids.push((await pick(hosts).runner.start(pick(names), input, { priority: i % 3 })).id);
      }
    })();
    await waitFor(() => ids.length > 20);
    const steered = new Set<string>();
    const codes = new Map<string, number>();
    const control = async (): Promise<void> => {
      const id = pick(ids);
      const action = pick([
        'pause',
        'pause',
        'resume',
        'resume',
        'cancel',
        'retry',
        'renew',
        'sweep',
      ] as const);
      if (action === 'renew') return processEngineOf(pick(hosts)).renewOnce();
      if (action === 'sweep') return processEngineOf(pick(hosts)).sweepOnce();
      if (action === 'cancel' || action === 'retry') steered.add(id);
      return pick(hosts).runner[action](id);
    };
    for (let i = 0; i < CONTROLS; i += 6) {
      const controls = await Promise.allSettled(Array.from({ length: 6 }, control));
      for (const each of controls) {
        const code =
          each.status === 'fulfilled' ? 'done' : String((each.reason as { code?: string }).code);
        codes.set(code, (codes.get(code) ?? 0) + 1);
      }
      // At any instant, with everything under way.
      if (i % 60 === 0) expect(await illegalHistories(hosts[0]!.query)).toEqual([]);
    }
    await starting;
    expect([...codes.keys()].sort()).toEqual(['INVALID_TRANSITION', 'done']);
    // Then what is broken is put right, and everything is brought to its end.
    broken = false;
    const [one] = hosts as [OpenTenant];
    for (let round = 0; round < 4; round++) {
      for (const id of ids) {
        const status = await one.runner.handle(id).status();
        if (status === 'Paused') await pick(hosts).runner.resume(id);
      }
      const results = await Promise.all(
        ids.map((id) => pick(hosts).runner.handle(id).result({ timeout: '60s', settled: true })),
      );
      expect(await check(one)).toEqual([]);
      const failed = results.filter(({ status }) => status !== 'Completed');
      if (failed.length === 0) break;
      for (const { id } of failed) {
        steered.add(id);
        await pick(hosts).runner.retry(id);
      }
    }
    expect(await check(one)).toEqual([]);
    expect(await illegalHistories(one.query)).toEqual([]);
    const twice = [...begins].filter(
      ([key, count]) => count > 1 && !steered.has(key.split('/')[0] ?? ''),
    );
    expect({ seed, twice }).toEqual({ seed, twice: [] });
    for (const { engine } of hosts) {
      await waitFor(() => !engine.isBusy);
      expect(engine.waiters.size).toBe(0);
    }
    expect(
      await one.query(
        'SELECT FROM cloacina_task_execution WHERE owner IS NOT NULL OR run_at IS NOT NULL',
      ),
    ).toEqual([]);
  });
});
