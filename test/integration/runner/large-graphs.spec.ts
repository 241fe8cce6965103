import { beforeAll, describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import type {
  WorkflowBuilder,
  WorkflowDefinition,
} from '../../../lib/discovery/workflow-builder.js';
import type { ExecutionResult } from '../../../lib/runner/execution.js';
import { contextValue } from '../../../lib/workflow/index.js';
import { type OpenTenant, openTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { sized } from '../../support/sizes.js';

const SIZE = sized(10_000, 1_000);
const EVERY = SIZE / 100;

type Add = (builder: WorkflowBuilder, i: number) => WorkflowBuilder;

function graph(name: string, add: Add): WorkflowDefinition {
  let builder = defineWorkflow(name) as WorkflowBuilder;
  for (let i = 0; i < SIZE; i++) builder = add(builder, i);
  return builder.build();
}

const before = (i: number): { dependsOn: string[] } => ({
  dependsOn: i === 0 ? [] : [`t${i - 1}`],
});
const count = (context: TaskContext): object => ({ n: Number(context.get('n') ?? 0) + 1 });

const wide = graph('wide', (builder, i) => builder.task(`t${i}`, () => undefined));
const fan = graph('fan', (builder, i) => {
  const inner = { dependsOn: ['t0'] };
  if (i === 0) return builder.task('t0', () => ({ root: 1 }));
  if (i < SIZE - 1)
    return builder.task(`t${i}`, inner, () => (i % EVERY === 0 ? { [`k${i}`]: i } : undefined));
  const all = { dependsOn: Array.from({ length: SIZE - 2 }, (_, k) => `t${k + 1}`) };
  return builder.task(`t${i}`, all, ({ data }) => ({ keys: Object.keys(data).length }));
});
const deep = graph('deep', (builder, i) => builder.task(`t${i}`, before(i), count));
const skipping = graph('skipping', (builder, i) =>
  i === 0
    ? builder.task('t0', { when: contextValue('never', 'exists') }, () => undefined)
    : builder.task(`t${i}`, before(i), () => undefined),
);

let tenant: OpenTenant;
let schema: string;
beforeAll(async () => {
  schema = freshSchema('large');
  tenant = await openTenant([wide, fan, deep, skipping], { schema, maxConcurrentTasks: 50 });
});

/** Rows that the library has read of tasks that ended, by a wrapper around the reading. */
function countRead({ engine }: OpenTenant): () => number {
  const { store } = engine;
  const { outcomes } = store;
  let rows = 0;
  store.outcomes = async (tasks) => {
    const found = await outcomes.call(store, tasks);
    rows += found.length;
    return found;
  };
  return () => rows;
}

async function run(workflow: WorkflowDefinition, on = tenant): Promise<ExecutionResult> {
  const result = await on.runner.execute(workflow);
  expect(result.status).toBe('Completed');
  expect(result.tasks).toHaveLength(SIZE);
  return result;
}

const statuses = ({ tasks }: ExecutionResult): string[] => [
  ...new Set(tasks.map(({ status }) => status)),
];

describe(`A graph of ${SIZE} tasks`, () => {
  it('runs when all of them are roots', async () => {
    expect(statuses(await run(wide))).toEqual(['Completed']);
  });

  it('runs when one task comes before, and one after, all the others', async () => {
    const read = countRead(tenant);
    const { context } = await run(fan);
    expect(context).toMatchObject({
      root: 1,
      keys: 100,
      [`k${EVERY}`]: EVERY,
      [`k${99 * EVERY}`]: 99 * EVERY,
    });
    // What was recorded here is known here.
    expect(read()).toBeLessThan(SIZE);
  });

  it('runs when each depends on the one before, or is skipped with it', async () => {
    const read = countRead(tenant);
    const [counted, skipped] = await Promise.all([run(deep), run(skipping)]);
    expect(counted.context).toEqual({ n: SIZE });
    expect(statuses(skipped)).toEqual(['Skipped']);
    expect(read()).toBeLessThan(SIZE);
  });

  it("goes from process to process, each reading what it doesn't know once", async () => {
    const other = await openTenant([fan], { schema, maxConcurrentTasks: 50 });
    const read = [countRead(tenant), countRead(other)];
    const { context } = await run(fan);
    expect(context).toMatchObject({ keys: 100 });
    // Were it read again for each task, it would be half of the square of them.
    expect(read.reduce((sum, each) => sum + each(), 0)).toBeLessThan(3 * SIZE);
  });
});
