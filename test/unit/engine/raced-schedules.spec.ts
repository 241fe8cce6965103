import { describe, expect, it, jest } from '@jest/globals';
import type { ScheduleColumns } from '../../../lib/store/port/index.js';
import { sized } from '../../support/sizes.js';
import type { MemoryProcess } from './memory-process.js';
import { DAY, sceneOfSchedules, START } from './schedule-scene.js';

/** In each test, because the store in memory looks through all executions of a test. */
const ROUNDS = 500;
const SEEDS = Array.from({ length: sized(20, 1) }, (_, i) => i + 1);

/** A pseudorandom number from 0 to 1, the same in each run. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state / 2 ** 31;
  };
}

const STATEMENTS = ['due', 'fire', 'get', 'change', 'delete', 'backfill'] as const;

interface StoredInfo {
  readonly name: string;
  readonly scheduledAt: string;
}

/** Waits for some turns of the microtask queue. */
async function someTurns(random: () => number, max: number): Promise<void> {
  for (let left = Math.floor(random() * max); left > 0; left--) await Promise.resolve();
}

describe('schedules that are changed while they fire', () => {
  const scene = sceneOfSchedules();
  /** How often each kind of change met a firing, and whether that fired. */
  const seen = new Map<string, number>();

  /** Delays each statement by some turns of the microtask queue, before it is sent and after its reply. */
  function delayStatements(
    { store }: MemoryProcess,
    random: () => number,
    onReply: (statement: string, reply: unknown) => void,
  ): void {
    const turns = () => someTurns(random, 6);
    for (const statement of STATEMENTS) {
      const send = store.schedules[statement].bind(store.schedules) as (
        ...of: unknown[]
      ) => Promise<never>;
      jest.spyOn(store.schedules, statement).mockImplementation(async (...of: unknown[]) => {
        await turns();
        const reply = await send(...of);
        onReply(statement, reply);
        await turns();
        return reply;
      });
    }
  }

  /** A firing that finds a locked or changed row pauses, by the clock. */
  async function untilSettled(work: readonly Promise<unknown>[]): Promise<void> {
    const settled = new AbortController();
    const all = Promise.all(work).finally(() => settled.abort());
    while (!settled.signal.aborted) await scene.clock.advance(1);
    await all;
  }

  const due = (): ScheduleColumns => ({
    workflow: 'w',
    // At the start of each year.
    spec: JSON.stringify({ cron: '0 0 1 1 *' }),
    input: null,
    origin: 'api',
    state: 'active',
    reason: null,
    nextFor: START,
    nextAt: START,
    lastError: null,
  });

  it.each(SEEDS)(
    'have one execution for an instant at most, and none once they are gone: seed %d',
    async (seed) => {
      const random = randomFrom(seed);
      const [first, second] = [await scene.boot(), await scene.boot()];
      let whenChanged: readonly string[] = [];
      let name = '';
      for (const process of [first, second]) {
        delayStatements(process, random, (statement, reply) => {
          // Before the caller hears of it: what is stored later must not be.
          if ((statement === 'change' || statement === 'delete') && reply === true)
            whenChanged = started(name);
        });
      }
      const { schedules } = first.runner;
      const { executions } = scene.database.tables(first.store.schema);
      /** The instants of the executions that are stored, by their schedules. */
      const stored = new Map<string, string[]>();
      const set = executions.set.bind(executions);
      jest.spyOn(executions, 'set').mockImplementation((id, row) => {
        const { $schedule: of } = JSON.parse(row.input) as Record<string, StoredInfo | undefined>;
        if (of !== undefined && !executions.has(id))
          stored.set(of.name, [...(stored.get(of.name) ?? []), of.scheduledAt]);
        return set(id, row);
      });
      const started = (of: string): readonly string[] => stored.get(of) ?? [];
      for (let round = 0; round < ROUNDS; round++) {
        name = `s${round}`;
        await second.store.schedules.create(name, due());
        const changes = {
          delete: () => schedules.delete(name),
          pause: () => schedules.pause(name),
          update: () => schedules.update(name, { every: '2h' }),
          backfill: async () => {
            await schedules.backfill(name, {
              from: new Date(START - 365 * DAY),
              to: new Date(START),
            });
          },
          create: async () => {
            await schedules.create(name, 'w', { every: '3h' });
          },
        };
        const kinds = Object.keys(changes) as (keyof typeof changes)[];
        const kind = kinds[round % kinds.length]!;
        const change = async (): Promise<void> => {
          await someTurns(random, 60);
          await changes[kind]();
        };
        await untilSettled([
          first.engine.schedules.fireDue(),
          change(),
          second.engine.schedules.fireDue(),
        ]);
        const after = started(name);
        expect(new Set(after).size).toBe(after.length);
        // What is gone, paused or changed fires for nothing that was due before.
        if (kind !== 'backfill') expect(after).toEqual(whenChanged);
        const outcome = `${kind}, ${after.includes(new Date(START).toISOString()) ? 'fired' : 'not fired'}`;
        seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
        await untilSettled([schedules.delete(name)]);
      }
    },
  );

  it('have both orders in these rounds, or they show nothing', () => {
    for (const kind of ['delete', 'pause', 'update', 'create']) {
      expect(seen.get(`${kind}, fired`)).toBeGreaterThan(0);
      expect(seen.get(`${kind}, not fired`)).toBeGreaterThan(0);
    }
    expect(seen.get('backfill, fired')).toBe((SEEDS.length * ROUNDS) / 5);
  });
});
