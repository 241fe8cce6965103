import type { Client } from 'pg';
import type { TestChild } from '../../support/child-process.js';
import { waitFor } from '../../support/wait-for.js';
import type { BootMessage } from './boot-process.js';

/** Sessions that a boot process, or `openTenant`, has open for the schema. */
export async function backendsOf(schema: string, client: Client): Promise<number> {
  const { rows } = await client.query(
    'SELECT 1 FROM pg_stat_activity WHERE application_name = $1',
    [`tenant ${schema}`],
  );
  return rows.length;
}

/** Lets a stepwise boot process send so many statements; the next one it has reported, and holds back. */
export async function letRun(child: TestChild, statements: number): Promise<string | undefined> {
  await child.message<BootMessage>(({ kind }) => kind === 'ready');
  for (let sent = 0; sent <= statements; sent++) {
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
    if (sent === statements) return reported.text;
  }
  return undefined;
}
