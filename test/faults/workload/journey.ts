import { waitFor } from '../../support/wait-for.js';
import type { TestChild } from '../../support/child-process.js';
import type { WayBack } from '../server/faulty-server.js';
import { BOUND_MS, chainOf, Scene } from './scene.js';

/** What the two processes serve. */
export const PLANS = [
  chainOf(
    'order',
    { name: 'first', gated: true },
    { name: 'second', gated: true, kind: 'transactional' },
  ),
  chainOf('blocker', { name: 'block', gated: true }),
  chainOf('probe', { name: 'probe' }),
];
const TASKS = ['first', 'second', 'block'];
/** Longer than any test: nothing that ends here is owed to a lease that runs out. */
export const LEASE_MS = 300_000;

/** Two processes under which a server goes back to where it was when `backup` was called. */
export class Journey extends Scene {
  one!: TestChild;
  two!: TestChild;
  /** What each point of an execution's life has under way. */
  id = '';

  async board(maxConcurrentTasks: number): Promise<void> {
    this.one = await this.worker({ maxConcurrentTasks });
    this.two = await this.worker({ maxConcurrentTasks });
  }

  backup(): Promise<void> {
    return this.server.backup('then');
  }

  async goBack(way: WayBack): Promise<void> {
    const accepted = [...this.accepted().keys()];
    await this.server.goBack('then', way);
    this.forgotten.before = Date.now();
    const rows = await this.query<{ id: string }>('SELECT id FROM cloacina_workflow_execution');
    const known = new Set(rows.map(({ id }) => id));
    for (const id of accepted) if (!known.has(id)) this.forgotten.executions.add(id);
  }

  openAll(): void {
    for (const task of TASKS) this.folder.openGate(task);
  }

  async leases(): Promise<number> {
    return (await this.query('SELECT FROM cloacina_runner_lease')).length;
  }

  async block(child: TestChild): Promise<void> {
    await this.hasBegun(await this.startOne(child, 'blocker'), 'block');
  }
}

export interface Point {
  /** Slots of each process; default 10. */
  readonly slots?: number;
  /** Default: longer than any test. */
  readonly leaseMs?: number;
  /** Up to where the server goes back to, and beyond. */
  readonly travel: (journey: Journey) => Promise<void>;
  /** What happens once it has gone back, before all gates open. */
  readonly after?: (journey: Journey) => Promise<void>;
  /** How often `first` runs, where nothing that was lost is about it. */
  readonly runsOfFirst?: number;
}

/** The points of an execution's life to which a server goes back. */
export const POINTS: Record<string, Point> = {
  'before its start': {
    async travel(journey) {
      await journey.backup();
      journey.id = await journey.startOne(journey.one, 'order');
      await journey.hasBegun(journey.id, 'first');
    },
  },
  'after its start, before it has begun': {
    slots: 1,
    async travel(journey) {
      await journey.block(journey.one);
      await journey.block(journey.two);
      journey.id = await journey.startOne(journey.one, 'order');
      await journey.backup();
      journey.folder.openGate('block', 'worker 2');
      await journey.hasBegun(journey.id, 'first', 'worker 2');
    },
  },
  'before a claim that is made anew then': {
    slots: 1,
    async travel(journey) {
      await POINTS['after its start, before it has begun']?.travel(journey);
    },
    async after(journey) {
      const lost = await journey.hasBegun(journey.id, 'first', 'worker 2');
      journey.folder.openGate('block', 'worker 1');
      await journey.hasBegunAgain(lost);
      // The run of the claim that is lost ends first, and what it has to say is over when its slot is free.
      journey.folder.openGate('first', 'worker 2');
      await journey.hasEnded(lost);
      await journey.statusIs(await journey.startOne(journey.two, 'probe'), 'Completed');
    },
  },
  'while a handler runs whose outcome is lost': {
    async travel(journey) {
      journey.id = await journey.startOne(journey.one, 'order');
      await journey.hasBegun(journey.id, 'first');
      await journey.backup();
      journey.folder.openGate('first');
      await journey.hasBegun(journey.id, 'second');
    },
  },
  'while the handler of the only process runs, whose outcome is lost': {
    async travel(journey) {
      await journey.two.kill('SIGTERM');
      await POINTS['while a handler runs whose outcome is lost']?.travel(journey);
    },
  },
  'while a handler runs whose outcome is lost, and its process with it': {
    async travel(journey) {
      await POINTS['while a handler runs whose outcome is lost']?.travel(journey);
      await journey.one.kill();
    },
  },
  'while a handler runs that goes on': {
    async travel(journey) {
      journey.id = await journey.startOne(journey.one, 'order');
      await journey.hasBegun(journey.id, 'first');
      await journey.backup();
    },
    runsOfFirst: 1,
  },
  'after an outcome, before its dependent is claimed': {
    async travel(journey) {
      journey.id = await journey.startOne(journey.one, 'order');
      await journey.hasBegun(journey.id, 'first');
      journey.order(journey.one, { kind: 'control', what: 'pause', id: journey.id });
      await journey.statusIs(journey.id, 'Paused');
      journey.folder.openGate('first');
      await journey.taskIs(journey.id, 0, 'Completed');
      await journey.backup();
      journey.order(journey.one, { kind: 'control', what: 'resume', id: journey.id });
      await journey.hasBegun(journey.id, 'second');
    },
    async after(journey) {
      await journey.statusIs(journey.id, 'Paused');
      journey.order(journey.two, { kind: 'control', what: 'resume', id: journey.id });
    },
    runsOfFirst: 1,
  },
  'when its last task is claimed, before its end': {
    async travel(journey) {
      journey.folder.openGate('first');
      journey.id = await journey.startOne(journey.one, 'order');
      await journey.hasBegun(journey.id, 'second');
      await journey.backup();
      journey.folder.openGate('second');
      await journey.statusIs(journey.id, 'Completed');
    },
    runsOfFirst: 1,
  },
  'when its last task is claimed by the only process, which is idle by then': {
    leaseMs: 6_000,
    async travel(journey) {
      await journey.two.kill('SIGTERM');
      await POINTS['when its last task is claimed, before its end']?.travel(journey);
      // Nothing is claimed any more, as far as the process knows.
      await waitFor(async () => (await journey.leases()) === 0, {
        deadline: BOUND_MS,
        what: 'the end of the lease',
      });
    },
    runsOfFirst: 1,
  },
  'after its end': {
    async travel(journey) {
      journey.openAll();
      journey.id = await journey.startOne(journey.one, 'order');
      await journey.statusIs(journey.id, 'Completed');
      await journey.backup();
      for (const task of TASKS) journey.folder.shutGate(task);
      for (const child of [journey.one, journey.two]) await journey.block(child);
    },
    runsOfFirst: 1,
  },
};
