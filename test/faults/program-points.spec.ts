import { afterEach, expect, test } from '@jest/globals';
import { freshSchema } from '../support/postgres.js';
import { ProgramRun } from './programs/program-run.js';
import type { Op, Program } from './programs/program.js';
import {
  SEND_IN_TRANSACTION,
  START_KEYED_CHILD,
  STATEMENTS,
  type Failpoint,
} from './workload/failpoints.js';
import { seedOfRun } from './workload/random.js';

const SHORT = process.env['FAULTS'] === 'short';
const seed = seedOfRun();
let run: ProgramRun | undefined;
afterEach(() => run?.close());

const LEAF: Program = {
  name: 'leaf',
  tasks: [
    {
      name: 'work',
      dependsOn: [],
      ops: [
        { kind: 'step', name: 'made' },
        { kind: 'sleep', name: 'nap', ms: 20 },
      ],
    },
  ],
};
const OUTSIDE: readonly Op[] = [
  { kind: 'step', name: 'one' },
  { kind: 'insert', name: 'two' },
  { kind: 'together', name: 'three' },
  { kind: 'sleep', name: 'short', ms: 30 },
  { kind: 'signal', name: 'sent', from: 'outside' },
  { kind: 'signal', name: 'own', from: 'itself' },
  { kind: 'event', name: 'heard', from: 'outside' },
  { kind: 'event', name: 'said', from: 'itself' },
  { kind: 'timed', name: 'late', ms: 30, isSent: false },
  { kind: 'timed', name: 'soon', ms: 3_000, isSent: true },
  { kind: 'any', name: 'either' },
];
const parentEnd = { onParentEnd: 'cancel', program: LEAF.name } as const;
const FAMILY: readonly Op[] = [
  { kind: 'child', name: 'plain', ...parentEnd, key: 'none', settles: true },
  { kind: 'child', name: 'keyed', ...parentEnd, key: 'own', settles: false },
  { kind: 'child', name: 'common', ...parentEnd, key: 'shared', settles: true },
  { kind: 'children', name: 'all', programs: [LEAF.name, LEAF.name, LEAF.name] },
  { kind: 'aside', name: 'aside', ...parentEnd },
  { kind: 'callback', name: 'back' },
];
const node = { dependsOn: [], ops: [] } as const;

/** Every durable point: called by tasks, and as a node of the graph. */
const PROGRAMS: readonly Program[] = [
  LEAF,
  { name: 'calls', tasks: [{ name: 'all', dependsOn: [], ops: OUTSIDE }] },
  { name: 'family', tasks: [{ name: 'all', dependsOn: [], ops: FAMILY }] },
  {
    name: 'nodes',
    tasks: [
      { name: 'signal', ...node, node: { kind: 'signal', from: 'outside' } },
      { name: 'event', ...node, node: { kind: 'event' } },
      { name: 'limit', ...node, node: { kind: 'timeout', ms: 30, onTimeout: 'complete' } },
      { name: 'nap', ...node, node: { kind: 'sleep', ms: 30 } },
      { name: 'child', ...node, node: { kind: 'child', ...parentEnd } },
      {
        name: 'join',
        dependsOn: ['signal', 'event', 'limit', 'nap', 'child'],
        ops: [{ kind: 'step', name: 'end' }],
      },
    ],
  },
  {
    name: 'transactional',
    tasks: [
      {
        name: 'writes',
        dependsOn: [],
        transactional: true,
        ops: [
          { kind: 'insert', name: 'row' },
          { kind: 'aside', name: 'child', ...parentEnd },
        ],
      },
    ],
  },
  {
    name: 'waiting',
    tasks: [
      {
        name: 'waits',
        dependsOn: [],
        ops: [{ kind: 'timed', name: 'never', ms: 600_000, isSent: false }],
      },
    ],
  },
  {
    // Its end cancels its child.
    name: 'failing',
    tasks: [
      {
        name: 'start',
        dependsOn: [],
        ops: [{ kind: 'aside', name: 'child', program: 'waiting', onParentEnd: 'cancel' }],
      },
      { name: 'fail', dependsOn: ['start'], ops: [{ kind: 'fail', name: 'end' }] },
    ],
  },
];
const STARTED = ['calls', 'family', 'nodes', 'transactional', 'failing'];

const NAMES = [
  'claim',
  'recordSteps',
  'readSteps',
  'reschedule',
  'takeMessages',
  'send',
  'sendInTransaction',
  'deliver',
  'startChildren',
  'startKeyedChild',
  'attachChildren',
  'tellParents',
  'endChildren',
  'childrenEnded',
  'complete',
  'commit',
] as const;
/** The first statement of a kind, and a later one, which finds what the first has left. */
const SKIPS: Partial<Record<(typeof NAMES)[number], number>> = {
  recordSteps: 4,
  reschedule: 2,
  takeMessages: 3,
  deliver: 2,
  startChildren: 2,
};
const TEXTS = {
  ...STATEMENTS,
  sendInTransaction: SEND_IN_TRANSACTION,
  startKeyedChild: START_KEYED_CHILD,
} as const;
const POINTS: [string, Failpoint][] = NAMES.flatMap((name) =>
  (['before', 'sent', 'after'] as const)
    // The server has it, and has answered or not: one of both is enough where time is short.
    .filter((at) => !SHORT || at === 'sent')
    .flatMap((at) =>
      [0, ...(SHORT ? [] : [SKIPS[name] ?? []].flat())].map((skip): [string, Failpoint] => [
        `${at} ${name}, ${skip} times before`,
        { at, statement: TEXTS[name], skip },
      ]),
    ),
);

test.each(POINTS)(
  'A process that is killed %s loses and doubles nothing',
  async (_, failpoint) => {
    run = await ProgramRun.open({
      schema: freshSchema(),
      seed,
      programs: PROGRAMS,
      cancels: 0,
      pauses: 0,
      sendsByWorkers: true,
    });
    const { processes, world } = run;
    const victim = await processes.start({ failpoint });
    for (const program of PROGRAMS) {
      if (STARTED.includes(program.name)) for (let i = 0; i < 2; i++) world.startOf(program);
    }
    expect(await victim.exit).toMatchObject({ signal: 'SIGKILL' });
    await processes.start();
    expect(await run.settle(30_000)).toBeGreaterThan(STARTED.length);
    expect(await run.violations()).toEqual([]);
  },
  90_000,
);
