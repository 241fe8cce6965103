import type { Client } from 'pg';
import { startChild, type TestChild } from '../../support/child-process.js';
import { waitFor } from '../../support/wait-for.js';
import type { BootMessage } from './boot-process.js';

/** Which statement a process is killed before: by its text, or by its number from 0. */
export type KillPoint = (text: string, index: number) => boolean;

export function killedBefore(part: string): KillPoint {
  return (text) => text.includes(part);
}

/** Every statement, one after the other; without end. */
export function* everyStatement(): Generator<KillPoint> {
  for (let nth = 0; ; nth++) yield (_text, index) => index === nth;
}

/** A process that tells of each statement before it sends it. */
export function startStepwise(env: Record<string, string>): TestChild {
  const script = new URL('boot-process.ts', import.meta.url);
  return startChild(script, { env: { ...env, BOOT_STEPWISE: '1' } });
}

export interface Started {
  readonly child: TestChild;
  readonly schema: string;
}

/**
 * Kills a process at each of the points, until one comes to its end before its point, and calls `check` when the server
 * knows that it is gone. Returns the statements that they were killed before.
 */
export async function killAt<S extends Started>(
  points: Iterable<KillPoint>,
  start: () => S | Promise<S>,
  admin: Client,
  check: (started: S) => Promise<void>,
): Promise<string[]> {
  const texts: string[] = [];
  const iterator = points[Symbol.iterator]();
  let point = iterator.next();
  let next: S | undefined = await start();
  while (point.done !== true && next !== undefined) {
    const current = next;
    const isPoint = point.value;
    point = iterator.next();
    // The next one loads meanwhile: that takes most of its time.
    next = point.done === true ? undefined : await start();
    const text = await letRunTo(current.child, isPoint);
    if (text === undefined) break;
    texts.push(text);
    await current.child.kill('SIGKILL');
    await waitFor(async () => (await backendsOf(current.schema, admin)) === 0);
    await check(current);
  }
  await next?.child.kill('SIGKILL');
  return texts;
}

/** Sessions that a boot process, or `openTenant`, has open for the schema. */
export async function backendsOf(schema: string, client: Client): Promise<number> {
  const { rows } = await client.query(
    'SELECT 1 FROM pg_stat_activity WHERE application_name = $1',
    [`tenant ${schema}`],
  );
  return rows.length;
}

/** The text of the statement that the process holds back at that point; undefined when it was done before. */
async function letRunTo(child: TestChild, isPoint: KillPoint): Promise<string | undefined> {
  await child.message<BootMessage>(({ kind }) => kind === 'ready');
  for (let sent = 0; ; sent++) {
    child.send({});
    const reported = await waitFor(
      () => {
        const messages = child.messages as BootMessage[];
        const ended = messages.find(({ kind }) => kind === 'done' || kind === 'failed');
        return ended ?? messages.filter(({ kind }) => kind === 'statement')[sent];
      },
      { every: 2 },
    );
    if (reported.kind === 'failed') throw new Error(reported.text);
    if (reported.kind === 'done') return undefined;
    const text = reported.text ?? '';
    if (isPoint(text, sent)) return text;
  }
}
