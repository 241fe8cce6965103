import pg from 'pg';
import { openTenant } from './open-tenant.js';
import { textOf } from './statements-of.js';

/**
 * A process that boots the tenants in BOOT_SCHEMA one after the other, each when it is told to, for tests that start
 * many at once or kill them. With BOOT_MOVE_TO, it moves the schema there instead. With BOOT_STEPWISE, it reports every statement before it sends it, and waits to be told.
 */

export interface BootMessage {
  readonly kind: 'ready' | 'statement' | 'done' | 'failed';
  readonly text?: string;
  readonly result?: { schemaCreated: boolean; applied: string[] };
}

const waiting: (() => void)[] = [];
process.on('message', () => waiting.shift()?.());

function tell(message: BootMessage): void {
  process.send?.(message);
}

function told(): Promise<void> {
  return new Promise((resolve) => waiting.push(resolve));
}

/** pg queues what is sent to one connection, so statements are held back one by one. */
function reportStatements(): void {
  const prototype = pg.Client.prototype;
  const send: unknown = Reflect.get(prototype, 'query');
  if (typeof send !== 'function') throw new Error('pg has changed');
  Reflect.set(prototype, 'query', function query(this: pg.Client, ...args: unknown[]): unknown {
    tell({ kind: 'statement', text: textOf(args[0]) });
    const proceed = told().then((): unknown => Reflect.apply(send, this, args));
    return typeof args.at(-1) === 'function' ? undefined : proceed;
  });
}

const schemas = (process.env['BOOT_SCHEMA'] ?? '').split(',');
const url = process.env['BOOT_URL'];
const moveTo = process.env['BOOT_MOVE_TO'];
try {
  for (const schema of schemas) {
    const tenant = await openTenant(schema, url === undefined ? {} : { url });
    tell({ kind: 'ready' });
    await told();
    if (process.env['BOOT_STEPWISE'] !== undefined) reportStatements();
    if (moveTo === undefined) tell({ kind: 'done', result: await tenant.migrator.ensure() });
    else await tenant.migrator.moveTo(moveTo).then(() => tell({ kind: 'done' }));
    await tenant.close();
  }
} catch (error) {
  tell({ kind: 'failed', text: String(error instanceof Error ? error.stack : error) });
}
process.disconnect();
