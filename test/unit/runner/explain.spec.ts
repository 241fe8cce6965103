import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type {
  RegisteredWorkflow,
  TaskHandler,
} from '../../../lib/discovery/registered-workflow.js';
import type { ExecutionExplanation } from '../../../lib/runner/explain/explanation.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { MemoryDatabase, MemoryFailure } from '../../../lib/testing/memory-store/index.js';
import type { TaskSource, WorkflowSource } from '../../../lib/workflow/definition.js';
import { gate } from '../../support/gate.js';
import { registered } from '../engine/engine-scene.js';
import { MemoryProcess } from '../engine/memory-process.js';
import { compiled } from '../workflow/some-workflows.js';

// Real processes on a store in memory and a clock that stands still. Each cause is brought about, and no row is written by hand.

let clock: ManualClock;
let database: MemoryDatabase;
let open: MemoryProcess[];
let hung: MemoryProcess[];
let ends = gate();
beforeEach(() => {
  clock = new ManualClock();
  database = new MemoryDatabase(clock);
  open = [];
  hung = [];
  ends = gate();
});
afterEach(async () => {
  ends.open();
  await settle();
  for (const process of hung) process.die();
  for (const process of open) {
    const closing = process.close().then(() => 'closed' as const);
    const passed = (): Promise<unknown> => Promise.race([closing, clock.advance(1_000)]);
    while ((await passed()) !== 'closed');
  }
});

const ID = '01890000-0000-7000-8000-000000000000';
const NOW = new Date('2030-01-01T00:00:00Z');
const TASK: TaskSource = { name: 'a' };
const PROCESS = { name: expect.any(String), id: expect.any(String) };

/** A handler that returns at the end of the test. */
const hangs: TaskHandler['run'] = () => ends.passed;

type Code = RegisteredWorkflow;

function code(
  tasks: readonly TaskSource[],
  handlers: Readonly<Record<string, TaskHandler['run'] | null>> = {},
  options: Partial<WorkflowSource> = {},
): Code {
  const own = Object.fromEntries(
    Object.entries(handlers).map(([name, run]) => [name, run && { run }] as const),
  );
  const workflow = registered(tasks, { handlers: own });
  return { ...workflow, definition: compiled({ name: 'w', tasks: [...tasks], ...options }) };
}

async function serve(workflow: Code | readonly Code[], tasks = 10): Promise<MemoryProcess> {
  const process = new MemoryProcess(clock, workflow, { database, tasks });
  open.push(process);
  await process.open();
  return process;
}

/** Lets everything happen that needs no time. */
async function settle(): Promise<void> {
  for (let turns = 0; turns < 40; turns++) await clock.advance(0);
}

async function start(process: MemoryProcess, options = {}, input = {}): Promise<string> {
  const { id } = await process.runner.start('w', input, options);
  await settle();
  return id;
}

/** The explanation that a process without any code gives. */
async function explain(id: string): Promise<ExecutionExplanation> {
  const client = await serve([], 0);
  const explanation = await client.runner.explain(id);
  if (explanation === null) throw new Error(`Execution ${id} was not found.`);
  return explanation;
}

/** What is expected of the first task. */
interface Expected {
  readonly reason: object;
  readonly text: RegExp;
  readonly status?: string;
}

const CAUSES: readonly (readonly [string, () => Promise<string>, Expected])[] = [
  [
    'that runs',
    async () => start(await serve(code([TASK], { a: hangs }))),
    {
      reason: {
        kind: 'running',
        process: PROCESS,
        since: NOW,
        timeoutAt: new Date('2030-01-01T00:05:00Z'),
      },
      text: /^It has been running in process .+ since 2030-01-01T00:00:00.000Z/,
    },
  ],
  [
    'with a start time',
    async () => start(await serve(code([TASK])), { delay: '1h' }),
    {
      reason: { kind: 'startTime', until: new Date('2030-01-01T01:00:00Z') },
      text: /^It is due at 2030-01-01T01:00:00.000Z\.$/,
    },
  ],
  [
    'between two attempts',
    async () => {
      const retry = { maxAttempts: 3, delay: '1h', jitter: false } as const;
      const fail = (): never => {
        throw new Error('no stock');
      };
      return start(await serve(code([{ name: 'a', retry }], { a: fail })));
    },
    {
      reason: {
        kind: 'backoff',
        until: new Date('2030-01-01T01:00:00Z'),
        attempt: 1,
        maxAttempts: 3,
        error: expect.objectContaining({ message: 'no stock' }),
      },
      text: /^Attempt 1 of 3 failed: no stock\. The next one is due at 2030-01-01T01/,
    },
  ],
  [
    'whose condition is false',
    async () => {
      const waits: TaskHandler['run'] = (context) =>
        context.deferUntil(() => false, { every: '1h' });
      return start(await serve(code([TASK], { a: waits })));
    },
    {
      reason: { kind: 'condition', until: new Date('2030-01-01T01:00:00Z') },
      text: /deferUntil\(\) was false/,
    },
  ],
  [
    'that sleeps',
    async () =>
      start(await serve(code([TASK], { a: (context) => context.sleep('cooling', '1h') }))),
    {
      status: 'Waiting',
      reason: {
        kind: 'sleep',
        wait: 'cooling',
        since: NOW,
        until: new Date('2030-01-01T01:00:00Z'),
      },
      text: /^It has been sleeping \("cooling"\)/,
    },
  ],
  [
    'that waits for a signal',
    async () =>
      start(
        await serve(
          code([{ name: 'a', node: { kind: 'wait', signal: 'approval', timeout: '1h' } }]),
        ),
      ),
    {
      status: 'Waiting',
      reason: {
        kind: 'signal',
        wait: 'approval',
        signal: 'approval',
        since: NOW,
        until: new Date('2030-01-01T01:00:00Z'),
      },
      text: /^It has been waiting for the signal "approval" since .+ until 2030-01-01T01.+ token sends it\.$/,
    },
  ],
  [
    'that waits for an event',
    async () => {
      const node = { kind: 'wait', event: 'paid', key: 'orderId' } as const;
      return start(await serve(code([{ name: 'a', node }])), {}, { orderId: 'o-17' });
    },
    {
      status: 'Waiting',
      reason: { kind: 'event', wait: 'paid#o-17', event: 'paid', key: 'o-17', since: NOW },
      text: /^It has been waiting for the event "paid" with the key "o-17" since/,
    },
  ],
  [
    'whose execution is paused',
    async () => {
      const process = await serve(code([TASK]), 1);
      const id = await start(process, { delay: '1h' });
      await process.runner.pause(id, { reason: 'audit' });
      return id;
    },
    { reason: { kind: 'paused', reason: 'audit' }, text: /^The execution is paused: audit\./ },
  ],
  [
    'whose execution is paused by a person',
    async () => {
      const process = await serve(code([TASK]), 1);
      const id = await start(process, { delay: '1h' });
      await process.runner.pause(id, { actor: 'bob' });
      await process.runner.resume(id);
      await process.runner.pause(id, { reason: 'audit', actor: 'ada' });
      return id;
    },
    {
      reason: { kind: 'paused', reason: 'audit', actor: 'ada' },
      text: /^The execution is paused by ada: audit\./,
    },
  ],
  [
    'whose workflow is paused by a person',
    async () => {
      const process = await serve(code([TASK]));
      await process.runner.pauseWorkflow('w', { actor: 'ada' });
      await process.runner.schedules.create('w', 'w', { every: '1h' }, {}, { actor: 'bob' });
      return start(process);
    },
    {
      reason: { kind: 'workflowPaused', workflow: 'w', actor: 'ada', since: NOW },
      text: /^Workflow "w" has been paused since .+ by ada\. runner/,
    },
  ],
  [
    'whose workflow is paused',
    async () => {
      const process = await serve(code([TASK]));
      await process.runner.pauseWorkflow('w', { reason: 'stripe is down' });
      return start(process);
    },
    {
      reason: { kind: 'workflowPaused', workflow: 'w', reason: 'stripe is down', since: NOW },
      text: /^Workflow "w" has been paused since .+: stripe is down\./,
    },
  ],
  [
    'whose limit is full',
    async () => {
      const limit = { name: 'stripe', key: 'account' };
      const process = await serve(
        code([{ name: 'a', limit: { ...limit, concurrency: 1 } }], { a: hangs }),
      );
      await start(process, {}, { account: 'acct_17' });
      return start(process, {}, { account: 'acct_17' });
    },
    {
      reason: {
        kind: 'limit',
        scope: 'key',
        limit: { name: 'stripe', key: 'acct_17' },
        inUse: 1,
        concurrency: 1,
        holders: [{ executionId: expect.any(String), task: 'a' }],
        waiting: 1,
      },
      text: /^It waits for limit "stripe" of "acct_17": 1 of 1 slots are taken, held by a of/,
    },
  ],
  [
    'whose limit has a total that another key has used up',
    async () => {
      const limit = { name: 'stripe', key: 'account', total: 1 };
      const process = await serve(code([{ name: 'a', limit }], { a: hangs }));
      await start(process, {}, { account: 'acct_17' });
      return start(process, {}, { account: 'acct_18' });
    },
    {
      reason: {
        kind: 'limit',
        scope: 'total',
        limit: { name: 'stripe', key: 'acct_18' },
        inUse: 1,
        concurrency: 1,
        holders: [{ executionId: expect.any(String), task: 'a' }],
        waiting: 1,
      },
      text: /^It waits for limit "stripe" of "acct_18": .+ held by a of/,
    },
  ],
  [
    'that has the slot of its strict key and whose process claims nothing',
    async () => {
      const limit = { name: 'ledger', concurrency: 1, order: 'strict' } as const;
      const retry = { maxAttempts: 3, delay: '1s', jitter: false } as const;
      const fail = (): never => {
        throw new Error('not yet');
      };
      const process = await serve(code([{ name: 'a', limit, retry }], { a: fail }));
      const id = await start(process);
      process.engine.pauseClaiming();
      await process.announce();
      await clock.advance(1_000);
      return id;
    },
    {
      reason: expect.objectContaining({
        kind: 'noProcess',
        processes: [expect.objectContaining({ because: 'paused' })],
      }),
      text: /has paused claiming/,
    },
  ],
  [
    'whose rate has no token',
    async () => {
      const limit = { name: 'mails', concurrency: 5, rate: { limit: 1, per: '1h' } } as const;
      const process = await serve(code([{ name: 'a', limit }]));
      await start(process);
      return start(process);
    },
    {
      reason: { kind: 'rate', limit: { name: 'mails' }, until: new Date('2030-01-01T01:00:00Z') },
      text: /its rate allows the next task at 2030-01-01T01/,
    },
  ],
  [
    'whose execution waits for its turn',
    async () => {
      const admission = { key: 'shop', concurrency: 1 };
      const process = await serve(code([TASK], { a: hangs }, { admission }));
      await start(process, {}, { shop: 's1' });
      return start(process, {}, { shop: 's1' });
    },
    {
      reason: {
        kind: 'turn',
        workflow: 'w',
        key: 's1',
        concurrency: 1,
        inUse: 1,
        holders: [expect.any(String)],
        waiting: 1,
      },
      text: /^The execution waits for its turn of workflow "w" for "s1": 1 of 1 run, held by/,
    },
  ],
  [
    'that no process serves, because none lives',
    async () => {
      const process = await serve(code([TASK], { a: null }));
      const id = await start(process);
      process.die();
      return id;
    },
    {
      reason: {
        kind: 'noProcess',
        workflow: 'w',
        processes: [],
      },
      text: /^It is due, and no living process serves the tenant\. Start one whose code has workflow "w"\.$/,
    },
  ],
  [
    'that is not in the code of any process',
    async () => {
      const former = await serve(code([TASK]));
      former.engine.pauseClaiming();
      const id = await start(former);
      former.die();
      await serve(code([{ name: 'b' }]));
      await serve([]);
      return id;
    },
    {
      reason: {
        kind: 'noProcess',
        workflow: 'w',
        processes: [
          { ...PROCESS, serves: ['w'], because: 'task' },
          { ...PROCESS, serves: [], because: 'workflow' },
        ],
      },
      text: /^It is due, and none of the 2 living processes takes it: .+ does not have the task in its code.+\(it serves none\)\.$/,
    },
  ],
  [
    'that only a process serves which has paused claiming',
    async () => {
      const process = await serve(code([TASK]));
      process.engine.pauseClaiming();
      await process.announce();
      return start(process);
    },
    {
      reason: {
        kind: 'noProcess',
        workflow: 'w',
        processes: [{ ...PROCESS, serves: ['w'], because: 'paused' }],
      },
      text: /has paused claiming/,
    },
  ],
  [
    'that only a process without slots serves',
    async () => start(await serve(code([TASK]), 0)),
    {
      reason: expect.objectContaining({
        processes: [expect.objectContaining({ because: 'noSlots' })],
      }),
      text: /has maxConcurrentTasks 0/,
    },
  ],
  [
    'that only a client serves: its process has no slots, whatever the tenant has',
    async () => {
      const client = new MemoryProcess(clock, code([TASK]), { database, slots: 0 });
      open.push(client);
      await client.open();
      return start(client);
    },
    {
      reason: expect.objectContaining({
        kind: 'noProcess',
        processes: [expect.objectContaining({ because: 'noSlots' })],
      }),
      text: /has maxConcurrentTasks 0/,
    },
  ],
  [
    'whose definition only a process of an older release could run',
    async () => {
      const limit = { name: 'stripe', concurrency: 1 };
      const workflow = code([{ name: 'a', limit }]);
      const former = await serve(workflow);
      former.engine.pauseClaiming();
      const id = await start(former);
      former.die();
      const older = new MemoryProcess(clock, workflow, { database, format: 1 });
      open.push(older);
      await older.open();
      older.engine.pauseClaiming();
      return id;
    },
    {
      reason: {
        kind: 'noProcess',
        workflow: 'w',
        processes: [{ ...PROCESS, serves: ['w'], because: 'format' }],
      },
      text: /is of a release that cannot read the definition/,
    },
  ],
  [
    'for which all slots are taken',
    async () => {
      const process = await serve(code([TASK], { a: hangs }), 1);
      await start(process);
      return start(process);
    },
    {
      reason: { kind: 'slots', since: NOW, processes: [{ ...PROCESS, slots: 1, claimed: 1 }] },
      text: /waits for a free slot: .+ has 1 tasks for 1 slots\.$/,
    },
  ],
  [
    'whose process was killed',
    async () => {
      const process = await serve(code([TASK], { a: hangs }));
      const id = await start(process);
      process.die();
      return id;
    },
    {
      reason: { kind: 'recovery', process: PROCESS, cause: 'lockGone' },
      text: /^Process .+, which ran it, is lost \(its lock is gone\)/,
    },
  ],
  [
    'whose handler does not return after its timeout, in a process that hangs',
    async () => {
      const id = await startInHungProcess();
      await clock.advance(20_000);
      return id;
    },
    {
      reason: { kind: 'hungHandler', process: PROCESS, ignoredForMs: 10_000 },
      text: /does not return, 10\.0 s after the timeout of the attempt/,
    },
  ],
  [
    'whose process hangs longer than its lease',
    async () => {
      const id = await startInHungProcess();
      await clock.advance(40_000);
      return id;
    },
    {
      reason: { kind: 'recovery', process: PROCESS, cause: 'leaseOver' },
      text: /is lost \(its lease has expired\)/,
    },
  ],
  [
    'that waits for one of several messages',
    async () => {
      const waits: TaskHandler['run'] = (context) =>
        context.waitForAny({
          yes: { name: 'approve', kind: 'signal' },
          paid: [{ name: 'paid', kind: 'event' }, 'o-17'],
        } as never);
      return start(await serve(code([TASK], { a: waits })));
    },
    {
      status: 'Waiting',
      reason: {
        kind: 'messages',
        wait: expect.any(String),
        names: ['approve', 'paid of "o-17"'],
        since: NOW,
      },
      text: /^It has been waiting for one of several messages .+: approve, paid of "o-17"\.$/,
    },
  ],
  [
    'that waits for its child',
    async () => {
      const child = { ...registered([TASK], { name: 'child', handlers: { a: { run: hangs } } }) };
      const waits: TaskHandler['run'] = (context) => context.execute('child', {});
      return start(await serve([code([TASK], { a: waits }), child]));
    },
    {
      status: 'Waiting',
      reason: {
        kind: 'child',
        wait: 'child',
        since: NOW,
        child: expect.any(String),
        workflow: 'child',
        status: 'Running',
      },
      text: /of workflow "child" .+ The child is Running; explain it next\.$/,
    },
  ],
];

/** The execution runs in a process whose own clock stands still. */
async function startInHungProcess(): Promise<string> {
  const still = new ManualClock();
  const workflow = code([{ name: 'a', timeout: '10s' }], { a: hangs });
  const process = new MemoryProcess(still, workflow, { database });
  hung.push(process);
  await process.open();
  const { id } = await process.runner.start('w', {});
  for (let turns = 0; turns < 40; turns++) await still.advance(0);
  return id;
}

describe('The explanation of a task', () => {
  it.each(CAUSES)('%s', async (_, arrange, { reason, text, status }) => {
    const id = await arrange();
    const { tasks, summary, executionId, open: count } = await explain(id);
    expect(tasks).toHaveLength(1);
    expect(tasks[0]).toMatchObject({ task: 'a', ...(status === undefined ? {} : { status }) });
    expect(tasks[0]?.reason).toEqual(reason);
    expect(tasks[0]?.text).toMatch(text);
    expect({ executionId, count }).toEqual({ executionId: id, count: 1 });
    expect(summary).toContain(tasks[0]?.text);
  });
});

describe('The explanation of an execution', () => {
  it('tells the dependencies of tasks, and the most important cause', async () => {
    const retry = { maxAttempts: 3, delay: '1h', jitter: false } as const;
    const tasks = [
      { name: 'pack', retry },
      { name: 'bill' },
      { name: 'ship', dependsOn: ['pack', 'bill'] },
    ];
    const fail = (): never => {
      throw new Error('no box');
    };
    const process = await serve(code(tasks, { pack: fail, bill: hangs }));
    const { tasks: found, summary, open: count } = await explain(await start(process));
    expect(found.map(({ task, reason }) => [task, reason.kind])).toEqual([
      ['pack', 'backoff'],
      ['bill', 'running'],
      ['ship', 'dependencies'],
    ]);
    expect(found[2]?.reason).toEqual({
      kind: 'dependencies',
      count: 2,
      open: [
        { task: 'pack', status: 'Ready' },
        { task: 'bill', status: 'Running' },
      ],
    });
    expect(count).toBe(3);
    expect(summary).toMatch(
      /^Task "pack": Attempt 1 of 3 failed: no box\..+ 2 other tasks have not ended\.$/,
    );
  });

  it('tells which processes live, and what they serve', async () => {
    const [first, second] = [await serve(code([TASK]), 3), await serve([], 0)];
    const gone = await serve(code([TASK]));
    gone.die();
    const id = await start(first, { delay: '1h' });
    const { processes = [] } = (await second.runner.explain(id)) ?? {};
    expect(processes).toMatchObject([
      { isThis: false, state: 'claiming', serves: ['w'], slots: 3, claimed: 0 },
    ]);
    // A process that starts executions, and runs none of them.
    const starting = await serve(code([TASK]), 0);
    expect((await starting.runner.explain(id))?.processes).toMatchObject([
      { isThis: true, state: 'claiming', serves: ['w'], slots: 0, claimed: 0 },
      { isThis: false, serves: ['w'], slots: 3 },
    ]);
  });

  it('knows the process that asks before it has announced itself', async () => {
    const process = new MemoryProcess(clock, code([TASK], { a: hangs }), { database, tasks: 1 });
    open.push(process);
    process.announce = () => Promise.resolve();
    await process.open();
    await start(process);
    const waiting = (await process.runner.explain(await start(process))) ?? undefined;
    expect(waiting?.tasks[0]?.reason).toMatchObject({ kind: 'slots' });
    expect(waiting?.processes).toMatchObject([{ isThis: true, serves: ['w'] }]);
  });

  it('tells until when it must begin', async () => {
    const process = await serve(code([TASK]));
    const { startBefore, summary } = await explain(
      await start(process, { delay: '1h', startBefore: '2h' }),
    );
    expect(startBefore).toEqual(new Date('2030-01-01T02:00:00Z'));
    expect(summary).toMatch(/cancelled if it has not begun by 2030-01-01T02/);
  });

  it('counts the items of a map by cause, and shows some of them', async () => {
    const items = 40;
    const process = await serve(mapOf(items, 10), 30);
    const { tasks: found, summary } = await explain(await start(process));
    expect(found[0]).toMatchObject({
      task: 'each',
      status: 'Waiting',
      reason: {
        kind: 'items',
        total: items,
        open: items,
        completed: 0,
        failed: 0,
        isComplete: true,
        groups: [
          { kind: 'limit', count: 30 },
          { kind: 'running', count: 10 },
        ],
        isCapped: false,
      },
    });
    expect(found.slice(1).map(({ item, reason }) => [item, reason.kind])).toEqual([
      [11, 'limit'],
      [40, 'limit'],
      [1, 'running'],
      [10, 'running'],
    ]);
    expect(found[1]?.text).toMatch(/^It waits for the concurrency of its map: 10 of 10 items run/);
    expect(summary).toMatch(/^Task "each", item 11: /);
  });

  it('says whether the limit or the map has no slot for an item that needs both', async () => {
    const causeWith = async (concurrency: number, slots: number) => {
      const limit = { name: `of ${slots}`, concurrency: slots };
      const process = await serve(mapOf(6, concurrency, { limit }));
      const { tasks: found } = await explain(await start(process));
      process.die();
      return found.find(({ item }) => item === 6)?.reason;
    };
    expect(await causeWith(5, 2)).toMatchObject({
      kind: 'limit',
      scope: 'key',
      limit: { name: 'of 2' },
      inUse: 2,
      concurrency: 2,
    });
    expect(await causeWith(3, 5)).toMatchObject({
      kind: 'limit',
      scope: 'map',
      inUse: 3,
      concurrency: 3,
    });
  });

  it('names a handler of its own process that ignores its signal', async () => {
    const process = await serve(code([{ name: 'a', timeout: '1m' }], { a: hangs }), 1);
    const id = await start(process);
    await clock.advance(90_000);
    await settle();
    const [task] = (await process.runner.explain(id))?.tasks ?? [];
    expect(task?.reason).toMatchObject({ kind: 'hungHandler', keepsSlot: true });
    expect(task?.text).toMatch(/does not return, \d+\.0 s after its signal was aborted/);
  });

  it('names it also while the timeout of the attempt can not be recorded', async () => {
    const process = await serve(code([{ name: 'a', timeout: '1m' }], { a: hangs }));
    const id = await start(process);
    const away = ends.passed.then(() => Promise.reject(new MemoryFailure('connection')));
    away.catch(() => undefined);
    Object.assign(process.store, { complete: () => away, reschedule: () => away });
    await clock.advance(90_000);
    await settle();
    const [task] = (await process.runner.explain(id))?.tasks ?? [];
    expect(task).toMatchObject({
      status: 'Running',
      reason: { kind: 'hungHandler', keepsSlot: true },
    });
  });

  it('reads again if a task has ended between the reads of the task and of its process', async () => {
    const process = await serve(code([TASK], { a: hangs }));
    const id = await start(process);
    const client = await serve([], 0);
    const { processes } = client.store;
    const read = processes.read.bind(processes);
    let reads = 0;
    processes.read = async (workflow) => {
      // As if the process had recorded the outcome and deleted its lease just now.
      const found = await read(workflow);
      return reads++ === 0 ? { ...found, owners: [] } : found;
    };
    const [task] = (await client.runner.explain(id))?.tasks ?? [];
    expect(task?.reason).toMatchObject({
      kind: 'running',
      process: { name: process.engine.self.facts.name },
    });
    expect(reads).toBe(2);
  });

  it('of an execution that has ended says so, and reads nothing more', async () => {
    const process = await serve(code([TASK]));
    const id = await start(process);
    const { summary, tasks, processes } = await explain(id);
    expect({ summary, tasks, processes }).toEqual({
      summary: 'The execution has ended: it is Completed.',
      tasks: [],
      processes: [],
    });
  });

  it('is null for an unknown id, and refuses what is not a string', async () => {
    const { runner } = await serve([], 0);
    await expect(runner.explain(ID)).resolves.toBeNull();
    await expect(runner.explain('no uuid')).resolves.toBeNull();
    await expect(runner.explain(17 as never)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

/** A workflow with a map whose items do not return. */
function mapOf(count: number, concurrency: number, more: Partial<TaskSource> = {}): Code {
  const workflow = code([{ name: 'each', node: { kind: 'map', concurrency }, ...more }], {
    each: hangs,
  });
  const items = (): number[] => Array.from({ length: count }, (_, i) => i);
  return { ...workflow, inputs: new Map([['each', items as never]]) };
}
